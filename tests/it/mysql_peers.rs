//! `mysql` against scripted peers: handshakes that no server here speaks, and peers that misbehave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hacheck::probe::TlsUse;
use ring::digest::{SHA256, digest};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::TempDir;
use crate::support::probing::{Probed, Prober, secret};
use crate::support::server::{certificate, drip, peer, run_to_end};

const NONCE: &[u8; 20] = b"abcdefghijklmnopqrst";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";

/// PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, LONG_PASSWORD.
const CAPABILITIES: u32 = 0x0008_8201;
const CLIENT_SSL: u32 = 0x800;

fn prober(tls: TlsUse, timeout: Duration) -> Prober {
    Prober::new(|c| {
        c.mysql_username = Some("checker".into());
        c.mysql_password = secret("s3cret");
        c.mysql_tls = tls;
        c.healthcheck_timeout = timeout;
    })
}

/// Probes a peer, with a deadline of half a second.
fn ask(query: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Probed {
    prober(TlsUse::Off, Duration::from_millis(500)).probe("mysql", peer(serve), query)
}

fn send(stream: &mut impl Write, number: u8, payload: &[u8]) {
    let mut packet = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    packet[3] = number;
    packet.extend_from_slice(payload);
    // The client may have left already.
    let _ = stream.write_all(&packet);
}

/// The payload of the next packet; empty at the end.
fn receive(stream: &mut impl Read) -> Vec<u8> {
    let mut head = [0; 4];
    if stream.read_exact(&mut head).is_err() {
        return Vec::new();
    }
    let mut payload =
        vec![0; usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16];
    stream.read_exact(&mut payload).unwrap();
    payload
}

fn greeting(capabilities: u32, plugin: &str) -> Vec<u8> {
    let caps = capabilities.to_le_bytes();
    let mut greeting = b"\x0a8.0.36\0\x4d\0\0\0".to_vec();
    greeting.extend_from_slice(&NONCE[..8]);
    greeting.extend_from_slice(&[0, caps[0], caps[1], 0x21, 2, 0, caps[2], caps[3], 21]);
    greeting.extend_from_slice(&[0; 10]);
    greeting.extend_from_slice(&NONCE[8..]);
    greeting.push(0);
    greeting.extend_from_slice(plugin.as_bytes());
    greeting.push(0);
    greeting
}

/// Lets anybody in, without looking.
fn let_in(stream: &mut TcpStream) {
    send(stream, 0, &greeting(CAPABILITIES, "mysql_native_password"));
    receive(stream);
    send(stream, 2, OK);
}

/// `caching_sha2_password`: SHA256(password) XOR SHA256(SHA256(SHA256(password)) + nonce).
fn sha2_proof() -> Vec<u8> {
    let once = digest(&SHA256, b"s3cret");
    let twice = digest(&SHA256, once.as_ref());
    let mask = digest(&SHA256, &[twice.as_ref(), NONCE].concat());
    once.as_ref()
        .iter()
        .zip(mask.as_ref())
        .map(|(a, b)| a ^ b)
        .collect()
}

fn expect_login(stream: &mut (impl Read + Write)) {
    let login = receive(stream);
    let proof = [
        &b"checker\0\x20"[..],
        &sha2_proof(),
        b"caching_sha2_password\0",
    ]
    .concat();
    assert!(login.windows(proof.len()).any(|w| w == proof), "{login:?}");
}

#[test]
fn caching_sha2_password_takes_the_fast_way() {
    let port = peer(|mut stream| {
        send(
            &mut stream,
            0,
            &greeting(CAPABILITIES, "caching_sha2_password"),
        );
        expect_login(&mut stream);
        send(&mut stream, 2, b"\x01\x03");
        send(&mut stream, 3, b"\0\0\0\x02\0\0\0\x05hello");
        assert_eq!(receive(&mut stream), b"\x01");
    });
    let probed = prober(TlsUse::Off, Duration::from_secs(20)).probe("mysql", port, "");
    probed.is(200, "MySQL connect response: MySQLResponse(OK)<hello>");
}

#[test]
fn caching_sha2_password_sends_the_password_over_tls_when_the_server_has_not_cached_it() {
    let folder = TempDir::new();
    let (cert, key) = certificate(folder.path());
    let certs = CertificateDer::pem_file_iter(cert)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .unwrap();
    let tls = Arc::new(tls);
    let port = peer(move |mut stream| {
        send(
            &mut stream,
            0,
            &greeting(CAPABILITIES | CLIENT_SSL, "caching_sha2_password"),
        );
        assert_eq!(receive(&mut stream).len(), 32, "an SSL request");
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&tls)).unwrap(), stream);
        expect_login(&mut stream);
        send(&mut stream, 3, b"\x01\x04");
        let right = receive(&mut stream) == b"s3cret\0";
        send(
            &mut stream,
            5,
            if right { OK } else { b"\xff\x15\x04#28000no" },
        );
        receive(&mut stream);
    });
    prober(TlsUse::Required, Duration::from_secs(20))
        .probe("mysql", port, "")
        .is(200, "MySQLResponse(OK)");
}

