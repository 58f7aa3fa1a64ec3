//! What the daemon remembers of pollers, and the commands that ask for it without a balancer in between.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::client::Kept;
use crate::support::daemon::Daemon;
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, Ran, unix_now, wait_until};
use crate::wait::Site;

const STATE: &str = "X-Haproxy-Server-State";

fn state(node: &str, words: &str) -> String {
    format!("{words}; name=web/s1; node={node}; weight=1/2; scur=13/22; qcur=0")
}

#[test]
fn junk_that_came_once_neither_grows_the_daemon_nor_pushes_out_balancers() {
    let daemon = Daemon::with_config("max_pollers: 500\nmax_services: 500\n");
    let real = |words: &str| {
        for node in ["lb1", "lb2", "lb3"] {
            assert_eq!(
                daemon
                    .get_with("/spool/web/80", &[(STATE, &state(node, words))])
                    .status,
                200
            );
        }
    };
    (0..3).for_each(|_| real("UP"));
    let before = daemon.metric("process_resident_memory_bytes");
    let (names, no_host) = ("x".repeat(100), "x/".repeat(10_000));
    let mut sender = Kept::to(daemon.address);
    for i in 0..3_000 {
        let junk = format!("UP; name={names}{i}/s; node={names}{i}; weight=1/2; scur=0/0");
        let headers = [(STATE, junk.as_str()), ("x-nerve-check-ip", &no_host)];
        sender.get(&format!("/spool/junk{i}/80"), &headers);
    }
    let page = daemon.get("/pollers").json();
    let pollers = page["pollers"].as_array().unwrap();
    assert!(pollers.len() <= 500, "{}", pollers.len());
    assert_eq!(pollers.iter().filter(|p| p["service"] == "web").count(), 3);
    assert!(
        page["forgotten"].as_u64().unwrap() >= 2_500,
        "{}",
        page["forgotten"]
    );
    let grown = daemon.metric("process_resident_memory_bytes") - before;
    assert!(
        grown < f64::from(8 << 20),
        "the daemon grew by {grown} bytes"
    );
    real("DOWN");
    assert_eq!(daemon.metric("hacheck_pollers{view=\"down\"}"), 3.0);
}

#[test]
fn a_poll_that_waits_for_its_check_counts_as_one_that_does_not() {
    let (daemon, upstream) = (Daemon::start(), Upstream::answering("fine"));
    let path = format!("/http/web/{}/", upstream.port());
    for polls in 1..=2 {
        assert_eq!(daemon.get(&path).status, 200);
        assert_eq!(
            daemon.get("/status/count").json()["service_access_counts"]["web"]["127.0.0.1"],
            polls
        );
        let page = daemon.get("/pollers").json();
        let poller = &page["pollers"][0];
        assert_eq!(
            (&poller["polls"], &poller["run"], &poller["told"]),
            (&polls.into(), &polls.into(), &"up".into())
        );
        assert_eq!(
            poller["check"],
            format!("http 127.0.0.1:{}", upstream.port())
        );
    }
    assert_eq!(
        upstream.seen().len(),
        1,
        "the second answer was there already"
    );
}

#[test]
fn the_list_of_pollers_tells_what_each_sees_and_who_disagrees() {
    let daemon = Daemon::start();
    let port = daemon.address.port().to_string();
    daemon
        .run("halist", &["-p", &port, "--pollers"])
        .is_with(0, "", "nobody has polled lately");
    daemon.get_with("/spool/web/80", &[(STATE, &state("lb1", "UP"))]);
    // Its interval: it counts as polling for three of them. Longer would do as well.
    thread::sleep(Duration::from_secs(3));
    daemon.get_with("/spool/web/80", &[(STATE, &state("lb1", "UP 1/3"))]);
    daemon.get_with("/spool/web/80", &[(STATE, &state("lb2", "DOWN"))]);
    daemon.get("/spool/mail/25");
    let ran = daemon.run("halist", &["-p", &port, "--pollers", "web"]);
    let lines: Vec<_> = ran.out.lines().collect();
    let interval = lines[0].strip_prefix("web\tlb1 web/s1 every ").unwrap();
    let (seconds, rest) = interval.split_once(" s, ").unwrap();
    let seconds: f64 = seconds.parse().unwrap();
    // No upper bound but the wait for anything at all: the machine may be busy.
    assert!(
        (3.0..PATIENCE.as_secs_f64()).contains(&seconds),
        "{interval}"
    );
    assert!(
        rest.starts_with("sees UP 1/3, 13 sessions, told 200 "),
        "{rest}"
    );
    assert!(
        lines[1].starts_with("web\tlb2 web/s1 polled once, sees DOWN, 13 sessions, told 200 "),
        "{}",
        ran.out
    );
    assert_eq!(
        lines[2],
        "web\tbalancers disagree: lb1 web/s1 sees UP 1/3, lb2 web/s1 sees DOWN"
    );
    assert_eq!(lines.len(), 3, "{}", ran.out);
    let all = daemon.run("halist", &["-p", &port, "--pollers"]).out;
    assert!(
        all.starts_with("mail\t127.0.0.1 polled once, told 200 "),
        "{all}"
    );
    let json = daemon
        .run("halist", &["-p", &port, "--pollers", "-o", "json", "mail"])
        .out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        [
            &json["pollers"][0]["names"][0],
            &json["pollers"][0]["names"][1]
        ],
        ["mail", "mail:25"]
    );
    assert_eq!(json["pollers"][0]["service"], "mail");
}

