//! The daemon under a service manager: readiness, watchdog, passed sockets, restarts, levels for the journal.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::client::{self, Kept};
use crate::support::passed::{Manager, listening};
use crate::support::process::{Process, bound_to_us};
use crate::support::{BINARY, PATIENCE, Ran, Spool, wait_until};

#[test]
fn the_service_manager_hears_of_start_reload_and_end() {
    let manager = Manager::new();
    let config = manager.spool.outside().join("c.yml");
    fs::write(&config, "cache_time: 1\n").unwrap();
    let mut daemon = manager.start(
        &[],
        "",
        &["-p", "0", "-B", "127.0.0.1", "-c", config.to_str().unwrap()],
        &[],
    );
    let ready = manager.wait_for("READY=1");
    assert!(ready.contains("STATUS=answering checks"), "{ready}");
    client::request(manager.wait_for_address(), "GET", "/healthz", &[]).is(200, "ok\n");
    for text in ["cache_time: 2\n", "cache_time: bad\n"] {
        fs::write(&config, text).unwrap();
        daemon.signal(Signal::SIGHUP);
        let reloading = manager.wait_for("RELOADING=1");
        let time = reloading
            .lines()
            .find_map(|l| l.strip_prefix("MONOTONIC_USEC="))
            .expect("a time");
        assert!(time.parse::<u64>().unwrap() > 0);
        manager.wait_for("READY=1");
    }
    daemon.signal(Signal::SIGTERM);
    manager.wait_for("STOPPING=1");
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", manager.log());
}

#[test]
fn the_watchdog_hears_from_a_daemon_that_lives_and_not_from_one_that_hangs() {
    let manager = Manager::new();
    let watched = [("WATCHDOG_USEC", "200000")];
    let daemon = manager.start(
        &[],
        "",
        &["-p", "0", "-B", "127.0.0.1", "-n", "3"],
        &watched,
    );
    for _ in 0..10 {
        manager.wait_for("WATCHDOG=1");
    }
    daemon.signal(Signal::SIGSTOP);
    // What was sent before; then silence for five periods.
    wait_until(PATIENCE, "silence", || {
        manager.next(Duration::from_secs(1)).is_none()
    });
    daemon.signal(Signal::SIGCONT);
    manager.wait_for("WATCHDOG=1");
}

#[test]
fn a_watchdog_for_another_process_is_left_alone() {
    let manager = Manager::new();
    let other = [("WATCHDOG_USEC", "50000"), ("WATCHDOG_PID", "1")];
    let _daemon = manager.start(&[], "", &["-p", "0", "-B", "127.0.0.1"], &other);
    manager.wait_for("READY=1");
    assert_eq!(manager.next(Duration::from_millis(500)), None);
}

#[test]
fn several_passed_sockets_are_served_and_the_command_line_is_not() {
    let manager = Manager::new();
    let ((one, first), (two, second)) = (listening(), listening());
    let (unused, not_used) = listening();
    drop(unused);
    let port = not_used.port().to_string();
    let _daemon = manager.start(&[&one, &two], "http:http", &["-p", &port, "-n", "2"], &[]);
    manager.wait_for("READY=1");
    for address in [first, second] {
        client::request(address, "GET", "/spool/web/80", &[]).is(200, "");
    }
    assert!(TcpStream::connect(not_used).is_err(), "-p was used too");
    wait_until(PATIENCE, "the log says so", || {
        manager
            .log()
            .contains("the service manager says where to listen")
    });
}

#[test]
fn a_passed_socket_named_agent_answers_agent_checks() {
    let manager = Manager::new();
    let ((http, polled), (agent, asked)) = (listening(), listening());
    let _daemon = manager.start(&[&http, &agent], "http:agent", &["--agent-port", "1"], &[]);
    manager.wait_for("READY=1");
    client::request(polled, "GET", "/spool/web/80", &[]).is(200, "");
    assert_eq!(client::exchange(asked, b"web\n"), b"up\n");
}

