//! `hadown --wait` and `haup --wait`, before two real HAProxies that differ in name, interval and patience.

use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::support::daemon::Daemon;
use crate::support::haproxy::Haproxy;
use crate::support::load::Load;
use crate::support::process::{Process, bound_to_us};
use crate::support::upstream::{Upstream, http};
use crate::support::waiting::ended;
use crate::support::{BINARY, PATIENCE, Ran, Spool, wait_until};

/// A host with hacheck and the service `web`, and another host's service that is always there.
pub struct Site {
    pub daemon: Daemon,
    pub service: Upstream,
    other: Upstream,
}

impl Site {
    pub fn start() -> Self {
        let answer = |name: &'static str| {
            move |head: &str| match head.split(' ').nth(1) {
                Some("/hold") => None,
                _ => Some(http("200 OK", name)),
            }
        };
        Self {
            daemon: Daemon::start(),
            service: Upstream::start(answer("s1")),
            other: Upstream::start(answer("s2")),
        }
    }

    /// A balancer of both services, with further lines for the backend and words for the server.
    #[track_caller]
    pub fn balancer(&self, node: &str, lines: &str, words: &str) -> Haproxy {
        let (service, other, port) = (
            self.service.address,
            self.other.address,
            self.daemon.address.port(),
        );
        let haproxy = Haproxy::start_as(
            node,
            &format!(
                "listen web\n  bind unix@front\n  option httpchk GET /http/web/1/health\n  http-check send-state\n{lines}\
                 \n  server s1 {service} check port {port} rise 2 {words}\n  server s2 {other}\n"
            ),
        );
        haproxy.wait_for("web", "s1", "UP");
        haproxy
    }

    /// Two that differ.
    fn balancers(&self) -> [Haproxy; 2] {
        let pair = [
            self.balancer("lb1", "", "inter 100ms fall 2"),
            self.balancer("lb2", "", "inter 300ms downinter 400ms fall 3"),
        ];
        self.known(&["lb1", "lb2"]);
        pair
    }

    /// Waits until the daemon knows the intervals of balancers.
    #[track_caller]
    pub fn known(&self, nodes: &[&str]) {
        wait_until(PATIENCE, "the balancers are known", || {
            let pollers = self.daemon.get("/pollers").json()["pollers"]
                .as_array()
                .unwrap()
                .clone();
            let known = |node: &&str| {
                pollers
                    .iter()
                    .any(|p| p["node"] == **node && p["polls"].as_u64() > Some(3))
            };
            nodes.iter().all(known)
        });
    }

    pub fn port(&self) -> String {
        self.daemon.address.port().to_string()
    }

    pub fn run(&self, name: &str, args: &[&str]) -> Ran {
        let port = self.port();
        let mut words = vec!["-p", port.as_str()];
        // The balancers are known already, so nothing is to be waited for.
        let waits = args.iter().any(|arg| arg.starts_with("--wait")) || name == "haroll";
        if waits && !args.contains(&"--min-pollers") {
            words.extend(["--min-pollers", "0"]);
        }
        words.extend(args);
        self.daemon.run(name, &words)
    }

    /// Requests of clients that reached the service.
    fn requests(&self) -> usize {
        self.service
            .seen()
            .iter()
            .filter(|head| head.starts_with("GET / "))
            .count()
    }

    pub fn polls(&self) -> u64 {
        let page = self.daemon.get("/pollers").json();
        page["pollers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["polls"].as_u64().unwrap())
            .min()
            .unwrap()
    }
}

