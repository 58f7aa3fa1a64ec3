//! Ports with TLS: what balancers see of them, whose certificates count, and what becomes of those that shake no hands.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::support::authority::{Authority, Signed, client_config, connect_tls, hello};
use crate::support::block_on;
use crate::support::client::{connect, exchange};
use crate::support::daemon::{Daemon, Setup};
use crate::support::haproxy::Haproxy;
use crate::support::http2::{get, requests_over};
use crate::support::server::free_port;
use crate::support::{PATIENCE, run, wait_until};

/// A daemon with a port for TLS.
struct Encrypted {
    daemon: Daemon,
    address: SocketAddr,
    authority: Authority,
    host: Signed,
}

impl Encrypted {
    /// With further settings.
    fn start(more: &str) -> Self {
        let authority = Authority::new();
        let host = authority.sign_host("host");
        let port = free_port();
        let text = config(port, &host, more);
        let daemon = Setup::new().config(text).start();
        Self {
            address: (daemon.address.ip(), port).into(),
            daemon,
            authority,
            host,
        }
    }

    fn curl(&self, options: &[&str], path: &str) -> String {
        curl(self.address, &self.authority.cert(), options, path)
    }

    fn metric(&self, name: &str) -> f64 {
        self.daemon.metric(name)
    }
}

fn config(port: u16, host: &Signed, more: &str) -> String {
    let (cert, key) = (host.cert.display(), host.key.display());
    format!("listen_tls: [{port}]\ntls_cert_file: {cert}\ntls_key_file: {key}\n{more}\n")
}

/// Body, version and status of an answer, or what curl complains of.
fn curl(address: SocketAddr, ca: &Path, options: &[&str], path: &str) -> String {
    let mut command = Command::new("curl");
    let format = " (%{http_version} %{http_code})\n";
    command.args(["-sS", "-m", "60", "-w", format, "--cacert"]);
    command.arg(ca).args(options);
    command.arg(format!("https://{address}{path}"));
    let output = command.output();
    let output = output.expect("curl is missing: apt-get install curl");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn curl_is_answered_within_tls_by_the_version_that_it_prefers() {
    let host = Encrypted::start("");
    assert_eq!(host.curl(&["--http1.1"], "/healthz"), "ok\n (1.1 200)\n");
    assert_eq!(host.curl(&["--http2"], "/healthz"), "ok\n (2 200)\n");
    assert_eq!(host.curl(&["--no-alpn"], "/healthz"), "ok\n (1.1 200)\n");
    let version = ["--tls-max", "1.2"];
    assert_eq!(host.curl(&version, "/healthz"), "ok\n (2 200)\n");
    host.daemon.run("hadown", &["-r", "disk", "web"]).code_is(0);
    let down = host.curl(&[], "/spool/web/80");
    assert!(down.starts_with("Service web in down state"), "{down}");
    assert!(down.ends_with(" (2 503)\n"), "{down}");
    // The port in clear text is there as before.
    host.daemon.get("/healthz").is(200, "ok\n");
}

#[test]
fn without_http2_only_http1_is_offered_within_tls() {
    let host = Encrypted::start("http2: false");
    assert_eq!(host.curl(&["--http2"], "/healthz"), "ok\n (1.1 200)\n");
}

#[test]
fn haproxy_checks_within_tls_by_http1_and_http2() {
    let host = Encrypted::start("");
    let (address, ca) = (host.address, host.authority.cert());
    let ca = ca.display();
    let haproxy = Haproxy::start(&format!(
        "backend web\n  option httpchk GET /spool/web/80\n  default-server inter 100ms fall 2 rise 2\n  \
         server one {address} check check-ssl verify required ca-file {ca}\n  \
         server two {address} check check-ssl verify none check-alpn h2\n\
         frontend f\n  bind unix@front\n  default_backend web\n"
    ));
    for server in ["one", "two"] {
        haproxy.wait_for_check("web", server, "200", "");
    }
    host.daemon.run("hadown", &["-r", "disk", "web"]).code_is(0);
    for server in ["one", "two"] {
        haproxy.wait_for("web", server, "DOWN");
    }
}

#[test]
fn a_new_certificate_drops_no_connection_and_fails_no_poll() {
    let host = Encrypted::start("");
    let other = Authority::new();
    let new = other.sign_host("host");
    let old = client_config(&host.authority.cert(), &["h2"]);
    // Begins under the old certificate, goes on while it is replaced.
    let kept = block_on_thread(host.address, &old);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let polls = scope.spawn(|| {
            let mut polls = 0;
            while !stop.load(Ordering::Relaxed) {
                let said = curl(host.address, &host.authority.cert(), &["-k"], "/healthz");
                assert_eq!(said, "ok\n (2 200)\n");
                polls += 1;
            }
            polls
        });
        for files in [&new, &host.host, &new] {
            let text = config(host.address.port(), files, "");
            host.daemon.reload(&text, "configuration read from");
        }
        let said = curl(host.address, &other.cert(), &[], "/healthz");
        assert_eq!(said, "ok\n (2 200)\n");
        stop.store(true, Ordering::Relaxed);
        assert!(polls.join().unwrap() > 0);
    });
    kept.finish();
    assert!(host.curl(&[], "/healthz").contains("curl: (60)"));
}

