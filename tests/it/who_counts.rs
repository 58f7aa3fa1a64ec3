//! Whom `--wait` waits for, and for how long: those that poll seldom, those that look without a rhythm, and sessions
//! that nobody tells of.

use std::thread::sleep;
use std::time::Duration;

use crate::support::daemon::Daemon;
use crate::support::waiting::Waiting;
use crate::support::{PATIENCE, wait_until};

fn poll(daemon: &Daemon, user_agent: &str) {
    daemon.get_with("/spool/web/1", &[("User-Agent", user_agent)]);
}

/// Polls until the daemon knows a rhythm.
fn poll_in_rhythm(daemon: &Daemon, user_agent: &str) {
    wait_until(PATIENCE, "its rhythm is known", || {
        poll(daemon, user_agent);
        sleep(Duration::from_millis(300));
        let page = daemon.get("/pollers").json();
        let mut pollers = page["pollers"].as_array().unwrap().iter();
        pollers.any(|p| p["user_agent"] == user_agent && p["rhythm"] == true)
    });
}

const DOWN: [&str; 4] = ["--wait", "-r", "x", "web"];

#[test]
fn a_balancer_that_polls_seldom_is_given_its_time_and_that_is_said_at_once() {
    let daemon = Daemon::start();
    poll(&daemon, "ELB-HealthChecker/2.0");
    let needs = "needs up to 185 s: 127.0.0.1 ELB-HealthChecker/2.0 polls every 60 s";
    let waiting = Waiting::start(&daemon, "hadown", &DOWN);
    waiting.says(&format!("hadown: {needs}\n"));
    drop(waiting);
    let short = [&["--timeout", "1"], &DOWN[..]].concat();
    let ran = Waiting::start(&daemon, "hadown", &short).ends();
    ran.is_with(1, "", &format!("--timeout 1 s may be too short: {needs}"));
    assert!(ran.err.contains("not within 1 s: "), "{}", ran.err);
}

#[test]
fn an_interval_of_the_configuration_decides_how_long_is_waited() {
    let daemon =
        Daemon::with_config("pollers: [{user_agent: slow, interval: 40, polls_down: 4}]\n");
    poll(&daemon, "slow");
    let waiting = Waiting::start(&daemon, "hadown", &DOWN);
    waiting.says("needs up to 165 s: 127.0.0.1 slow polls every 40 s");
    drop(waiting);
    daemon.run("haup", &["web"]).is(0, "");
    let waiting = Waiting::start(&daemon, "hadown", &[&["--polls", "2"], &DOWN[..]].concat());
    waiting.says("needs up to 85 s: 127.0.0.1 slow polls every 40 s");
}

#[test]
fn requests_without_a_rhythm_hold_nothing_up_and_are_named_and_a_rhythm_is_waited_for() {
    let daemon = Daemon::start();
    poll(&daemon, "ansible");
    sleep(Duration::from_millis(250));
    poll(&daemon, "ansible");
    poll(&daemon, "once");
    sleep(Duration::from_millis(2500));
    poll(&daemon, "ansible");
    let short = [&["--timeout", "2"], &DOWN[..]].concat();
    let ran = Waiting::start(&daemon, "hadown", &short).ends();
    ran.is_with(
        0,
        "",
        "127.0.0.1 ansible asked 3 times without a rhythm and is not waited for",
    );
    assert!(
        ran.err
            .contains("127.0.0.1 once asked once and is not waited for"),
        "{}",
        ran.err
    );
    daemon.run("haup", &["web"]).is(0, "");
    poll_in_rhythm(&daemon, "nerve");
    let ran = Waiting::start(&daemon, "hadown", &short).ends();
    ran.is_with(1, "", "127.0.0.1 nerve: ");
}

#[test]
fn sessions_that_no_balancer_tells_of_are_given_their_time_and_that_is_said() {
    let daemon = Daemon::start();
    poll_in_rhythm(&daemon, "nerve");
    let drained = ["--wait=drained", "-r", "x", "web"];
    let waiting = Waiting::start(
        &daemon,
        "hadown",
        &[&["--grace", "1"], &drained[..]].concat(),
    );
    let ran = waiting.ends_while(|| poll(&daemon, "nerve"));
    for text in [
        "are given 1 s (--grace)",
        "done, ",
        "were given 1 s (--grace)",
    ] {
        ran.is_with(0, "", text);
    }
    assert!(!ran.err.contains("drained"), "{}", ran.err);
    daemon.run("haup", &["web"]).is(0, "");
    // Ten seconds unless told otherwise, and no more than there is.
    let waiting = Waiting::start(
        &daemon,
        "hadown",
        &[&["--timeout", "4"], &drained[..]].concat(),
    );
    let ran = waiting.ends_while(|| poll(&daemon, "nerve"));
    ran.is_with(0, "", "are given 10 s (--grace)");
    daemon.run("haup", &["web"]).is(0, "");
    let roll = ["--grace", "0.5", "web", "--", "true"];
    let ran = Waiting::start(&daemon, "haroll", &roll).ends_while(|| poll(&daemon, "nerve"));
    ran.is_with(0, "", "web: out of rotation after ");
    assert!(!ran.err.contains("drained after"), "{}", ran.err);
}

#[test]
fn where_nobody_polls_nothing_is_called_drained() {
    let daemon = Daemon::start();
    let ran = Waiting::start(&daemon, "haroll", &["web", "--", "true"]).ends();
    ran.is_with(0, "", "web: out of rotation after ");
    assert!(!ran.err.contains("drained"), "{}", ran.err);
}