#[test]
fn when_it_returns_every_balancer_has_acted_and_no_request_comes_any_more() {
    let site = Site::start();
    let [lb1, lb2] = site.balancers();
    let load = Load::on(&[&lb1, &lb2]);
    load.wait_for_more("s1");
    let ran = site.run("hadown", &["--wait", "-r", "new disk", "web"]);
    let statuses = [&lb1, &lb2].map(|lb| lb.stat("web", "s1", "status"));
    let requests = site.requests();
    assert_eq!(
        (ran.code, statuses.as_slice()),
        (Some(0), &["DOWN".to_owned(), "DOWN".into()][..]),
        "{}",
        ran.err
    );
    for line in [
        "hadown: lb1 web/s1: done, sees DOWN\n",
        "hadown: lb2 web/s1: done, sees DOWN\n",
    ] {
        assert!(ran.err.contains(line), "{}", ran.err);
    }
    (0..3).for_each(|_| load.wait_for_more("s2"));
    assert_eq!(
        site.requests(),
        requests,
        "requests came after --wait had returned"
    );

    let ran = site.run("haup", &["--wait", "web"]);
    let statuses = [&lb1, &lb2].map(|lb| lb.stat("web", "s1", "status"));
    assert_eq!(
        (ran.code, statuses.as_slice()),
        (Some(0), &["UP".to_owned(), "UP".into()][..]),
        "{}",
        ran.err
    );
    load.wait_for_more("s1");
    load.has_no_failures();
}

#[test]
fn all_waits_for_every_service_that_is_polled() {
    let site = Site::start();
    let [lb1, lb2] = site.balancers();
    let ran = site.run("hadown", &["--wait", "-r", "reboot", "all"]);
    let statuses = [&lb1, &lb2].map(|lb| lb.stat("web", "s1", "status"));
    assert_eq!(
        (ran.code, statuses.as_slice()),
        (Some(0), &["DOWN".to_owned(), "DOWN".into()][..]),
        "{}",
        ran.err
    );
}

