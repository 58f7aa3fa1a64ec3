//! Pollers behind a balancer that speaks the PROXY protocol: whom they are taken for, and what that gives them.

use std::net::SocketAddr;
use std::process::Command;

use crate::support::authority::Authority;
use crate::support::client::{Response, exchange};
use crate::support::daemon::{Daemon, Setup};
use crate::support::haproxy::Haproxy;
use crate::support::server::free_port;
use crate::support::upstream::Upstream;

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Who is known to have polled the service.
fn pollers(daemon: &Daemon, service: &str) -> Vec<String> {
    let page = daemon.get(&format!("/pollers?service={service}")).json();
    let rows = page["pollers"].as_array().unwrap().iter();
    let mut all: Vec<String> = rows
        .map(|row| row["address"].as_str().unwrap().to_owned())
        .collect();
    all.sort();
    all
}

/// The answer to a request behind a header.
fn behind(address: SocketAddr, header: &[u8], line: &str) -> Option<Response> {
    let request = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    let answer = exchange(address, &[header, request.as_bytes()].concat());
    (!answer.is_empty()).then(|| Response::parse(&answer))
}

fn v1(from: &str) -> Vec<u8> {
    format!("PROXY TCP4 {from} 10.0.0.2 5000 80\r\n").into_bytes()
}

#[test]
fn the_address_in_a_header_is_the_pollers() {
    let daemon = Daemon::with_config("proxy_protocol_from: 127.0.0.1\n");
    let v6 = b"PROXY TCP6 2001:db8::7 ::1 5000 80\r\n";
    let v2 = [V2, b"\x21\x11\0\x0c\x0a\0\0\x09\x0a\0\0\x02\x13\x88\0\x50"].concat();
    let tlvs = [
        V2,
        b"\x21\x11\0\x13\x0a\0\0\x0a\x0a\0\0\x02\x13\x88\0\x50\x04\0\x04\0\0\0\0",
    ]
    .concat();
    for header in [&v1("10.0.0.8")[..], v6, &v2, &tlvs] {
        let answer = behind(daemon.address, header, "GET /spool/web/80");
        answer.unwrap().is(200, "");
    }
    let expected = ["10.0.0.10", "10.0.0.8", "10.0.0.9", "2001:db8::7"];
    assert_eq!(pollers(&daemon, "web"), expected);
    // Those that tell none, and no header at all.
    let local = [V2, b"\x20\0\0\0"].concat();
    for header in [&b"PROXY UNKNOWN\r\n"[..], &local, b""] {
        let answer = behind(daemon.address, header, "GET /spool/db/80");
        answer.unwrap().is(200, "");
    }
    assert_eq!(pollers(&daemon, "db"), ["127.0.0.1"]);
}

#[test]
fn a_header_of_anybody_else_is_no_http() {
    let daemon = Daemon::with_config("proxy_protocol_from: 127.0.0.2\n");
    let answer = behind(daemon.address, &v1("10.0.0.8"), "GET /spool/web/80");
    assert!(answer.is_none_or(|answer| answer.status == 400));
    assert_eq!(pollers(&daemon, "web"), [""; 0]);
    let kind = "hacheck_connections_foreign_total{kind=\"proxy\"}";
    assert_eq!(daemon.metric(kind), 1.0);
    daemon.wait_for_log("add its address to proxy_protocol_from");
}

#[test]
fn a_broken_header_is_closed_and_counted() {
    let mut daemon = Daemon::with_config("proxy_protocol_from: private\n");
    let long = [V2, b"\x21\x11\xff\xff", &[0; 8000]].concat();
    for header in [
        &b"PROXY TCP4 x y 1 2\r\n"[..],
        &[V2, b"\x55\0\0\0"].concat(),
        &long,
    ] {
        assert_eq!(behind(daemon.address, header, "GET /healthz"), None);
    }
    let kind = "hacheck_connections_foreign_total{kind=\"proxy\"}";
    assert_eq!(daemon.metric(kind), 3.0);
    // A part of a header, and then the end: it is no HTTP either.
    let answer = exchange(daemon.address, b"PROXY TCP4 10.0");
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{answer:?}");
    daemon.is_sound();
}

#[test]
fn a_header_that_never_ends_is_closed_in_time() {
    let config = "proxy_protocol_from: private\nheader_timeout: 0.3\n";
    let daemon = Daemon::with_config(config);
    let mut stream = crate::support::client::connect(daemon.address);
    std::io::Write::write_all(&mut stream, b"PROXY TCP4 10.0").unwrap();
    // It ends, in whatever manner.
    let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
}

