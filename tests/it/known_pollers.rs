//! What `--wait` and `haroll` know of the balancers before they say that what was wanted is so.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use crate::support::balancer::Balancer;
use crate::support::daemon::Daemon;
use crate::support::haproxy::Haproxy;
use crate::support::upstream::{Upstream, http};
use crate::support::waiting::{ended, ended_while};
use crate::support::{PATIENCE, Ran, until_there, wait_until};

/// A daemon that a balancer polls for `web` and `api`.
struct Polled {
    daemon: Daemon,
    balancer: Balancer,
}

impl Polled {
    fn start() -> Self {
        let daemon = Daemon::start();
        let checks = ["/spool/web/8080", "/spool/api/8081"];
        let balancer = Balancer::start(daemon.address, "lb1", &checks);
        let polled = Self { daemon, balancer };
        polled.daemon.knows_pollers(2);
        polled
    }

    fn run(&self, name: &str, args: &[&str]) -> Ran {
        run(&self.daemon, name, args)
    }
}

fn run(daemon: &Daemon, name: &str, args: &[&str]) -> Ran {
    let port = daemon.address.port().to_string();
    daemon.run(name, &[&["-p", &port], args].concat())
}

const NOBODY: &str = "nobody polls 'wbe' here; polled: api, web (did you mean web?)";

#[test]
fn a_service_that_nobody_polls_while_others_are_polled_is_not_rolled() {
    let polled = Polled::start();
    let ran = polled.daemon.spool.outside().join("ran");
    let command = ["wbe", "--", "touch", ran.to_str().unwrap()];
    let known = ["--min-pollers", "0"];
    let refused = polled.run("haroll", &[&known, &command[..]].concat());
    refused.is_with(1, "", NOBODY);
    assert!(
        refused.err.contains("nothing was changed"),
        "{}",
        refused.err
    );
    assert!(!ran.exists() && polled.daemon.spool.files().is_empty());
    let forced = polled.run("haroll", &[&known[..], &["--force"], &command].concat());
    forced.is_with(0, "", NOBODY);
    assert!(ran.exists());
}

#[test]
fn a_switch_tells_of_a_service_that_nobody_polls_and_waiting_for_it_fails() {
    let polled = Polled::start();
    polled
        .run("hadown", &["-r", "x", "wbe"])
        .is_with(0, "", NOBODY);
    polled.run("haup", &["wbe"]).is_with(0, "", NOBODY);
    let wait = ["--wait", "--min-pollers", "0", "wbe"];
    let ran = polled.run("hadown", &[&["-r", "x"], &wait[..]].concat());
    ran.is_with(1, "", NOBODY);
    assert!(ran.err.contains("is written and stays"), "{}", ran.err);
    polled
        .run("hadown", &[&["-r", "x", "--force"], &wait[..]].concat())
        .is_with(0, "", NOBODY);
    polled.run("haup", &wait).is_with(1, "", NOBODY);
    let known = polled.run("hadown", &["-r", "x", "web", "api:8081", "all"]);
    assert!(!known.err.contains("nobody polls"), "{}", known.err);
}

#[test]
fn where_nobody_polls_anything_that_is_told_and_no_failure() {
    let daemon = Daemon::start();
    let says = "polls anything here";
    run(&daemon, "hadown", &["-r", "x", "web"]).is_with(0, "", says);
    let wait = ["--wait", "--min-pollers", "0", "web"];
    run(&daemon, "haup", &wait).is_with(0, "", says);
    let roll = ["--min-pollers", "0", "web", "--", "true"];
    let rolled = run(&daemon, "haroll", &roll);
    rolled.is_with(0, "", "web is up, and nobody polls it");
    let lines = rolled.err.lines();
    assert_eq!(
        lines.filter(|line| line.contains(says)).count(),
        1,
        "{rolled:?}"
    );
}

#[test]
fn right_after_a_start_those_that_are_known_are_not_taken_for_all() {
    let polled = Polled::start();
    let says = "hacheck has been running for less than 30 s";
    for args in [&["-r", "x", "web"][..], &["-r", "x", "unknown"]] {
        let wait = ["--wait", "--timeout", "1"];
        let ran = polled.run("hadown", &[&wait, args].concat());
        ran.is_with(1, "", says);
        polled.run("haup", &[args[2]]).code_is(0);
    }
    let ran = polled.run("haroll", &["--timeout", "1", "web", "--", "true"]);
    ran.is_with(1, "", says);
    assert!(ran.err.contains("nothing was changed"), "{}", ran.err);
    assert!(polled.daemon.spool.files().is_empty());
    let enough = ["--wait", "--min-pollers", "1", "-r", "x", "web"];
    polled.run("hadown", &enough).code_is(0);
}

