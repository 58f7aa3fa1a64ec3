//! The pages about the daemon: JSON for people and tools, metrics for Prometheus.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::run;
use crate::support::upstream::Upstream;

#[test]
fn pages_show_who_asked_for_what() {
    let daemon = Daemon::start();
    daemon.run("hadown", &["-r", "x", "db"]).is(0, "");
    for _ in 0..3 {
        daemon.get("/spool/web/80");
    }
    daemon.get("/spool/db/80");
    let counts =
        json!({"service_access_counts": {"web": {"127.0.0.1": 3}, "db": {"127.0.0.1": 1}}});
    assert_eq!(daemon.get("/status/count").json(), counts);
    let recent = daemon.get("/recent").json();
    assert_eq!(recent["threshold_seconds"], 600);
    let seen = recent["seen_services"].as_array().unwrap();
    let codes: Vec<_> = seen
        .iter()
        .map(|s| (s[0].as_str().unwrap(), s[1]["code"].as_u64().unwrap()))
        .collect();
    assert_eq!(codes, [("db", 503), ("web", 200)]);
    assert_eq!(
        (&seen[0][1]["remote_ip"], seen[0][1]["ts"].is_f64()),
        (&json!("127.0.0.1"), true)
    );
    assert_eq!(
        daemon.get("/recent?threshold=-1").json(),
        json!({"seen_services": [], "threshold_seconds": -1})
    );
    daemon.get("/recent?threshold=soon").says(
        400,
        "threshold must be a whole number of seconds, not 'soon'",
    );
    let listed = run("halist", &["-p", &daemon.address.port().to_string()]);
    let lines: Vec<&str> = listed
        .out
        .lines()
        .map(|l| l.split(", ").next().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "db last_response={\"code\": 503",
            "web last_response={\"code\": 200"
        ],
        "{listed:?}"
    );
    for (pointer, value) in [
        ("/spool/downtimes", json!(1)),
        ("/spool/readable", json!(true)),
        ("/spool/error", json!(null)),
        ("/services/known", json!(2)),
        ("/services/failing_checks", json!(0)),
        ("/outbound_request_queue_size", json!(0)),
        ("/cache/gets", json!(0)),
        ("/connections/open", json!(1)),
    ] {
        assert_eq!(daemon.status(pointer), value, "{pointer}");
    }
    let process = daemon.get("/mutornadomon").json()["process"].clone();
    for pointer in [
        "/uptime",
        "/meminfo/rss_bytes",
        "/cpu/num_threads",
        "/num_fds",
    ] {
        assert!(
            process
                .pointer(pointer)
                .and_then(serde_json::Value::as_f64)
                .is_some_and(|v| v > 0.0),
            "{pointer} in {process}"
        );
    }
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let daemon = Daemon::start();
    let upstream = Upstream::answering("fine");
    daemon.run("hadown", &["-r", "x", "db"]).is(0, "");
    for path in [
        &format!("/http/web/{}/", upstream.port()),
        "/tcp/web/1",
        "/spool/db/80",
        "/nowhere",
    ] {
        daemon.get(path);
    }
    // Names no host that can be, so it is refused and says nothing of the service.
    daemon.get_with("/tcp/web/1", &[("X-Nerve-Check-IP", "a@b")]);
    let response = daemon.get("/metrics");
    assert_eq!(
        response.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let samples = parsed(&response.body);
    for (sample, value) in [
        ("hacheck_requests_total{code=\"2xx\"}", 1.0),
        ("hacheck_requests_total{code=\"4xx\"}", 2.0),
        ("hacheck_requests_total{code=\"5xx\"}", 2.0),
        ("hacheck_checks_down_total", 1.0),
        ("hacheck_checks_refused_total", 1.0),
        (
            "hacheck_probes_total{protocol=\"http\",result=\"pass\"}",
            1.0,
        ),
        (
            "hacheck_probes_total{protocol=\"tcp\",result=\"fail\"}",
            1.0,
        ),
        (
            "hacheck_probe_duration_seconds_count{protocol=\"tcp\"}",
            1.0,
        ),
        ("hacheck_downtimes", 1.0),
        ("hacheck_failing_checks", 1.0),
        ("hacheck_cache_misses_total", 2.0),
        ("hacheck_spool_readable", 1.0),
        ("hacheck_connections", 1.0),
    ] {
        assert_eq!(
            samples.get(sample),
            Some(&value),
            "{sample} in\n{}",
            response.body
        );
    }
    assert!(samples.contains_key(concat!(
        "hacheck_build_info{version=\"",
        env!("CARGO_PKG_VERSION"),
        "\"}"
    )));
    assert!(
        !response.body.contains("127.0.0.1") && !response.body.contains("\"web\""),
        "{}",
        response.body
    );
}

/// The samples of a page, checked by the rules of the text format: each metric once, with help and type before its
/// samples, no series twice, and buckets that only grow.
fn parsed(page: &str) -> BTreeMap<String, f64> {
    assert!(page.ends_with('\n'));
    let (mut samples, mut done) = (BTreeMap::new(), HashSet::new());
    let (mut help, mut current, mut kind, mut last_bucket) = (
        String::new(),
        String::new(),
        String::new(),
        (String::new(), 0.0),
    );
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, text) = rest.split_once(' ').unwrap();
            assert!(
                done.insert(name.to_owned()) && !text.is_empty(),
                "twice, or without help: {line}"
            );
            help = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').unwrap();
            assert!(
                name == help && matches!(of, "counter" | "gauge" | "histogram"),
                "{line}"
            );
            assert_eq!(name.ends_with("_total"), of == "counter", "{line}");
            (current, kind) = (name.to_owned(), of.to_owned());
        } else {
            let (series, value) = line
                .rsplit_once(' ')
                .unwrap_or_else(|| panic!("no sample: {line:?}"));
            let name = series.split('{').next().unwrap();
            let value: f64 = value.parse().unwrap_or_else(|e| panic!("{e}: {line:?}"));
            let suffix = name
                .strip_prefix(&current)
                .unwrap_or_else(|| panic!("{line} stands under {current}"));
            let fits = if kind == "histogram" {
                matches!(suffix, "_bucket" | "_sum" | "_count")
            } else {
                suffix.is_empty()
            };
            assert!(fits && value >= 0.0, "{line}");
            if suffix == "_bucket" {
                let of = series.split(",le=").next().unwrap().to_owned();
                assert!(
                    last_bucket.0 != of || last_bucket.1 <= value,
                    "{line} is below the bucket before it"
                );
                last_bucket = (of, value);
            } else if suffix == "_count" {
                assert_eq!(last_bucket.1, value, "{line}: the last bucket holds all");
            }
            assert_eq!(
                samples.insert(series.to_owned(), value),
                None,
                "twice: {series}"
            );
        }
    }
    samples
}