/// A connection that stays open in a thread of its own, and is asked once more at its end.
struct KeptTls {
    asked: std::sync::mpsc::Sender<()>,
    thread: thread::JoinHandle<()>,
}

fn block_on_thread(
    address: SocketAddr,
    config: &std::sync::Arc<tokio_rustls::rustls::ClientConfig>,
) -> KeptTls {
    let (asked, asks) = std::sync::mpsc::channel::<()>();
    let (begun, begins) = std::sync::mpsc::channel::<()>();
    let config = config.clone();
    let thread = thread::spawn(move || {
        block_on(async {
            let stream = connect_tls(address, &config).await;
            begun.send(()).unwrap();
            asks.recv().unwrap();
            let answers = requests_over(stream, &[get("/healthz")]).await;
            answers[0].is(200, "ok\n");
        });
    });
    begins.recv().unwrap();
    KeptTls { asked, thread }
}

impl KeptTls {
    fn finish(self) {
        self.asked.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

#[test]
fn a_certificate_that_cannot_be_used_changes_nothing() {
    let host = Encrypted::start("");
    let other = host.authority.sign_host("other");
    let port = host.address.port();
    let mixed = Signed {
        cert: other.cert,
        key: host.host.key.clone(),
    };
    let missing = Signed {
        cert: "/nonexistent/cert.pem".into(),
        key: host.host.key.clone(),
    };
    let no_key = Signed {
        cert: host.host.cert.clone(),
        key: host.host.cert.clone(),
    };
    for (files, complaint) in [
        (&mixed, "tls_key_file: cannot use "),
        (
            &missing,
            "tls_cert_file: cannot use /nonexistent/cert.pem: ",
        ),
        (&no_key, "there is none in it; it must hold the private key"),
    ] {
        host.daemon.reload(&config(port, files, ""), complaint);
        assert_eq!(host.curl(&[], "/healthz"), "ok\n (2 200)\n");
    }
    let folder = host.daemon.spool.outside();
    fs::write(folder.join("bad.yml"), "listen_tls: [3443]\n").unwrap();
    let file = folder.join("bad.yml");
    let ran = run("hacheck", &["config", "-c", file.to_str().unwrap()]);
    ran.code_is(1);
    assert!(
        ran.err
            .contains("'listen_tls' has no tls_cert_file beside it"),
        "{ran:?}"
    );
}

#[test]
fn who_shakes_no_hands_is_closed_in_time_and_what_is_no_tls_is_counted() {
    let host = Encrypted::start("header_timeout: 0.5");
    let hello = hello(&client_config(&host.authority.cert(), &[]));
    for part in [&b""[..], &hello[..hello.len() / 2], &hello] {
        let mut stream = connect(host.address);
        stream.write_all(part).unwrap();
        // It ends, in whatever manner.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    exchange(host.address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    let kind = "hacheck_connections_foreign_total{kind=\"http\"}";
    assert_eq!(host.metric(kind), 1.0);
    host.daemon
        .wait_for_log("plain HTTP, which this port does not speak");
    assert_eq!(host.metric("hacheck_tls_handshakes_failed_total"), 0.0);
    // A client that refuses our certificate says so later than that on a busy machine.
    let text = config(host.address.port(), &host.host, "header_timeout: 60");
    host.daemon.reload(&text, "configuration read from");
    let refused = host.curl(
        &["--cacert", "/etc/ssl/certs/ca-certificates.crt"],
        "/healthz",
    );
    assert!(refused.contains("curl: (60)"), "{refused}");
    let failed = "hacheck_tls_handshakes_failed_total";
    wait_until(PATIENCE, "it is counted", || host.metric(failed) == 1.0);
    let garbage = host.curl(&["-X", "G@T"], "/healthz");
    assert!(!garbage.contains("200"), "{garbage}");
    assert_eq!(
        host.metric("hacheck_connections_foreign_total{kind=\"tls\"}"),
        0.0
    );
}

#[test]
fn a_client_certificate_is_not_demanded_and_stands_in_for_a_token() {
    let clients = Authority::new();
    let token = "0123456789abcdef-token";
    let folder = crate::support::TempDir::new();
    let file = folder.path().join("token");
    fs::write(&file, token).unwrap();
    let ca = clients.cert();
    let more = format!(
        "allow_remote_spool_changes: true\nremote_spool_tokens: {}\ntls_client_ca_file: {}\n\
         remote_spool_certs: [deploy.test, 'spiffe://test/deploy']\n",
        file.display(),
        ca.display()
    );
    let host = Encrypted::start(&more);
    let post = |files: Option<&Signed>, more: &[&str]| {
        let mut options = vec!["-d", "status=down&reason=disk"];
        if let Some(files) = files {
            options.extend(["--cert", files.cert.to_str().unwrap()]);
            options.extend(["--key", files.key.to_str().unwrap()]);
        }
        options.extend(more);
        host.curl(&options, "/spool/web/0")
    };
    // By HTTP/1: curl 7.88 does not like to be answered over HTTP/2 while it still sends a form.
    let refused = post(None, &["--http1.1"]);
    assert!(refused.ends_with("(1.1 401)\n"), "{refused}");
    assert_eq!(host.curl(&[], "/healthz"), "ok\n (2 200)\n");
    let bearer = format!("Authorization: Bearer {token}");
    assert_eq!(post(None, &["-H", &bearer]), " (2 200)\n");
    for (name, alternatives, status) in [
        ("dns", "DNS:other.test,DNS:deploy.test", "200"),
        ("uri", "URI:spiffe://test/deploy", "200"),
        ("other", "DNS:other.test", "401"),
        ("wild", "DNS:*.test", "401"),
        ("longer", "URI:spiffe://test/deploy/x", "401"),
    ] {
        let files = clients.sign(name, alternatives);
        let said = post(Some(&files), &["--http1.1"]);
        assert!(
            said.ends_with(&format!("(1.1 {status})\n")),
            "{name}: {said}"
        );
    }
    host.daemon
        .wait_for_log("with the certificate of deploy.test");
    // A page of another site gains nothing by the certificate of who looks at it.
    let files = clients.sign("browser", "DNS:deploy.test");
    let said = post(
        Some(&files),
        &["--http1.1", "-H", "Origin: https://evil.test"],
    );
    assert!(said.ends_with("(1.1 403)\n"), "{said}");
    // Nobody whom we trust has signed this one.
    let stranger = Authority::new().sign("stranger", "DNS:deploy.test");
    assert!(post(Some(&stranger), &[]).contains("curl: ("));
    // In clear text there is no certificate.
    let plain = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(
        host.daemon
            .request("POST", "/spool/web/0?status=up", &plain)
            .status,
        401
    );
}

#[test]
fn a_balancer_is_answered_beside_a_flood_of_handshakes() {
    let host = Encrypted::start("");
    let address = host.address;
    let haproxy = Haproxy::start(&format!(
        "backend web\n  option httpchk GET /spool/web/80\n  timeout check 5s\n  \
         server s1 {address} check check-ssl verify none inter 2s fall 1 rise 1\n\
         frontend f\n  bind unix@front\n  default_backend web\n"
    ));
    // HAProxy gives a connection and its handshake no longer than inter, which a busy machine may need.
    haproxy.wait_for_check("web", "s1", "200", "");
    let hello = hello(&client_config(&host.authority.cert(), &[]));
    let polls = || host.daemon.get("/pollers").json()["pollers"][0]["polls"].as_u64();
    let (before, began, is_over) = (polls().unwrap(), Instant::now(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_until(PATIENCE, "it polls beside the flood", || {
                polls() >= Some(before + 2)
            });
            is_over.store(true, Ordering::Relaxed);
        });
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) && began.elapsed() < PATIENCE {
                    let mut stream = connect(address);
                    stream.write_all(&hello).unwrap();
                    // The server has signed when it answers.
                    let _ = stream.read(&mut [0; 1]);
                }
            });
        }
    });
    haproxy.wait_for("web", "s1", "UP");
    assert_eq!(haproxy.stat("web", "s1", "chkdown"), "0");
}

