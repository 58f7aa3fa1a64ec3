//! A stranger never costs a balancer a poll: neither its answer nor its place.

use std::collections::HashSet;
use std::net::TcpStream;
use std::sync::Mutex;

use crate::support::balancer::Balancer;
use crate::support::client::{Kept, Response, exchange, send};
use crate::support::daemon::Daemon;
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, Ran, TempDir, wait_until};

/// No poll of ours may wait for the end of such a probe.
const PATIENT: &str = "cache_time: 0\nhealthcheck_timeout: 300\n";

/// A poll as HAProxy sends it where it was told no host.
fn without_host(daemon: &Daemon, path: &str) -> Response {
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    Response::parse(&exchange(daemon.address, request.as_bytes()))
}

#[test]
fn a_virtual_host_that_passes_says_nothing_to_those_who_name_none() {
    let service = Upstream::start(|head| match head.contains("127.0.0.1") {
        true => Some(http("500 Internal Server Error", "broken")),
        false => Some(http("200 OK", "static")),
    });
    let daemon = Daemon::with_config("cache_time: 3600\n");
    let path = format!("/http/web/{}/", service.port());
    for host in ["static.example", "localhost:3333"] {
        let stranger = daemon.get_with(&path, &[("Host", host)]);
        stranger.is(200, "static");
        without_host(&daemon, &path).is(500, "broken");
    }
    // Addresses differ from balancer to balancer, and name no site.
    let address = [("Host", "10.0.0.1:3333")];
    daemon.get_with(&path, &address).is(500, "broken");
    assert_eq!(service.seen().len(), 3);
}

