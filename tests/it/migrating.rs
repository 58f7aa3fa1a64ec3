//! What differs from the replaced tools: each row of `docs/migrating.md` names its difference, and a test shows it. Those
//! that belong to no other file are here.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;

use crate::heartbeat::Stage;
use crate::support::daemon::Daemon;
use crate::support::server::free_port;
use crate::support::upstream::{Upstream, http};
use crate::support::{Spool, command, run, timed_out_after};

const DOCUMENT: &str = "docs/migrating.md";

/// Which test shows a row: the row's first cell, a tab, and for each test its file and name.
const SHOWN_BY: &str = include_str!("../data/migrating.txt");

#[test]
fn each_row_of_what_differs_is_shown_by_a_test_that_exists() {
    let shown: Vec<(&str, &str)> = SHOWN_BY
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let rows = differences();
    let named: BTreeSet<&str> = shown.iter().map(|(row, _)| *row).collect();
    let stand: BTreeSet<&str> = rows.iter().map(String::as_str).collect();
    assert_eq!(
        stand, named,
        "left: rows of {DOCUMENT}; right: tests/data/migrating.txt"
    );
    for (row, tests) in shown {
        for test in tests.split(", ") {
            assert!(exists(test), "{row}: there is no {test}");
        }
    }
}

/// The first cells of the tables that say what differs: those whose second column is hacheck.
fn differences() -> Vec<String> {
    let text = fs::read_to_string(DOCUMENT).unwrap();
    let mut rows = Vec::new();
    let mut differs = false;
    for line in text.lines() {
        let Some(row) = line.strip_prefix("| ") else {
            differs &= line.starts_with('|');
            continue;
        };
        let Some((first, rest)) = row.split_once(" | ") else {
            continue;
        };
        if rest.starts_with("hacheck |") || rest.starts_with("hacheck with") {
            differs = true;
        } else if differs {
            rows.push(first.to_owned());
        }
    }
    rows
}

/// Whether a file holds a function, or is there at all where none is named: `tests/it/tls.rs name`.
fn exists(test: &str) -> bool {
    let (file, name) = test.split_once(' ').unwrap_or((test, ""));
    let text = fs::read_to_string(file).unwrap_or_default();
    match name {
        "" => !text.is_empty(),
        name => text.contains(&format!("fn {name}(")) || text.contains(&format!("def {name}(")),
    }
}

#[test]
fn a_refused_connection_is_told_at_once_with_its_cause() {
    // With a deadline of an hour this would not end if it were waited for.
    let daemon = Daemon::with_config("healthcheck_timeout: 3600\n");
    for protocol in ["http", "tcp", "smtp"] {
        let path = format!("/{protocol}/web/{}/x", free_port());
        daemon.get(&path).says(503, "refused");
    }
}

