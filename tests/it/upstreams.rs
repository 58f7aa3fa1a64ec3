//! Services that misbehave, in every protocol: the check fails by its deadline, others are not concerned, and nothing of
//! it stays behind.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use hacheck::probe::PROTOCOLS;
use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt::Linger};

use crate::support::client;
use crate::support::daemon::Daemon;
use crate::support::root::as_root;
use crate::support::server::peer;
use crate::support::upstream::Upstream;
use crate::support::{BINARY, PATIENCE, Spool, wait_until};

const CONFIG: &str = "healthcheck_timeout: 1\ncache_time: 0\nmax_body: 64KiB\nmysql_username: u\nmysql_password: p\n\
                      postgres_username: u\npostgres_password: p\nlogin_to: [127.0.0.0/8]\n\
                      services: {web: {script: [{expect: \"^ready\"}]}}\n";

/// What a peer does with a connection.
type Serve = fn(TcpStream);

/// Ends the connection so that the other side is told of a reset.
#[allow(clippy::needless_pass_by_value)] // it is dropped here
fn reset(stream: TcpStream) {
    setsockopt(
        &stream,
        Linger,
        &linger {
            l_onoff: 1,
            l_linger: 0,
        },
    )
    .unwrap();
}

/// Takes what comes until the other side has had enough.
fn wait_for_end(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Sends a text byte by byte, slower than any deadline.
fn drip(mut stream: &TcpStream, text: &[u8]) {
    for byte in text.iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn without_end(mut stream: &TcpStream, text: &[u8]) {
    let block = text.repeat(4096);
    while stream.write_all(&block).is_ok() {}
}

/// What no protocol takes for an answer.
const PEERS: [(&str, Serve); 7] = [
    ("says nothing", wait_for_end),
    ("resets at once", reset),
    ("resets after the question", |mut s| {
        let _ = s.read(&mut [0; 1]);
        reset(s);
    }),
    ("ends at once", drop),
    ("ends its half and waits", |s| {
        let _ = s.shutdown(Shutdown::Write);
        wait_for_end(s);
    }),
    ("drips", |s| drip(&s, b"x")),
    ("sends zeros without end", |s| without_end(&s, &[0])),
];

/// Ports on which the daemon's connections are not answered at all: the queue of a listener that accepts none is full.
struct Full {
    listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Full {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // A queue of one, and a half.
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let queued = (0..3)
            .filter_map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok());
        Self {
            _queued: queued.collect(),
            listener,
        }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }
}

#[test]
fn a_service_that_misbehaves_fails_its_own_check_in_time_whatever_the_protocol() {
    let healthy = Upstream::answering("fine");
    let full = Full::new();
    let mut daemon = Daemon::with_config(CONFIG);
    let files = daemon.metric("process_open_fds");
    let mut ports: Vec<(&str, u16)> = PEERS
        .iter()
        .map(|(what, serve)| (*what, peer(serve)))
        .collect();
    ports.push(("does not accept", full.port()));
    let names = PROTOCOLS
        .iter()
        .map(|p| p.name)
        .filter(|n| !["tcp", "exec", "group"].contains(n));
    let mut asked = Vec::new();
    for name in names {
        for (what, port) in &ports {
            let path = format!("/{name}/web/{port}/");
            asked.push((name, *what, client::send(daemon.address, "GET", &path, &[])));
        }
    }
    assert!(asked.len() > 80);
    daemon
        .get(&format!("/http/web/{}/", healthy.port()))
        .is(200, "fine");
    for (name, what, stream) in &mut asked {
        let answer = client::answer(stream);
        assert!(
            answer.status == 503 && !answer.body.is_empty(),
            "{name} of a peer that {what}: {answer:?}"
        );
        if *what == "does not accept" {
            assert!(
                answer.body.starts_with("Connection timed out after "),
                "{name}: {answer:?}"
            );
        }
    }
    drop(asked);
    leaves_nothing(&daemon, files);
    daemon.is_sound();
}

#[track_caller]
fn leaves_nothing(daemon: &Daemon, files: f64) {
    wait_until(PATIENCE, "all probes ended", || {
        daemon.metric("hacheck_probes_running") == 0.0
    });
    wait_until(PATIENCE, "nothing stays open", || {
        daemon.metric("process_open_fds") <= files + 2.0
    });
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";

#[test]
fn http_answers_that_break_off_drip_or_never_end() {
    let peers: [(&str, Serve, u16, &str); 7] = [
        (
            "resets in its head",
            |mut s| drop((s.write_all(OK), s.read(&mut [0; 9]), reset(s))),
            503,
            "",
        ),
        (
            "ends in its body",
            |mut s| {
                drop((
                    s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
                    s.read(&mut [0; 9]),
                ));
            },
            503,
            "",
        ),
        (
            "drips its head",
            |mut s| drop((s.write_all(OK), drip(&s, b"X: y\r\n"))),
            503,
            "Connection timed out after ",
        ),
        (
            "drips its body",
            |mut s| {
                let _ = s.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                drip(&s, b"body");
            },
            503,
            "Connection timed out after ",
        ),
        (
            "sends headers without end",
            |mut s| drop((s.write_all(OK), without_end(&s, b"X: y\r\n"))),
            503,
            "",
        ),
        (
            "sends one header without end",
            |mut s| {
                drop((
                    s.write_all(b"HTTP/1.1 200 OK\r\nX: "),
                    without_end(&s, b"y"),
                ));
            },
            503,
            "",
        ),
        (
            "sends a body without end",
            |mut s| {
                drop((
                    s.write_all(b"HTTP/1.1 200 OK\r\n\r\n"),
                    without_end(&s, b"y"),
                ));
            },
            200,
            "yyyy",
        ),
    ];
    let mut daemon = Daemon::with_config(CONFIG);
    let files = daemon.metric("process_open_fds");
    for (what, serve, status, says) in peers {
        // A server answers what it was asked; one that speaks first is another fault.
        let port = peer(move |mut stream| {
            let _ = stream.read(&mut [0; 1]);
            serve(stream);
        });
        let answer = daemon.get(&format!("/http/web/{port}/"));
        assert_eq!(answer.status, status, "a peer that {what}: {answer:?}");
        assert!(
            answer.body.starts_with(says) && !answer.body.is_empty(),
            "a peer that {what}: {answer:?}"
        );
        assert!(
            answer.body.len() <= 64 << 10,
            "a peer that {what}: {} bytes",
            answer.body.len()
        );
    }
    leaves_nothing(&daemon, files);
    daemon.is_sound();
}

#[test]
fn an_upstream_that_answers_before_it_is_asked_is_heard() {
    let port = peer(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        wait_for_end(stream);
    });
    let daemon = Daemon::with_config(CONFIG);
    for _ in 0..50 {
        daemon.get(&format!("/http/web/{port}/")).is(200, "ok");
    }
}

#[test]
fn a_connection_that_meets_itself_is_no_service() {
    // The only port that the kernel has for clients is the one that is checked.
    let script = "ip link set lo up && echo 40002 40003 > /proc/sys/net/ipv4/ip_local_port_range || exit 9\n\
                  ask() { \"$binary\" probe --spool-root \"$spool\" $1; echo \"exit $?\"; }\n\
                  binary=$0 spool=$1; ask 'tcp web 40002'; ask 'http web 40002 /'";
    let spool = Spool::new();
    let out = as_root("unshare")
        .args(["-n", "sh", "-c", script, BINARY])
        .arg(spool.root())
        .output()
        .unwrap();
    let out =
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.matches("exit 1\n").count(), 2, "{out}");
    assert_eq!(out.matches("40002: connection refused").count(), 2, "{out}");
}

#[test]
fn an_upstream_sees_its_connection_end_in_good_order() {
    let (tell, ended) = std::sync::mpsc::channel();
    let port = peer(move |mut stream| {
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            asked.push(byte[0]);
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .unwrap();
        if asked.starts_with(b"GET /closes ") {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        tell.send(stream.read(&mut [0]).map_err(|e| e.to_string()))
            .unwrap();
    });
    let daemon = Daemon::with_config(CONFIG);
    for path in ["closes", "waits"] {
        daemon
            .get(&format!("/http/web/{port}/{path}"))
            .is(200, "ok");
        assert_eq!(
            ended.recv_timeout(PATIENCE).unwrap(),
            Ok(0),
            "{path}: it was told of an error"
        );
    }
}