#[test]
fn allow_from_is_asked_of_both_addresses() {
    let config = "proxy_protocol_from: 127.0.0.1\nallow_from: [127.0.0.1, 10.1.0.0/16]\n";
    let daemon = Daemon::with_config(config);
    let allowed = behind(daemon.address, &v1("10.1.2.3"), "GET /spool/web/80");
    allowed.unwrap().is(200, "");
    let refused = behind(daemon.address, &v1("10.2.2.3"), "GET /spool/web/80");
    assert_eq!(refused, None);
    assert_eq!(daemon.metric("hacheck_connections_refused_total"), 1.0);
    daemon.wait_for_log("dropped a connection of 10.2.2.3, which is outside allow_from");
}

#[test]
fn no_header_makes_a_caller_on_this_host() {
    let config = "proxy_protocol_from: private\nallow_remote_spool_changes: true\nremote_spool_from: 127.0.0.1\n";
    let daemon = Daemon::with_config(config);
    for line in [
        "GET /mutornadomon",
        "GET /pollers/health?service=web",
        "GET /overview",
        "POST /spool/web/0?status=down&reason=x",
    ] {
        let answer = behind(daemon.address, &v1("127.0.0.1"), line).unwrap();
        answer.says(
            403,
            "a PROXY protocol header makes nobody a caller on this host",
        );
        let mapped = b"PROXY TCP6 ::ffff:127.0.0.1 ::1 5000 80\r\n";
        assert_eq!(behind(daemon.address, mapped, line).unwrap().status, 403);
        let own = behind(daemon.address, b"PROXY UNKNOWN\r\n", line).unwrap();
        assert_eq!(own.status, 200, "{line}: {own:?}");
    }
    // HAProxy on this host tells such addresses of its own checks, which anybody may make.
    let check = behind(daemon.address, &v1("127.0.0.1"), "GET /spool/db/80");
    check.unwrap().is(200, "");
}

#[test]
fn haproxy_checks_with_both_versions_and_curl_with_the_first() {
    let authority = Authority::new();
    let (host, port, agent) = (authority.sign_host("host"), free_port(), free_port());
    let (cert, key) = (host.cert.display(), host.key.display());
    let config = format!(
        "proxy_protocol_from: private\nagent_ports: [{agent}]\nlisten_tls: [{port}]\ntls_cert_file: {cert}\ntls_key_file: {key}\n"
    );
    let daemon = Setup::new().config(config).start();
    let (clear, tls) = (daemon.address, SocketAddr::from(([127, 0, 0, 1], port)));
    let haproxy = Haproxy::start(&format!(
        "backend web\n  option httpchk GET /spool/web/80\n  default-server inter 100ms fall 2 rise 2\n  \
         server one {clear} check check-send-proxy send-proxy\n  \
         server two {clear} check check-send-proxy send-proxy-v2\n  \
         server tls {tls} check check-send-proxy send-proxy-v2 check-ssl verify none\n\
         frontend f\n  bind unix@front\n  default_backend web\n"
    ));
    for server in ["one", "two", "tls"] {
        haproxy.wait_for_check("web", server, "200", "");
    }
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-m", "60", "--haproxy-protocol"]);
    let output = curl
        .arg(format!("http://{clear}/healthz"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "ok\n");
    // An agent port takes none.
    let answer = exchange(([127, 0, 0, 1], agent).into(), b"PROXY UNKNOWN\r\nweb\n");
    assert!(answer.starts_with(b"error #"), "{answer:?}");
}

/// Each listener of a group is one more door: the same addresses count there, by HTTP/1 and HTTP/2.
#[test]
fn listeners_of_groups_take_headers_as_the_daemons_own_do() {
    let service = Upstream::start(|_| None);
    let listen = free_port();
    let daemon = Daemon::with_config(&format!(
        "proxy_protocol_from: 127.0.0.1\nallow_from: [127.0.0.1, 10.1.0.0/16]\n\
         groups: {{node: {{checks: [tcp://localhost:{}], listen: 127.0.0.1:{listen}}}}}\n",
        service.address.port()
    ));
    daemon.get("/healthz").is(200, "ok\n");
    let group = SocketAddr::from(([127, 0, 0, 1], listen));
    let allowed = behind(group, &v1("10.1.2.3"), "GET /any");
    allowed.unwrap().is(200, "OK");
    assert_eq!(behind(group, &v1("10.2.2.3"), "GET /any"), None);
    daemon.wait_for_log("dropped a connection of 10.2.2.3, which is outside allow_from");
    let local = [V2, b"\x20\0\0\0"].concat();
    behind(group, &local, "GET /any").unwrap().is(200, "OK");
    assert_eq!(pollers(&daemon, "node"), ["10.1.2.3", "127.0.0.1"]);
    assert_eq!(behind(group, b"PROXY TCP4 x y 1 2\r\n", "GET /any"), None);

    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "-m",
        "60",
        "--http2-prior-knowledge",
        "--haproxy-protocol",
    ]);
    let output = curl.arg(format!("http://{group}/any")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "OK");
}