#[test]
fn an_instance_is_waited_for_by_its_own_pollers_alone() {
    let daemon = Daemon::start();
    let port = daemon.address.port().to_string();
    let envoy = [("User-Agent", "Envoy/HC")];
    daemon.get_with("/spool/web/80", &envoy);
    daemon.get_with("/spool/web/81", &envoy);
    let args = [
        "-p",
        &port,
        "--wait",
        "--min-pollers",
        "0",
        "--timeout",
        "0.3",
        "-r",
        "x",
        "web:80",
    ];
    let ran = daemon.run("hadown", &args);
    ran.is_with(1, "", "not within 0.3 s: 127.0.0.1 Envoy/HC: ");
    assert_eq!(
        ran.err
            .matches("127.0.0.1 Envoy/HC: has not polled")
            .count(),
        2,
        "once as a line, once at the end: {}",
        ran.err
    );
}

#[test]
fn where_nobody_polls_what_is_asked_for_it_is_told_who_is_polled() {
    let daemon = Daemon::with_config("pollers: [{interval: 900}]\n");
    let port = daemon.address.port().to_string();
    daemon.get("/spool/web/80");
    let expected = "halist: note: nobody polls 'wbe' here; polled: web (did you mean web?)";
    let ran = daemon.run("halist", &["-p", &port, "--pollers", "wbe"]);
    ran.is_with(0, "", expected);
}

#[test]
fn a_poller_without_send_state_must_be_told_so_many_times() {
    let daemon = Daemon::start();
    let port = daemon.address.port().to_string();
    let envoy = [("User-Agent", "Envoy/HC")];
    let polled = || daemon.get_with("/spool/web/80", &envoy).status;
    assert_eq!(polled(), 200);
    assert_eq!(
        daemon
            .get_with("/tcp/web/1", &[("User-Agent", "curl/8.0")])
            .status,
        503,
        "a look by hand"
    );
    let args = [
        "-p",
        &port,
        "--min-pollers",
        "0",
        "--wait",
        "--polls",
        "5",
        "-r",
        "x",
        "web",
    ];
    let mut waiting = daemon
        .spool
        .command("hadown", &args)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(PATIENCE, "the downtime is written", || {
        daemon.spool.files() == ["web"]
    });
    let stop = AtomicBool::new(false);
    let told = thread::scope(|scope| {
        let polling = scope.spawn(|| {
            let mut told = 0;
            while !stop.load(Ordering::Relaxed) {
                told += u32::from(polled() == 503);
                thread::sleep(Duration::from_millis(20));
            }
            told
        });
        wait_until(PATIENCE, "hadown returns", || {
            waiting.try_wait().unwrap().is_some()
        });
        stop.store(true, Ordering::Relaxed);
        polling.join().unwrap()
    });
    let ran = Ran::from(waiting.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        !ran.err.contains("silent for"),
        "it waited for a person: {}",
        ran.err
    );
    assert!(told >= 5, "it returned after {told} answers");
}

#[test]
fn up_when_healthy_lifts_after_passed_checks_in_a_row_only() {
    let mut site = Site::start();
    let lb = site.balancer("lb1", "", "inter 100ms fall 2");
    site.known(&["lb1"]);
    site.run("hadown", &["--wait", "-r", "x", "web"]);
    let address = site.service.address;
    site.service.stop();
    let ran = site.run("haup", &["--when-healthy", "3", "--timeout", "2", "web"]);
    ran.is_with(1, "", "not healthy within 2 s: http 127.0.0.1:");
    assert!(
        ran.err.contains("connection refused") && ran.err.contains("web stays as it was"),
        "{}",
        ran.err
    );
    assert_eq!(site.daemon.spool.files(), ["web"]);
    site.service = Upstream::start_on(address, |_| Some(http("200 OK", "s1")));
    let ran = site.run("haup", &["--when-healthy", "3", "--wait", "web"]);
    assert_eq!(
        (ran.code, lb.stat("web", "s1", "status").as_str()),
        (Some(0), "UP"),
        "{}",
        ran.err
    );
    assert!(site.service.seen().len() >= 3);
    for count in ["1 of 3", "2 of 3", "3 of 3"] {
        let says = format!("the check passed {count} times");
        assert!(ran.err.contains(&says), "{says}: {}", ran.err);
    }
}

