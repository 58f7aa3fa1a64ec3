//! What the log and `hastatus` tell of changes: one line each, with who and why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::daemon::Daemon;
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, Spool, wait_until};

/// Waits until `/overview` has so many changes of a kind: the daemon has looked at the spool since.
fn seen(daemon: &Daemon, kind: &str, times: usize) {
    wait_until(PATIENCE, &format!("{times} changes {kind}"), || {
        let host = [("Host", "localhost")];
        let overview = daemon.get_with("/overview", &host).json();
        let changes = overview["changes"].as_array().unwrap();
        let of_kind = changes.iter().filter(|change| change["kind"] == kind);
        of_kind.count() == times
    });
}

#[test]
fn a_change_of_the_spool_is_one_line_whoever_made_it() {
    let daemon = Daemon::with_config("allow_remote_spool_changes: yes\n");
    let post = |form: &str| {
        let path = format!("/spool/web/0?{form}");
        daemon.request("POST", &path, &[]).is(200, "");
    };
    post("status=down&reason=deploy");
    seen(&daemon, "down", 1);
    assert_eq!(daemon.spool.json("web")["by"], "127.0.0.1");
    post("status=up");
    seen(&daemon, "lifted", 1);
    post("status=up");
    for line in [
        "127.0.0.1 took web down: deploy",
        "127.0.0.1 lifted the downtime of web",
        "127.0.0.1 lifted the downtime of web, which was not down",
    ] {
        daemon.wait_for_log(line);
    }
    assert_eq!(daemon.logged(" took web down"), 1, "{}", daemon.log());
    assert_eq!(daemon.logged("was lifted"), 0, "{}", daemon.log());
    let args = ["--for", "2h", "-r", "new disk", "all"];
    let mut hadown = daemon.spool.command("hadown", &args);
    assert!(hadown.env("SUDO_USER", "alice").status().unwrap().success());
    seen(&daemon, "down", 2);
    daemon.wait_for_log("alice took all down until ");
    let log = daemon.log();
    let line = log
        .lines()
        .find(|line| line.contains("alice took all"))
        .unwrap();
    let (_, end) = line.split_once(" until ").unwrap();
    let clock = end.strip_suffix(": new disk").unwrap();
    // As people read it, not in seconds.
    assert!(clock.contains(':'), "{line}");
    daemon.run("haup", &["all"]).is(0, "");
    daemon.wait_for_log("the downtime of all was lifted, after ");
    assert_eq!(daemon.logged(" all "), 2, "{}", daemon.log());
}

#[test]
fn a_services_change_is_one_line_with_its_pollers_and_the_first_lines_of_the_body() {
    let is_well = Arc::new(AtomicBool::new(true));
    let upstream = Upstream::start({
        let is_well = Arc::clone(&is_well);
        move |_| match is_well.load(Ordering::SeqCst) {
            true => Some(http("200 OK", "fine")),
            false => Some(http(
                "500 Oh",
                "\n<p>database is gone\n\n at db.rs:7\n a\n b",
            )),
        }
    });
    let daemon = Daemon::with_config("cache_time: 0\n");
    let path = format!("/http/web/{}/", upstream.port());
    let poll = |node: &str| {
        let state = format!("UP 1/2; node={node}; name=web/s1");
        daemon
            .get_with(&path, &[("X-Haproxy-Server-State", &state)])
            .status
    };
    assert_eq!([poll("lb1"), poll("lb2")], [200, 200]);
    is_well.store(false, Ordering::SeqCst);
    assert_eq!([poll("lb1"), poll("lb2")], [500, 500]);
    daemon.wait_for_log(
        " is now DOWN for 2 pollers, first 127.0.0.1: 500 <p>database is gone | at db.rs:7 | a",
    );
    is_well.store(true, Ordering::SeqCst);
    assert_eq!([poll("lb1"), poll("lb2")], [200, 200]);
    daemon.wait_for_log(" is now up for 2 pollers, first 127.0.0.1: 200 fine");
    assert_eq!(daemon.logged("is now DOWN"), 1, "{}", daemon.log());
}

#[test]
fn hastatus_tells_of_a_service_that_is_not_down_and_fails_its_own_check() {
    let upstream = Upstream::start(|_| Some(http("500 Oh", "database is gone")));
    let daemon = Daemon::start();
    let port = daemon.address.port().to_string();
    let path = format!("/http/web/{}/", upstream.port());
    // Who polls once is no balancer, and is not shown.
    for _ in 0..3 {
        daemon.get(&path).is(500, "database is gone");
        daemon.get(&format!("/tcp/api/{}", upstream.port()));
    }
    let check = format!(
        "'web': its check http 127.0.0.1:{} fails since ",
        upstream.port()
    );
    let ran = daemon.run("hastatus", &["-p", &port, "web", "api"]);
    ran.is_with(0, "UP\tweb\nUP\tapi\n", &check);
    assert!(ran.err.ends_with(": 500 database is gone\n"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    let all = daemon.run("hastatus", &["-p", &port, "all"]);
    all.is_with(0, "UP\tall\n", &check);
    // Another spool is that of another daemon, and one that is down is not checked.
    let other = Spool::new();
    other
        .run("hastatus", &["-p", &port, "web"])
        .is(0, "UP\tweb\n");
    daemon.spool.put("web", "disk");
    let down = daemon.run("hastatus", &["-p", &port, "web"]);
    down.is(1, "DOWN\tinf\tweb\tdisk\n");
}

#[test]
fn a_request_that_names_no_port_is_answered_and_is_no_change_of_the_service() {
    let upstream = Upstream::start(|_| Some(http("200 OK", "fine")));
    let daemon = Daemon::with_config("cache_time: 0\n");
    let check = format!("/http/web/{}/health", upstream.port());
    daemon.get(&check).is(200, "fine");
    let bad_header = [("X-Haproxy-Server-State", "UP; port=99999")];
    for (slip, status) in [
        (daemon.get("/http/web/70000/health"), 503),
        (daemon.get_with(&check, &bad_header), 400),
    ] {
        assert_eq!(slip.status, status, "{}", slip.body);
        assert_eq!(slip.body.lines().count(), 1, "{}", slip.body);
    }
    daemon.get(&check).is(200, "fine");
    let overview = daemon
        .get_with("/overview", &[("Host", "localhost")])
        .json();
    let checks = overview["services"][0]["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 1, "{overview}");
    assert_eq!(checks[0]["told"], "up", "{overview}");
    assert_eq!(daemon.logged("is now DOWN"), 0, "{}", daemon.log());
}
