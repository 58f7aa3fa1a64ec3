//! Bytes that nobody should send: no panic, no 500, and answers go on.

use std::thread;

use crate::support::client;
use crate::support::daemon::{Daemon, Setup};
use crate::support::random::Random;

/// The statuses of all answers in what came back on a connection.
fn statuses(raw: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(raw);
    let status = |part: &str| part.get(2..5).and_then(|s| s.parse().ok());
    text.split("HTTP/1.").skip(1).filter_map(status).collect()
}

fn hostile_daemon() -> Daemon {
    Setup::new()
        .config("allow_remote_spool_changes: true\ncache_time: 0\nhealthcheck_timeout: 1\n")
        .start()
}

/// What mutations start from.
const SEEDS: &[&str] = &[
    "GET /http/web/1/health?a=b HTTP/1.1\r\nHost: web\r\nX-Haproxy-Server-State: UP 1/2; address=127.0.0.1; port=1\r\n\r\n",
    "GET /tcp/web/1 HTTP/1.0\r\nX-Nerve-Check-IP: ::1\r\nPragma: no-cache\r\n\r\n",
    "HEAD /spool/web.main/80/status HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
    "OPTIONS /https/web/1/%2e%2e/%00%ff?%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /spool/web/80 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 44\r\n\r\n\
     status=down&reason=r%00&expiration=1e3&creat",
    "POST /spool/web/0?status=up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
    "GET /recent?threshold=1&threshold=2 HTTP/1.1\r\nHost: x\r\n\r\nGET /status HTTP/1.1\r\nHost: x\r\n\r\n",
];

/// Pieces that break parsers.
const PIECES: &[&str] = &[
    "\0",
    "\r",
    "\n",
    "\r\n\r\n",
    " ",
    "%",
    "%00",
    "%2f",
    "%2e%2e",
    "%c0%af",
    "..",
    "/",
    "//",
    "?",
    "#",
    ":",
    ";",
    "=",
    "~",
    "\u{202e}",
    "\u{fffd}",
    "65536",
    "-1",
    "99999999999999999999",
    "HTTP/2.0",
    "chunked",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: h2c\r\n",
    "[::1]",
    "http://x",
    "all",
    "PRI *",
];

fn mutated(random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(SEEDS).as_bytes().to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => bytes.truncate(at.max(1)),
            1 => drop(bytes.splice(at..at, random.pick(PIECES).bytes())),
            2 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            3 => {
                let end = (at + random.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let other = random.pick(SEEDS).as_bytes();
                bytes.splice(at..at, other[random.below(other.len())..].iter().copied());
            }
        }
    }
    bytes
}

fn hostile_bytes(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0 => {
            let n = random.below(2000);
            random.bytes(n)
        }
        1 => {
            let mut line = b"GET /spool/".to_vec();
            line.extend(
                (0..random.below(600)).map(|_| u8::try_from(33 + random.below(222)).unwrap()),
            );
            line.extend(b" HTTP/1.1\r\n\r\n");
            line
        }
        _ => mutated(random),
    }
}

#[test]
fn no_request_makes_it_panic_or_answer_500() {
    let mut daemon = hostile_daemon();
    thread::scope(|scope| {
        for seed in 1..=4 {
            let address = daemon.address;
            scope.spawn(move || {
                let mut random = Random::new(seed);
                for _ in 0..2500 {
                    let bytes = hostile_bytes(&mut random);
                    let raw = client::exchange(address, &bytes);
                    let shown = String::from_utf8_lossy(&bytes);
                    assert!(
                        raw.is_empty() || raw.starts_with(b"HTTP/1."),
                        "to {shown:?} came {raw:?}"
                    );
                    let wrong = statuses(&raw)
                        .into_iter()
                        .find(|s| *s == 500 || !(100..=505).contains(s));
                    assert_eq!(wrong, None, "an answer to {shown:?}");
                }
            });
        }
    });
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
    daemon.is_sound();
}

fn one(daemon: &Daemon, request: impl AsRef<[u8]>) -> Vec<u16> {
    statuses(&client::exchange(daemon.address, request.as_ref()))
}

