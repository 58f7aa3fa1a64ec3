//! Groups that are asked for: by URL and on listeners of their own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::support::client::{self, Response};
use crate::support::daemon::{Daemon, Setup};
use crate::support::run;
use crate::support::server::free_port;
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, TempDir, timed_out_after, until_there};

/// A listener that counts as a service.
fn service() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn ask(port: u16, path: &str) -> Response {
    client::request(SocketAddr::from(([127, 0, 0, 1], port)), "GET", path, &[])
}

#[test]
fn a_group_passes_when_all_any_or_so_many_of_its_checks_do() {
    let (_up, good) = service();
    let bad = free_port();
    let config = format!(
        "cache_time: 0\ngroups:\n\
         \x20 all: {{checks: [tcp://localhost:{good}, tcp://127.0.0.1:{bad}]}}\n\
         \x20 any: {{checks: [tcp://localhost:{good}, tcp://127.0.0.1:{bad}], require: any}}\n\
         \x20 two: {{checks: [tcp://localhost:{good}, tcp://127.0.0.1:{bad}, group:any], require: 2}}\n\
         \x20 none: {{checks: [tcp://localhost:{bad}], require: any}}\n"
    );
    let daemon = Daemon::with_config(&config);
    let failed = daemon.get("/group/all/0/");
    failed.says(
        503,
        &format!("group all: 1 of 2 checks passed, 2 must; failed: tcp://127.0.0.1:{bad}\n"),
    );
    failed.says(503, &format!("\npass tcp://localhost:{good} "));
    failed.says(503, &format!("\nFAIL tcp://127.0.0.1:{bad} "));
    assert!(
        failed.phrase.starts_with("group all: 1 of 2 checks passed"),
        "{failed:?}"
    );
    daemon
        .get("/group/any/0")
        .says(200, "group any: 1 of 2 checks passed, 1 must; failed");
    daemon.get("/group/two/80/x").says(200, "pass group:any ");
    daemon.get("/group/none/0").says(503, "0 of 1");
    daemon
        .get("/group/other/0")
        .is(404, "the configuration has no group 'other'");
}

/// A service may listen on either of the two; one that is named by its address is asked at that one alone.
#[test]
fn localhost_is_tried_at_both_of_its_addresses() {
    let v6 = TcpListener::bind("[::1]:0").unwrap();
    let port = v6.local_addr().unwrap().port();
    let config = format!(
        "groups:\n\
         \x20 both: {{checks: [tcp://localhost:{port}]}}\n\
         \x20 one: {{checks: [\"tcp://127.0.0.1:{port}\"]}}\n"
    );
    let daemon = Daemon::with_config(&config);
    daemon
        .get("/group/both/0")
        .says(200, "1 of 1 checks passed");
    daemon.get("/group/one/0").says(503, "connection refused");
}

