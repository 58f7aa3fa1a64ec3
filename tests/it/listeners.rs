//! What the ports speak besides HTTP/1, and what is said of a connection that speaks something else.

use crate::support::client::{connect, exchange};
use crate::support::daemon::{Daemon, Setup};
use crate::support::server::free_port;
use crate::support::{PATIENCE, wait_until};
use std::io::{Read as _, Write as _};

/// How a TLS client begins.
const TLS_HELLO: &[u8] = b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03";
const PROXY_V1: &[u8] =
    b"PROXY TCP4 10.0.0.1 10.0.0.2 5000 80\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const SSH: &[u8] = b"SSH-2.0-OpenSSH_9.2p1\r\n";

/// How many connections spoke something else, of a kind.
fn foreign(daemon: &Daemon, kind: &str) -> f64 {
    daemon.metric(&format!(
        "hacheck_connections_foreign_total{{kind=\"{kind}\"}}"
    ))
}

#[test]
fn what_is_no_http_is_counted_by_kind_and_logged_once_with_a_hint() {
    let mut daemon = Daemon::with_config("http2: false\n");
    let all = [
        ("tls", TLS_HELLO, "check it without TLS"),
        ("proxy", PROXY_V1, "no check-send-proxy"),
        ("proxy", PROXY_V2, "no check-send-proxy"),
        ("http2", HTTP2, "check it by HTTP/1.1"),
        ("other", SSH, "neither HTTP nor"),
    ];
    for (_, bytes, _) in all {
        for _ in 0..3 {
            exchange(daemon.address, bytes);
        }
    }
    for (kind, expected) in [("tls", 3.0), ("proxy", 6.0), ("http2", 3.0), ("other", 3.0)] {
        assert_eq!(foreign(&daemon, kind), expected, "{kind}");
    }
    for (kind, _, hint) in all {
        assert_eq!(daemon.logged(hint), 1, "{kind}: {}", daemon.log());
    }
    daemon.is_sound();
}

#[test]
fn what_http_allows_in_no_request_gets_an_empty_400_is_counted_and_logged_once() {
    let mut daemon = Daemon::start();
    let requests = [
        &b"GET /spool/web/80/<x HTTP/1.1\r\n\r\n"[..],
        b"GET /spool/web/80/x> HTTP/1.1\r\n\r\n",
        b"GET /spool/web/80/x` HTTP/1.1\r\n\r\n",
        b"GET /spool/web/80/\xfc HTTP/1.1\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /< HTTP/1.1\r\n\r\n",
    ];
    for bytes in requests {
        let answer = exchange(daemon.address, bytes);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
    assert_eq!(foreign(&daemon, "bad request"), 7.0);
    let line = "a request that HTTP does not allow";
    wait_until(PATIENCE, "it is logged", || daemon.logged(line) == 1);
    daemon.is_sound();
}

#[test]
fn a_silent_an_unfinished_and_a_long_request_are_not_counted_as_foreign() {
    let daemon = Daemon::start();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    for bytes in [&b""[..], b"GET /healthz", long.as_bytes()] {
        exchange(daemon.address, bytes);
    }
    for kind in ["tls", "proxy", "http2", "http", "bad request", "other"] {
        assert_eq!(foreign(&daemon, kind), 0.0, "{kind}");
    }
}

#[test]
fn agent_ports_count_what_is_no_agent_line_too() {
    let port = free_port();
    // A header of the PROXY protocol is none there, whoever sends it.
    let text = format!("agent_ports: [{port}]\nproxy_protocol_from: 127.0.0.1\n");
    let daemon = Setup::new().config(text).start();
    let lines = [
        &b"GET / HTTP/1.1\r\n"[..],
        b"PROXY TCP4 10.0.0.1 10.0.0.2 5000 80\r\n",
        b"\x16\x03\x01\x00\xf4\n",
        b"web\n",
        b"http/web/1/\n",
    ];
    for line in lines {
        let mut stream = connect(([127, 0, 0, 1], port).into());
        stream.write_all(line).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with('\n'), "{line:?}: {answer:?}");
    }
    for (kind, expected) in [("http", 1.0), ("proxy", 1.0), ("tls", 1.0), ("other", 0.0)] {
        assert_eq!(foreign(&daemon, kind), expected, "{kind}");
    }
}