fn service() -> Upstream {
    Upstream::start(|_| Some(http("200 OK", "")))
}

/// A backend `web` with these servers.
#[track_caller]
fn haproxy(daemon: &Daemon, lines: &str, servers: &[String]) -> Haproxy {
    let port = daemon.address.port();
    let haproxy = Haproxy::start_as(
        "lb1",
        &format!(
            "listen web\n  bind unix@front\n  option httpchk GET /http/web/0/health\n  http-check send-state\n{lines}\
             \n  default-server inter 100ms fall 2 rise 2 check port {port}\n  {}\n",
            servers.join("\n  ")
        ),
    );
    haproxy.wait_for("web", "s1", "UP");
    haproxy
}

#[test]
fn all_servers_of_a_backend_on_this_host_are_not_taken_down_together() {
    let daemon = Daemon::start();
    let (one, two) = (service(), service());
    let servers = [&one, &two].map(|s| s.address);
    let servers = [
        format!("server s1 {}", servers[0]),
        format!("server s2 {}", servers[1]),
    ];
    let lb = haproxy(&daemon, "", &servers);
    daemon.knows_pollers(2);
    let wait = ["--wait", "--min-pollers", "1", "-r", "x"];
    let both = run(&daemon, "hadown", &[&wait, &["web"][..]].concat());
    both.is_with(1, "", "these servers carry their whole backend");
    assert!(daemon.spool.files().is_empty());
    let single = format!("web:{}", one.port());
    run(&daemon, "hadown", &[&wait, &[single.as_str()][..]].concat()).code_is(0);
    let status = |server| lb.stat("web", server, "status");
    assert_eq!((status("s1"), status("s2")), ("DOWN".into(), "UP".into()));
    let forced = [&wait, &["--force", "web"][..]].concat();
    run(&daemon, "hadown", &forced).code_is(0);
    assert_eq!((status("s1"), status("s2")), ("DOWN".into(), "DOWN".into()));
}

#[test]
fn a_server_that_becomes_the_last_one_meanwhile_is_put_back() {
    let daemon = Daemon::start();
    let (own, other) = (service(), service());
    let servers = [
        format!("server s1 {} fall 1000", own.address),
        format!("server s2 {} no-check", other.address),
    ];
    let lb = haproxy(&daemon, "", &servers);
    daemon.knows_pollers(1);
    let port = daemon.address.port().to_string();
    let waits = ["-p", &port, "--min-pollers", "1"];
    for (name, args) in [
        ("hadown", &["--wait", "-r", "x", "web"][..]),
        ("haroll", &["web", "--", "false"]),
    ] {
        let mut command = daemon.spool.command(name, &[&waits, args].concat());
        let waiting = command.stderr(Stdio::piped()).spawn().unwrap();
        wait_until(PATIENCE, "the downtime is written", || {
            daemon.spool.files() == ["web"]
        });
        lb.admin("disable server web/s2");
        let ran = ended(waiting);
        ran.is_with(1, "", "its backend has no other server left");
        assert!(ran.err.contains("is put back"), "{}", ran.err);
        assert!(daemon.spool.files().is_empty());
        lb.admin("enable server web/s2");
        wait_until(PATIENCE, "s1 is not the last one", || {
            let page = daemon.get("/pollers").json();
            page["pollers"][0]["weight"] == serde_json::json!([1, 2])
        });
    }
}

