//! `haroll`: servers in turn under load, and every way in which it ends early.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::daemon::Daemon;
use crate::support::haproxy::Haproxy;
use crate::support::load::Load;
use crate::support::upstream::{Upstream, http};
use crate::support::waiting::ended;
use crate::support::{PATIENCE, Ran, until_there, wait_until};
use crate::wait::Site;

/// A host with a daemon and the service `web` of its own.
struct Host {
    name: &'static str,
    daemon: Daemon,
    service: Upstream,
}

impl Host {
    fn start(name: &'static str, address: &str) -> Self {
        let service = service(name, SocketAddr::new(address.parse().unwrap(), 0));
        Self {
            name,
            daemon: Daemon::start(),
            service,
        }
    }

    fn server(&self) -> String {
        let (name, address, port) = (self.name, self.service.address, self.daemon.address.port());
        format!(
            "  server {name} {address} check addr 127.0.0.1 port {port} inter 100ms fall 2 rise 2\n"
        )
    }

    fn haroll(&self, args: &[&str]) -> Command {
        let port = self.daemon.address.port().to_string();
        let mut command = self.daemon.spool.command(
            "haroll",
            &[&["-p", &port, "--min-pollers", "0"], args].concat(),
        );
        command.stderr(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.daemon.spool.outside().join(name)
    }
}

fn service(name: &'static str, address: SocketAddr) -> Upstream {
    Upstream::start_on(address, move |_| Some(http("200 OK", name)))
}

/// A balancer of all hosts, which it sees up and which know it.
fn balancer(node: &str, hosts: &[Host]) -> Haproxy {
    let servers: String = hosts.iter().map(Host::server).collect();
    let haproxy = Haproxy::start_as(
        node,
        &format!(
            "listen web\n  bind unix@front\n  balance roundrobin\n  option httpchk GET /http/web/{}/\n  \
             http-check send-state\n{servers}",
            hosts[0].service.address.port()
        ),
    );
    hosts
        .iter()
        .for_each(|host| haproxy.wait_for("web", host.name, "UP"));
    for host in hosts {
        wait_until(PATIENCE, "the balancer is known", || {
            host.daemon.get("/pollers").json()["pollers"]
                .to_string()
                .contains(&format!("\"node\":\"{node}\""))
        });
    }
    haproxy
}

#[test]
fn three_servers_are_restarted_in_turn_and_no_request_fails() {
    let mut hosts = [
        Host::start("a", "127.0.0.2"),
        Host::start("b", "127.0.0.3"),
        Host::start("c", "127.0.0.4"),
    ];
    let (lb1, lb2) = (balancer("lb1", &hosts), balancer("lb2", &hosts));
    let load = Load::on(&[&lb1, &lb2]);
    for host in &mut hosts {
        load.wait_for_more(host.name);
        // The command stops the service, and starts it again: here the test does both.
        let (stop, started) = (host.path("stop"), host.path("started"));
        let script = concat!("touch \"$1\"; ", until_there!("\"$2\""), "; echo restarted");
        let command = [
            "web",
            "--",
            "sh",
            "-c",
            script,
            "sh",
            stop.to_str().unwrap(),
            started.to_str().unwrap(),
        ];
        let child = host.haroll(&command).spawn().unwrap();
        wait_until(PATIENCE, "the command runs", || stop.exists());
        for lb in [&lb1, &lb2] {
            assert_eq!(
                [
                    lb.stat("web", host.name, "status"),
                    lb.stat("web", host.name, "scur")
                ],
                ["DOWN".to_owned(), "0".into()]
            );
        }
        host.service.stop();
        (0..2).for_each(|_| load.wait_for_more(if host.name == "a" { "b" } else { "a" }));
        host.service = service(host.name, host.service.address);
        fs::write(&started, "").unwrap();
        let ran = ended(child);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (Some(0), "restarted\n"),
            "{}",
            ran.err
        );
        for step in ["down", "drained", "command", "healthy", "up", "seen up"] {
            assert!(
                ran.err.contains(&format!("haroll: web: {step} after ")),
                "no {step}: {}",
                ran.err
            );
        }
        assert!(
            ran.err
                .lines()
                .last()
                .unwrap()
                .starts_with("haroll: done: down "),
            "{}",
            ran.err
        );
        for lb in [&lb1, &lb2] {
            assert_eq!(lb.stat("web", host.name, "status"), "UP");
        }
        load.wait_for_more(host.name);
    }
    load.has_no_failures();
}

