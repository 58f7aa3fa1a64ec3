//! `/overview`, `/downtimes` and `/ui` as programs see them: what they tell, and to whom.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::situations::Host;
use crate::support::balancer::Balancer;
use crate::support::client::Response;
use crate::support::daemon::{Daemon, Setup};
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, unix_now, wait_until};

/// The paths that belong to the page.
const PAGE: [&str; 5] = ["/ui", "/ui.js", "/ui.css", "/overview", "/downtimes"];

/// What a browser on this host gets.
fn see(daemon: &Daemon, path: &str) -> Response {
    daemon.get_with(path, &[("Host", "localhost")])
}

fn overview(daemon: &Daemon) -> Value {
    see(daemon, "/overview").json()
}

/// Waits until a service is in a state; its row.
#[track_caller]
fn service_in(daemon: &Daemon, name: &str, state: &str) -> Value {
    let mut row = Value::Null;
    wait_until(PATIENCE, &format!("{name} is {state}"), || {
        let overview = overview(daemon);
        let rows = overview["services"].as_array().unwrap();
        row = rows
            .iter()
            .find(|row| row["name"] == name)
            .cloned()
            .unwrap_or_default();
        row["state"] == state
    });
    row
}

#[test]
fn a_service_goes_through_all_states_of_a_restart() {
    let host = Host::quiet().polled().sessions(7);
    let daemon = &host.daemon;
    let web = service_in(daemon, "web", "in");
    let check = &web["checks"][0];
    let port = host.services[1].port();
    assert_eq!(check["check"], format!("http 127.0.0.1:{port}"));
    assert_eq!(check["ask"], format!("/http/web/{port}/health"));
    assert_eq!(check["names"], json!(["web", format!("web:{port}")]));
    assert_eq!(
        (&check["told"], &check["code"]),
        (&json!("up"), &json!(200))
    );
    assert_eq!(check["text"], "200 fine");
    let names: Vec<&Value> = check["pollers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["node"])
        .collect();
    assert_eq!(names, ["lb1", "lb2"]);
    daemon.run("hadown", &["-r", "new disk", "web"]).is(0, "");
    let web = service_in(daemon, "web", "draining");
    let check = &web["checks"][0];
    assert_eq!(
        (&check["told"], &check["downtime"]),
        (&json!("down"), &json!("web"))
    );
    let poller = &check["pollers"][0];
    assert_eq!(
        (&poller["sessions"], &poller["sessions_at_close"]),
        (&json!(7), &json!(7))
    );
    assert_eq!(
        (&poller["out"], &poller["acted"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(overview(daemon)["balancers"][0]["left"], 7);
    host.balancers.iter().for_each(|b| b.sessions(0));
    service_in(daemon, "web", "down");
    let verdict = &overview(daemon)["verdict"];
    assert_eq!(
        verdict["text"],
        "1 of 2 services takes traffic; web is down by hand."
    );
    daemon.run("haup", &["web"]).is(0, "");
    service_in(daemon, "web", "in");
    assert_eq!(
        overview(daemon)["verdict"]["text"],
        "In rotation: all 2 services take traffic."
    );
}

#[test]
fn a_check_that_recovered_still_tells_its_last_failure() {
    let upstream = Upstream::start({
        let asked = AtomicU32::new(0);
        move |_| {
            let fails = asked.fetch_add(1, Ordering::SeqCst) < 8;
            let (status, body) = if fails {
                ("500 Oh", "index is red")
            } else {
                ("200 OK", "fine")
            };
            Some(http(status, body))
        }
    });
    let daemon = Daemon::with_config("cache_time: 0\n");
    let path = format!("/http/web/{}/", upstream.port());
    let _balancer = Balancer::start(daemon.address, "lb1", &[&path]);
    service_in(&daemon, "web", "failing");
    let web = service_in(&daemon, "web", "in");
    let check = &web["checks"][0];
    assert_eq!(check["last_fail"]["text"], "500 index is red");
    assert!(check["last_fail"]["at"].as_f64() < check["since"].as_f64());
    let hour = check["hour"].as_str().unwrap();
    assert!(hour.len() == 60 && hour.contains('f'), "{hour}");
    let overview = overview(&daemon);
    let changes = overview["changes"].as_array().unwrap();
    let kinds: Vec<&Value> = changes.iter().map(|change| &change["kind"]).collect();
    assert_eq!(kinds, ["pass", "fail", "start"]);
    assert_eq!(changes[1]["text"], "500 index is red");
    assert_eq!(changes[0]["service"], "web");
}

#[test]
fn two_paths_of_one_instance_are_two_checks() {
    let upstream = Upstream::start(|head| match head.split(' ').nth(1) {
        Some("/good") => Some(http("200 OK", "fine")),
        _ => Some(http("500 Oh", "bad")),
    });
    let daemon = Daemon::start();
    let path = |name: &str| format!("/http/web/{}/{name}", upstream.port());
    for _ in 0..3 {
        daemon.get(&path("good"));
        daemon.get(&path("bad"));
    }
    let web = service_in(&daemon, "web", "failing");
    let states: Vec<&Value> = web["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["state"])
        .collect();
    assert_eq!(states, ["failing", "in"]);
    let now = unix_now();
    let since = web["checks"][0]["since"].as_f64().unwrap();
    assert!((now - since).abs() < 60.0, "{since} is no time of day");
    assert_eq!(daemon.logged("is now DOWN"), 1, "{}", daemon.log());
}

#[test]
fn downtimes_are_told_whoever_wrote_them() {
    let daemon = Daemon::start();
    daemon
        .run("hadown", &["-r", "new disk", "--for", "2h", "web"])
        .is(0, "");
    daemon.spool.put(
        "mail:25",
        r#"{"reason": "a\u202eb\nc", "by": "alice", "soft": true}"#,
    );
    daemon.spool.put("touched", "");
    let answer = see(&daemon, "/downtimes").json();
    let rows = answer["downtimes"].as_array().unwrap();
    let names: Vec<&Value> = rows.iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["mail:25", "touched", "web"]);
    let mail = &rows[0];
    assert_eq!(
        (&mail["service"], &mail["port"]),
        (&json!("mail"), &json!(25))
    );
    assert_eq!(
        (&mail["reason"], &mail["by"]),
        (&json!("ab c"), &json!("alice"))
    );
    assert_eq!(
        (&mail["mark"], &mail["held"]),
        (&json!("soft"), &json!(false))
    );
    let lasts = rows[2]["until"].as_f64().unwrap() - rows[2]["since"].as_f64().unwrap();
    assert!((lasts - 7200.0).abs() < 1.0, "{lasts}");
    assert_eq!(overview(&daemon)["downtimes"], answer["downtimes"]);
    // Nobody asks for them.
    let silent = service_in(&daemon, "mail:25", "silent");
    assert_eq!(silent["checks"], json!([]));
}

#[test]
fn what_happens_to_the_spool_is_a_change() {
    let daemon = Daemon::start();
    let changed = |kind: &str| {
        let mut found = Value::Null;
        wait_until(PATIENCE, kind, || {
            let overview = overview(&daemon);
            let changes = overview["changes"].as_array().unwrap();
            found = changes
                .iter()
                .find(|c| c["kind"] == kind)
                .cloned()
                .unwrap_or_default();
            !found.is_null()
        });
        found
    };
    changed("start");
    daemon.run("hadown", &["-r", "new disk", "web"]).is(0, "");
    let down = changed("down");
    assert_eq!(
        (&down["service"], &down["text"]),
        (&json!("web"), &json!("new disk"))
    );
    daemon.run("haup", &["web"]).is(0, "");
    assert_eq!(changed("lifted")["expired"], false);
    daemon.wait_for_log(" took web down: new disk");
    daemon.wait_for_log("the downtime of web was lifted");
    let root = daemon.spool.root();
    std::fs::rename(&root, root.with_extension("gone")).unwrap();
    let spool = changed("spool");
    assert!(
        spool["text"].as_str().unwrap().contains("no such file"),
        "{spool}"
    );
    let spool = &overview(&daemon)["spool"];
    assert_eq!(spool["readable"], false);
    assert!(spool["since"].is_f64(), "{spool}");
}

#[test]
fn a_downtime_that_is_held_says_so() {
    let daemon = Daemon::start();
    daemon.run("hadown", &["-r", "new disk", "web"]).is(0, "");
    assert_eq!(overview(&daemon)["downtimes"][0]["held"], false);
    let root = daemon.spool.root();
    std::fs::rename(&root, root.with_extension("gone")).unwrap();
    let row = &overview(&daemon)["downtimes"][0];
    assert_eq!((&row["name"], &row["held"]), (&json!("web"), &json!(true)));
}

#[test]
fn a_group_that_goes_down_is_a_change() {
    let daemon =
        Daemon::with_config("groups: {node: {checks: [\"tcp://127.0.0.1:1\"], every: 0.1}}\n");
    wait_until(PATIENCE, "the group is down", || {
        let overview = overview(&daemon);
        let change = &overview["changes"][0];
        change["kind"] == "group" && change["service"] == "node"
    });
    let group = &overview(&daemon)["groups"]["node"];
    assert_eq!(group["state"], "down");
    assert_eq!(group["checks"][0]["passes"], false);
}

#[test]
fn a_group_that_is_not_watched_is_a_change_and_a_line_of_the_log_too() {
    let upstream = Upstream::start({
        let asked = AtomicU32::new(0);
        move |_| {
            let fails = asked.fetch_add(1, Ordering::SeqCst) == 0;
            Some(http(if fails { "500 Oh" } else { "200 OK" }, "x"))
        }
    });
    let port = upstream.port();
    let daemon = Daemon::with_config(&format!(
        "log_format: json\ncache_time: 0\ngroups: {{node: {{checks: [\"http://127.0.0.1:{port}/\"]}}}}\n"
    ));
    for (says, text) in [
        ("node is now DOWN: ", true),
        ("node is now up, after ", false),
    ] {
        daemon.get("/group/node/0/");
        let mut change = Value::Null;
        wait_until(PATIENCE, says, || {
            let changes = overview(&daemon)["changes"].clone();
            let mut groups = changes.as_array().unwrap().iter();
            let newest = groups.find(|change| change["kind"] == "group").cloned();
            change = newest.unwrap_or_default();
            change["service"] == "node" && change["text"].is_string() == text
        });
        daemon.wait_for_log(says);
        let log = daemon.log();
        let line = log.lines().find(|line| line.contains(says)).unwrap();
        let logged: Value = serde_json::from_str(line).unwrap();
        for name in ["kind", "service", "text", "after"] {
            assert_eq!(logged[name], change[name], "{name} of {line}");
        }
    }
}

#[test]
fn the_line_to_type_asks_the_host_that_the_balancer_asks() {
    let daemon = Daemon::start();
    for _ in 0..3 {
        daemon.get("/tcp/here/1");
        daemon.get_with(
            "/http/there/1/a?b=c/d",
            &[("X-Nerve-Check-IP", "127.0.0.9")],
        );
    }
    let words = |service: &str| {
        let row = service_in(&daemon, service, "failing");
        row["checks"][0]["probe"].clone()
    };
    assert_eq!(words("here"), json!(["tcp", "here", "1"]));
    let there = json!([
        "-H",
        "X-Nerve-Check-IP: 127.0.0.9",
        "http",
        "there",
        "1",
        "/a?b=c/d"
    ]);
    assert_eq!(words("there"), there);
}

#[test]
fn what_was_asked_once_by_chance_is_no_service() {
    let daemon = Daemon::start();
    daemon.get("/tcp/scanned/1");
    daemon.get_with("/tcp/looked/1", &[("User-Agent", "curl/8")]);
    daemon.get_with("/tcp/looked/1", &[("User-Agent", "curl/8")]);
    assert_eq!(overview(&daemon)["services"], json!([]));
    daemon.get("/tcp/scanned/1");
    assert_eq!(overview(&daemon)["services"][0]["name"], "scanned");
}

#[test]
fn only_the_services_that_are_named_are_told() {
    let host = Host::quiet().polled().down("x", "wbe");
    service_in(&host.daemon, "web", "in");
    service_in(&host.daemon, "api", "in");
    let answer = see(&host.daemon, "/overview?service=web&service=nope").json();
    let names: Vec<&Value> = answer["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["name"])
        .collect();
    assert_eq!(names, ["web"]);
}

#[test]
fn strangers_fill_neither_the_list_nor_the_changes() {
    let daemon = Daemon::start();
    let check = "/tcp/real/1".to_owned();
    let _balancer = Balancer::start(daemon.address, "lb1", &[&check]);
    wait_until(PATIENCE, "the balancer polls steadily", || {
        let polls = &overview(&daemon)["balancers"][0]["polls"];
        polls.as_u64() > Some(5)
    });
    for i in 0..300 {
        for _ in 0..3 {
            daemon.get(&format!("/tcp/aaa-junk{i}/1"));
        }
    }
    let overview = overview(&daemon);
    let services = overview["services"].as_array().unwrap();
    assert_eq!((services.len(), &overview["left_out"]), (200, &json!(101)));
    assert!(services.iter().any(|service| service["name"] == "real"));
    assert!(overview["changes"].as_array().unwrap().len() <= 200);
}

#[test]
fn the_page_is_fixed_and_strict() {
    let daemon = Daemon::start();
    for (path, kind) in [
        ("/ui", "text/html; charset=utf-8"),
        ("/ui.js", "text/javascript; charset=utf-8"),
        ("/ui.css", "text/css; charset=utf-8"),
    ] {
        let answer = see(&daemon, path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some(kind));
        for (name, value) in [
            (
                "content-security-policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                 trusted-types 'none'",
            ),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
        let tag = answer.header("etag").unwrap().to_owned();
        assert_eq!(
            daemon
                .get_with(path, &[("Host", "localhost"), ("If-None-Match", &tag)])
                .status,
            304
        );
        let head = daemon.request("HEAD", path, &[("Host", "localhost")]);
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(daemon.request("POST", path, &[]).status, 405);
    }
}

#[test]
fn json_is_data_to_a_browser_and_not_for_pages_of_other_hosts() {
    let daemon = Daemon::start();
    for path in [
        "/overview",
        "/downtimes",
        "/status",
        "/pollers",
        "/recent",
        "/status/count",
    ] {
        let answer = see(&daemon, path);
        assert_eq!(answer.status, 200, "{path}");
        let header = |name| answer.header(name);
        assert_eq!(
            header("content-security-policy"),
            Some("default-src 'none'; sandbox")
        );
        assert_eq!(header("cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("access-control-allow-origin"), None);
    }
}

#[test]
fn the_root_stays_not_found_and_names_the_page() {
    // A balancer that checks the default path must not see 200.
    Daemon::start().get("/").says(404, "/ui");
}

#[test]
fn a_name_that_is_not_this_hosts_is_refused_the_page_alone() {
    let daemon = Daemon::with_config("page_hosts: [status.example, .corp.example]\n");
    let get = |path: &str, host: &str| daemon.get_with(path, &[("Host", host)]);
    for path in PAGE {
        get(path, "evil.example").says(403, "page_hosts");
        get(path, "127.0.0.1.evil.example:80").says(403, "page_hosts");
        for host in [
            "127.0.0.1:3333",
            "[::1]",
            "localhost:1",
            "Status.example",
            "a.corp.example:80",
        ] {
            assert_eq!(get(path, host).status, 200, "{path} {host}");
        }
    }
    for path in [
        "/spool/web/80",
        "/metrics",
        "/status",
        "/pollers",
        "/healthz",
    ] {
        assert_eq!(get(path, "evil.example").status, 200, "{path}");
    }
}

#[test]
fn a_peer_outside_page_from_is_refused_the_page_alone() {
    let daemon = Setup::new().config("page_from: [10.0.0.0/8]\n").start();
    for path in PAGE {
        see(&daemon, path).says(403, "page_from");
    }
    assert_eq!(daemon.get("/status").status, 200);
    daemon.reload("page_from: private\n", "configuration read");
    assert_eq!(see(&daemon, "/ui").status, 200);
    daemon.reload("page_from: []\n", "configuration read");
    for path in PAGE {
        see(&daemon, path).says(404, "page_from");
    }
}

#[test]
fn the_log_of_json_has_the_fields_of_changes() {
    let daemon = Daemon::with_config("log_format: json\n");
    let _balancer = Balancer::start(daemon.address, "lb1", &["/tcp/db/1"]);
    service_in(&daemon, "db", "failing");
    daemon.run("hadown", &["-r", "new disk", "web"]).is(0, "");
    daemon.wait_for_log(" took web down: new disk");
    let mut changes = Vec::new();
    wait_until(PATIENCE, "both changes are told", || {
        changes.clone_from(overview(&daemon)["changes"].as_array().unwrap());
        changes.retain(|change| change["kind"] != "start");
        changes.len() == 2
    });
    let log = daemon.log();
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    for change in changes {
        let logged = lines
            .iter()
            .find(|line| line["kind"] == change["kind"])
            .unwrap();
        for (name, value) in change.as_object().unwrap() {
            if name != "at" {
                assert_eq!(logged[name], *value, "{name} of {logged}");
            }
        }
    }
}