#[test]
fn the_password_never_goes_in_clear_text_without_tls() {
    let probed = ask("", |mut stream| {
        send(
            &mut stream,
            0,
            &greeting(CAPABILITIES, "mysql_native_password"),
        );
        receive(&mut stream);
        send(&mut stream, 2, b"\xfemysql_clear_password\0");
        assert_eq!(receive(&mut stream), b"", "nothing is sent");
    });
    probed.is(503, "the server wants the password in clear text");
}

#[test]
fn tls_that_is_required_and_not_offered_is_named() {
    let port = peer(|mut stream| {
        send(
            &mut stream,
            0,
            &greeting(CAPABILITIES, "mysql_native_password"),
        );
        receive(&mut stream);
    });
    let probed = prober(TlsUse::Required, Duration::from_secs(20)).probe("mysql", port, "");
    probed.is(503, "the server offers no TLS, and mysql_tls is required");
}

#[test]
fn an_error_in_place_of_the_greeting_is_500_with_its_text() {
    for packet in [
        &b"\xff\x69\x04Host 'x' is blocked"[..],
        b"\xff\x69\x04#08004Host 'x' is blocked",
    ] {
        let probed = ask("", |mut stream| send(&mut stream, 0, packet));
        assert_eq!(
            (probed.status, probed.body.as_str()),
            (500, "MySQL sez MySQLResponse(ERR)<Host 'x' is blocked>")
        );
    }
}

#[test]
fn a_silent_peer_costs_the_deadline() {
    let probed = ask("", |mut stream| drop(stream.read(&mut [0; 100])));
    probed.is(503, "Connection timed out after ");
    let probed = ask("", |mut stream| {
        send(
            &mut stream,
            0,
            &greeting(CAPABILITIES, "mysql_native_password"),
        );
        drop(stream.read_to_end(&mut Vec::new()));
    });
    probed.is(503, "Connection timed out after ");
}

#[test]
fn a_slow_drip_costs_the_deadline() {
    let probed = ask("", |mut stream| {
        drip(
            &mut stream,
            &[
                &[0x4a, 0, 0, 0][..],
                &greeting(CAPABILITIES, "mysql_native_password"),
            ]
            .concat(),
        );
    });
    probed.is(503, "Connection timed out after ");
}

#[test]
fn a_peer_that_leaves_is_named() {
    let leave: fn(TcpStream) = drop;
    ask("", leave).is(503, "the server closed the connection after");
    let half = ask("", |mut stream| {
        stream.write_all(&[0x4a, 0, 0, 0, 0x0a, b'8']).unwrap();
    });
    assert_eq!(half.status, 503, "{half:?}");
    let after_greeting = ask("", |mut stream| {
        send(
            &mut stream,
            0,
            &greeting(CAPABILITIES, "mysql_native_password"),
        );
        receive(&mut stream);
    });
    after_greeting.is(503, "the server closed the connection after");
}

#[test]
fn other_protocols_are_named() {
    for noise in [
        &b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"+PONG\r\n",
        b"\x01\0\0\0\x0a",
        b"\x03\0\0\0\x0a\xff\xff",
        b"\0\0\0\0",
    ] {
        let probed = ask("", move |mut stream| {
            stream.write_all(noise).unwrap();
            drop(stream.read_to_end(&mut Vec::new()));
        });
        assert_eq!(probed.status, 503, "{noise:?}: {probed:?}");
        assert!(
            !probed.body.contains("error: "),
            "doubled or raw error text: {probed:?}"
        );
    }
}

#[test]
fn endless_bytes_cost_the_deadline_at_most() {
    for byte in [0, 0x20, 0xff] {
        let probed = ask(
            "",
            move |mut stream| while stream.write_all(&[byte; 65536]).is_ok() {},
        );
        assert_eq!(probed.status, 503, "{probed:?}");
    }
}

