//! The daemon's start, reload, log and end.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::client::{self, is_silent, send};
use crate::support::daemon::{Daemon, Setup};
use crate::support::process::{Process, bound_to_us};
use crate::support::server::free_port;
use crate::support::upstream::{Upstream, http};
use crate::support::{BINARY, PATIENCE, Ran, Spool, TempDir, run, wait_until};

#[test]
fn the_signals_that_end_it_end_it_well() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        let mut daemon = Daemon::start();
        daemon.process.signal(signal);
        assert_eq!(
            daemon.process.wait(PATIENCE),
            0,
            "{signal}: {}",
            daemon.log()
        );
        daemon.wait_for_log("stopping");
    }
}

#[test]
fn a_running_probe_does_not_hold_up_the_end() {
    let hung = Upstream::hung();
    for threads in ["1", "2"] {
        let mut daemon = Setup::new()
            .config("healthcheck_timeout: 300\n")
            .args(&["-n", threads])
            .start();
        let before = hung.seen().len();
        let paths = (0..8).map(|i| format!("/http/web/{}/{i}", hung.port()));
        let waiting: Vec<TcpStream> = paths
            .map(|p| send(daemon.address, "GET", &p, &[]))
            .collect();
        // Connections without a request, whole or in part, must not hold it up either.
        let _idle = client::connect(daemon.address);
        hung.wait_for(before + 8);
        assert!(waiting.iter().all(is_silent));
        daemon.process.signal(Signal::SIGTERM);
        // Two seconds, and as many again for a machine that is busy with other tests.
        assert_eq!(
            daemon.process.wait(Duration::from_secs(4)),
            0,
            "{}",
            daemon.log()
        );
        daemon.wait_for_log("connections were still open after 1s");
    }
}

#[test]
fn a_probe_that_ends_in_time_is_still_answered() {
    let (go, wait) = std::sync::mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::start(move |_| {
        wait.lock().unwrap().recv_timeout(PATIENCE).ok()?;
        Some(http("200 OK", "done"))
    });
    let mut daemon = Setup::new()
        .config("shutdown_timeout: 300\n")
        .args(&["-n", "2"])
        .start();
    let mut poller = send(
        daemon.address,
        "GET",
        &format!("/http/web/{}/", upstream.port()),
        &[],
    );
    upstream.wait_for(1);
    daemon.process.signal(Signal::SIGTERM);
    daemon.wait_for_log("stopping");
    wait_until(PATIENCE, "no connection is accepted", || {
        TcpStream::connect(daemon.address).is_err()
    });
    go.send(()).unwrap();
    client::answer(&mut poller).is(200, "done");
    assert_eq!(daemon.process.wait(PATIENCE), 0);
}

#[test]
fn a_hangup_reads_the_configuration_anew() {
    let mut daemon = Daemon::with_config("cache_time: 0\n");
    let upstream = Upstream::answering("fine");
    let path = format!("/http/web/{}/", upstream.port());
    let ask = || daemon.get(&path).is(200, "fine");
    (0..3).for_each(|_| ask());
    assert_eq!(upstream.seen().len(), 3, "cache_time: 0 keeps nothing");
    daemon.reload("cache_time: 3600\n", "SIGHUP: configuration read from");
    (0..3).for_each(|_| ask());
    assert_eq!(upstream.seen().len(), 4, "cache_time: 3600 keeps results");
    daemon
        .request("POST", "/spool/web/80?status=up", &[])
        .says(403, "not enabled");
    daemon.reload(
        "allow_remote_spool_changes: yes\nlog_level: debug\n",
        "SIGHUP: configuration read from",
    );
    daemon
        .request("POST", "/spool/web/80?status=up", &[])
        .is(200, "");
    daemon.wait_for_log("200 POST /spool/web/80?status=up (127.0.0.1)");
    daemon.is_sound();
}

#[test]
fn a_bad_configuration_changes_nothing() {
    let mut daemon = Daemon::with_config("allow_remote_spool_changes: true\n");
    let bad = "allow_remote_spool_changes: perhaps\ncache_time: soon\n";
    daemon.reload(bad, "SIGHUP: the configuration stays as it was");
    let log = daemon.log();
    assert!(
        log.contains("perhaps") && log.contains("soon"),
        "all faults are told: {log}"
    );
    let moved = daemon.spool.outside().join("moved.log");
    let bad = format!(
        "tls_verify: true\ntls_ca_file: /nowhere\nlog_path: {}\n",
        moved.display()
    );
    daemon.reload(
        &bad,
        "SIGHUP: the configuration stays as it was: tls_verify: cannot read certificates",
    );
    assert!(!moved.exists(), "the log has moved all the same");
    daemon.reload(
        "log_path: /nowhere/log\n",
        "SIGHUP: the configuration stays as it was: log_path: cannot open",
    );
    fs::remove_file(daemon.spool.outside().join("config.yaml")).unwrap();
    daemon.process.signal(Signal::SIGHUP);
    daemon.wait_for_log("config.yaml");
    daemon
        .request("POST", "/spool/web/80?status=up", &[])
        .is(200, "");
    daemon.is_sound();
}

