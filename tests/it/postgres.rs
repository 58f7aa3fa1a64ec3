//! `postgres` against real PostgreSQL servers and against peers that misbehave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hacheck::config::TlsUse;

use crate::postgresql::{PostgreSql, primary};
use crate::support::TempDir;
use crate::support::probing::{Probed, Prober, secret};
use crate::support::server::{certificate, drip, free_port, peer};

const READY: &str = "PostgreSQL is accepting connections";
const OK: &str = "PostgreSQL answered SELECT 1";

fn login(name: &str, password: &str, tls: TlsUse) -> Prober {
    Prober::new(|c| {
        c.postgres_username = Some(name.into());
        c.postgres_password = secret(password);
        c.postgres_tls = tls;
    })
}

fn nobody() -> Prober {
    Prober::new(|c| c.healthcheck_timeout = Duration::from_millis(500))
}

#[test]
fn every_kind_of_password_logs_in_with_and_without_tls() {
    for name in ["checker", "hashed", "plain", "trusted"] {
        for tls in [TlsUse::Off, TlsUse::Auto, TlsUse::Required] {
            let probed = login(name, "s3cret", tls).probe("postgres", primary().port, "");
            assert_eq!(
                (probed.status, probed.body.as_str()),
                (200, OK),
                "{name}, TLS {tls:?}"
            );
        }
    }
}

#[test]
fn an_account_that_requires_tls_logs_in_without_configuration() {
    login("guarded", "s3cret", TlsUse::Auto)
        .probe("postgres", primary().port, "")
        .is(200, OK);
    let probed = login("guarded", "s3cret", TlsUse::Off).probe("postgres", primary().port, "");
    probed.is(
        500,
        "PostgreSQL says: pg_hba.conf rejects connection for host \"127.0.0.1\", user \"guarded\"",
    );
}

#[test]
fn a_certificate_is_verified_when_asked_to() {
    let other = TempDir::new();
    let (stranger, _) = certificate(other.path());
    let prober = Prober::new(|c| {
        (c.postgres_username, c.postgres_password) = (Some("checker".into()), secret("s3cret"));
        (c.tls_verify, c.tls_ca_file) = (true, Some(stranger));
    });
    prober
        .probe("postgres", primary().port, "")
        .is(503, "TLS handshake failed: invalid peer certificate");
}

#[test]
fn a_refused_login_is_500_with_the_servers_text() {
    for name in ["checker", "hashed", "plain", "nobody"] {
        let probed = login(name, "wrong", TlsUse::Auto).probe("postgres", primary().port, "");
        let text = format!("PostgreSQL says: password authentication failed for user \"{name}\"");
        assert_eq!((probed.status, probed.body), (500, text));
    }
    let probed =
        login("checker", "s3cret", TlsUse::Auto).probe("postgres", primary().port, "dbname=none");
    assert_eq!(
        (probed.status, probed.body.as_str()),
        (500, "PostgreSQL says: database \"none\" does not exist")
    );
}

#[test]
fn what_is_not_the_credentials_fault_is_503() {
    let probed = login("crowded", "s3cret", TlsUse::Auto).probe(
        "postgres",
        primary().port,
        "dbname=postgres",
    );
    probed.is(
        503,
        "too many connections for role \"crowded\" (53300) after",
    );
}

#[test]
fn readiness_needs_no_credentials() {
    nobody()
        .probe("postgres", primary().port, "")
        .is(200, READY);
    Prober::new(|c| c.postgres_tls = TlsUse::Required)
        .probe("postgres", primary().port, "")
        .is(200, READY);
    nobody()
        .probe("postgres", primary().port, "role=primary")
        .is(500, "No postgres_username in config file");
    let no_password = Prober::new(|c| c.postgres_username = Some("checker".into()));
    no_password
        .probe("postgres", primary().port, "")
        .is(503, "the server wants a password; set postgres_password");
}

#[test]
fn primary_and_replica_say_so() {
    let prober = login("checker", "s3cret", TlsUse::Auto);
    let replica = PostgreSql::replica(primary(), &[]);
    replica.wait_until_it_answers();
    let recovery = "PostgreSQL answered SELECT pg_is_in_recovery()";
    prober
        .probe("postgres", primary().port, "role=primary")
        .is(200, &format!("{recovery}; primary"));
    prober
        .probe("postgres", primary().port, "role=replica")
        .is(503, "primary, not a replica after");
    prober
        .probe("postgres", replica.port, "role=replica&dbname=postgres")
        .is(200, &format!("{recovery}; replica"));
    prober
        .probe("postgres", replica.port, "role=primary")
        .is(503, "replica, not a primary after");
    nobody().probe("postgres", replica.port, "").is(200, READY);
}