#[test]
fn an_rsa_key_that_is_none_is_a_failure() {
    let port = peer(|mut stream| {
        send(
            &mut stream,
            0,
            &greeting(CAPABILITIES, "caching_sha2_password"),
        );
        receive(&mut stream);
        send(&mut stream, 2, b"\x01\x04");
        receive(&mut stream);
        send(&mut stream, 4, b"\x01garbage");
        receive(&mut stream);
    });
    let probed = prober(TlsUse::Off, Duration::from_secs(20)).probe("mysql", port, "");
    probed.is(
        503,
        "mysql_async does not understand the server: valid PEM is mandatory here after",
    );
}

#[test]
fn an_account_that_needs_parsec_is_told_so() {
    let probed = prober(TlsUse::Off, Duration::from_secs(20)).probe(
        "mysql",
        peer(|mut stream| {
            send(
                &mut stream,
                0,
                &greeting(CAPABILITIES, "mysql_native_password"),
            );
            receive(&mut stream);
            send(&mut stream, 2, &[b"\xfeparsec\0", &[7; 32][..]].concat());
            receive(&mut stream);
            send(&mut stream, 4, &[b"\x01P\0", &[7; 18][..]].concat());
            receive(&mut stream);
        }),
        "",
    );
    probed.is(
        503,
        ": the account's authentication plugin 'parsec' is not supported; give the account another plugin after",
    );
}

#[test]
fn an_account_that_needs_an_unknown_plugin_is_told_so() {
    let probed = ask("", |mut stream| {
        send(
            &mut stream,
            0,
            &greeting(CAPABILITIES, "mysql_native_password"),
        );
        receive(&mut stream);
        send(&mut stream, 2, b"\xfedialog\0password:");
        receive(&mut stream);
    });
    probed.is(
        503,
        ": the account's authentication plugin 'dialog' is not supported; give the account another plugin after",
    );
}

#[test]
fn a_login_alone_sends_no_statement() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let probed = ask("", move |mut stream| {
        let_in(&mut stream);
        sender.send(receive(&mut stream)).unwrap();
    });
    probed.is(200, "MySQLResponse(OK)<>");
    let said = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(said, b"\x01", "nothing but good-bye");
}

#[test]
fn a_statement_that_is_not_answered_leaves_no_connection_behind() {
    // One row of one column, then silence: what mysql_async would go on to read by itself.
    let (sender, receiver) = std::sync::mpsc::channel();
    let probed = ask("galera=synced", move |mut stream| {
        let_in(&mut stream);
        receive(&mut stream);
        send(&mut stream, 1, b"\x01");
        send(
            &mut stream,
            2,
            b"\x03def\0\0\0\x01a\0\x0c\x21\0\x40\0\0\0\xfd\0\0\0\0\0",
        );
        send(&mut stream, 3, b"\xfe\0\0\x02\0");
        send(&mut stream, 4, b"\x01x");
        let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
        sender
            .send(stream.read(&mut [0; 64]).map_err(|e| e.kind()))
            .unwrap();
    });
    probed.is(503, "waiting for the answer to a statement");
    let end = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(
        end,
        Ok(0),
        "the connection is closed, and nothing more is said"
    );
}

#[test]
fn garbage_after_the_login_is_a_failure() {
    for noise in [
        &b"\x05\0\0\x01hello"[..],
        b"\x01\0\0\x07\x01",
        b"\x01\0\0\x01\xfb",
        b"\0\0\0\x01",
    ] {
        let probed = ask("role=primary", move |mut stream| {
            let_in(&mut stream);
            receive(&mut stream);
            let _ = stream.write_all(noise);
        });
        assert_eq!(probed.status, 503, "{noise:?}: {probed:?}");
    }
}

/// A column of text, as a definition.
fn column(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    [
        b"\x03def\0\0\0",
        &[length][..],
        name.as_bytes(),
        b"\0\x0c\x21\0\x40\0\0\0\xfd\0\0\0\0\0",
    ]
    .concat()
}