#[test]
fn strangers_are_dropped_before_their_handshake() {
    let encrypted = Encrypted::start("allow_from: 127.0.0.2");
    let said = encrypted.curl(&[], "/healthz");
    assert!(!said.starts_with("ok"), "{said}");
    encrypted.daemon.wait_for_log("which is outside allow_from");
    let port = encrypted.address.port();
    let text = config(port, &encrypted.host, "allow_from: 127.0.0.1");
    encrypted.daemon.reload(&text, "configuration read from");
    let said = encrypted.curl(&[], "/healthz");
    assert!(said.starts_with("ok"), "{said}");
}

#[test]
fn a_header_of_the_proxy_protocol_comes_before_the_handshake() {
    let host = Encrypted::start("proxy_protocol_from: 127.0.0.1");
    let header = ["--haproxy-protocol", "--http1.1"];
    assert_eq!(host.curl(&header, "/healthz"), "ok\n (1.1 200)\n");
    assert_eq!(host.curl(&header[1..], "/healthz"), "ok\n (1.1 200)\n");
    let text = config(host.address.port(), &host.host, "");
    host.daemon.reload(&text, "configuration read from");
    let said = host.curl(&header, "/healthz");
    assert!(said.contains("curl: "), "{said}");
    let kind = "hacheck_connections_foreign_total{kind=\"proxy\"}";
    assert_eq!(host.metric(kind), 1.0);
}