#[test]
fn a_balancer_in_maint_does_not_count_and_one_that_is_gone_is_named() {
    let daemon = Daemon::start();
    let (own, other) = (service(), service());
    let servers = [
        format!("server s1 {}", own.address),
        format!("server s2 {} no-check", other.address),
        format!(
            "listen api\n  bind unix@api\n  option httpchk GET /spool/api/1\n  http-check send-state\n  \
                 server s1 {} check port {} inter 100ms",
            other.address,
            daemon.address.port()
        ),
    ];
    let lb = haproxy(&daemon, "", &servers);
    daemon.knows_pollers(2);
    lb.admin("set server web/s1 state maint");
    let has_stopped = || {
        let listed = run(&daemon, "halist", &["--pollers", "web"]);
        listed.out.contains("lb1 web/s1 stopped polling ")
    };
    wait_until(PATIENCE, "s1 is known to have stopped", has_stopped);
    let wait = ["--wait", "--min-pollers", "0", "-r", "x", "--timeout", "1"];
    // Nobody polls web, while api is polled: that is a failure of its own.
    let ran = run(&daemon, "hadown", &[&wait, &["web", "api"][..]].concat());
    assert!(!ran.err.contains("no poll since"), "{}", ran.err);
    run(&daemon, "haup", &["web", "api"]).code_is(0);
    drop(lb);
    wait_until(PATIENCE, "all is known to have stopped", || {
        let listed = run(&daemon, "halist", &["--pollers", "api"]);
        listed.out.contains("stopped polling ")
    });
    let ran = run(&daemon, "hadown", &[&wait, &["web"][..]].concat());
    ran.is_with(1, "", "lb1 web/s1: no poll since ");
    assert!(
        ran.err.contains("in MAINT it sends none; --force goes on"),
        "{}",
        ran.err
    );
    run(
        &daemon,
        "hadown",
        &[&wait, &["--force", "web"][..]].concat(),
    )
    .code_is(0);
}

#[test]
fn a_hard_downtime_behind_a_soft_one_is_waited_for_until_nothing_is_served() {
    let daemon = Daemon::start();
    let (own, other) = (service(), service());
    let servers = [
        format!("server s1 {}", own.address),
        format!("server s2 {} no-check", other.address),
    ];
    let lb = haproxy(&daemon, "  http-check disable-on-404\n", &servers);
    daemon.knows_pollers(1);
    let wait = ["--wait", "--min-pollers", "1", "-r", "x", "web"];
    run(&daemon, "hadown", &[&["--soft"], &wait[..]].concat()).code_is(0);
    assert_eq!(lb.stat("web", "s1", "status"), "NOLB");
    run(&daemon, "hadown", &wait).code_is(0);
    assert_eq!(lb.stat("web", "s1", "status"), "DOWN");
}

#[test]
fn sessions_that_never_end_are_given_their_time_and_told() {
    let polled = Polled::start();
    polled.balancer.sessions(3);
    let roll = [
        "--min-pollers",
        "1",
        "--drain-timeout",
        "0.3",
        "web",
        "--",
        "true",
    ];
    let ran = polled.run("haroll", &roll);
    ran.is_with(
        0,
        "",
        "going on though sessions are left (--drain-timeout): lb1 web/s1",
    );
    assert!(!ran.err.contains("drained"), "{}", ran.err);
    assert!(ran.err.contains("out of rotation after"), "{}", ran.err);
    let down = [
        "--min-pollers",
        "1",
        "--wait=drained",
        "--drain-timeout",
        "0.3",
        "-r",
        "x",
        "web",
    ];
    let ran = polled.run("hadown", &down);
    ran.is_with(1, "", "out of rotation, but not drained");
}