/// Polls a path so often at a steady pace.
fn poll_steadily(daemon: &Daemon, path: &str) {
    for _ in 0..5 {
        daemon.get(path);
        // Faster ones would count as a burst.
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
}

#[test]
fn five_polls_at_a_steady_pace_make_a_poller_established_and_four_do_not() {
    let service = Upstream::answering("fine");
    let daemon = Daemon::start();
    let path = |page: &str| format!("/http/web/{}/{page}", service.port());
    for _ in 0..4 {
        daemon.get(&path("four"));
    }
    poll_steadily(&daemon, &path("steady"));
    let page = daemon.get("/pollers?service=web").json();
    let pollers = page["pollers"].as_array().unwrap();
    let established = |variant: &str| {
        let poller = pollers.iter().find(|p| p["variant"] == variant).unwrap();
        poller["established"].as_bool().unwrap()
    };
    assert!(established("/steady"), "{pollers:?}");
    assert!(!established("/four"), "{pollers:?}");
}

/// Sends requests and leaves them unanswered.
fn flood(daemon: &Daemon, paths: impl Iterator<Item = String>) -> Vec<TcpStream> {
    let no_cache = [("Pragma", "no-cache")];
    let ask = |path: String| send(daemon.address, "GET", &path, &no_cache);
    paths.map(ask).collect()
}

fn wait_for_probes_in_line(daemon: &Daemon, count: usize) {
    wait_until(PATIENCE, "the others wait in line", || {
        daemon.metric("hacheck_probes_waiting") == count as f64
    });
}

#[test]
fn made_up_checks_that_pass_once_and_hang_cost_an_established_poller_nothing() {
    let seen = Mutex::new(HashSet::new());
    let service = Upstream::start(move |head| {
        let page = head.split(' ').nth(1).unwrap().to_owned();
        let is_first = seen.lock().unwrap().insert(page);
        (is_first || head.starts_with("GET /health ")).then(|| http("200 OK", "well"))
    });
    let daemon = Daemon::with_config(PATIENT);
    let page = |page: &str| format!("/http/web/{}/{page}", service.port());
    let health = page("health");
    poll_steadily(&daemon, &health);
    let made_up = || (0..100).map(|i| page(&format!("{i}")));
    for path in made_up() {
        daemon.get(&path).is(200, "well");
    }
    let _hanging = flood(&daemon, made_up());
    wait_for_probes_in_line(&daemon, 100 - 32);
    for _ in 0..20 {
        daemon.get(&health).is(200, "well");
    }
}

#[test]
fn of_one_page_one_fresh_result_is_found_at_a_time() {
    let service = Upstream::start(|head| {
        head.starts_with("GET /health ")
            .then(|| http("200 OK", "well"))
    });
    let daemon = Daemon::with_config(PATIENT);
    let page = |page: &str| format!("/http/web/{}/{page}", service.port());
    let slow = (0..100).map(|_| page("slow"));
    let _hanging = flood(&daemon, slow);
    wait_until(PATIENCE, "all are there", || {
        daemon.metric("hacheck_requests_waiting") == 100.0
    });
    for _ in 0..5 {
        daemon.get(&page("health")).is(200, "well");
    }
    let asked = service.seen();
    let slow = asked.iter().filter(|head| head.starts_with("GET /slow "));
    assert_eq!(slow.count(), 1);
}

#[test]
fn a_command_runs_a_few_times_at_once_whatever_services_it_is_asked_for() {
    let folder = TempDir::new();
    let runs = folder.path().join("runs");
    let script = format!(
        "[ $HACHECK_SERVICE = web ] || {{ echo >> {}; exec sleep 300; }}",
        runs.display()
    );
    let config = format!("{PATIENT}exec: {{zk: [/bin/sh, -c, \"{script}\"]}}\n");
    let daemon = Daemon::with_config(&format!("{config}groups: {{web: {{checks: [exec:zk]}}}}\n"));
    poll_steadily(&daemon, "/exec/web/0/zk");
    let _hanging = flood(
        &daemon,
        (0..100).map(|i| format!("/exec/made-up-{i}/{i}/zk")),
    );
    wait_for_probes_in_line(&daemon, 100 - 2);
    for _ in 0..5 {
        assert_eq!(daemon.get("/exec/web/0/zk").status, 200);
        assert_eq!(daemon.get("/group/web/0/").status, 200);
    }
    let runs = std::fs::read_to_string(runs).unwrap();
    assert_eq!(runs.lines().count(), 2);
}

/// A command that asks the daemon.
fn run(daemon: &Daemon, name: &str, args: &[&str]) -> Ran {
    let port = daemon.address.port().to_string();
    let mut words = vec!["-p", port.as_str()];
    if name != "halist" {
        // Who polls is known already.
        words.extend(["--min-pollers", "0"]);
    }
    words.extend(args);
    daemon.run(name, &words)
}

#[test]
fn pollers_that_come_twice_by_the_thousand_neither_hide_a_balancer_nor_pass_for_nobody() {
    let daemon = Daemon::with_config("max_pollers: 320\n");
    let _balancer = Balancer::start(daemon.address, "lb1", &["/spool/web/80"]);
    let of_web = || daemon.get("/pollers?service=web").json()["pollers"][0].clone();
    wait_until(PATIENCE, "the balancer is established", || {
        of_web()["established"] == true
    });
    let mut junk = Kept::to(daemon.address);
    for path in (0..1000).map(|i| format!("/spool/junk{i}/80")) {
        for _ in 0..2 {
            junk.get(&path, &[("Host", "x")]);
        }
    }
    assert_eq!(of_web()["node"], "lb1");
    let ran = run(&daemon, "hadown", &["--wait", "-r", "x", "web"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.err.contains("lb1 web/s1: done, sees DOWN"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("hacheck has forgotten "), "{}", ran.err);
    // Who polls this one may be among those who were forgotten.
    let nobody = ["--wait", "--timeout", "0.5", "-r", "x", "other"];
    let ran = run(&daemon, "hadown", &nobody);
    ran.is_with(1, "", "not within 0.5 s: hacheck has forgotten ");
    let roll = ["--timeout", "0.5", "third", "--", "false"];
    let ran = run(&daemon, "haroll", &roll);
    ran.is_with(1, "", "nobody polls 'third' here; polled: ");
}

#[test]
fn a_forged_poll_from_outside_of_pollers_from_stops_neither_a_roll_nor_a_wait() {
    let forge = |daemon: &Daemon| {
        let last = "UP; name=web/s1; node=forged; weight=1/1; scur=0/0; qcur=0";
        daemon.get_with("/spool/web/80", &[("X-Haproxy-Server-State", last)]);
    };
    let open = Daemon::start();
    forge(&open);
    let ran = run(&open, "haroll", &["web", "--", "true"]);
    ran.is_with(
        1,
        "",
        "forged web/s1 says that this server carries its whole backend (it polls from 127.0.0.1)",
    );
    let ran = run(
        &open,
        "hadown",
        &["--wait", "--force", "--timeout", "0.5", "-r", "x", "web"],
    );
    ran.is_with(1, "", "not within 0.5 s: forged web/s1: ");
    assert!(ran.err.contains("(it polls from 127.0.0.1)"), "{}", ran.err);

    let daemon = Daemon::with_config("pollers_from: [10.0.0.0/8]\n");
    forge(&daemon);
    let ran = run(&daemon, "haroll", &["web", "--", "true"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    forge(&daemon);
    let ran = run(&daemon, "hadown", &["--wait", "-r", "x", "web"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let list = run(&daemon, "halist", &["--pollers"]);
    assert!(
        list.out
            .contains("forged web/s1 (outside pollers_from, not waited for)"),
        "{}",
        list.out
    );
}