#[test]
fn one_that_falls_silent_before_it_acted_is_named_at_the_timeout() {
    let site = Site::start();
    let [_lb1, lb2] = site.balancers();
    lb2.process.signal(Signal::SIGSTOP);
    let ran = site.run("hadown", &["--wait", "--timeout", "3", "-r", "x", "web"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let (_, end) = ran
        .err
        .split_once("not within 3 s: ")
        .unwrap_or_else(|| panic!("{}", ran.err));
    assert!(
        end.starts_with("lb2 web/s1: silent for ") && !end.contains("lb1"),
        "{end}"
    );
    assert!(
        end.contains("the downtime of web is written and stays"),
        "{end}"
    );
    assert_eq!(site.daemon.spool.files(), ["web"]);
}

#[test]
fn one_that_appears_during_the_wait_counts() {
    let site = Site::start();
    let lb1 = site.balancer("lb1", "", "inter 100ms fall 2");
    site.known(&["lb1"]);
    lb1.process.signal(Signal::SIGSTOP);
    let port = site.port();
    let args = [
        "-p",
        &port,
        "--min-pollers",
        "0",
        "--wait",
        "-r",
        "x",
        "web",
    ];
    let waiting = site
        .daemon
        .spool
        .command("hadown", &args)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(PATIENCE, "the downtime is written", || {
        site.daemon.spool.files() == ["web"]
    });
    let lb3 = Haproxy::start_as(
        "lb3",
        &format!(
            "listen web\n  bind unix@front\n  option httpchk GET /http/web/1/\n  http-check send-state\n  \
             server s1 {} check port {port} inter 200ms fall 4\n  server s2 {}\n",
            site.service.address, site.other.address
        ),
    );
    site.known(&["lb3"]);
    lb1.process.signal(Signal::SIGCONT);
    let ran = ended(waiting);
    assert_eq!(
        (ran.code, lb3.stat("web", "s1", "status").as_str()),
        (Some(0), "DOWN"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("lb3 web/s1: done, sees DOWN"),
        "{}",
        ran.err
    );
}

#[test]
fn drained_returns_after_the_last_session_and_not_before() {
    let site = Site::start();
    let lb = site.balancer(
        "lb1",
        "  balance first\n  option abortonclose",
        "inter 100ms fall 2",
    );
    site.known(&["lb1"]);
    let mut held = std::os::unix::net::UnixStream::connect(lb.front()).unwrap();
    std::io::Write::write_all(&mut held, b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    wait_until(PATIENCE, "the session is there", || {
        lb.stat("web", "s1", "scur") == "1"
    });
    let port = site.port();
    let args = [
        "-p",
        &port,
        "--min-pollers",
        "0",
        "--wait=drained",
        "-r",
        "x",
        "web",
    ];
    let mut waiting = site
        .daemon
        .spool
        .command("hadown", &args)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    lb.wait_for("web", "s1", "DOWN");
    let polls = site.polls();
    wait_until(PATIENCE, "ten more polls", || site.polls() > polls + 10);
    assert!(
        waiting.try_wait().unwrap().is_none(),
        "it returned while a session was open"
    );
    drop(held);
    let ran = ended(waiting);
    assert_eq!(
        (ran.code, lb.stat("web", "s1", "scur").as_str()),
        (Some(0), "0"),
        "{}",
        ran.err
    );
    for line in [
        "lb1 web/s1: sees DOWN, 1 session left\n",
        "lb1 web/s1: done, sees DOWN, no sessions\n",
    ] {
        assert!(ran.err.contains(line), "{}", ran.err);
    }
}

#[test]
fn the_last_server_is_only_taken_down_by_force_or_without_waiting() {
    let site = Site::start();
    let backend = format!(
        "listen web\n  bind unix@front\n  option httpchk GET /http/web/1/\n  http-check send-state\n  \
         server s1 {} check port {} inter 300ms\n",
        site.service.address,
        site.port()
    );
    let lb = Haproxy::start_as("lb1", &backend);
    lb.wait_for("web", "s1", "UP");
    site.known(&["lb1"]);
    let ran = site.run("hadown", &["--wait", "-r", "x", "web"]);
    ran.is_with(
        1,
        "",
        "refused, nothing was written: lb1 web/s1 says that this server carries its whole backend",
    );
    assert_eq!(site.daemon.spool.files(), [""; 0]);
    let ran = site.run("hadown", &["--wait", "--force", "-r", "x", "web"]);
    assert_eq!(
        (ran.code, lb.stat("web", "s1", "status").as_str()),
        (Some(0), "DOWN"),
        "{}",
        ran.err
    );
    let ran = site.run("haup", &["--wait", "web"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    site.run("hadown", &["-r", "x", "web"]).is_with(
        0,
        "",
        "hadown: note: lb1 web/s1 says that this server carries",
    );
    assert_eq!(site.daemon.spool.files(), ["web"]);
}

#[test]
fn a_daemon_that_does_not_run_is_told_at_once_and_the_downtime_stays() {
    let spool = Spool::new();
    // Bound and not listening: nobody else takes the port, and connections are refused.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    drop(socket);
    let ran = spool.run(
        "hadown",
        &[
            "-p",
            &port,
            "--min-pollers",
            "0",
            "--wait",
            "-r",
            "x",
            "web",
        ],
    );
    ran.is_with(1, "", &format!("hadown: no hacheck answers on port {port}"));
    assert!(
        ran.err.contains("the downtime of web is written and stays"),
        "{}",
        ran.err
    );
    assert_eq!(spool.files(), ["web"]);
}

#[test]
fn a_daemon_with_another_spool_is_told_at_once_and_nothing_is_changed() {
    let site = Site::start();
    let spool = Spool::new();
    let ran = spool.run("hadown", &["-p", &site.port(), "--wait", "-r", "x", "web"]);
    ran.is_with(
        1,
        "",
        &format!("uses the spool {}, not", site.daemon.spool.root().display()),
    );
    assert_eq!(spool.files(), [""; 0]);
}

#[test]
fn without_pollers_there_is_nothing_to_wait_for_unless_some_are_demanded() {
    let site = Site::start();
    site.run("hadown", &["--wait", "-r", "x", "web"])
        .is_with(0, "", "no load balancer");
    let ran = site.run(
        "hadown",
        &[
            "--wait",
            "--min-pollers",
            "1",
            "--timeout",
            "0.5",
            "-r",
            "x",
            "web",
        ],
    );
    ran.is_with(1, "", "0 of 1 load balancers are known");
}

#[test]
fn a_daemon_that_starts_anew_meanwhile_forgets_nobody_who_counts() {
    let mut site = Site::start();
    let [lb1, lb2] = site.balancers();
    lb2.process.signal(Signal::SIGSTOP);
    let port = site.port();
    let args = [
        "-p",
        &port,
        "--min-pollers",
        "0",
        "--wait",
        "-r",
        "x",
        "web",
    ];
    let mut waiting = site
        .daemon
        .spool
        .command("hadown", &args)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    lb1.wait_for("web", "s1", "DOWN");
    site.daemon.process.signal(Signal::SIGKILL);
    site.daemon.process.wait(PATIENCE);
    let mut again = bound_to_us(BINARY, &[]);
    again
        .args(["serve", "-B", "127.0.0.1", "-p", &port, "--spool-root"])
        .arg(site.daemon.spool.root());
    site.daemon.process = Process::spawn(again.stderr(Stdio::null()));
    wait_until(PATIENCE, "it listens again", || {
        TcpStream::connect(site.daemon.address).is_ok()
    });
    site.known(&["lb1"]);
    assert!(
        waiting.try_wait().unwrap().is_none(),
        "it did not wait for lb2, which the new daemon never saw"
    );
    lb2.process.signal(Signal::SIGCONT);
    let ran = ended(waiting);
    assert_eq!(
        (ran.code, lb2.stat("web", "s1", "status").as_str()),
        (Some(0), "DOWN"),
        "{}",
        ran.err
    );
}

#[test]
fn a_wait_ends_when_somebody_else_lifts_the_downtime() {
    let site = Site::start();
    let [_lb1, lb2] = site.balancers();
    lb2.process.signal(Signal::SIGSTOP);
    let port = site.port();
    let args = [
        "-p",
        &port,
        "--min-pollers",
        "0",
        "--wait",
        "-r",
        "x",
        "web",
    ];
    let waiting = site
        .daemon
        .spool
        .command("hadown", &args)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(PATIENCE, "the downtime is written", || {
        site.daemon.spool.files() == ["web"]
    });
    site.run("haup", &["web"]).is(0, "");
    let ran = ended(waiting);
    ran.is_with(1, "", "the downtime of web has ended meanwhile");
    assert!(!ran.err.contains("stays"), "{}", ran.err);
}

#[test]
fn haup_does_not_wait_where_another_downtime_holds_and_says_which() {
    let site = Site::start();
    let [_lb1, lb2] = site.balancers();
    // Nobody who waited would come to an end.
    lb2.process.signal(Signal::SIGSTOP);
    site.daemon
        .spool
        .put("all", r#"{"reason": "new kernel", "by": "bob"}"#);
    site.daemon.spool.put("web", "");
    let ran = site.run("haup", &["--wait", "web"]);
    let says = "web is still held by the downtime of all since an unknown time, by bob, for \"new kernel\"; 'haup all' lifts it";
    ran.is_with(1, "", says);
    let lifted = "the downtime of web is lifted all the same";
    assert!(
        ran.err.contains(lifted) && !ran.err.contains("not within"),
        "{}",
        ran.err
    );
    // Where there was none to lift, none is said to be lifted.
    let again = site.run("haup", &["--wait", "web"]);
    again.is_with(1, "", says);
    assert!(!again.err.contains("lifted all the same"), "{}", again.err);
    assert!(
        again.err.contains("note: web was not down"),
        "{}",
        again.err
    );
}