#[test]
fn the_second_server_is_refused_while_the_first_is_down_for_good() {
    let mut hosts = [Host::start("a", "127.0.0.2"), Host::start("b", "127.0.0.3")];
    let lb = balancer("lb1", &hosts);
    hosts[0].service.stop();
    lb.wait_for("web", "a", "DOWN");
    wait_until(PATIENCE, "the balancer said so", || {
        hosts[1].daemon.get("/pollers").json()["pollers"][0]["weight"] == serde_json::json!([1, 1])
    });
    let ran = Ran::from(
        hosts[1]
            .haroll(&["web", "--", "touch", "ran"])
            .output()
            .unwrap(),
    );
    ran.is_with(
        1,
        "",
        "haroll: refused, nothing was written: lb1 web/b says that this server carries",
    );
    assert_eq!(hosts[1].daemon.spool.files(), [""; 0]);
    assert_eq!(lb.stat("web", "b", "status"), "UP");
}

#[test]
fn a_command_that_fails_leaves_the_service_down_and_gives_its_exit_code() {
    let site = Site::start();
    let _lb = site.balancer("lb1", "", "inter 100ms");
    site.known(&["lb1"]);
    for (script, code, says) in [
        ("exit 7", 7, "sh failed: exit status: 7"),
        ("kill -9 $$", 137, "sh failed: signal: 9 (SIGKILL)"),
        (
            "trap '' TERM; kill -TERM $$; exit 3",
            3,
            "sh failed: exit status: 3",
        ),
    ] {
        let ran = site.run(
            "haroll",
            &["-r", "release", "web", "--", "sh", "-c", script],
        );
        ran.is_with(code, "", says);
        assert!(
            ran.err
                .ends_with("haroll: web stays down; 'haup web' puts it back\n"),
            "{}",
            ran.err
        );
        assert_eq!(site.daemon.spool.json("web")["reason"], "release");
        site.run("haup", &["--wait", "web"]);
    }
    let ran = site.run("haroll", &["web", "--", "/no/such/command"]);
    ran.is_with(1, "", "cannot start /no/such/command");
    assert!(ran.err.contains("nothing was changed"), "{}", ran.err);
    site.daemon.get("/spool/web/0").is(200, "");
}

#[test]
fn a_command_and_what_it_starts_have_no_blocked_signals() {
    let site = Site::start();
    let _lb = site.balancer("lb1", "", "inter 100ms");
    site.known(&["lb1"]);
    let mask = site.daemon.spool.outside().join("mask");
    let script = format!("grep SigBlk /proc/self/status > {}", mask.display());
    let ran = site.run("haroll", &["web", "--", "sh", "-c", &script]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mask = std::fs::read_to_string(mask).unwrap();
    assert_eq!(mask.trim(), "SigBlk:\t0000000000000000");
}

#[test]
fn a_command_takes_the_signals_that_whoever_started_haroll_ignores() {
    let site = Site::start();
    let _lb = site.balancer("lb1", "", "inter 100ms");
    site.known(&["lb1"]);
    let port = site.port();
    let script = "kill -TERM $$; echo still here";
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
    let haroll = site.daemon.spool.command("haroll", &args);
    // What a script does that leaves a job behind with `&`, or that ignores signals itself.
    let ran = Command::new("bash")
        .args(["-c", "trap '' INT TERM; exec -a haroll \"$@\"", "bash"])
        .arg(haroll.get_program())
        .args(haroll.get_args())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "");
    assert_eq!(ran.status.code(), Some(143), "{ran:?}");
}

#[test]
fn a_downtime_that_somebody_else_wrote_meanwhile_is_left_alone() {
    let site = Site::start();
    let _lb = site.balancer("lb1", "", "inter 100ms");
    site.known(&["lb1"]);
    let root = site.daemon.spool.root();
    let write = r#"echo '{"reason": "water in the rack"}' > "$0/web""#;
    let root = root.to_str().unwrap();
    let ran = site.run("haroll", &["web", "--", "sh", "-c", write, root]);
    ran.is_with(
        1,
        "",
        "for \"water in the rack\"; that downtime is left alone",
    );
    assert_eq!(site.daemon.spool.json("web")["reason"], "water in the rack");
}

