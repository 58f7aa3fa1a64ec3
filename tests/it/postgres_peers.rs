//! `postgres` against peers that misbehave; `postgres_server` has the real ones.

use crate::support::PATIENCE;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use hacheck::probe::TlsUse;

use crate::support::probing::{Probed, Prober, secret};
use crate::support::server::{drip, peer};

/// A deadline that misbehaving peers may use up.
const SHORT: Duration = Duration::from_millis(500);

/// Settings with credentials.
fn prober(tls: TlsUse, deadline: Duration) -> Prober {
    Prober::new(|c| {
        (c.postgres_username, c.postgres_password) = (Some("checker".into()), secret("s3cret"));
        c.postgres_tls = tls;
        c.healthcheck_timeout = deadline;
    })
}

/// Settings without credentials.
fn nobody(deadline: Duration) -> Prober {
    Prober::new(|c| c.healthcheck_timeout = deadline)
}

/// Logs in to a peer without TLS.
fn ask(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Probed {
    prober(TlsUse::Off, PATIENCE).probe("postgres", peer(serve), "")
}

/// Logs in to a peer that uses up the deadline.
fn ask_shortly(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Probed {
    prober(TlsUse::Off, SHORT).probe("postgres", peer(serve), "")
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let n = stream.read(&mut bytes).unwrap_or(0);
    bytes.truncate(n);
    bytes
}

/// Receives the startup message, offers SCRAM, and sends a challenge with these iterations.
fn challenge(stream: &mut TcpStream, iterations: u32) {
    hear(stream);
    let _ = stream.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"));
    let first = String::from_utf8_lossy(&hear(stream)).into_owned();
    let nonce = first.split("r=").nth(1).unwrap_or_default();
    let text = format!("r={nonce}x,s=c2FsdA==,i={iterations}");
    let _ = stream.write_all(&message(b'R', &[b"\0\0\0\x0b", text.as_bytes()].concat()));
}

#[test]
fn a_server_that_does_not_know_the_password_is_not_believed() {
    for final_message in [&b"\0\0\0\x0cv=AAAA"[..], b"\0\0\0\x0ce=other-error"] {
        let wrong = ask(move |mut stream| {
            challenge(&mut stream, 4096);
            hear(&mut stream);
            let _ = stream.write_all(&message(b'R', final_message));
            hear(&mut stream);
        });
        wrong.is(503, "the server does not know the password itself: SCRAM ");
    }
}

#[test]
fn a_server_that_skips_its_proof_is_not_believed() {
    let text = "the server ended the SCRAM exchange without its proof";
    let after_challenge = ask(|mut stream| {
        challenge(&mut stream, 4096);
        hear(&mut stream);
        let _ = stream.write_all(&message(b'R', b"\0\0\0\0"));
        hear(&mut stream);
    });
    after_challenge.is(503, text);
    let without_challenge = ask(|mut stream| {
        hear(&mut stream);
        let _ = stream.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"));
        hear(&mut stream);
        let _ = stream.write_all(&message(b'R', b"\0\0\0\0"));
        hear(&mut stream);
    });
    without_challenge.is(503, text);
}

#[test]
fn a_challenge_that_is_for_another_login_or_takes_too_long_has_no_answer() {
    let other = ask(|mut stream| {
        hear(&mut stream);
        let _ = stream.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"));
        hear(&mut stream);
        let text = b"\0\0\0\x0br=other,s=c2FsdA==,i=4096";
        let _ = stream.write_all(&message(b'R', text));
        hear(&mut stream);
    });
    other.is(
        503,
        "cannot answer the server's SCRAM challenge: invalid nonce",
    );
    let too_long = ask(|mut stream| {
        challenge(&mut stream, 100_001);
        hear(&mut stream);
    });
    too_long.is(
        503,
        "cannot answer the server's SCRAM challenge: SCRAM iteration count exceeds the maximum allowed",
    );
}

/// Were the answer computed where the deadline is kept, it would still be sent after the deadline.
#[test]
fn a_challenge_that_takes_long_holds_up_no_deadline() {
    // The most iterations take some 75 ms of a processor, and seconds without optimisation.
    let deadline = if cfg!(debug_assertions) { 500 } else { 30 };
    let (send, answers) = mpsc::channel();
    let port = peer(move |mut stream| {
        challenge(&mut stream, 100_000);
        let _ = send.send(hear(&mut stream));
    });
    prober(TlsUse::Off, Duration::from_millis(deadline))
        .probe("postgres", port, "")
        .is(503, "Connection timed out after ");
    assert_eq!(answers.recv().unwrap(), b"");
}

#[test]
fn ways_to_log_in_that_are_not_supported_are_named() {
    for (body, text) in [
        (
            &b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0OAUTHBEARER\0\0"[..],
            "the server wants SCRAM-SHA-256-PLUS or OAUTHBEARER, which is not supported; \
             use scram-sha-256 for this user in pg_hba.conf",
        ),
        (
            b"\0\0\0\x07",
            "the server wants GSSAPI authentication, which is not supported",
        ),
        (
            b"\0\0\0\x63",
            "malformed message 'R': unknown authentication tag `99`",
        ),
        (
            b"\0\0\0\x0cv=AAAA",
            "the server sent an unexpected message 'R'",
        ),
    ] {
        let probed = ask(move |mut stream| {
            hear(&mut stream);
            let _ = stream.write_all(&message(b'R', body));
            hear(&mut stream);
        });
        probed.is(503, text);
    }
}

#[test]
fn tls_that_is_required_and_not_offered_is_named() {
    let refuse = |mut stream: TcpStream| {
        hear(&mut stream);
        stream.write_all(b"N").unwrap();
        hear(&mut stream);
    };
    let port = peer(refuse);
    prober(TlsUse::Required, PATIENCE)
        .probe("postgres", port, "")
        .is(
            503,
            "the server offers no TLS, and postgres_tls is required",
        );
    prober(TlsUse::Auto, PATIENCE)
        .probe("postgres", port, "")
        .is(503, "the server closed the connection");
}

#[test]
fn a_silent_peer_costs_the_deadline() {
    let probed = ask_shortly(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    probed.is(503, "Connection timed out after ");
    let port = peer(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    nobody(SHORT)
        .probe("postgres", port, "")
        .is(503, "Connection timed out after ");
}

/// A server logs what a client says in place of its password.
#[test]
fn readiness_says_nothing_after_the_question_for_a_password() {
    let (send, heard) = mpsc::channel();
    let port = peer(move |mut stream| {
        hear(&mut stream);
        let _ = stream.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"));
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest).map(|_| rest);
        let _ = send.send(end.map_err(|e| e.kind()));
    });
    nobody(PATIENCE)
        .probe("postgres", port, "")
        .is(200, "PostgreSQL is accepting connections");
    assert_eq!(heard.recv().unwrap(), Ok(Vec::new()));
}

#[test]
fn a_lag_that_is_no_number_fails() {
    let row = b"\0\x01\0\0\0\x04soon";
    let probed = prober(TlsUse::Off, PATIENCE).probe(
        "postgres",
        peer(move |mut stream| {
            hear(&mut stream);
            let _ = stream.write_all(&message(b'R', b"\0\0\0\0"));
            let _ = stream.write_all(&message(b'Z', b"I"));
            hear(&mut stream);
            let _ = stream.write_all(&message(b'D', row));
            let _ = stream.write_all(&message(b'Z', b"I"));
            hear(&mut stream);
        }),
        "max_lag=30",
    );
    probed.is(503, "answered 'soon'");
}

#[test]
fn a_slow_drip_costs_the_deadline() {
    let probed = ask_shortly(|mut stream| {
        drip(&mut stream, &message(b'R', &[0; 60]));
    });
    probed.is(503, "Connection timed out after ");
}

#[test]
fn a_peer_that_leaves_is_named() {
    let half = ask(|mut stream| {
        hear(&mut stream);
        stream.write_all(b"R\0\0\0\x17\0\0").unwrap();
    });
    half.is(503, "the server closed the connection after");
}

#[test]
fn other_protocols_are_named() {
    for (noise, text) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "the answer is not PostgreSQL's: it begins with 'HTTP/'",
        ),
        (
            b"+PONG\r\n",
            "the answer is not PostgreSQL's: it begins with '+PONG'",
        ),
        (b"R\0\0\0\x03", "the answer is not PostgreSQL's"),
        (
            b"R\0\0\0\x06\0\0",
            "the server sent a malformed message 'R'",
        ),
        (b"Q\0\0\0\x04", "the server sent an unexpected message 'Q'"),
    ] {
        let probed = ask(move |mut stream| {
            hear(&mut stream);
            stream.write_all(noise).unwrap();
            drop(stream.read_to_end(&mut Vec::new()));
        });
        probed.is(503, text);
    }
    let http = peer(|mut stream| {
        hear(&mut stream);
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
    });
    nobody(PATIENCE).probe("postgres", http, "").is(
        503,
        "the answer is not PostgreSQL's: it begins with 'HTTP/'",
    );
}

#[test]
fn endless_messages_come_to_an_end() {
    for body in [&[][..], &[b'x'; 60000]] {
        let probed = ask(move |mut stream| {
            let notice = message(b'N', body);
            while stream.write_all(&notice).is_ok() {}
        });
        probed.is(503, "the server sends too much");
    }
}
