//! HAProxy's agent-check, before a real HAProxy and over raw sockets.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use crate::support::client;
use crate::support::daemon::{Daemon, Setup};
use crate::support::haproxy::Haproxy;
use crate::support::upstream::Upstream;
use crate::support::{BINARY, PATIENCE, wait_until};

struct Agent {
    daemon: Daemon,
    address: SocketAddr,
}

impl Agent {
    fn start(config: &str) -> Self {
        Self::start_as(Setup::new().config(config))
    }

    fn start_as(setup: Setup) -> Self {
        let daemon = setup.args(&["--agent-port", "0"]).start();
        daemon.wait_for_log("answering agent-checks on ");
        let log = daemon.log();
        let (_, rest) = log.split_once("answering agent-checks on ").unwrap();
        Self {
            daemon,
            address: rest.lines().next().unwrap().parse().unwrap(),
        }
    }

    /// The answer to some bytes, with nothing more to come.
    fn ask(&self, bytes: &[u8]) -> String {
        answer(self.daemon.while_stopped(|| {
            let stream = self.begin(bytes);
            stream.shutdown(Shutdown::Write).unwrap();
            stream
        }))
    }

    /// A connection with some bytes on it. While the daemon runs, one that is silent for 100 ms is answered already.
    fn begin(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    }

    /// A balancer whose server `s1` has an agent, besides words of its own, and checks every 100 ms.
    fn balancer(&self, service: &Upstream, words: &str) -> Haproxy {
        self.balancer_with(service, "", words)
    }

    /// The same, with further lines for the backend.
    fn balancer_with(&self, service: &Upstream, lines: &str, words: &str) -> Haproxy {
        let (service, agent) = (service.address, self.address.port());
        let haproxy = Haproxy::start_as(
            "lb1",
            &format!(
                "listen web\n  bind unix@front\n  option httpchk GET /http/web/1/\n  http-check send-state\n{lines}  \
                 server s1 {service} weight 10 agent-check agent-addr 127.0.0.1 agent-port {agent} agent-inter 100ms \
                 rise 2 fall 2 inter 100ms {words}\n  server s2 {service} weight 10\n"
            ),
        );
        let up = |status: &str| matches!(status, "UP" | "no check");
        wait_until(PATIENCE, "s1 is up", || {
            up(&haproxy.stat("web", "s1", "status"))
        });
        haproxy
    }

    /// Waits for ten more answers to an agent.
    fn ten_more(&self) {
        let polls = || {
            let page = self.daemon.get("/pollers").json();
            let mut agents = page["pollers"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|p| p["check"] == "agent spool" && p["service"] == "web");
            agents.next().map_or(0, |p| p["polls"].as_u64().unwrap())
        };
        let before = polls();
        wait_until(PATIENCE, "ten more polls of the agent", || {
            polls() >= before + 10
        });
    }
}

fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn services_instances_and_checks_are_answered_with_health_words() {
    let agent = Agent::start("");
    let service = Upstream::answering("fine");
    let check = format!("http/web/{}/\n", service.port());
    for line in ["web\n", "web:80\r\n", &check, "all\n"] {
        assert_eq!(agent.ask(line.as_bytes()), "up\n", "{line:?}");
    }
    agent
        .daemon
        .run("hadown", &["-r", "disk swap", "web:80"])
        .is(0, "");
    assert_eq!(
        agent.ask(b"web:80\n"),
        format!("down #{}: disk swap\n", user())
    );
    agent
        .daemon
        .run("hadown", &["--if-up", "-r", "reboot", "mail"])
        .is(0, "");
    assert_eq!(agent.ask(b"mail\n"), format!("down #{}: reboot\n", user()));
    assert_eq!(agent.ask(b"web:81\n"), "up\n");
    agent.daemon.spool.put("web", "plain\ntext");
    assert_eq!(agent.ask(check.as_bytes()), "down #plain text\n");
    agent.daemon.run("haup", &["web"]).code_is(0);
    drop(service);
    let refused = agent.ask(b"tcp/web/1\n");
    assert!(
        refused.starts_with("down #503 tcp 127.0.0.1:1: connection refused"),
        "{refused}"
    );
    for bad in [&b"../x\n"[..], b"http/web\n", b"\xff\n", &[b'x'; 5000]] {
        assert!(
            agent.ask(bad).starts_with("error #agent-send "),
            "{}",
            String::from_utf8_lossy(bad)
        );
    }
}