#[test]
fn a_reload_of_a_fifo_hangs_nothing_and_is_seen_in_the_metrics() {
    let mut daemon = Daemon::with_config("cache_time: 0\n");
    let failed = "hacheck_config_last_reload_successful";
    let at = "hacheck_config_last_reload_success_timestamp_seconds";
    assert_eq!(daemon.metric(failed), 1.0);
    let started = daemon.metric(at);
    assert!(started > 1.5e9, "{started}");
    let config = daemon.spool.outside().join("config.yaml");
    let fifo = daemon.spool.outside().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    fs::remove_file(&config).unwrap();
    mkfifo(&config, Mode::S_IRWXU).unwrap();
    daemon.process.signal(Signal::SIGHUP);
    daemon.wait_for_log("it is not a regular file");
    wait_until(PATIENCE, "the failed reload in the metrics", || {
        daemon.metric(failed) == 0.0
    });
    // A token's file and certificates likewise; a reload that works again says so.
    fs::remove_file(&config).unwrap();
    let fifo = fifo.display();
    daemon.reload(
        &format!("tls_verify: true\ntls_ca_file: {fifo}\n"),
        "cannot read certificates",
    );
    daemon.reload(
        &format!("remote_spool_tokens: [{fifo}]\nallow_remote_spool_changes: yes\n"),
        "it is not a regular file; it must hold a token",
    );
    wait_until(PATIENCE, "the reload in the metrics", || {
        daemon.metric(failed) == 1.0
    });
    daemon
        .request("POST", "/spool/web/80?status=up", &[])
        .says(401, "needs a token");
    daemon.is_sound();
}

#[test]
fn keys_that_need_a_restart_are_told() {
    let daemon = Daemon::with_config("max_connections: 100\n");
    daemon.reload(
        "max_connections: 200\ncache_time: 1\n",
        "SIGHUP: configuration read from",
    );
    assert_eq!(
        daemon.logged("max_connections has changed; it takes effect at the next restart"),
        1
    );
    assert_eq!(
        daemon.logged("takes effect at the next restart"),
        1,
        "{}",
        daemon.log()
    );
    assert_eq!(daemon.status("/connections/max"), 100);
}

#[test]
fn a_storm_of_hangups_loses_no_request() {
    let mut daemon = Setup::new()
        .config("cache_time: 0\n")
        .args(&["-n", "2"])
        .start();
    let upstream = Upstream::answering("fine");
    let path = format!("/http/web/{}/", upstream.port());
    thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..100 {
                        daemon.get(&path).is(200, "fine");
                    }
                })
            })
            .collect();
        for i in 0..200 {
            daemon.write_config(if i % 2 == 0 {
                "cache_time: 0\n"
            } else {
                "cache_time: no number\n"
            });
            daemon.process.signal(Signal::SIGHUP);
            thread::yield_now();
        }
        assert!(asking.into_iter().all(|a| a.join().is_ok()));
    });
    daemon.reload("cache_time: 3600\n", "SIGHUP: configuration read from");
    daemon.is_sound();
}

#[test]
fn a_log_file_that_was_renamed_is_opened_anew() {
    let setup = Setup::new();
    let (log, old) = (
        setup.log_file(),
        setup.spool.outside().join("hacheck.log.1"),
    );
    let daemon = setup
        .config(format!("log_path: {}\n", log.display()))
        .start();
    daemon.wait_for_log("listening on");
    fs::rename(&log, &old).unwrap();
    daemon
        .run("hadown", &["-r", "after the rotation", "web"])
        .is(0, "");
    daemon.get("/spool/web/80").says(503, "after the rotation");
    wait_until(PATIENCE, "the new log file has the line", || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("after the rotation"))
    });
    assert!(
        !fs::read_to_string(&old)
            .unwrap()
            .contains("after the rotation")
    );
    daemon.reload("log_path: stderr\n", "SIGHUP: configuration read from");
    let output = fs::read_to_string(daemon.spool.outside().join("output")).unwrap();
    assert!(output.contains("SIGHUP"), "{output}");
}