#[test]
fn every_kind_of_check_may_be_in_a_group_and_redirects_pass() {
    let upstream = Upstream::start(|head| {
        Some(if head.starts_with("GET /moved") {
            http("302 Found", "")
        } else {
            http("200 OK", "fine")
        })
    });
    let port = upstream.port();
    let config = format!(
        "exec: {{zk: [/bin/sh, -c, \"echo $HACHECK_SERVICE\"], no: \"false\"}}\n\
         groups: {{node: {{timeout: 5, checks: [\"http://127.0.0.1:{port}/health?a=b\", http://127.0.0.1:{port}/moved, exec:zk]}},\n\
         \x20 bad: {{checks: [exec:no]}}}}\n"
    );
    let daemon = Daemon::with_config(&config);
    let answer = daemon.get("/group/node/0/");
    answer.says(200, "200 fine\n");
    answer.says(200, " 302\n");
    answer.says(200, " 200 node\n");
    daemon.get("/group/bad/0/").says(503, "FAIL exec:no ");
    assert!(
        upstream.seen()[0].starts_with("GET /")
            && upstream
                .seen()
                .iter()
                .any(|h| h.starts_with("GET /health?a=b "))
    );
    // The group's probes and those of pollers share one cache.
    let host = [("Host", "127.0.0.1:3333")];
    daemon
        .get_with(&format!("/http/web/{port}/health?a=b"), &host)
        .is(200, "fine");
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn the_spool_comes_first_for_groups_too() {
    let (_up, good) = service();
    let listen = free_port();
    let config = format!(
        "groups: {{node: {{checks: [tcp://localhost:{good}], listen: 127.0.0.1:{listen}}}}}\n"
    );
    let daemon = Daemon::with_config(&config);
    daemon.get("/healthz").is(200, "ok\n");
    ask(listen, "/").is(200, "OK");
    for name in ["node", "all"] {
        daemon.run("hadown", &["-r", "work", name]).is(0, "");
        daemon
            .get("/group/node/0/")
            .says(503, &format!("Service {name} in down state since "));
        ask(listen, "/").says(503, &format!("Service {name} in down state since "));
        daemon.run("haup", &[name]).is(0, "");
    }
    daemon.get("/group/node/0/").says(200, "1 of 1");
}

#[test]
fn a_listener_of_a_group_answers_any_url_as_health_checker_does() {
    let (up, good) = service();
    let (first, second) = (free_port(), free_port());
    let config = format!(
        "cache_time: 0\ngroups:\n  a: {{checks: [tcp://localhost:{good}], listen: 127.0.0.1:{first}}}\n  b: {{checks: [group:a], listen: 127.0.0.1:{second}}}\n"
    );
    let mut daemon = Daemon::with_config(&config);
    daemon.get("/healthz").is(200, "ok\n");
    for path in ["/", "/status", "/any/thing?x=1"] {
        ask(first, path).is(200, "OK");
        ask(second, path).is(200, "OK");
    }
    drop(up);
    ask(first, "/").says(
        504,
        "At least one health check failed\n\ngroup a: 0 of 1 checks passed, 1 must",
    );
    ask(second, "/").says(504, "FAIL group:a");
    daemon.get("/group/a/0/").says(503, "0 of 1");
    assert_eq!(daemon.status("/groups/a/state"), "down");
    assert_eq!(daemon.metric("hacheck_group_up{group=\"a\"}"), 0.0);
    let recent = daemon.get("/recent").json();
    assert_eq!(recent["groups"]["b"]["state"], "down", "{recent}");
    daemon.is_sound();
}

#[test]
fn a_group_with_a_hung_check_answers_in_time_and_names_it() {
    let upstream = Upstream::hung();
    let (_up, good) = service();
    let config = format!(
        "healthcheck_timeout: 300\ngroups: {{node: {{timeout: 1, checks: [http://localhost:{}/, tcp://localhost:{good}]}}}}\n",
        upstream.port()
    );
    let daemon = Daemon::with_config(&config);
    let answer = daemon.get("/group/node/0/");
    answer.says(503, "503 Connection timed out after ");
    assert!((1.0..300.0).contains(&timed_out_after(&answer.body)));
    answer.says(503, &format!("pass tcp://localhost:{good}"));
}

#[test]
fn concurrent_requests_share_one_run_of_a_group() {
    let folder = TempDir::new();
    let (runs, go) = (folder.path().join("runs"), folder.path().join("go"));
    let script = format!(
        concat!("echo run >> {}; ", until_there!("{}")),
        runs.display(),
        go.display()
    );
    let listen = free_port();
    let config = format!(
        "cache_time: 0\nhealthcheck_timeout: 30\nexec: {{wait: [/bin/sh, -c, \"{script}\"]}}\n\
         groups: {{node: {{checks: [exec:wait], listen: 127.0.0.1:{listen}}}}}\n"
    );
    let daemon = Setup::new().config(config).start();
    daemon.get("/healthz").is(200, "ok\n");
    let address = SocketAddr::from(([127, 0, 0, 1], listen));
    let mut streams: Vec<_> = (0..200)
        .map(|_| client::send(address, "GET", "/", &[]))
        .collect();
    crate::support::wait_until(PATIENCE, "all requests are in", || {
        daemon.status("/connections/open").as_u64() >= Some(200)
    });
    fs::write(&go, "").unwrap();
    let answers: Vec<_> = thread::scope(|s| {
        streams
            .drain(..)
            .map(|mut c| s.spawn(move || client::answer(&mut c)))
            .map(|t| t.join().unwrap())
            .collect()
    });
    assert!(
        answers.iter().all(|a| a.status == 200 && a.body == "OK"),
        "{:?}",
        answers.iter().find(|a| a.status != 200)
    );
    assert_eq!(fs::read_to_string(&runs).unwrap(), "run\n");
}

#[test]
fn hosts_of_the_configuration_are_checked_outside_of_check_hosts_and_requests_get_nothing_of_that()
{
    let (_up, good) = service();
    let config = format!(
        "check_hosts: [10.0.0.0/8]\ngroups: {{node: {{checks: [tcp://localhost.localdomain:{good}, tcp://127.0.0.1:{good}], require: any}}}}\n"
    );
    let daemon = Daemon::with_config(&config);
    daemon
        .get("/group/node/0/")
        .says(200, "pass tcp://127.0.0.1");
    daemon
        .get_with(
            &format!("/tcp/node/{good}"),
            &[("X-Nerve-Check-IP", "203.0.113.1")],
        )
        .says(403, "check_hosts");
}

#[test]
fn an_address_that_cannot_be_listened_on_ends_the_start_with_a_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let own = free_port();
    for (address, says) in [
        (
            taken.to_string(),
            format!("group node: cannot listen on {taken}: "),
        ),
        (
            format!("0.0.0.0:{own}"),
            format!("group node: hacheck itself listens on 0.0.0.0:{own}; give the group another"),
        ),
    ] {
        let config =
            format!("groups: {{node: {{checks: [tcp://localhost:1], listen: \"{address}\"}}}}\n");
        let mut daemon = Setup::new()
            .config(config)
            .args(&["-p", &own.to_string()])
            .spawn();
        assert_eq!(daemon.process.wait(PATIENCE), 1);
        assert!(
            daemon.log().contains(&says),
            "expected {says}\n{}",
            daemon.log()
        );
    }
}

#[test]
fn the_probe_command_asks_groups_and_says_what_came_of_it() {
    let (_up, good) = service();
    let folder = TempDir::new();
    let file = folder.path().join("h.yml");
    fs::write(
        &file,
        format!("groups: {{a: {{checks: [tcp://localhost:{good}]}}, b: {{checks: [group:a]}}}}\n"),
    )
    .unwrap();
    let args = [
        "probe",
        "-c",
        file.to_str().unwrap(),
        "--spool-root",
        folder.path().to_str().unwrap(),
        "group",
        "b",
        "0",
    ];
    let ran = run("hacheck", &args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out
            .contains("group b: 1 of 1 checks passed, 1 must\npass group:a "),
        "{ran:?}"
    );
    assert!(ran.err.contains("group b passes, after"), "{ran:?}");
    let ran = run(
        "hacheck",
        &[
            "probe",
            "--spool-root",
            folder.path().to_str().unwrap(),
            "tcp",
            "web",
            "1",
        ],
    );
    assert!(ran.err.contains("tcp 127.0.0.1:1 fails, after"), "{ran:?}");
}
