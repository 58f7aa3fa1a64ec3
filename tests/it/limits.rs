//! What happens at each limit: a clear answer or an orderly end of the connection, and a number in `/metrics`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::str::FromStr as _;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, socket};

use crate::support::client::{self, Kept, connect, exchange, is_silent, send};
use crate::support::daemon::{Daemon, Setup};
use crate::support::upstream::Upstream;
use crate::support::{PATIENCE, wait_until};

#[test]
fn every_limit_is_a_setting_and_shows_in_the_metrics() {
    let daemon = Daemon::with_config("max_connections: 77\nmax_clients: 13\nmax_body: 2MiB\n");
    let limit = |name: &str| daemon.metric(&format!("hacheck_limit{{name=\"{name}\"}}"));
    for (name, value) in [
        ("header_timeout", 10.0),
        ("idle_timeout", 75.0),
        ("write_timeout", 10.0),
        ("healthcheck_timeout", 10.0),
        ("max_head", 32768.0),
        ("max_headers", 100.0),
        ("max_request_body", 2097152.0),
        ("max_body", 2097152.0),
        ("max_connections", 77.0),
        ("max_connections_per_address", 1024.0),
        ("max_clients", 13.0),
        ("max_probes_per_target", 64.0),
        ("max_waiting", 38.0),
        ("cache_entries", 10000.0),
        ("cache_bytes", 16777216.0),
        ("memory_limit", 67108864.0),
        ("max_services", 100000.0),
        ("max_pollers", 10000.0),
        ("max_addresses_per_service", 256.0),
        ("log_rate", 1000.0),
    ] {
        assert_eq!(limit(name), value, "{name}");
    }
}

/// A connection from another loopback address.
fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    let port = |address: &str| SockaddrIn::from_str(&format!("{address}:0")).unwrap();
    bind(socket.as_raw_fd(), &port(from)).unwrap();
    nix::sys::socket::connect(
        socket.as_raw_fd(),
        &SockaddrIn::from_str(&to.to_string()).unwrap(),
    )
    .unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Open connections, as somebody from 127.0.0.2 sees them, whose own one is left out.