/// A daemon that logs to a pipe which the test holds. It listens on a port that was free a moment ago.
fn piped(config: &str, args: &[&str]) -> (Process, Spool, std::net::SocketAddr) {
    let spool = Spool::new();
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let config_file = spool.outside().join("config.yaml");
    fs::write(&config_file, config).unwrap();
    let mut command = bound_to_us(BINARY, &[]);
    command
        .args([
            "serve",
            "-B",
            "127.0.0.1",
            "-p",
            &address.port().to_string(),
            "--spool-root",
        ])
        .arg(spool.root());
    command
        .arg("-c")
        .arg(config_file)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command);
    wait_until(PATIENCE, "the daemon listens", || {
        assert_eq!(process.ended(), None, "the daemon ended");
        TcpStream::connect(address).is_ok()
    });
    (process, spool, address)
}

#[test]
fn a_log_that_nobody_reads_makes_no_check_wait() {
    let (mut process, spool, address) = piped("log_path: stdout\n", &["-v"]);
    let long = "x".repeat(30_000);
    let status = || client::request(address, "GET", "/status", &[]).json();
    // The pipe takes 64 KiB, the queue of lines 16,384 of them.
    for _ in 0..60 {
        client::request(address, "GET", &format!("/spool/web/80?{long}"), &[]).is(200, "");
    }
    let many = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(500);
    wait_until(PATIENCE, "lines are dropped and counted", || {
        client::exchange(address, many.as_bytes());
        status()["log_lines_dropped"].as_u64().unwrap() > 0
    });
    client::request(address, "GET", "/spool/web/80", &[]).is(200, "");
    // A reload, even one that moves the log, must not wait for the reader either.
    let log = spool.outside().join("moved.log");
    fs::write(
        spool.outside().join("config.yaml"),
        format!("log_path: {}\nmax_body: 1000\n", log.display()),
    )
    .unwrap();
    process.signal(Signal::SIGHUP);
    for _ in 0..20 {
        client::request(address, "GET", "/spool/web/80", &[]).is(200, "");
    }
    let moved = || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("SIGHUP: configuration read from"))
    };
    wait_until(PATIENCE, "the log goes on in its new place", moved);
    process.signal(Signal::SIGTERM);
    assert_eq!(process.wait(PATIENCE), 0);
}

#[test]
fn a_log_that_is_closed_ends_nothing() {
    let (mut process, spool, address) = piped("log_path: stdout\nunknown_key: 1\n", &["-v"]);
    drop(process.child().stdout.take());
    drop(process.child().stderr.take());
    for _ in 0..50 {
        client::request(address, "GET", "/spool/web/80", &[]).is(200, "");
    }
    fs::write(spool.outside().join("config.yaml"), "log_path: stderr\n").unwrap();
    process.signal(Signal::SIGHUP);
    for _ in 0..50 {
        client::request(address, "GET", "/spool/web/80", &[]).is(200, "");
    }
    process.signal(Signal::SIGTERM);
    assert_eq!(process.wait(PATIENCE), 0);
}

#[test]
fn a_closed_standard_error_does_not_stop_the_start() {
    let setup = Setup::new();
    let config = setup.spool.outside().join("config.yaml");
    fs::write(&config, "unknown_key: 1\nlog_path: stdout\n").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = bound_to_us(BINARY, &[]);
    command
        .args(["serve", "-B", "127.0.0.1", "-p", "0", "--spool-root"])
        .arg(setup.spool.root())
        .arg("-c")
        .arg(config);
    let mut process = Process::spawn(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(writer),
    );
    let mut line = [0; 200];
    let n = process
        .child()
        .stdout
        .as_mut()
        .unwrap()
        .read(&mut line)
        .unwrap();
    let line = String::from_utf8_lossy(&line[..n]);
    assert!(
        line.contains("listening on"),
        "{line:?}, ended: {:?}",
        process.ended()
    );
}

/// Whoever was told `::` by another tool's documentation, or by habit, means every address of the host.
#[test]
fn a_daemon_that_listens_at_the_unspecified_address_of_ipv6_takes_ipv4_too() {
    let setup = Setup::new();
    let mut command = bound_to_us(BINARY, &[]);
    command
        .args(["serve", "-B", "::", "-p", "0", "--spool-root"])
        .arg(setup.spool.root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command);
    let log = BufReader::new(process.child().stderr.take().unwrap());
    let mut lines = log.lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("listening on")).unwrap();
    let port = line.rsplit(':').next().unwrap().trim();
    for address in ["127.0.0.1", "[::1]", "127.0.0.2"] {
        let at = format!("{address}:{port}").parse().unwrap();
        let answer = client::request(at, "GET", "/spool/web/0/x", &[]);
        assert_eq!(answer.status, 200, "{address}");
    }
}