/// Answers a statement with one row; the values are below 251 bytes.
fn send_row(stream: &mut TcpStream, row: &[(&str, &str)]) {
    let mut number = 1;
    let mut send_next = |payload: &[u8]| {
        send(stream, number, payload);
        number += 1;
    };
    send_next(&[u8::try_from(row.len()).unwrap()]);
    row.iter().for_each(|(name, _)| send_next(&column(name)));
    send_next(b"\xfe\0\0\x02\0");
    let value = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    send_next(
        &row.iter()
            .flat_map(|(_, text)| value(text))
            .collect::<Vec<_>>(),
    );
    send_next(b"\xfe\0\0\x02\0");
}

#[test]
fn the_replica_status_of_mysql_8_and_before_is_understood() {
    const NEW: [&str; 3] = [
        "Replica_IO_Running",
        "Replica_SQL_Running",
        "Seconds_Behind_Source",
    ];
    const OLD: [&str; 3] = [
        "Slave_IO_Running",
        "Slave_SQL_Running",
        "Seconds_Behind_Master",
    ];
    for (statement, names) in [("SHOW REPLICA STATUS", NEW), ("SHOW SLAVE STATUS", OLD)] {
        for (values, status, text) in [
            (["Yes", "Yes", "7"], 200, "; replica, lag 7 s"),
            (["Yes", "Yes", "31"], 503, ": lag 31 s is over 30 s after"),
            (
                ["Connecting", "Yes", "0"],
                503,
                ": replica, IO thread running: Connecting: cannot connect after",
            ),
            (
                ["Yes", "No", "0"],
                503,
                ": replica, SQL thread running: No after",
            ),
            (["Yes", "Yes", ""], 503, ": replica, lag unknown after"),
        ] {
            let probed = ask("max_lag=30", move |mut stream| {
                let_in(&mut stream);
                while let [3, asked @ ..] = &receive(&mut stream)[..] {
                    if asked == statement.as_bytes() {
                        let [io, sql, lag] = [0, 1, 2].map(|i| (names[i], values[i]));
                        send_row(
                            &mut stream,
                            &[io, sql, ("Last_IO_Error", "cannot connect"), lag],
                        );
                    } else {
                        send(
                            &mut stream,
                            1,
                            b"\xff\x28\x04#42000You have an error in your SQL syntax",
                        );
                    }
                }
            });
            probed.is(status, text);
        }
    }
}

#[test]
fn a_panic_of_mysql_async_is_a_failed_probe() {
    // 2^63 columns. (2^48 of them end the process, see SECURITY.md.)
    let probed = ask("role=primary", move |mut stream| {
        let_in(&mut stream);
        receive(&mut stream);
        send(&mut stream, 1, b"\xfe\0\0\0\0\0\0\0\x80");
        receive(&mut stream);
    });
    probed.is(
        503,
        "mysql_async does not understand the server: capacity overflow after",
    );
}

#[test]
fn caching_sha2_password_encrypts_the_password_for_the_servers_key_where_there_is_no_tls() {
    let folder = Arc::new(TempDir::new());
    let key = folder.path().join("rsa.pem");
    run_to_end(
        Command::new("openssl")
            .args(["genrsa", "-out"])
            .arg(&key)
            .arg("2048"),
    );
    let public = run_to_end(
        Command::new("openssl")
            .args(["rsa", "-pubout", "-in"])
            .arg(&key),
    );
    let port = peer(move |mut stream| {
        send(
            &mut stream,
            0,
            &greeting(CAPABILITIES, "caching_sha2_password"),
        );
        expect_login(&mut stream);
        send(&mut stream, 2, b"\x01\x04");
        assert_eq!(receive(&mut stream), b"\x02", "the question for the key");
        send(&mut stream, 4, &[b"\x01", public.as_bytes()].concat());
        let secret = folder.path().join("secret");
        std::fs::write(&secret, receive(&mut stream)).unwrap();
        let mut decrypt = Command::new("openssl");
        decrypt
            .args([
                "pkeyutl",
                "-decrypt",
                "-pkeyopt",
                "rsa_padding_mode:oaep",
                "-inkey",
            ])
            .arg(&key);
        let masked = decrypt.arg("-in").arg(&secret).output().unwrap().stdout;
        let password: Vec<u8> = masked
            .iter()
            .zip(NONCE.iter())
            .map(|(a, b)| a ^ b)
            .collect();
        send(
            &mut stream,
            6,
            if password == b"s3cret\0" {
                OK
            } else {
                b"\xff\x15\x04#28000no"
            },
        );
        receive(&mut stream);
    });
    prober(TlsUse::Off, Duration::from_secs(20))
        .probe("mysql", port, "")
        .is(200, "MySQLResponse(OK)");
}