fn open(address: SocketAddr) -> u64 {
    let mut stream = connect_from("127.0.0.2", address);
    stream
        .write_all(b"GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    client::answer(&mut stream).json()["connections"]["open"]
        .as_u64()
        .unwrap()
        - 1
}

#[test]
fn an_address_with_too_many_connections_loses_its_oldest_idle_one_and_no_other() {
    let hung = Upstream::hung();
    let config = "max_connections_per_address: 5\nhealthcheck_timeout: 300\nheader_timeout: 300\n";
    let daemon = Daemon::with_config(config);
    let address = daemon.address;
    let other = connect_from("127.0.0.3", address);
    let busy = send(address, "GET", &format!("/http/web/{}/", hung.port()), &[]);
    hung.wait_for(1);
    let mut idle: Vec<TcpStream> = Vec::new();
    for i in 0..4 {
        idle.push(connect(address));
        wait_until(PATIENCE, "it is accepted", || open(address) >= i + 3);
    }
    for round in 0..20 {
        idle.push(connect(address));
        let oldest = idle.remove(0);
        wait_until(
            PATIENCE,
            &format!("round {round}: the oldest one ended"),
            || !is_silent(&oldest),
        );
    }
    assert!(is_silent(&busy) && is_silent(&other) && idle.iter().all(is_silent));
    let metrics = || {
        let mut stream = connect_from("127.0.0.2", address);
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        client::answer(&mut stream).body
    };
    assert!(
        metrics().contains("hacheck_connections_dropped_for_address_total 20\n"),
        "{}",
        metrics()
    );
}

#[test]
fn heads_with_too_many_headers_or_bytes_get_431() {
    let daemon = Daemon::with_config("max_headers: 20\nmax_head: 8KiB\n");
    let status = |request: String| {
        let raw = exchange(daemon.address, request.as_bytes());
        String::from_utf8_lossy(&raw[..raw.len().min(12)]).into_owned()
    };
    let head = |headers: usize, bytes: usize| {
        let lines: String = (0..headers).map(|i| format!("X-{i}: y\r\n")).collect();
        format!(
            "GET /healthz HTTP/1.1\r\n{lines}X: {}\r\nConnection: close\r\n\r\n",
            "z".repeat(bytes)
        )
    };
    assert_eq!(status(head(18, 10)), "HTTP/1.1 200");
    assert_eq!(status(head(19, 10)), "HTTP/1.1 431");
    assert_eq!(status(head(1, 7000)), "HTTP/1.1 200");
    assert_eq!(status(head(1, 20_000)), "HTTP/1.1 431");
    daemon.get("/healthz").is(200, "ok\n");
}

/// What comes back on a connection that says no more, until the daemon ends it.
fn left_alone(daemon: &Daemon, bytes: &[u8]) -> String {
    let mut stream = connect(daemon.address);
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

#[test]
fn what_does_not_come_in_time_ends_the_connection() {
    let daemon = Daemon::with_config(
        "header_timeout: 0.5\nidle_timeout: 0.5\nallow_remote_spool_changes: yes\n",
    );
    for begun in ["", "G", "GET /healthz HTTP/1.1\r\nX: y"] {
        assert_eq!(left_alone(&daemon, begun.as_bytes()), "", "{begun:?}");
    }
    let kept = left_alone(&daemon, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        kept.starts_with("HTTP/1.1 200 OK\r\n") && kept.ends_with("ok\n"),
        "{kept}"
    );
    let form = b"POST /spool/web/0?status=up HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf";
    let told = left_alone(&daemon, form);
    assert!(
        told.starts_with("HTTP/1.1 408 ") && told.ends_with("the body did not come in time"),
        "{told}"
    );
    // A byte now and then does not help.
    let mut slow = connect(daemon.address);
    wait_until(PATIENCE, "the slow one is gone", || {
        slow.write_all(b"G").is_err()
    });
}

#[test]
fn a_kept_connection_may_be_idle_for_longer_than_a_request_may_take() {
    let daemon = Daemon::with_config("header_timeout: 0.3\nidle_timeout: 300\n");
    let mut kept = Kept::to(daemon.address);
    kept.get("/healthz", &[("Host", "x")]).is(200, "ok\n");
    for _ in 0..3 {
        // A connection that sends nothing has ended meanwhile.
        assert_eq!(left_alone(&daemon, b""), "");
    }
    kept.get("/healthz", &[("Host", "x")]).is(200, "ok\n");
    // What is begun must come to its end, byte by byte or not.
    let mut slow = kept.0;
    wait_until(PATIENCE, "the slow one is gone", || {
        slow.write_all(b"G").is_err()
    });
}

#[test]
fn what_is_remembered_is_bounded_and_what_made_room_is_counted() {
    let upstream = Upstream::answering("fine");
    let limits = "cache_entries: 10\nmax_services: 20\nmax_pollers: 16\nmax_addresses_per_service: 3\nlog_rate: 5\n";
    let daemon = Daemon::with_config(&format!("{limits}allow_remote_spool_changes: yes\n"));
    for i in 0..100 {
        daemon
            .get(&format!("/http/made-up-{i}/{}/{i}", upstream.port()))
            .is(200, "fine");
        daemon
            .request(
                "POST",
                &format!("/spool/made-up-{i}/0?status=up"),
                &[("Content-Length", "0")],
            )
            .is(200, "");
        let mut stream = connect_from(&format!("127.0.1.{}", 1 + i), daemon.address);
        stream
            .write_all(b"GET /spool/web/0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        client::answer(&mut stream).is(200, "");
    }
    let at_most = |name: &str, most: f64| {
        let value = daemon.metric(name);
        assert!(value <= most, "{name} {value}");
    };
    at_most("hacheck_cache_entries", 10.0);
    at_most("hacheck_services", 20.0);
    let pollers = ["up", "down", "nolb", "unknown"]
        .map(|v| daemon.metric(&format!("hacheck_pollers{{view=\"{v}\"}}")));
    assert!(
        pollers.iter().sum::<f64>() + daemon.metric("hacheck_pollers_silent") <= 16.0,
        "{pollers:?}"
    );
    let counts = daemon.get("/status/count").json();
    let of_web = counts["service_access_counts"]["web"].as_object().unwrap();
    assert!(of_web.len() <= 3, "{of_web:?}");
    for made_room in [
        "cache_evictions",
        "services_forgotten",
        "pollers_forgotten",
        "log_lines_dropped",
    ] {
        let count = daemon.metric(&format!("hacheck_{made_room}_total"));
        assert!(count >= 50.0, "{made_room}: {count}");
    }
}

#[test]
fn a_form_over_the_limit_is_refused() {
    let daemon = Daemon::with_config("allow_remote_spool_changes: yes\nmax_request_body: 1KiB\n");
    let post = |reason: usize| {
        let body = format!("status=down&reason={}", "r".repeat(reason));
        let head = "POST /spool/web/0 HTTP/1.1\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        client::Response::parse(&exchange(daemon.address, request.as_bytes()))
    };
    post(2000).says(413, "over 1024 bytes (max_request_body)");
    assert!(daemon.spool.files().is_empty());
    post(500).is(200, "");
}

/// For the upstream below: its whole body is relayed.
const LARGE_BODIES: &str = "max_body: 8MiB\n";

/// An upstream whose answer is more than the kernel takes at once, and the body's length.
fn large() -> (usize, Upstream) {
    let body: &'static str = "b".repeat(8 << 20).leak();
    (body.len(), Upstream::answering(body))
}

#[test]
fn of_a_longer_body_a_mebibyte_is_relayed_and_all_of_it_where_max_body_allows_it() {
    let (length, upstream) = large();
    let path = format!("/http/web/{}/", upstream.port());
    assert_eq!(Daemon::start().get(&path).body.len(), 1 << 20);
    let allowing = Daemon::with_config(LARGE_BODIES);
    assert_eq!(allowing.get(&path).body.len(), length);
}

#[test]
fn a_poller_that_never_reads_its_answers_is_dropped() {
    let (body, upstream) = large();
    let daemon = Daemon::with_config(&format!(
        "{LARGE_BODIES}write_timeout: 0.5\nheader_timeout: 300\n"
    ));
    let path = format!("/http/web/{}/", upstream.port());
    assert_eq!(daemon.get(&path).body.len(), body);
    let mut greedy = connect(daemon.address);
    greedy
        .write_all(
            format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
                .repeat(3)
                .as_bytes(),
        )
        .unwrap();
    wait_until(PATIENCE, "it came in", || {
        daemon.metric("hacheck_connections") >= 2.0
    });
    wait_until(PATIENCE, "it is gone", || {
        daemon.metric("hacheck_connections") < 2.0
    });
    let mut rest = Vec::new();
    let _ = greedy.read_to_end(&mut rest);
    assert!(
        rest.len() < 3 * body,
        "everything was sent: {} bytes",
        rest.len()
    );
}

#[test]
fn an_answer_that_is_still_being_read_is_not_idle() {
    let (body, upstream) = large();
    let daemon = Daemon::with_config(&format!(
        "{LARGE_BODIES}write_timeout: 60\nheader_timeout: 0.5\n"
    ));
    let path = format!("/http/web/{}/", upstream.port());
    let mut slow = connect(daemon.address);
    let one = |close: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{close}\r\n");
    slow.write_all((one("").repeat(2) + &one("Connection: close\r\n")).as_bytes())
        .unwrap();
    let mut all = vec![0; 1000];
    slow.read_exact(&mut all).unwrap();
    // Three answers are more than the kernel takes: nothing moves while idle connections come and time out.
    for _ in 0..3 {
        assert_eq!(left_alone(&daemon, b""), "");
    }
    slow.read_to_end(&mut all).unwrap();
    assert!(all.len() > 3 * body, "cut at {} bytes", all.len());
}

#[test]
fn a_request_that_came_while_the_process_was_stopped_is_answered_however_late() {
    let daemon = Daemon::with_config("idle_timeout: 0.5\n");
    let mut kept = Kept::to(daemon.address);
    kept.get("/spool/web/80", &[("Host", "x")]).is(200, "");
    daemon.process.signal(Signal::SIGSTOP);
    kept.send("GET", "/spool/web/80", &[("Host", "x")]);
    // What is tested is that time passes, and longer than idle_timeout; later still changes nothing.
    std::thread::sleep(Duration::from_secs(1));
    daemon.process.signal(Signal::SIGCONT);
    kept.answer("GET").is(200, "");
}

#[test]
fn checks_without_a_place_are_told_to_come_again_and_are_not_remembered() {
    let hung = Upstream::hung();
    let healthy = Upstream::answering("fine");
    let config = "max_clients: 1\nmax_waiting: 2\nhealthcheck_timeout: 300\ncache_time: 300\nmax_probes_per_target: 2\n";
    let daemon = Daemon::with_config(config);
    let path = |i: usize| format!("/http/web/{}/{i}", hung.port());
    let mut running = send(daemon.address, "GET", &path(1), &[]);
    hung.wait_for(1);
    let mut waiting = send(daemon.address, "GET", &path(2), &[]);
    wait_until(PATIENCE, "one waits", || {
        daemon.metric("hacheck_probes_waiting") == 1.0
    });
    wait_until(PATIENCE, "both are counted", || {
        daemon.metric("hacheck_requests_waiting") == 2.0
    });
    let told_to_come_again = |told: client::Response, why: &str| {
        told.says(503, why);
        assert_eq!(told.header("retry-after"), Some("1"));
    };
    let other = format!("/http/web/{}/", healthy.port());
    let mut last = send(daemon.address, "GET", &other, &[]);
    told_to_come_again(
        client::answer(&mut running),
        "2 requests wait for their checks",
    );
    told_to_come_again(daemon.get(&path(3)), "2 checks wait already");
    told_to_come_again(
        client::answer(&mut waiting),
        "2 requests wait for their checks",
    );
    assert!(is_silent(&last));
    drop(hung);
    client::answer(&mut last).is(200, "fine");
    daemon.get(&other).is(200, "fine");
}

#[test]
fn with_hardly_any_file_descriptors_it_goes_on_answering() {
    for files in ["32", "48", "64"] {
        let mut daemon = Setup::new()
            .limit_files(files)
            .config("healthcheck_timeout: 1\n")
            .start();
        let hung = Upstream::hung();
        daemon.spool.run("hadown", &["-r", "gone", "web"]);
        let flood: Vec<TcpStream> = (0..200).map(|_| connect(daemon.address)).collect();
        let checks: Vec<TcpStream> = (0..100)
            .map(|i| {
                send(
                    daemon.address,
                    "GET",
                    &format!("/http/x/{}/{i}", hung.port()),
                    &[],
                )
            })
            .collect();
        for _ in 0..50 {
            daemon.get("/spool/web/0").says(503, "gone");
            daemon.get("/spool/other/0").is(200, "");
        }
        drop((flood, checks));
        wait_until(PATIENCE, "probes ended", || {
            daemon.metric("hacheck_probes_running") == 0.0
        });
        assert_eq!(
            daemon.metric("hacheck_spool_errors_total"),
            0.0,
            "{}",
            daemon.log()
        );
        daemon.is_sound();
    }
}

#[test]
fn stopped_and_continued_it_goes_on_where_it_was() {
    let upstream = Upstream::answering("fine");
    let mut daemon = Daemon::with_config("cache_time: 0\n");
    let path = format!("/http/web/{}/", upstream.port());
    daemon.get(&path).is(200, "fine");
    daemon.process.signal(Signal::SIGSTOP);
    let mut asked: Vec<TcpStream> = (0..20)
        .map(|_| send(daemon.address, "GET", &path, &[]))
        .collect();
    daemon
        .spool
        .run("hadown", &["-r", "while it slept", "other"]);
    assert!(asked.iter().all(is_silent));
    daemon.process.signal(Signal::SIGCONT);
    for stream in &mut asked {
        client::answer(stream).is(200, "fine");
    }
    daemon.get("/spool/other/0").says(503, "while it slept");
    daemon.is_sound();
}

#[test]
fn two_daemons_on_one_spool_say_the_same() {
    let first = Daemon::start();
    let second = Setup::new()
        .args(&["--spool-root", first.spool.root().to_str().unwrap()])
        .start();
    for round in 0..50 {
        first
            .spool
            .run("hadown", &["-r", &round.to_string(), "web"]);
        for daemon in [&first, &second] {
            daemon.get("/spool/web/0").says(503, &format!(": {round}"));
        }
        first.spool.run("haup", &["web"]);
        for daemon in [&first, &second] {
            daemon.get("/spool/web/0").is(200, "");
        }
    }
}