#[test]
fn requests_that_break_the_rules_get_the_answer_of_the_rules() {
    let mut daemon = hostile_daemon();
    let long = |n| "x".repeat(n);
    let mut wrong = vec![];
    for (request, expected) in [
        (
            format!("GET /status HTTP/1.1\r\nX: {}\r\n\r\n", long(70_000)),
            431,
        ),
        (
            format!("GET /status HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(5000)),
            431,
        ),
        (
            format!("GET /spool/{}/80 HTTP/1.1\r\n\r\n", long(20_000)),
            400,
        ),
        (
            format!("GET /http/web/{}/ HTTP/1.1\r\n\r\n", "9".repeat(1000)),
            503,
        ),
        (
            format!("GET /tcp/web/1/{} HTTP/1.1\r\n\r\n", long(20_000)),
            503,
        ),
        ("get /status HTTP/1.1\r\n\r\n".into(), 405),
        ("BREW /http/web/80/ HTTP/1.1\r\n\r\n".into(), 405),
        ("CONNECT web:80 HTTP/1.1\r\n\r\n".into(), 404),
        ("OPTIONS * HTTP/1.1\r\n\r\n".into(), 404),
        ("GET http://elsewhere/status HTTP/1.1\r\n\r\n".into(), 200),
        ("GET /spool/%2e%2e/80 HTTP/1.1\r\n\r\n".into(), 400),
        ("GET /spool/a%00b/80 HTTP/1.1\r\n\r\n".into(), 400),
        ("GET /spool/../../etc/passwd HTTP/1.1\r\n\r\n".into(), 404),
        ("GET /status\0 HTTP/1.1\r\n\r\n".into(), 400),
        ("GET /status HTTP/1.1\r\nX: a\0b\r\n\r\n".into(), 400),
        ("GET /status HTTP/1.1\r\nX : a\r\n\r\n".into(), 400),
        ("GET /status HTTP/9.9\r\n\r\n".into(), 400),
        (
            "POST /spool/w/80 HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"
                .into(),
            400,
        ),
        (
            "POST /spool/w/80 HTTP/1.1\r\nContent-Length: -1\r\n\r\n".into(),
            400,
        ),
        (
            "POST /spool/w/80 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".into(),
            400,
        ),
        ("POST /spool/w/70000?status=up HTTP/1.1\r\n\r\n".into(), 400),
    ] {
        let got = one(&daemon, &request);
        if got != [expected] {
            wrong.push(format!(
                "expected {expected}, got {got:?}: {:?}",
                &request[..request.len().min(100)]
            ));
        }
    }
    assert_eq!(wrong, [""; 0]);
    daemon.is_sound();
}

#[test]
fn no_answer_is_a_page_that_a_browser_would_render() {
    let mut daemon = hostile_daemon();
    let long = "x".repeat(70_000);
    for (request, status) in [
        ("<script>alert(1)</script>\r\n\r\n".into(), 400),
        (
            "GET /<script>alert(1)</script> HTTP/1.1\r\n\r\n".into(),
            400,
        ),
        ("GET /status HTTP/9.9\r\n\r\n".into(), 400),
        ("GET /status HTTP/1.1\r\n<b>: x\r\n\r\n".into(), 400),
        (
            "POST /spool/w/80 HTTP/1.1\r\nContent-Length: <b>\r\n\r\n".into(),
            400,
        ),
        (format!("GET /status HTTP/1.1\r\nX: <b>{long}\r\n\r\n"), 431),
        (
            "GET /spool/%2e%2e/80 HTTP/1.1\r\nConnection: close\r\n\r\n".into(),
            400,
        ),
        (
            "GET /%3Cb%3E HTTP/1.1\r\nConnection: close\r\n\r\n".into(),
            404,
        ),
        ("<B> /status HTTP/1.1\r\n\r\n".into(), 400),
        (
            "BREW /status HTTP/1.1\r\nConnection: close\r\n\r\n".into(),
            405,
        ),
        (
            "POST /spool/w/80 HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\n\r\n<b>".into(),
            400,
        ),
    ] {
        let answer = client::Response::parse(&client::exchange(daemon.address, request.as_bytes()));
        let shown = &request[..request.len().min(80)];
        assert_eq!(answer.status, status, "{shown:?}: {answer:?}");
        match answer.header("content-type") {
            Some(kind) => {
                assert_eq!(kind, "text/plain; charset=utf-8", "{shown:?}");
                assert_eq!(
                    answer.header("x-content-type-options"),
                    Some("nosniff"),
                    "{shown:?}"
                );
            }
            // What is no HTTP gets a bare status, with nothing in it to be sniffed.
            None => assert_eq!(
                (answer.header("content-length"), answer.body.as_str()),
                (Some("0"), ""),
                "{shown:?}"
            ),
        }
    }
    daemon.is_sound();
}

#[test]
fn a_body_over_the_limit_is_refused_however_it_is_sent() {
    let mut daemon = hostile_daemon();
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for excess in [1, 1 << 20] {
        let body = "x".repeat((2 << 20) + excess);
        let whole = format!(
            "POST /spool/w/80 HTTP/1.1\r\n{form}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let chunked = format!(
            "POST /spool/w/80 HTTP/1.1\r\n{form}Transfer-Encoding: chunked\r\n\r\n{chunks}"
        );
        for request in [whole, chunked] {
            let answer = one(&daemon, &request);
            // Where much of the body is left unread, the end of the connection may overtake the answer.
            assert!(
                answer == [413] || excess > 1 && answer.is_empty(),
                "{answer:?} for {excess} bytes too many"
            );
            assert_eq!(daemon.spool.files(), [""; 0]);
        }
    }
    // What fits is taken: a reason of 100,000 characters.
    let body = format!("status=down&reason={}", "%C3%A9".repeat(100_000));
    let length = body.len().to_string();
    let raw = format!("POST /spool/w/80 HTTP/1.1\r\n{form}Content-Length: {length}\r\n\r\n{body}");
    assert_eq!(one(&daemon, raw), [200]);
    daemon
        .get("/spool/w/80")
        .says(503, &"\u{e9}".repeat(100_000));
    daemon.is_sound();
}

#[test]
fn requests_in_one_packet_are_answered_one_by_one() {
    let daemon = hostile_daemon();
    let pipeline = "GET /healthz HTTP/1.1\r\n\r\nHEAD /healthz HTTP/1.1\r\n\r\nGET /nowhere HTTP/1.1\r\n\r\n\
                    POST /spool/web/80?status=up HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
                    GET /spool/web/80 HTTP/1.1\r\nConnection: close\r\n\r\nGET /status HTTP/1.1\r\n\r\n";
    assert_eq!(one(&daemon, pipeline), [200, 200, 404, 200, 200]);
}

#[test]
fn lengths_that_contradict_each_other_smuggle_nothing_in() {
    let daemon = hostile_daemon();
    // By the length, the body ends before the second request; by the chunks, the second request is part of it.
    let hidden = "GET /recent HTTP/1.1\r\n\r\n";
    let request = format!(
        "POST /spool/w/80?status=up HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{hidden}\r\n0\r\n\r\n",
        hidden.len()
    );
    let answers = one(&daemon, &request);
    assert!(answers == [200] || answers == [400], "{answers:?}");
}

#[test]
fn a_flood_of_idle_connections_does_not_keep_a_balancer_out() {
    let mut daemon = Daemon::with_config("max_connections: 20\nheader_timeout: 300\n");
    let idle: Vec<_> = (0..200)
        .map(|_| client::send(daemon.address, "GET", "/healthz", &[]))
        .collect();
    let half: Vec<_> = (0..200)
        .map(|i| {
            use std::io::Write as _;
            let mut stream = client::connect(daemon.address);
            // Those that had to make room may be closed already.
            let _ = stream.write_all(&b"GET /healthz HTTP/1.1\r\nX: "[..i % 25]);
            stream
        })
        .collect();
    daemon.get("/healthz").is(200, "ok\n");
    assert!(daemon.status("/connections/dropped").as_u64().unwrap() > 100);
    assert!(daemon.status("/connections/open").as_u64().unwrap() <= 20);
    drop((idle, half));
    daemon.is_sound();
}