fn user() -> String {
    let id = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_silent_client_gets_the_answer_for_all_and_a_slow_one_none() {
    let agent = Agent::start("");
    let connect = || {
        let stream = TcpStream::connect(agent.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    assert_eq!(answer(connect()), "up\n");
    agent
        .daemon
        .run("hadown", &["-r", "reboot", "all"])
        .is(0, "");
    assert_eq!(answer(connect()), format!("down #{}: reboot\n", user()));
    assert_eq!(
        answer(agent.daemon.while_stopped(|| agent.begin(b"we"))),
        "",
        "a line that never ends is given up"
    );
    // More than are answered at once: the others wait for their turn.
    let crowd: Vec<_> = (0..400).map(|_| connect()).collect();
    for stream in crowd {
        assert_eq!(answer(stream), format!("down #{}: reboot\n", user()));
    }
}

#[test]
fn haproxy_takes_the_server_down_with_the_reason_and_up_again() {
    let agent = Agent::start("");
    let service = Upstream::answering("fine");
    let lb = agent.balancer(&service, "agent-send \"web\\n\"");
    agent.ten_more();
    assert_eq!(lb.stat("web", "s1", "weight"), "10");
    agent
        .daemon
        .run("hadown", &["-r", "new kernel", "web"])
        .is(0, "");
    wait_until(PATIENCE, "the agent takes it down", || {
        lb.stat("web", "s1", "status").starts_with("DOWN (agent)")
    });
    // While the next agent-check runs, HAProxy shows none.
    wait_until(PATIENCE, "the reason is shown", || {
        lb.stat("web", "s1", "last_agt").contains("new kernel")
    });
    // Without send-state it counts what was told.
    let port = agent.daemon.address.port().to_string();
    let ran = agent.daemon.run(
        "hadown",
        &[
            "-p",
            &port,
            "--min-pollers",
            "0",
            "--wait",
            "-r",
            "new kernel",
            "web",
        ],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.err.contains("agent of 127.0.0.1: done, told down "),
        "{}",
        ran.err
    );
    agent.daemon.run("haup", &["web"]).is(0, "");
    lb.wait_for("web", "s1", "no check");
}

#[test]
fn what_the_balancers_admin_set_survives_an_agent_that_is_up() {
    let agent = Agent::start("");
    let service = Upstream::answering("fine");
    let lb = agent.balancer(&service, "agent-send \"web\\n\"");
    lb.admin("set server web/s1 weight 3");
    lb.admin("set server web/s1 state maint");
    agent.ten_more();
    assert_eq!(
        [
            lb.stat("web", "s1", "status"),
            lb.stat("web", "s1", "weight")
        ],
        ["MAINT".to_owned(), "3".into()]
    );
    lb.admin("set server web/s1 state ready");
    lb.wait_for("web", "s1", "no check");
    lb.admin("set server web/s1 state drain");
    agent.ten_more();
    assert!(lb.stat("web", "s1", "status").starts_with("DRAIN"));
}

#[test]
fn a_daemon_that_was_killed_meanwhile_leaves_nothing_behind() {
    let mut agent = Agent::start("");
    let service = Upstream::answering("fine");
    let lb = agent.balancer(&service, "agent-send \"web\\n\"");
    agent.daemon.run("hadown", &["-r", "x", "web"]).is(0, "");
    wait_until(PATIENCE, "the agent takes it down", || {
        lb.stat("web", "s1", "status").starts_with("DOWN")
    });
    agent.daemon.process.signal(Signal::SIGKILL);
    agent.daemon.process.wait(PATIENCE);
    let mut again = crate::support::process::bound_to_us(BINARY, &[]);
    again.args([
        "serve",
        "-B",
        "127.0.0.1",
        "-p",
        &agent.daemon.address.port().to_string(),
    ]);
    again
        .args([
            "--agent-port",
            &agent.address.port().to_string(),
            "--spool-root",
        ])
        .arg(agent.daemon.spool.root());
    agent.daemon.process =
        crate::support::process::Process::spawn(again.stderr(std::process::Stdio::null()));
    wait_until(PATIENCE, "it listens again", || {
        TcpStream::connect(agent.address).is_ok()
    });
    agent.ten_more();
    assert!(lb.stat("web", "s1", "status").starts_with("DOWN"));
    agent.daemon.run("haup", &["web"]).is(0, "");
    lb.wait_for("web", "s1", "no check");
}

#[test]
fn a_drain_takes_the_weight_away_where_hacheck_owns_it() {
    let agent = Agent::start("agent_weights: true\n");
    let service = Upstream::answering("fine");
    let check = format!(
        "agent-send \"web\\n\" check port {}",
        agent.daemon.address.port()
    );
    let lb = agent.balancer(&service, &check);
    assert_eq!(agent.ask(b"web\n"), "up 100%\n");
    wait_until(PATIENCE, "both ways are known", || {
        agent.daemon.get("/pollers").json()["pollers"]
            .as_array()
            .unwrap()
            .iter()
            .all(|p| p["polls"].as_u64() > Some(3))
    });
    let port = agent.daemon.address.port().to_string();
    let ran = agent.daemon.run(
        "hadown",
        &[
            "-p",
            &port,
            "--min-pollers",
            "0",
            "--drain",
            "--wait",
            "-r",
            "x",
            "web",
        ],
    );
    let state = [
        lb.stat("web", "s1", "status"),
        lb.stat("web", "s1", "weight"),
    ];
    assert_eq!(
        (ran.code, state),
        (Some(0), ["UP".to_owned(), "0".into()]),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("lb1 web/s1: done, sees UP with weight 0"),
        "{}",
        ran.err
    );
    // The service's own check still counts, and so does a downtime that is no drain.
    let by_hand = || {
        agent
            .daemon
            .get_with("/spool/web/80", &[("User-Agent", "curl/8.0")])
            .status
    };
    assert_eq!(by_hand(), 200);
    agent.daemon.spool.put("all", "");
    assert_eq!(by_hand(), 503);
    let part = "all is still held in part by the downtime of web (drain) since ";
    agent.daemon.run("haup", &["all"]).is_with(0, "", part);
    let ran = agent.daemon.run(
        "haup",
        &["-p", &port, "--min-pollers", "0", "--wait", "web"],
    );
    assert_eq!(
        (ran.code, lb.stat("web", "s1", "weight").as_str()),
        (Some(0), "10"),
        "{}",
        ran.err
    );
}

#[test]
fn a_drain_without_weights_is_a_downtime_like_any_other() {
    let agent = Agent::start("");
    let port = agent.daemon.address.port().to_string();
    let ran = agent
        .daemon
        .run("hadown", &["-p", &port, "--drain", "-r", "x", "web"]);
    ran.is_with(0, "", "note: the daemon runs without agent_weights");
    assert_eq!(agent.daemon.get("/spool/web/80").status, 503);
    assert!(agent.ask(b"web\n").starts_with("down #"));
}

#[test]
fn agents_keep_what_a_soft_downtime_lets_live() {
    for (config, answer, told) in [
        (
            "",
            "up\n",
            "agents are told 'up', as 'down' would undo --soft",
        ),
        (
            "agent_weights: yes\n",
            "up 0%\n",
            "agents are told 'up 0%', which drains",
        ),
    ] {
        let agent = Agent::start(config);
        let port = agent.daemon.address.port().to_string();
        let service = Upstream::answering("fine");
        let words = format!("agent-send \"web\\n\" check port {port}");
        let lines = "  http-check disable-on-404\n";
        let lb = agent.balancer_with(&service, lines, &words);
        agent.ten_more();
        let soft = [
            "-p",
            &port,
            "--min-pollers",
            "0",
            "--soft",
            "--wait",
            "-r",
            "x",
            "web",
        ];
        let ran = agent.daemon.run("hadown", &soft);
        ran.is_with(0, "", told);
        assert_eq!(agent.ask(b"web\n"), answer);
        agent.ten_more();
        let status = lb.stat("web", "s1", "status");
        assert!(status.starts_with("NOLB"), "{status}: {}", ran.err);
    }
}

#[test]
fn agents_alone_are_told_and_checks_stay_pure() {
    let agent = Agent::start("");
    let service = Upstream::answering("fine");
    let lb = agent.balancer(&service, "agent-send \"web\\n\"");
    let port = agent.daemon.address.port().to_string();
    let run = |name: &str, words: &[&str]| agent.daemon.run(name, words);
    let check = format!("/http/web/{}/", service.port());
    agent.ten_more();
    let words = ["-p", &port, "--agent-only", "-r", "new disk", "web"];
    run("hadown", &words).is(0, "");
    lb.wait_for("web", "s1", "DOWN (agent)");
    agent.daemon.get(&check).is(200, "fine");
    agent.daemon.get("/spool/web/80").is(200, "");
    assert_eq!(agent.daemon.spool.json("web")["agent_only"], true);
    let shown = "DOWN\tinf\tweb\tnew disk\n";
    let note = "note: the downtime of 'web' is told to HAProxy's agents only";
    run("hastatus", &["web"]).is_with(1, shown, note);
    run("hashowdowned", &[]).is_with(0, shown, note);
    let json = run("hastatus", &["-o", "json", "web"]).out;
    assert!(json.contains(r#""mark":"agent_only""#), "{json}");
    let overview = agent
        .daemon
        .get_with("/overview", &[("Host", "localhost")])
        .json();
    assert_eq!(overview["downtimes"][0]["mark"], "agent_only");
    run("haup", &["-p", &port, "web"]).is(0, "");
    agent.ten_more();
    assert_ne!(lb.stat("web", "s1", "status"), "DOWN (agent)");
    // Any other downtime beside it wins.
    run("hadown", &words).is(0, "");
    agent.daemon.spool.put("all", "");
    assert_eq!(agent.daemon.get(&check).status, 503);
}

#[test]
fn where_no_agent_asks_a_downtime_for_agents_says_so() {
    let agent = Agent::start("");
    let port = agent.daemon.address.port().to_string();
    let ran = agent
        .daemon
        .run("hadown", &["-p", &port, "--agent-only", "-r", "x", "web"]);
    ran.is_with(0, "", "note: no agent asks here");
    let several = agent
        .daemon
        .run("hadown", &["--agent-only", "--drain", "web"]);
    several.is_with(2, "", "not several");
}

#[test]
fn where_file_descriptors_run_out_an_idle_connection_is_evicted_for_an_agent() {
    let setup = Setup::new()
        .limit_files("48")
        .config("max_connections: 1000\nheader_timeout: 300\n");
    let agent = Agent::start_as(setup);
    agent
        .daemon
        .run("hadown", &["-r", "reboot", "web"])
        .is(0, "");
    assert_eq!(agent.ask(b"web\n"), format!("down #{}: reboot\n", user()));
    let evicted = |stream: &TcpStream| !client::is_silent(stream);
    let idle: Vec<_> = (0..100)
        .map(|_| client::connect(agent.daemon.address))
        .collect();
    wait_until(PATIENCE, "older ones are evicted for newer ones", || {
        idle[..50].iter().all(evicted)
    });
    // The spool cannot be read now; what it said last stays.
    for _ in 0..20 {
        assert_eq!(agent.ask(b"web\n"), format!("down #{}: reboot\n", user()));
    }
    let log = agent.daemon.log();
    let told = log.matches("cannot accept a connection: too many open files");
    assert!((1..10).contains(&told.count()), "{log}");
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_flood_of_agents_that_say_nothing_or_half_a_line_keeps_no_balancer_out() {
    let service = Upstream::answering("fine");
    let agent = Agent::start("max_connections: 50\n");
    let haproxy = agent.balancer(&service, "agent-send \"web\\n\"");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Ends the flood also when the test fails.
        let _end = End(&over);
        scope.spawn(|| {
            let mut open = VecDeque::new();
            while !over.load(Ordering::Relaxed) {
                let mut stream = TcpStream::connect(agent.address).unwrap();
                let _ = stream.write_all(&b"web:8080"[..open.len() % 9]);
                open.push_back(stream);
                if open.len() > 300 {
                    open.pop_front();
                }
            }
        });
        let dropped = || agent.daemon.metric("hacheck_connections_dropped_total");
        wait_until(PATIENCE, "connections make room", || dropped() > 300.0);
        agent.ten_more();
        agent
            .daemon
            .run("hadown", &["-r", "in a flood", "web"])
            .is(0, "");
        haproxy.wait_for("web", "s1", "DOWN (agent)");
        assert!(agent.daemon.metric("hacheck_connections") <= 50.0);
        agent.daemon.run("haup", &["web"]).is(0, "");
        wait_until(PATIENCE, "s1 is up", || {
            haproxy.stat("web", "s1", "status") == "no check"
        });
    });
    let mut daemon = agent.daemon;
    daemon.is_sound();
}