#[test]
fn a_soft_downtime_ends_new_traffic_at_once_and_serves_old_sessions() {
    let site = Site::start();
    let lines = "  http-check disable-on-404\n  cookie SRV insert indirect nocache";
    let lb = site.balancer("lb1", lines, "inter 100ms fall 3 cookie s1");
    site.known(&["lb1"]);
    let ran = site.run("hadown", &["--soft", "--wait", "-r", "x", "web"]);
    assert_eq!(
        (ran.code, lb.stat("web", "s1", "status").as_str()),
        (Some(0), "NOLB"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("lb1 web/s1: done, sees NOLB"),
        "{}",
        ran.err
    );
    assert_eq!(site.daemon.spool.json("web")["soft"], true);
    let get = |cookie: &str| {
        let mut stream = std::os::unix::net::UnixStream::connect(lb.front()).unwrap();
        let text = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{cookie}\r\n");
        std::io::Write::write_all(&mut stream, text.as_bytes()).unwrap();
        crate::support::client::answer(&mut stream).body
    };
    for _ in 0..5 {
        assert_eq!([get("Cookie: SRV=s1\r\n"), get("")], ["s1", "s2"]);
    }
    // A harder downtime beside it wins.
    site.daemon.spool.put("all", "");
    assert_eq!(site.daemon.get("/spool/web/80").status, 503);
    wait_until(PATIENCE, "the balancer said so", || {
        site.run("halist", &["--pollers"]).out.contains("sees DOWN")
    });
    site.run("hadown", &["--soft", "-r", "x", "web"]).is_with(
        0,
        "",
        "note: lb1 web/s1 says DOWN, so --soft changes nothing there",
    );
}

#[test]
fn if_up_refuses_what_is_down_already_and_the_other_operator_is_named() {
    let daemon = Daemon::start();
    let mut alice = daemon
        .spool
        .command("hadown", &["--if-up", "-r", "disk swap", "web"]);
    Ran::from(alice.env("SUDO_USER", "alice").output().unwrap()).is(0, "");
    let ran = daemon.run("hadown", &["--if-up", "-r", "mine", "api", "web"]);
    ran.is_with(1, "", "web is already down since ");
    assert!(
        ran.err
            .contains(", by alice, for \"disk swap\"; it stays as it is"),
        "{}",
        ran.err
    );
    assert_eq!(
        (
            daemon.spool.files(),
            daemon.spool.json("web")["reason"].as_str()
        ),
        (vec!["web".into()], Some("disk swap"))
    );
    daemon.run("hadown", &["-r", "mine", "web"]).is_with(
        0,
        "",
        ", by alice, for \"disk swap\"; replaced",
    );
    daemon
        .run("hadown", &["--if-up", "-r", "mine", "api"])
        .is(0, "");
}

#[test]
fn envoy_is_told_to_send_nothing_in_panic_mode_either_unless_configured_otherwise() {
    let daemon = Daemon::with_config("# nothing\n");
    let header = "x-envoy-immediate-health-check-fail";
    assert_eq!(daemon.get("/spool/web/80").header(header), None);
    daemon.spool.put("web", "");
    assert_eq!(daemon.get("/spool/web/80").header(header), Some("true"));
    assert_eq!(
        daemon.get("/tcp/other/1").header(header),
        None,
        "a failing check is no downtime"
    );
    daemon.reload("envoy_immediate_fail: no\n", "configuration read from");
    assert_eq!(daemon.get("/spool/web/80").header(header), None);
}

#[test]
fn options_without_a_meaning_are_usage_errors() {
    let daemon = Daemon::start();
    for (name, args, says) in [
        (
            "hastatus",
            &["--wait", "web"][..],
            "--wait: only hadown and haup",
        ),
        ("haup", &["--wait=drained", "web"], "--wait=drained"),
        ("hadown", &["--wait=maybe", "web"], "--wait=maybe"),
        (
            "hadown",
            &["web", "--wait", "drained"],
            "write --wait=drained",
        ),
        ("haup", &["--soft", "web"], "only hadown takes them"),
        (
            "hadown",
            &["--soft", "--drain", "web"],
            "either --soft or --drain",
        ),
        (
            "hadown",
            &["--when-healthy", "3", "web"],
            "only haup waits for health",
        ),
        (
            "haup",
            &["--when-healthy", "0", "web"],
            "is not a positive whole number",
        ),
        ("hadown", &["--pollers", "web"], "only halist"),
        (
            "hadown",
            &["--timeout", "soon", "--wait", "web"],
            "--timeout: ",
        ),
    ] {
        let ran = daemon.run(name, args);
        ran.is_with(2, "", says);
    }
    assert_eq!(daemon.spool.files(), [""; 0]);
}

#[test]
fn a_timed_downtime_that_ends_gives_way_to_the_check() {
    let daemon = Daemon::start();
    daemon
        .run("hadown", &["-r", "x", "--for", "1h", "web"])
        .is(0, "");
    daemon.get("/tcp/web/1").says(503, "in down state");
    let port = daemon.address.port().to_string();
    let listed = daemon.run("halist", &["-p", &port]);
    assert!(
        listed.err.contains("note: the downtime of 'web' ends at "),
        "{}",
        listed.err
    );
    let soon = (unix_now() + 0.3).to_string();
    let ran = daemon.run("hadown", &["-r", "x", "-e", &soon, "web"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    wait_until(PATIENCE, "the downtime is over", || {
        !daemon.get("/tcp/web/1").body.contains("in down state")
    });
    daemon.get("/tcp/web/1").says(503, "connection refused");
}