#[test]
fn commands_do_not_speak_to_the_service_manager() {
    let manager = Manager::new();
    let config = manager.spool.outside().join("c.yml");
    fs::write(
        &config,
        "exec: {env: [sh, -c, env | tr '\\n' ' ']}\nlog_level: debug\n",
    )
    .unwrap();
    let (http, polled) = listening();
    let watched = [("WATCHDOG_USEC", "5000000")];
    let _daemon = manager.start(
        &[&http],
        "http",
        &["-c", config.to_str().unwrap()],
        &watched,
    );
    let answer = client::request(polled, "GET", "/exec/web/80/env", &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    for name in ["NOTIFY_SOCKET", "LISTEN_", "WATCHDOG_"] {
        assert!(!answer.body.contains(name), "{}", answer.body);
    }
    assert!(answer.body.contains("PATH="), "{}", answer.body);
}

#[test]
fn what_is_passed_to_another_process_is_not_taken() {
    let spool = Spool::new();
    let mut command = bound_to_us(BINARY, &[]);
    command
        .args(["serve", "-B", "127.0.0.1", "-p", "0", "--spool-root"])
        .arg(spool.root());
    command
        .env("LISTEN_PID", "1")
        .env("LISTEN_FDS", "1")
        .stderr(File::create(spool.outside().join("log")).unwrap());
    let _daemon = Process::spawn(&mut command);
    wait_until(PATIENCE, "it listens by itself", || {
        fs::read_to_string(spool.outside().join("log"))
            .unwrap()
            .contains("listening on 127.0.0.1:")
    });
}

#[test]
fn a_passed_descriptor_that_is_no_socket_is_told() {
    let script = format!(
        "exec 3</dev/null; LISTEN_FDS=1 LISTEN_FDNAMES=f LISTEN_PID=$$ exec {BINARY} serve"
    );
    let ran = Ran::from(
        bound_to_us("sh", &["--reset-env"])
            .args(["-c", &script])
            .output()
            .unwrap(),
    );
    ran.is_with(
        1,
        "",
        "descriptor 3 (f) of the service manager is no listening TCP socket",
    );
    let script = format!("LISTEN_FDS=9 LISTEN_PID=$$ exec {BINARY} serve");
    let ran = Ran::from(
        bound_to_us("sh", &["--reset-env"])
            .args(["-c", &script])
            .output()
            .unwrap(),
    );
    ran.is_with(
        1,
        "",
        "cannot take the sockets of the service manager (LISTEN_FDS)",
    );
}

#[test]
fn systemd_socket_activate_starts_it_at_the_first_connection() {
    let spool = Spool::new();
    let addresses: Vec<SocketAddr> = (0..2).map(|_| listening().1).collect();
    let mut command = bound_to_us("systemd-socket-activate", &[]);
    command.args([
        "--listen",
        &addresses[0].to_string(),
        "--listen",
        &addresses[1].to_string(),
        "--fdname=http:http",
    ]);
    command
        .args([BINARY, "serve", "--spool-root"])
        .arg(spool.root())
        .stdin(Stdio::null());
    let _daemon =
        Process::spawn(command.stderr(File::create(spool.outside().join("log")).unwrap()));
    let mut answered = None;
    wait_until(PATIENCE, "the socket answers", || {
        answered = TcpStream::connect(addresses[0]).ok();
        answered.is_some()
    });
    for address in addresses {
        client::request(address, "GET", "/healthz", &[]).is(200, "ok\n");
    }
}

#[test]
fn no_poll_is_lost_while_it_restarts_behind_a_passed_socket() {
    let manager = Manager::new();
    let (socket, address) = listening();
    let start = || {
        let daemon = manager.start(&[&socket], "http", &["-n", "2"], &[]);
        manager.wait_for("READY=1");
        daemon
    };
    let (stop, answers) = (AtomicBool::new(false), AtomicU64::new(0));
    let poll = || {
        while !stop.load(Ordering::Relaxed) {
            let answer = one_poll(address);
            assert_eq!(
                answer.as_deref(),
                Ok("HTTP/1.0 200 OK"),
                "a poll was lost\n{}",
                manager.log()
            );
            answers.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let pollers: Vec<_> = (0..8).map(|_| scope.spawn(poll)).collect();
        for _ in 0..8 {
            let mut daemon = start();
            let before = answers.load(Ordering::Relaxed);
            let lost = || {
                pollers
                    .iter()
                    .any(std::thread::ScopedJoinHandle::is_finished)
            };
            wait_until(PATIENCE, "it answers", || {
                answers.load(Ordering::Relaxed) > before + 300 || lost()
            });
            daemon.signal(Signal::SIGTERM);
            daemon.wait(PATIENCE);
        }
        // The last polls wait in the socket until somebody answers them.
        let _last = start();
        stop.store(true, Ordering::Relaxed);
        pollers
            .into_iter()
            .for_each(|p| p.join().expect("no poll was lost"));
    });
}

#[test]
fn a_restart_closes_kept_connections_between_two_requests_only() {
    let manager = Manager::new();
    let (socket, address) = listening();
    let (stop, answers) = (AtomicBool::new(false), AtomicU64::new(0));
    let poll = || {
        let mut kept = Kept::to(address);
        while !stop.load(Ordering::Relaxed) {
            let answer = kept.get("/spool/web/80", &[("Host", "x")]);
            answer.is(200, "");
            answers.fetch_add(1, Ordering::Relaxed);
            if answer.header("connection") == Some("close") {
                kept = Kept::to(address);
            }
            // Most of the time it is idle, as a balancer's is.
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    std::thread::scope(|scope| {
        let pollers: Vec<_> = (0..16).map(|_| scope.spawn(poll)).collect();
        for _ in 0..6 {
            let mut daemon = manager.start(&[&socket], "http", &["-n", "2"], &[]);
            manager.wait_for("READY=1");
            let before = answers.load(Ordering::Relaxed);
            let lost = || {
                pollers
                    .iter()
                    .any(std::thread::ScopedJoinHandle::is_finished)
            };
            wait_until(PATIENCE, "it answers", || {
                answers.load(Ordering::Relaxed) > before + 200 || lost()
            });
            daemon.signal(Signal::SIGTERM);
            daemon.wait(PATIENCE);
        }
        let _last = manager.start(&[&socket], "http", &["-n", "2"], &[]);
        stop.store(true, Ordering::Relaxed);
        pollers
            .into_iter()
            .for_each(|p| p.join().expect("no poll was lost"));
    });
}

/// One check as HAProxy sends it: a connection of its own. The status line.
fn one_poll(address: SocketAddr) -> Result<String, String> {
    let work = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // Sometimes the request comes a moment after the connection.
        std::thread::yield_now();
        stream.write_all(b"GET /spool/web/80 HTTP/1.0\r\nhost: x\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.lines().next().unwrap_or("nothing").to_owned())
    };
    work().map_err(|e| e.to_string())
}

/// A daemon whose standard error is a file that `JOURNAL_STREAM` names, or does not.
fn logged(spool: &Spool, config: &str, stream: impl FnOnce(&Path) -> String) -> String {
    let log = spool.outside().join("journal");
    let file = File::create(&log).unwrap();
    fs::write(spool.outside().join("c.yml"), config).unwrap();
    let mut command = bound_to_us(BINARY, &[]);
    command
        .args(["serve", "-B", "127.0.0.1", "-p", "0", "-c"])
        .arg(spool.outside().join("c.yml"));
    command
        .arg("--spool-root")
        .arg(spool.root())
        .env("JOURNAL_STREAM", stream(&log))
        .stderr(file);
    let mut daemon = Process::spawn(&mut command);
    let text = || fs::read_to_string(&log).unwrap();
    wait_until(PATIENCE, "it listens", || text().contains("listening on"));
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait(PATIENCE), 0);
    text()
}

fn identity(path: &Path) -> String {
    let meta = path.metadata().unwrap();
    format!("{}:{}", meta.dev(), meta.ino())
}

#[test]
fn the_journal_gets_a_level_in_front_of_each_line() {
    let spool = Spool::new();
    let text = logged(&spool, "", identity);
    assert!(text.lines().all(|l| l.starts_with("<6>")), "{text}");
    let text = logged(&spool, "log_format: json", identity);
    assert!(text.lines().all(|l| l.starts_with("<6>{")), "{text}");
}

#[test]
fn what_is_not_the_journal_gets_none() {
    let spool = Spool::new();
    let text = logged(&spool, "", |_| "1:2".into());
    assert!(!text.contains("<6>"), "{text}");
}

#[test]
fn a_json_log_is_one_object_per_line() {
    let spool = Spool::new();
    let text = logged(&spool, "log_format: json", |_| "nonsense".into());
    for line in text.lines() {
        let value: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(
            ["time", "level", "target", "message"]
                .iter()
                .all(|key| value[key].is_string()),
            "{line}"
        );
    }
}

#[test]
fn the_unit_bounds_memory_and_does_not_have_other_services_ended_in_its_place() {
    let unit = fs::read_to_string("packaging/systemd/hacheck.service").unwrap();
    let value = |name: &str| {
        let mut lines = unit.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {name} in {unit}"))
    };
    assert_eq!((value("MemoryHigh"), value("MemoryMax")), ("512M", "1G"));
    let score: i32 = value("OOMScoreAdjust").parse().unwrap();
    assert!(score >= 0, "{score}");
    assert_eq!(value("OOMPolicy"), "continue");
}