/// Runs a daemon that is not to start.
fn refused(args: &[&str]) -> Ran {
    let spool = Spool::new();
    let mut command = bound_to_us(BINARY, &[]);
    command
        .args(["serve", "--spool-root"])
        .arg(spool.root())
        .args(args)
        .stdin(Stdio::null());
    let mut process = Process::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let code = process.wait(PATIENCE);
    let mut ran = Ran {
        code: Some(code),
        out: String::new(),
        err: String::new(),
    };
    process
        .child()
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut ran.out)
        .unwrap();
    process
        .child()
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut ran.err)
        .unwrap();
    ran
}

#[test]
fn a_bad_configuration_stops_the_start_with_all_its_faults() {
    let spool = Spool::new();
    let file = spool.outside().join("bad.yaml");
    fs::write(
        &file,
        "cache_time: soon\nlog_path: stdout\nmax_clients: -3\ncheck_hosts: [10.0.0.0/99]\n",
    )
    .unwrap();
    let ran = refused(&["-p", "0", "-c", file.to_str().unwrap()]);
    ran.is_with(1, "", "bad.yaml");
    for (line, key, value) in [
        (1, "cache_time", "soon"),
        (3, "max_clients", "-3"),
        (4, "check_hosts", "10.0.0.0/99"),
    ] {
        let told = ran
            .err
            .lines()
            .any(|l| l.contains(&format!(":{line}")) && l.contains(key) && l.contains(value));
        assert!(
            told,
            "line {line}, {key}: {value} is not told in:\n{}",
            ran.err
        );
    }
    refused(&["-p", "0", "-c", "/nowhere/hacheck.yaml"]).is_with(1, "", "/nowhere/hacheck.yaml");
}

#[test]
fn what_cannot_be_listened_on_stops_the_start_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(&["-B", "127.0.0.1", "-p", &port]).is_with(
        1,
        "",
        "another program listens there; stop it or choose another --port",
    );
    let ran = refused(&["-B", "192.0.2.1", "-p", "0"]);
    ran.is_with(1, "", "cannot listen on 192.0.2.1:0");
    assert!(
        ran.err
            .contains("the address is not one of this host's; see --bind-address"),
        "{ran:?}"
    );
}

#[test]
fn a_spool_that_cannot_be_read_stops_the_start() {
    let spool = Spool::new();
    spool.put("file", "");
    let below = spool.path("file");
    refused(&["-p", "0", "--spool-root", below.to_str().unwrap()]).is_with(1, "", "spool folder");
    refused(&["-p", "0", "--spool-root", "/nowhere/spool"]).is_with(
        1,
        "",
        "create the folder above it",
    );
}

#[test]
fn several_ports_and_threads_share_one_memory() {
    let daemon = Setup::new()
        .config("cache_time: 300\n")
        .args(&["-p", "0", "-n", "3"])
        .start();
    // Both ports are there before the first answer, and so in the log.
    daemon.get("/healthz").is(200, "ok\n");
    let log = daemon.log();
    let mut ports = log
        .lines()
        .filter_map(|line| line.rsplit_once("listening on ")?.1.parse().ok());
    let second: std::net::SocketAddr = ports.next_back().unwrap();
    assert_ne!(second, daemon.address);
    let upstream = Upstream::answering("fine");
    for i in 0..40 {
        let address = if i % 2 == 0 { second } else { daemon.address };
        client::request(
            address,
            "GET",
            &format!("/http/web/{}/", upstream.port()),
            &[],
        )
        .is(200, "fine");
    }
    assert_eq!(upstream.seen().len(), 1, "one probe for all");
}

#[test]
fn a_port_that_is_asked_for_twice_is_refused_with_its_name() {
    let spool = Spool::new();
    let port = free_port().to_string();
    let folder = TempDir::new();
    let file = folder.file("h.yml");
    let start = |more: &[&str], config: &str| {
        std::fs::write(&file, config).unwrap();
        let root = spool.root();
        let places = [
            "--spool-root",
            root.to_str().unwrap(),
            "-c",
            file.to_str().unwrap(),
        ];
        let args = ["-B", "127.0.0.1", "-p", &port];
        run("hacheck", &[&["serve"], &places[..], &args, more].concat())
    };
    let says = format!("agent_ports: hacheck listens on port {port} for something else already");
    start(&["--agent-port", &port], "").is_with(1, "", &says);
    start(&[], &format!("agent_ports: [{port}]\n")).is_with(1, "", &says);
}