#[test]
fn one_cache_serves_all_connections() {
    let (upstream, daemon) = (Upstream::answering("well"), Daemon::start());
    let path = format!("/http/web/{}/health", upstream.port());
    for _ in 0..20 {
        daemon.get(&path).is(200, "well");
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn an_end_that_is_no_number_of_seconds_is_no_end_for_commands_and_posts() {
    let spool = Spool::new();
    spool.run("hadown", &["-e", "inf", "web"]).code_is(2);
    assert_eq!(spool.files(), [""; 0]);
    let daemon = Daemon::with_config("allow_remote_spool_changes: true\n");
    daemon
        .request(
            "POST",
            "/spool/web/0/status?status=down&reason=x&expiration=inf",
            &[],
        )
        .says(400, "expiration");
}

#[test]
fn a_downtime_that_ends_at_infinity_tells_no_end() {
    let daemon = Daemon::start();
    daemon.spool.put(
        "web",
        r#"{"service": "web", "reason": "disk", "expiration": Infinity}"#,
    );
    let answer = daemon.get("/spool/web/0/status");
    answer.says(503, "Service web in down state");
    assert!(!answer.body.contains("until"), "{}", answer.body);
}

#[test]
fn a_path_reaches_the_upstream_as_it_is_written() {
    let (upstream, daemon) = (Upstream::answering(""), Daemon::start());
    daemon
        .get(&format!("/http/web/{}/a%3Cb%2Fc", upstream.port()))
        .is(200, "");
    let head = &upstream.seen()[0];
    assert!(head.starts_with("GET /a%3Cb%2Fc HTTP/1.1\r\n"), "{head}");
}

#[test]
fn a_chain_of_redirects_has_one_deadline() {
    let slow = Upstream::start(|_| None);
    let place = slow.port();
    let first = Upstream::start(move |_| {
        let answer = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{place}/\r\nContent-Length: 0\r\n\r\n"
        );
        Some(answer.into_bytes())
    });
    let daemon = Daemon::with_config("compat: uber\nhealthcheck_timeout: 1\n");
    let answer = daemon.get(&format!("/http/web/{}/", first.port()));
    answer.says(503, "timed out after ");
    assert!(timed_out_after(&answer.body) >= 1.0, "{answer:?}");
}

#[test]
fn with_compat_uber_names_have_dots_and_instances_are_known() {
    let daemon = Daemon::with_config("compat: uber\n");
    daemon.get("/spool/web.v2/0/status").is(200, "");
    daemon.run("hadown", &["-r", "disk", "web:8080"]).code_is(0);
    daemon.get("/spool/web/8080/status").says(503, "disk");
    daemon.get("/spool/web/8081/status").is(200, "");
}

#[test]
fn wrong_usage_of_health_checker_exits_with_2() {
    let ran = run("health-checker", &["--listener", "127.0.0.1:0"]);
    ran.code_is(2);
    run("health-checker", &["--port"]).code_is(2);
}

#[test]
fn heartbeat_runs_all_checks_at_once_whatever_threads_says() {
    // Each of the two answers only once the other was asked, too.
    let stage = Stage::new();
    let (one, two) = (
        TcpListener::bind("127.0.0.1:0").unwrap(),
        TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let check = |name: &str, port: u16| {
        format!(
            "[{name}]\ntype = http\nhostname = 127.0.0.1\nport = {port}\ntimeout = 60\naction = nginx\n"
        )
    };
    let checks = check("a", port(&one)) + &check("b", port(&two));
    stage.conf("daemonize = no\nthreads = 1", &checks);
    let answering = std::thread::spawn(move || {
        let asked = [one.accept().unwrap().0, two.accept().unwrap().0];
        for mut stream in asked {
            stream.write_all(&http("200 OK", "")).unwrap();
        }
    });
    stage.run(&[]);
    answering.join().unwrap();
    assert_eq!(stage.actions(), ["up"]);
}

#[test]
fn heartbeat_uses_no_proxy_of_the_environment_and_asks_no_cloud_metadata() {
    let (upstream, proxy) = (Upstream::answering(""), Upstream::answering(""));
    let stage = Stage::new();
    let check = web(upstream.port(), "");
    stage.conf("daemonize = no", &check);
    let ran = command("heartbeat")
        .args(["-c", "heartbeat.conf"])
        .current_dir(stage.folder.path())
        .env("http_proxy", format!("http://{}", proxy.address))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!((upstream.seen().len(), proxy.seen().len()), (1, 0));

    let metadata = Upstream::start(|_| {
        Some(
            b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
        )
    });
    let stage = Stage::new();
    let check = web(metadata.port(), "");
    stage.conf("daemonize = no", &check);
    stage.run(&[]);
    assert_eq!(stage.actions(), ["down"]);
    assert!(
        stage.read("heartbeat.log").contains("metadata"),
        "{}",
        stage.read("heartbeat.log")
    );
}

#[test]
fn a_check_of_heartbeat_has_one_deadline() {
    let silent = Upstream::start(|_| None);
    let place = silent.port();
    let first = Upstream::start(move |_| {
        let location = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://localhost:{place}/\r\nContent-Length: 0\r\n\r\n"
        );
        Some(location.into_bytes())
    });
    let stage = Stage::new();
    stage.conf("daemonize = no", &web(first.port(), "timeout = 1"));
    stage.run(&[]);
    assert_eq!(stage.actions(), ["down"]);
    let log = stage.read("heartbeat.log");
    assert!(timed_out_after(&log) >= 1.0, "{log}");
}

#[test]
fn heartbeat_logs_no_password_of_a_hostname() {
    let stage = Stage::new();
    stage.conf(
        "daemonize = no",
        &web(free_port(), "hostname = user:s3cret@localhost"),
    );
    stage.run(&[]);
    let log = stage.read("heartbeat.log");
    assert!(
        log.contains("Status: Unhealthy") && !log.contains("s3cret"),
        "{log}"
    );
}

/// The section of an HTTP check, whose action notes what it did.
fn web(port: u16, more: &str) -> String {
    format!("[web]\ntype = http\nhostname = localhost\nport = {port}\naction = nginx\n{more}\n")
}