#[test]
fn a_server_that_takes_no_connections_yet_is_503() {
    let closed = PostgreSql::replica(primary(), &["-c", "hot_standby=off"]);
    let text = "the database system is not accepting connections (57P03) after";
    closed.wait_for("it refuses", || {
        nobody()
            .probe("postgres", closed.port, "")
            .body
            .contains(text)
    });
    nobody().probe("postgres", closed.port, "").is(503, text);
    login("checker", "s3cret", TlsUse::Auto)
        .probe("postgres", closed.port, "")
        .is(503, text);
}

#[test]
fn options_that_cannot_be_are_400() {
    nobody()
        .probe("postgres", 1, "role=leader")
        .is(400, "postgres: role is primary or replica, not 'leader'");
}

#[test]
fn a_closed_port_is_answered_at_once() {
    let start = Instant::now();
    login("checker", "s3cret", TlsUse::Auto)
        .probe("postgres", free_port(), "")
        .is(503, "connection refused after");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "it waited for the deadline"
    );
}

/// Probes a peer with credentials and without TLS, with a deadline of half a second.
fn ask(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Probed {
    ask_over(TlsUse::Off, serve)
}

fn ask_over(tls: TlsUse, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Probed {
    let prober = Prober::new(|c| {
        (c.postgres_username, c.postgres_password) = (Some("checker".into()), secret("s3cret"));
        c.postgres_tls = tls;
        c.healthcheck_timeout = Duration::from_millis(500);
    });
    let start = Instant::now();
    let probed = prober.probe("postgres", peer(serve), "");
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "the deadline did not hold: {probed:?}"
    );
    probed
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

#[test]
fn a_server_that_does_not_know_the_password_is_not_believed() {
    let begun = |stream: &mut TcpStream| {
        hear(stream);
        let _ = stream.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"));
        let first = String::from_utf8_lossy(&hear(stream)).into_owned();
        let nonce = first.split("r=").nth(1).unwrap().to_owned();
        let challenge = format!("r={nonce}x,s=c2FsdA==,i=4096");
        let _ = stream.write_all(&message(
            b'R',
            &[b"\0\0\0\x0b", challenge.as_bytes()].concat(),
        ));
        hear(stream);
    };
    let wrong = ask(move |mut stream| {
        begun(&mut stream);
        let _ = stream.write_all(&message(b'R', b"\0\0\0\x0cv=AAAA"));
        hear(&mut stream);
    });
    wrong.is(503, "the server does not know the password itself");
    let skipped = ask(move |mut stream| {
        begun(&mut stream);
        let _ = stream.write_all(&message(b'R', b"\0\0\0\0"));
        hear(&mut stream);
    });
    skipped.is(503, "the server ended the SCRAM exchange without its proof");
}

#[test]
fn tls_that_is_required_and_not_offered_is_named() {
    let refuse = |mut stream: TcpStream| {
        hear(&mut stream);
        stream.write_all(b"N").unwrap();
        hear(&mut stream);
    };
    ask_over(TlsUse::Required, refuse).is(
        503,
        "the server offers no TLS, and postgres_tls is required",
    );
    ask_over(TlsUse::Auto, refuse).is(503, "the server closed the connection");
}

#[test]
fn a_silent_peer_costs_the_deadline() {
    let probed = ask(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    probed.is(503, "Connection timed out after ");
    let port = peer(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    nobody()
        .probe("postgres", port, "")
        .is(503, "Connection timed out after ");
}

#[test]
fn a_slow_drip_costs_the_deadline() {
    let probed = ask(|mut stream| {
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
        (b"R\0\0\0\x06\0\0", "malformed authentication request"),
        (
            b"R\0\0\0\x08\0\0\0\x07",
            "the server wants authentication of kind 7, which is not supported",
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
    nobody().probe("postgres", http, "").is(
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
        assert_eq!(probed.status, 503);
        // Whichever comes first on this machine.
        let ends = ["the server sends too much", "Connection timed out"];
        assert!(
            ends.iter().any(|end| probed.body.contains(end)),
            "{probed:?}"
        );
    }
}
