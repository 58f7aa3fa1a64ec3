//! What HAProxy's own words tell, besides UP and DOWN: the last failure, two processes under one name, servers that are
//! tracked or deleted, a drain.

use std::thread::sleep;
use std::time::Duration;

use crate::support::daemon::Daemon;
use crate::support::haproxy::Haproxy;
use crate::support::upstream::{Upstream, http};
use crate::support::waiting::Waiting;
use crate::support::{PATIENCE, wait_until};

fn poll(daemon: &Daemon, words: &str) {
    let state = format!("{words}; name=web/s1; node=lb1; weight=1/2; scur=0/3; qcur=0");
    daemon.get_with("/spool/web/1", &[("X-Haproxy-Server-State", &state)]);
}

fn service() -> Upstream {
    Upstream::start(|_| Some(http("200 OK", "")))
}

#[test]
fn the_last_failure_that_is_needed_is_proof_without_another_poll() {
    let daemon = Daemon::start();
    (0..4).for_each(|_| poll(&daemon, "UP"));
    let down = ["--wait", "-r", "x", "web"];
    let mut waiting = Waiting::start(&daemon, "hadown", &down);
    waiting.says("lb1 web/s1: has not polled since the change");
    poll(&daemon, "UP");
    poll(&daemon, "UP 2/3");
    waiting.says("still sees UP 2/3, told 503 2 times");
    assert!(!waiting.has_ended());
    poll(&daemon, "UP 1/3");
    let ran = waiting.ends();
    ran.is_with(0, "", "done, goes DOWN: sees UP 1/3, told 503");
}

#[test]
fn two_processes_with_one_node_name_are_both_waited_for() {
    let daemon = Daemon::start();
    let (own, other) = (service(), service());
    let balancer = |words: &str| {
        let port = daemon.address.port();
        let (own, other) = (own.address, other.address);
        let haproxy = Haproxy::start_as(
            "lb1",
            &format!(
                "listen web\n  bind unix@front\n  option httpchk GET /http/web/1/\n  http-check send-state\n  \
                 server s1 {own} check port {port} {words}\n  server s2 {other}\n"
            ),
        );
        haproxy.wait_for("web", "s1", "UP");
        haproxy
    };
    let quick = balancer("inter 150ms fall 2 rise 1");
    let patient = balancer("inter 200ms fall 12 rise 9");
    daemon.knows_pollers(1);
    let waiting = Waiting::start(&daemon, "hadown", &["--wait", "-r", "x", "web"]);
    let ran = waiting.ends();
    let status = |lb: &Haproxy| lb.stat("web", "s1", "status");
    assert_eq!(
        (status(&quick), status(&patient)),
        ("DOWN".into(), "DOWN".into()),
        "{}",
        ran.err
    );
    ran.is_with(
        0,
        "",
        "two processes poll under this name (give each a node of its own)",
    );
    let port = daemon.address.port().to_string();
    let listed = daemon.run("halist", &["-p", &port, "--pollers"]).out;
    assert!(listed.contains("two processes under this name"), "{listed}");
    let ran = Waiting::start(&daemon, "haup", &["--wait", "web"]).ends();
    let both = (status(&quick), status(&patient));
    assert_eq!(both, ("UP".into(), "UP".into()), "{}", ran.err);
    ran.code_is(0);
}

#[test]
fn of_a_tracked_server_whose_sessions_are_never_told_drained_is_not_claimed() {
    let daemon = Daemon::start();
    let (own, other) = (service(), service());
    let port = daemon.address.port();
    let lb = Haproxy::start_as(
        "lb1",
        &format!(
            "backend checks\n  option httpchk GET /http/web/1/\n  http-check send-state\n  \
             server s1 {own} check port {port} inter 100ms fall 2\n  server s2 {other}\n\
             listen web\n  bind unix@front\n  server s1 {own} track checks/s1\n  server s2 {other}\n",
            own = own.address,
            other = other.address
        ),
    );
    lb.wait_for("checks", "s1", "UP");
    daemon.knows_pollers(1);
    let down = ["--wait=drained", "--grace", "1", "-r", "x", "web"];
    let ran = Waiting::start(&daemon, "hadown", &down).ends();
    ran.is_with(
        0,
        "",
        "no sessions were ever seen there, so whether any are left is unknown",
    );
    assert!(ran.err.contains("were given 1 s (--grace)"), "{}", ran.err);
    assert!(!ran.err.contains(", no sessions\n"), "{}", ran.err);
}

#[test]
fn a_server_that_was_deleted_at_run_time_is_one_that_stopped_polling() {
    let daemon = Daemon::start();
    let (own, other) = (service(), service());
    let port = daemon.address.port();
    let check = format!("check port {port} inter 100ms fall 2");
    let lb = Haproxy::start_as(
        "lb1",
        &format!(
            "listen web\n  bind unix@front\n  balance roundrobin\n  option httpchk GET /http/web/0/\n  \
             http-check send-state\n  server s1 {own} {check}\n  server s2 {other} {check}\n",
            own = own.address,
            other = other.address
        ),
    );
    lb.wait_for("web", "s1", "UP");
    daemon.knows_pollers(2);
    lb.admin("set server web/s1 state maint");
    let answer = lb.admin("del server web/s1");
    assert!(answer.contains("deleted"), "{answer}");
    wait_until(PATIENCE, "s1 is known to have stopped", || {
        let port = daemon.address.port().to_string();
        let listed = daemon.run("halist", &["-p", &port, "--pollers"]).out;
        listed.contains("lb1 web/s1 stopped polling ")
    });
    let down = ["--wait", "--force", "-r", "x", "web"];
    let ran = Waiting::start(&daemon, "hadown", &down).ends();
    ran.is_with(0, "", "lb1 web/s2: done, sees DOWN");
    assert!(!ran.err.contains("web/s1"), "{}", ran.err);
}

#[test]
fn after_a_drain_the_line_says_told_to_drain() {
    let daemon = Daemon::with_config("agent_weights: yes\n");
    (0..4).for_each(|_| poll(&daemon, "UP"));
    let down = ["--drain", "--wait", "--timeout", "2", "-r", "x", "web"];
    let waiting = Waiting::start(&daemon, "hadown", &down);
    let ran = waiting.ends_while(|| {
        poll(&daemon, "UP");
        sleep(Duration::from_millis(50));
    });
    ran.is_with(1, "", "still sees UP, told to drain ");
    let port = daemon.address.port().to_string();
    let listed = daemon.run("halist", &["-p", &port, "--pollers"]).out;
    assert!(listed.contains("told to drain "), "{listed}");
}