#[test]
fn a_downtime_that_somebody_lifted_meanwhile_is_told() {
    let site = Site::start();
    let _lb = site.balancer("lb1", "", "inter 100ms");
    site.known(&["lb1"]);
    let root = site.daemon.spool.root();
    let lift = [
        "web",
        "--",
        "sh",
        "-c",
        "rm \"$0/web\"",
        root.to_str().unwrap(),
    ];
    let ran = site.run("haroll", &lift);
    ran.is_with(1, "", "up: web was put back by somebody else meanwhile");
    assert!(
        ran.err.ends_with("haroll: web is not down\n"),
        "{}",
        ran.err
    );
}

#[test]
fn a_service_that_does_not_recover_stays_down() {
    let mut hosts = [Host::start("a", "127.0.0.2"), Host::start("b", "127.0.0.3")];
    let lb = balancer("lb1", &hosts);
    let gone = hosts[0].path("gone");
    let script = until_there!("\"$1\"");
    let command = [
        "--timeout",
        "3",
        "web",
        "--",
        "sh",
        "-c",
        script,
        "sh",
        gone.to_str().unwrap(),
    ];
    let child = hosts[0].haroll(&command).spawn().unwrap();
    lb.wait_for("web", "a", "DOWN");
    hosts[0].service.stop();
    fs::write(&gone, "").unwrap();
    let ran = ended(child);
    ran.is_with(1, "", "healthy: not healthy within 3 s: http 127.0.0.2:");
    assert!(ran.err.contains("connection refused"), "{}", ran.err);
    assert!(
        ran.err
            .ends_with("haroll: web stays down; 'haup web' puts it back\n"),
        "{}",
        ran.err
    );
    assert_eq!(hosts[0].daemon.spool.files(), ["web"]);
}

#[test]
fn an_interrupted_roll_tells_the_state_that_it_leaves() {
    let site = Site::start();
    let lb = site.balancer("lb1", "", "inter 100ms");
    site.known(&["lb1"]);
    let port = site.port();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // While the command runs: it gets the signal, too.
        let marker = site.daemon.spool.outside().join(format!("runs-{signal}"));
        let script = "touch \"$1\"; exec sleep 60";
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
            "sh",
            marker.to_str().unwrap(),
        ];
        let mut command = site.daemon.spool.command("haroll", &args);
        let child = command
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        wait_until(PATIENCE, "the command runs", || marker.exists());
        kill(pid(&child), signal).unwrap();
        let ran = ended(child);
        ran.is_with(
            1,
            "",
            &format!(
                "haroll: command: interrupted ({signal}), sh ended: signal: {}",
                signal as i32
            ),
        );
        assert!(ran.err.contains("web stays down"), "{}", ran.err);
        site.run("haup", &["--wait", "web"]);
        // While it waits for balancers.
        lb.process.signal(Signal::SIGSTOP);
        let mut command = site.daemon.spool.command(
            "haroll",
            &["-p", &port, "--min-pollers", "0", "web", "--", "true"],
        );
        let child = command
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        wait_until(PATIENCE, "the downtime is written", || {
            site.daemon.spool.files() == ["web"]
        });
        kill(pid(&child), signal).unwrap();
        let ran = ended(child);
        ran.is_with(
            1,
            "",
            &format!("haroll: drained: interrupted ({signal}): lb1 web/s1: "),
        );
        assert!(ran.err.contains("web stays down"), "{}", ran.err);
        lb.process.signal(Signal::SIGCONT);
        site.run("haup", &["--wait", "web"]);
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

#[test]
fn what_somebody_else_took_down_is_not_rolled() {
    let site = Site::start();
    site.run("hadown", &["-r", "disk", "web"]);
    site.run("haroll", &["web", "--", "true"])
        .is_with(1, "", "web is already down since ");
    assert_eq!(site.daemon.spool.json("web")["reason"], "disk");
    let ran = site.run("haroll", &["--force", "-r", "mine", "web", "--", "true"]);
    assert_eq!(
        (ran.code, site.daemon.spool.files()),
        (Some(0), vec![]),
        "{}",
        ran.err
    );
}

#[test]
fn wrong_command_lines_change_nothing() {
    let site = Site::start();
    for args in [
        &["web"][..],
        &["--", "true"],
        &["web", "--"],
        &[],
        &["web", "true"],
        &["../x", "--", "true"],
    ] {
        let ran = site.run("haroll", args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.err);
    }
    let spool = crate::support::Spool::new();
    let ran = spool.run("haroll", &["-p", &site.port(), "web", "--", "true"]);
    ran.is_with(1, "", "uses the spool");
    assert_eq!((spool.files(), site.daemon.spool.files()), (vec![], vec![]));
}
