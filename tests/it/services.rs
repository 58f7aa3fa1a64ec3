//! `services`: settings of single services, before real servers. `http_rules` and `sockets` have their answers and paths.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, mpsc};

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::TempDir;
use crate::support::checks::{check, check_by as ask, peer, scripted};
use crate::support::daemon::Daemon;
use crate::support::run;
use crate::support::server::{Server, certificate, free_port, require};

fn redis(folder: TempDir, lines: &str) -> Server {
    require("/usr/bin/redis-server", "redis-server");
    let config = folder.path().join("redis.conf");
    let text = format!(
        "bind 127.0.0.1\nsave \"\"\ndir {}\n{lines}",
        folder.path().display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/bin/redis-server");
    command.arg(config);
    Server::start(folder, &command)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// `tls-auth-clients yes` is Redis' own default with TLS.
#[test]
fn a_redis_that_demands_client_certificates_is_checked_with_one() {
    let (folder, client, other) = (TempDir::new(), TempDir::new(), TempDir::new());
    let (cert, key) = certificate(folder.path());
    let (client_cert, client_key) = certificate(client.path());
    let (other_cert, other_key) = certificate(other.path());
    let port = free_port();
    let lines = format!(
        "port 0\ntls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\n",
        shown(&cert),
        shown(&key),
        shown(&client_cert)
    );
    let server = redis(folder, &lines);
    let with = |cert: &Path, key: &Path| {
        format!(
            "services: {{cache: {{tls: {{verify: true, ca_file: {}, cert_file: {}, key_file: {}}}}}}}",
            shown(&server.folder().join("cert.pem")),
            shown(cert),
            shown(key)
        )
    };
    let path = format!("/redis/cache/{port}");
    let known = with(&client_cert, &client_key);
    server.wait_for("Redis pongs", || ask(&known, &path).status == 200);
    ask(&known, &path).is(200, "Sent PING, got back +PONG");
    ask(
        &known,
        &format!("/redis-info/cache/{port}/match?role=master"),
    )
    .has(200, "Match found");
    let unknown = ask(&with(&other_cert, &other_key), &path);
    assert!(unknown.status >= 500, "{unknown:?}");
    let none = "services: {cache: {tls: {verify: false}}}";
    let none = ask(none, &path);
    assert!(none.status >= 500, "{none:?}");
    // Another service shows no certificate.
    let other = ask(&known, &format!("/redis/other/{port}"));
    assert!(other.status >= 500, "{other:?}");
}

#[test]
fn a_client_certificate_that_cannot_be_used_is_told_at_the_start() {
    let (folder, other) = (TempDir::new(), TempDir::new());
    let (cert, _) = certificate(folder.path());
    let (cert, other) = (shown(&cert), shown(&certificate(other.path()).1));
    for (tls, said) in [
        (
            format!("{{cert_file: {cert}}}"),
            "it has no key_file beside it",
        ),
        (
            format!("{{key_file: {cert}}}"),
            "it has no cert_file beside it",
        ),
        (
            format!("{{cert_file: {cert}, key_file: /nowhere/key.pem}}"),
            "cannot use /nowhere/key.pem as a client's certificate: no such file or directory",
        ),
        (
            format!("{{cert_file: {cert}, key_file: {cert}}}"),
            "cert.pem as a client's",
        ),
        (
            format!("{{cert_file: {cert}, key_file: {other}}}"),
            "cert.pem as a client's certificate: its key is not the one in",
        ),
    ] {
        let file = folder.path().join("hacheck.yml");
        fs::write(&file, format!("services: {{cache: {{tls: {tls}}}}}\n")).unwrap();
        let port = free_port().to_string();
        let ran = run("hacheck", &["serve", "-c", &shown(&file), "-p", &port]);
        assert!(
            ran.code != Some(0) && ran.err.contains(said),
            "{tls}: {ran:?}"
        );
    }
}

#[test]
fn each_service_logs_in_with_its_own_password_where_its_own_list_says() {
    let (one, two) = (free_port(), free_port());
    let first = redis(TempDir::new(), &format!("port {one}\nrequirepass first\n"));
    let second = redis(TempDir::new(), &format!("port {two}\nrequirepass second\n"));
    let text = format!(
        "redis_password: first\nlogin_to: [\"local:{one}\"]\n\
         services:\n\
         \x20 other: {{login: {{password: second}}, login_to: [\"local:{two}\"]}}\n\
         \x20 nobody: {{login: off, login_to: [\"local:{two}\"]}}\n"
    );
    let path = |service: &str, port: u16| format!("/redis/{service}/{port}");
    first.wait_for("Redis pongs", || {
        ask(&text, &path("cache", one)).status == 200
    });
    second.wait_for("Redis pongs", || {
        ask(&text, &path("other", two)).status == 200
    });
    ask(&text, &path("cache", one)).is(200, "Sent PING, got back +PONG");
    ask(&text, &path("other", two)).is(200, "Sent PING, got back +PONG");
    ask(&text, &path("cache", two)).has(403, "it is outside login_to");
    ask(&text, &path("other", one)).has(403, "it is outside login_to");
    ask(&text, &path("nobody", two))
        .is(500, "Sent PING, got back -NOAUTH Authentication required.");
}

#[test]
fn haproxys_statistics_are_asked_for_behind_stats_auth_and_by_unix_socket() {
    require("/usr/sbin/haproxy", "haproxy");
    let up = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (folder, port) = (TempDir::new(), free_port());
    let socket = shown(&folder.path().join("stats.sock"));
    let config = folder.path().join("haproxy.cfg");
    let text = format!(
        "defaults\n mode http\n timeout connect 1s\n timeout client 5s\n timeout server 5s\n\
         frontend stats\n bind 127.0.0.1:{port}\n bind {socket} mode 666\n\
         \x20stats enable\n stats uri /admin/stats\n stats auth ops:s3same\n\
         backend web\n server s1 {} check inter 100ms\n",
        up.local_addr().unwrap()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(config);
    let server = Server::start(folder, &command);
    let login = "login: {username: ops, password: s3same}";
    let path = format!("/haproxy/web/{port}/admin/stats");
    let by_port = format!("services: {{web: {{{login}}}}}");
    server.wait_for("HAProxy answers", || ask(&by_port, &path).status == 200);
    ask(&by_port, &path).is(200, "web is UP");
    let by_socket = format!("services: {{web: {{{login}, socket: {socket}}}}}");
    ask(&by_socket, "/haproxy/web/0/admin/stats").is(200, "web is UP");
    assert_eq!(check(&path).status, 401);
    let wrong = "services: {web: {login: {username: ops, password: wrong}}}";
    assert_eq!(ask(wrong, &path).status, 401);
    let elsewhere = format!("services: {{web: {{{login}, login_to: [10.0.0.1]}}}}");
    ask(&elsewhere, &path).has(403, "it is outside login_to");
}

#[test]
fn the_proxy_protocol_comes_before_everything_else() {
    let (send, heard) = mpsc::channel();
    let port = peer(move |mut stream| {
        let from = stream.peer_addr()?;
        let mut bytes = [0; 256];
        let mut read = 0;
        while !bytes[..read].ends_with(b"PING\r\n") {
            read += stream.read(&mut bytes[read..])?;
        }
        let _ = send.send((bytes[..read].to_vec(), from.port()));
        stream.write_all(b"+PONG\r\n")
    });
    let path = format!("/redis/cache/{port}");
    ask("services: {cache: {proxy_protocol: v2}}", &path).is(200, "Sent PING, got back +PONG");
    let (bytes, _) = heard.recv().unwrap();
    assert_eq!(bytes, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0PING\r\n");
    ask("services: {cache: {proxy_protocol: v1}}", &path).is(200, "Sent PING, got back +PONG");
    let (bytes, from) = heard.recv().unwrap();
    let head = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {port}\r\nPING\r\n");
    assert_eq!(bytes, head.as_bytes());
}

/// Settings of a TLS server with a certificate in a folder.
fn tls_server(folder: &Path) -> Arc<ServerConfig> {
    let (cert, key) = certificate(folder);
    let certs = CertificateDer::pem_file_iter(cert).unwrap();
    let certs = certs.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .unwrap();
    Arc::new(tls)
}

fn over_tls(
    tls: &Arc<ServerConfig>,
    stream: TcpStream,
) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(Arc::clone(tls)).unwrap(), stream)
}

/// The next line that a client sends.
fn hear(stream: &mut impl std::io::Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

/// Peers of ours, which hear each word that is sent; `smtp.rs` has a real server.
#[test]
fn a_mail_server_is_asked_over_tls_from_the_start_and_by_starttls() {
    let folder = TempDir::new();
    let tls = tls_server(folder.path());
    let starting = Arc::clone(&tls);
    let plain = peer(move |mut stream| {
        stream.write_all(b"220 x\r\n")?;
        assert_eq!(hear(&mut stream), "EHLO localhost\r\n");
        stream.write_all(b"250-x\r\n250 STARTTLS\r\n")?;
        assert_eq!(hear(&mut stream), "STARTTLS\r\n");
        stream.write_all(b"220 go ahead\r\n")?;
        let mut stream = over_tls(&starting, stream);
        assert_eq!(hear(&mut stream), "QUIT\r\n");
        stream.write_all(b"221 bye\r\n")
    });
    let secure = peer(move |stream| {
        let mut stream = over_tls(&tls, stream);
        stream.write_all(b"220 x\r\n")?;
        assert_eq!(hear(&mut stream), "QUIT\r\n");
        stream.write_all(b"221 bye\r\n")
    });
    let ca = shown(&folder.path().join("cert.pem"));
    let verified =
        format!("services: {{mail: {{tls: {{verify: true, ca_file: {ca}, starttls: true}}}}}}");
    ask(&verified, &format!("/smtp/mail/{plain}")).has(200, "Connected in ");
    ask(&verified, &format!("/smtps/mail/{secure}")).has(200, "Connected in ");
    let implicit = "services: {mail: {tls: {}}}";
    ask(implicit, &format!("/smtp/mail/{secure}")).has(200, "Connected in ");
    check(&format!("/smtps/mail/{secure}")).has(200, "Connected in ");
    let strict = "services: {mail: {tls: {verify: true, starttls: true}}}";
    ask(strict, &format!("/smtp/mail/{plain}")).has(503, "TLS handshake failed");
    ask(strict, &format!("/smtps/mail/{secure}")).has(503, "TLS handshake failed");
}

/// The certificates of tests end in two days.
#[test]
fn the_tls_check_shakes_hands_and_looks_at_the_certificates_end() {
    let folder = TempDir::new();
    let tls = tls_server(folder.path());
    let port = peer(move |stream| {
        let mut stream = over_tls(&tls, stream);
        stream.read_to_end(&mut Vec::new()).map(drop)
    });
    let path = format!("/tls/web/{port}");
    check(&path).has(200, "TLS 1.3, the certificate ends in ");
    check(&format!("{path}?min_days=1")).has(200, "TLS 1.3, the certificate ends in ");
    check(&format!("{path}?min_days=14")).has(503, " days, less than 14 days");
    check(&format!("{path}?min_days=soon")).has(400, "min_days is a number of whole days");
    check(&format!("{path}?days=3")).has(400, "unknown option 'days'");
    ask("tls_verify: true", &path).has(503, "TLS handshake failed");
    let ca = shown(&folder.path().join("cert.pem"));
    let trusting = format!("services: {{web: {{tls: {{verify: true, ca_file: {ca}}}}}}}");
    ask(&trusting, &path).has(200, "TLS 1.3, the certificate ends in ");
    let mute = scripted(b"220 hello\r\n", &[]);
    check(&format!("/tls/web/{mute}")).has(503, "TLS handshake failed");
}

#[test]
fn a_server_that_has_no_starttls_or_adds_words_to_its_answer_fails() {
    let starttls = "services: {mail: {tls: {starttls: true}}}";
    let none = scripted(b"220 x\r\n", &[b"250 x\r\n", b"502 no\r\n"]);
    ask(starttls, &format!("/smtp/mail/{none}"))
        .has(503, "Got unexpected STARTTLS response '502 no'");
    let added = scripted(b"220 x\r\n", &[b"250 x\r\n", b"220 go\r\n221 bye\r\n"]);
    ask(starttls, &format!("/smtp/mail/{added}")).has(503, "more than its answer to STARTTLS");
}

#[test]
fn config_shows_what_counts_for_a_service() {
    let folder = TempDir::new();
    let file = folder.path().join("hacheck.yml");
    let text = "healthcheck_timeout: 9\nservices: {\"db-*\": {timeout: 2}, db-1: {login: {username: probe, password: hunter2}}}\n";
    fs::write(&file, text).unwrap();
    let ran = run(
        "hacheck",
        &["config", "--service", "db-1", "-c", &shown(&file)],
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for line in [
        "timeout: 2\n",
        "login: {username: probe, password: \"***\"}\n",
        "login_to: [local]\n",
    ] {
        assert!(ran.out.contains(line), "{line}{ran:?}");
    }
    let other = run("hacheck", &["config", "-s", "web", "-c", &shown(&file)]);
    assert!(other.out.contains("timeout: 9\n"), "{other:?}");
    let bad = run("hacheck", &["config", "-s", "a/b", "-c", &shown(&file)]);
    assert_eq!(bad.code, Some(2), "{bad:?}");
}

/// Made-up names that fit a pattern must not make a probe each.
#[test]
fn services_of_one_pattern_share_results() {
    let (send, asked) = mpsc::channel();
    let port = peer(move |mut stream| {
        let _ = send.send(());
        stream.read_exact(&mut [0; 6])?;
        stream.write_all(b"+PONG\r\n")
    });
    let daemon = Daemon::with_config("services: {\"*\": {timeout: 5}, own: {timeout: 6}}\n");
    for service in ["a", "b", "c", "own", "own"] {
        let answer = daemon.get(&format!("/redis/{service}/{port}"));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(asked.try_iter().count(), 2);
}