#[test]
fn sessions_that_nobody_tells_of_are_given_the_grace_and_never_called_drained() {
    let daemon = Daemon::start();
    let lines = "  option httpchk GET /spool/web/1/\n";
    let _lb = haproxy_without_state(&daemon, lines);
    daemon.knows_pollers(1);
    let known = ["--min-pollers", "1", "--polls", "1"];
    let down = ["--wait=drained", "--grace", "0.5", "-r", "x", "web"];
    let ran = run(&daemon, "hadown", &[&known[..], &down].concat());
    ran.is_with(0, "", "they are given 0.5 s (--grace)");
    assert!(
        ran.err.contains("whether sessions are left is unknown"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("they were given 0.5 s (--grace)"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("drained"), "{}", ran.err);
    run(&daemon, "haup", &["web"]).code_is(0);
    let roll = ["--grace", "0.5", "--force", "web", "--", "true"];
    let ran = run(&daemon, "haroll", &[&known[..], &roll].concat());
    ran.is_with(0, "", "whether all sessions have ended is unknown");
    assert!(!ran.err.contains("drained"), "{}", ran.err);
}

/// A balancer that does not say what it sees.
fn haproxy_without_state(daemon: &Daemon, lines: &str) -> Haproxy {
    let port = daemon.address.port();
    Haproxy::start(&format!(
        "listen web\n  bind unix@front\n{lines}  server s1 127.0.0.1:1 check addr 127.0.0.1 port {port} inter 100ms\n"
    ))
}

#[test]
fn a_command_goes_on_when_nobody_reads_its_output_any_more() {
    let polled = Polled::start();
    let port = polled.daemon.address.port().to_string();
    let (closed, written) = ("closed", "written");
    let [closed, written] = [closed, written].map(|name| polled.daemon.spool.outside().join(name));
    let script = concat!(
        "echo begin; ",
        until_there!("\"$0\""),
        "; for i in 1 2 3; do echo lost; echo lost >&2; done; touch \"$1\""
    );
    let args = [
        "-p",
        &port,
        "--min-pollers",
        "0",
        "web",
        "--",
        "sh",
        "-c",
        script,
    ];
    let paths = [closed.to_str().unwrap(), written.to_str().unwrap()];
    let mut command = polled
        .daemon
        .spool
        .command("haroll", &[&args[..], &paths].concat());
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut haroll = command.spawn().unwrap();
    let mut begin = [0; 6];
    haroll
        .stdout
        .take()
        .unwrap()
        .read_exact(&mut begin)
        .unwrap();
    assert_eq!(&begin, b"begin\n");
    drop(haroll.stderr.take());
    fs::write(&closed, "").unwrap();
    wait_until(PATIENCE, "haroll ends", || {
        haroll.try_wait().unwrap().is_some()
    });
    assert!(written.exists());
    assert_eq!(haroll.wait().unwrap().code(), Some(0));
}

#[test]
fn pollers_of_one_address_are_told_apart_by_their_user_agent() {
    let daemon = Daemon::start();
    let poll = |agent: &str| daemon.get_with("/spool/web/1", &[("User-Agent", agent)]);
    let long = format!("long-{}", "x".repeat(100));
    for agent in ["Envoy/HC", "kube-probe/1.29", "odd \u{202e}\u{9b}", &long] {
        poll(agent);
    }
    let page = daemon.get("/pollers").json();
    let agents = page["pollers"].as_array().unwrap().iter();
    let agents: Vec<&str> = agents.map(|p| p["user_agent"].as_str().unwrap()).collect();
    assert_eq!(
        agents,
        [
            "Envoy/HC",
            "kube-probe/1.29",
            &long[..64],
            "odd \u{202e}\u{9b}"
        ]
    );
    let listed = run(&daemon, "halist", &["--pollers"]).out;
    assert!(listed.contains("127.0.0.1 kube-probe/1.29 "), "{listed}");
    assert!(!listed.contains(['\u{202e}', '\u{9b}']), "{listed}");
    // One that polls on does not stand for another that has been told nothing.
    let args = ["--wait", "--min-pollers", "0", "--polls", "2"];
    let end = ["--timeout", "1", "-r", "x", "web"];
    let port = daemon.address.port().to_string();
    let args = [&["-p", &port], &args[..], &end].concat();
    let mut command = daemon.spool.command("hadown", &args);
    let waiting = command.stderr(Stdio::piped()).spawn().unwrap();
    let ran = ended_while(waiting, || drop(poll("Envoy/HC")));
    ran.is_with(1, "", "127.0.0.1 kube-probe/1.29: ");
    assert!(!ran.err.contains("\n  127.0.0.1 Envoy/HC"), "{}", ran.err);
}

#[test]
fn one_or_two_looks_of_somebody_hold_nothing_up_and_a_balancer_counts_from_its_first() {
    let daemon = Daemon::start();
    let down = |services: &[&str]| {
        let wait = ["--wait", "--min-pollers", "0", "--timeout", "1", "-r", "x"];
        run(&daemon, "hadown", &[&wait, services].concat())
    };
    // A person with some tool, ansible, a monitor's first look.
    for _ in 0..2 {
        daemon.get_with("/spool/web/1", &[("User-Agent", "ansible-httpget")]);
        daemon.get("/spool/web/1");
    }
    down(&["web"]).code_is(0);
    for agent in [
        "ELB-HealthChecker/2.0",
        "GoogleHC/1.0",
        "KeepAliveClient",
        "Go-http-client/1.1",
    ] {
        let service = agent.split('/').next().unwrap();
        daemon.get_with(&format!("/spool/{service}/1"), &[("User-Agent", agent)]);
        down(&[service]).is_with(1, "", "has not polled since the change");
    }
}
