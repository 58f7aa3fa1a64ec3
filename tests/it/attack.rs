//! A hostile client beside a real HAProxy, which never sees a false DOWN or UP whatever the client does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use crate::support::client::{self, Response};
use crate::support::daemon::{Daemon, Setup};
use crate::support::haproxy::Haproxy;
use crate::support::namespace::{self, Client};
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, TempDir, wait_until};

const TOKEN: &str = "correct-horse-battery-staple";

const CONFIG: &str = "healthcheck_timeout: 2\ncache_time: 0\nmax_clients: 64\nmax_services: 1000\nallow_remote_spool_changes: yes\n";

/// So little that attacks meet it.
const LIMITS: &str = "max_connections: 400\nheader_timeout: 5\n";

/// A daemon, a service that it checks, and a balancer that asks it: `up` is well, `down` was taken down.
pub struct Site {
    pub daemon: Daemon,
    service: Upstream,
    haproxy: Haproxy,
    since: Instant,
}

impl Site {
    /// With further settings.
    pub fn start(settings: &str) -> Self {
        // The service hangs on every page but one.
        let service = Upstream::start(|head| {
            head.starts_with("GET /health ")
                .then(|| http("200 OK", "well"))
        });
        let setup = Setup::new().bind("0.0.0.0");
        let token = setup.spool.outside().join("token");
        std::fs::write(&token, TOKEN).unwrap();
        let daemon = setup
            .config(format!(
                "{CONFIG}{settings}remote_spool_tokens: {}\n",
                token.display()
            ))
            .start();
        daemon
            .run("hadown", &["-r", "by an operator", "gone"])
            .is(0, "");
        let server = |name: &str| {
            let (at, port) = (service.address, daemon.address.port());
            format!(
                "backend {name}\n  timeout check 10s\n  option httpchk GET /http/{name}/{}/health\n  \
                 server s {at} check addr 127.0.0.1 port {port} inter 300ms fall 1 rise 1\n",
                service.port()
            )
        };
        let haproxy = Haproxy::start(&(server("web") + &server("gone")));
        haproxy.wait_for("web", "s", "UP");
        haproxy.wait_for("gone", "s", "DOWN");
        Self {
            daemon,
            service,
            haproxy,
            since: Instant::now(),
        }
    }

    /// Waits for a few more checks of the balancer.
    pub fn goes_on(&self) {
        let seen = self.service.seen().len();
        let checks = || {
            self.service.seen()[seen..]
                .iter()
                .filter(|r| r.starts_with("GET /health "))
                .count()
        };
        wait_until(PATIENCE, "the balancer goes on checking", || checks() >= 3);
    }

    /// The balancer has seen nothing but the truth since the start.
    pub fn stands(&mut self, after: &str) {
        let stat = |backend: &str, column: &str| self.haproxy.stat(backend, "s", column);
        assert_eq!(
            stat("web", "status"),
            "UP",
            "after {after}: {}\n{}",
            stat("web", "last_chk"),
            self.daemon.log()
        );
        assert_eq!(
            stat("web", "chkdown"),
            "0",
            "after {after}: {}\n{}",
            stat("web", "last_chk"),
            self.daemon.log()
        );
        assert_eq!(
            stat("web", "chkfail"),
            "0",
            "after {after}: {}",
            self.daemon.log()
        );
        assert_eq!(
            (
                stat("gone", "status").as_str(),
                stat("gone", "chkdown").as_str()
            ),
            ("DOWN", "1"),
            "after {after}"
        );
        let (unchanged, passed) = (
            stat("gone", "lastchg").parse::<u64>().unwrap(),
            self.since.elapsed().as_secs(),
        );
        assert!(
            unchanged >= passed,
            "after {after}: gone changed {unchanged} s ago, {passed} s since the start"
        );
        assert_eq!(self.daemon.spool.files(), ["gone"], "after {after}");
        self.daemon.is_sound();
    }
}

/// What a client does, given the ports of daemon and service.
type Attack = fn(Client, u16, u16);

/// Runs attacks one by one, and looks at the balancer after each.
fn withstands(hosts: &str, addresses: &[&str], attacks: &[(&str, Attack)]) {
    let folder = TempDir::new();
    namespace::on_host(folder.path(), hosts, addresses, |host| {
        let mut site = Site::start(LIMITS);
        let (port, service) = (site.daemon.address.port(), site.service.port());
        for (name, attack) in attacks {
            host.beside(|client| attack(client, port, service));
            // Under what the attack left behind.
            site.goes_on();
            site.stands(name);
        }
    });
}

/// Sends a request and leaves the answer unread.
fn fire(client: Client, port: u16, path: &str, headers: &str) -> Option<TcpStream> {
    let mut stream = client.connect(port)?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes())
        .ok()?;
    Some(stream)
}

/// Everything that comes back for some bytes; nothing when the connection was closed meanwhile.
fn raw(client: Client, port: u16, bytes: &[u8]) -> Vec<u8> {
    let Some(mut stream) = client.connect(port) else {
        return Vec::new();
    };
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn slowloris(client: Client, port: u16, _: u16) {
    let mut open = std::collections::VecDeque::new();
    for i in 0..5000 {
        let mut stream = client.connect(port).expect("a new connection was refused");
        let _ = stream.write_all(&b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "[..i % 40]);
        open.push_back(stream);
        // The attacker's own descriptors end somewhere too; the daemon has closed the oldest ones long before.
        if open.len() > 500 {
            open.pop_front();
        }
        if i % 50 == 0 {
            for stream in &mut open {
                let _ = stream.write_all(b"z");
            }
        }
    }
}

fn made_up_services(client: Client, port: u16, service: u16) {
    let mut open = std::collections::VecDeque::new();
    for i in 0..3000 {
        let path = match i % 4 {
            // The service itself, on pages where it hangs.
            0 | 1 => format!("/http/made-up-{i}/{service}/slow?{i}"),
            2 => format!("/tcp/made-up-{i}/{}", 1 + i % 60_000),
            _ => format!("/spool/made-up-{i}/{i}"),
        };
        // A host that is not there: its probes hang until their deadline.
        let header = if i % 8 == 2 {
            "X-Nerve-Check-IP: 10.77.1.99\r\n"
        } else {
            ""
        };
        open.push_back(fire(client, port, &path, header));
        if open.len() > 300 {
            open.pop_front();
        }
    }
}

fn giants(client: Client, port: u16, _: u16) {
    let long = "x".repeat(1 << 20);
    let post = "POST /spool/web/0 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    for _ in 0..5 {
        raw(
            client,
            port,
            format!("GET /{long} HTTP/1.1\r\n\r\n").as_bytes(),
        );
        raw(
            client,
            port,
            format!("GET /healthz HTTP/1.1\r\nX: {long}\r\n\r\n").as_bytes(),
        );
        raw(client, port, "X: y\r\n".repeat(100_000).as_bytes());
        raw(
            client,
            port,
            format!("{post}Content-Length: 99999999999\r\n\r\n{long}{long}{long}").as_bytes(),
        );
        raw(
            client,
            port,
            format!("{post}Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n{long}").as_bytes(),
        );
        raw(
            client,
            port,
            format!("{post}Content-Length: 18446744073709551616\r\n\r\n").as_bytes(),
        );
    }
}

fn smuggling(client: Client, port: u16, _: u16) {
    let inner = format!(
        "POST /spool/web/0?status=down&reason=x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    let chunked = format!("0\r\n\r\n{inner}");
    for (headers, body) in [
        (
            format!(
                "Content-Length: {}\r\nTransfer-Encoding: chunked",
                chunked.len()
            ),
            &chunked,
        ),
        (
            format!(
                "Transfer-Encoding: chunked\r\nContent-Length: {}",
                chunked.len()
            ),
            &chunked,
        ),
        (
            format!(
                "Transfer-Encoding: xchunked\r\nContent-Length: {}",
                inner.len()
            ),
            &inner,
        ),
        (
            format!(
                "Transfer-Encoding : chunked\r\nContent-Length: {}",
                inner.len()
            ),
            &inner,
        ),
        (
            format!(
                "Transfer-Encoding: chunked, identity\r\nContent-Length: {}",
                inner.len()
            ),
            &inner,
        ),
        (
            format!(
                "Transfer-Encoding:\x0bchunked\r\nContent-Length: {}",
                inner.len()
            ),
            &inner,
        ),
        (
            format!("Content-Length: {}\r\nContent-Length: 0", inner.len()),
            &inner,
        ),
        (format!("Content-Length: +{}", inner.len()), &inner),
        (
            format!("Content-Length: {}, {}", inner.len(), inner.len()),
            &inner,
        ),
        (format!("X: y\nContent-Length: {}", inner.len()), &inner),
    ] {
        // What a proxy in front would have passed on as the body of a harmless request; a rule-abiding reading of the
        // message has no second request in it, so a change of the spool would be smuggled.
        let harmless =
            format!("POST /spool/other/0?status=sideways HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n");
        if headers.ends_with("chunked") || headers.starts_with("Transfer-Encoding: chunked\r\n") {
            // Chunked wins over a length (RFC 9112 section 6.3): the connection must end behind the first answer.
            let answer = raw(client, port, format!("{harmless}{body}").as_bytes());
            let answers = answer.windows(9).filter(|w| *w == b"HTTP/1.1 ").count();
            assert!(answers <= 1, "{headers:?}: {answers} answers");
            continue;
        }
        raw(client, port, format!("{harmless}{body}").as_bytes());
    }
}

fn forged(client: Client, port: u16, _: u16) {
    let forwarded =
        "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n";
    let ask = |line: &str, headers: &str| {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{forwarded}{headers}\r\n"
        );
        Response::parse(&raw(client, port, request.as_bytes()))
    };
    ask("POST /spool/web/0?status=down&reason=forged", "").says(401, "token");
    if !client.address(port).ip().is_loopback() {
        ask("GET /mutornadomon", "").says(403, "only for callers on this host");
    }
    for i in 0..300 {
        let guess = format!("Authorization: Bearer {}{i}\r\n", &TOKEN[..TOKEN.len() - 3]);
        ask("POST /spool/web/0?status=down&reason=guessed", &guess).says(401, "token");
        let state = format!(
            "X-Haproxy-Server-State: UP; address=10.77.1.1\r\n; port={i}; name=\x01/s{i}\r\n"
        );
        raw(
            client,
            port,
            format!("GET /http/web/80/ HTTP/1.1\r\n{state}\r\n").as_bytes(),
        );
    }
    for state in [
        "UP; port=99999",
        "UP; port=-1",
        "UP; address=a b",
        "UP; address=/etc/passwd",
        "UP; address=%00",
    ] {
        let answer = ask(
            "GET /http/web/80/",
            &format!("X-Haproxy-Server-State: {state}\r\n"),
        );
        assert!(answer.status >= 400, "{state}: {answer:?}");
    }
}

#[test]
fn no_attack_blinds_a_balancer() {
    withstands(
        "",
        &[],
        &[
            ("5,000 connections without a request", slowloris),
            ("a flood of made-up services", made_up_services),
            ("giant heads and bodies", giants),
            ("smuggled requests", smuggling),
            ("forged headers and guessed tokens", forged),
        ],
    );
}

const METADATA: [&str; 7] = [
    "169.254.169.254/32",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "169.254.170.2/32",
    "fd00:ec2::254/128",
    "fd00:ec2::23/128",
    "fd20:ce::254/128",
];

const NAMES: &str = "169.254.169.254 metadata.test\nfd00:ec2::254 metadata6.test\n127.0.0.1 both.test\n\
                     169.254.169.254 both.test\n100.100.100.200 alibaba.test\n";

#[test]
fn metadata_is_out_of_reach_in_every_spelling_even_where_it_is_this_host() {
    let folder = TempDir::new();
    namespace::on_host(folder.path(), NAMES, &METADATA, |host| {
        // Where the network is not ours, there is no server at these addresses; the answer must be the same.
        let bait: Vec<Upstream> = METADATA
            .iter()
            .filter(|_| host.is_separate())
            .map(|a| {
                let bare: std::net::IpAddr = a.split_once('/').unwrap().0.parse().unwrap();
                Upstream::start_on((bare, 80).into(), |_| Some(http("200 OK", "credentials")))
            })
            .collect();
        let mut daemon = Setup::new()
            .bind("0.0.0.0")
            .config("check_hosts: any\nhealthcheck_timeout: 1\n")
            .start();
        let port = daemon.address.port();
        let attack = |client: Client| {
            let names: &[&str] = if host.is_separate() {
                &[
                    "metadata.test",
                    "METADATA.test",
                    "metadata6.test",
                    "alibaba.test",
                ]
            } else {
                &[]
            };
            let spellings = [
                "169.254.169.254",
                "169.254.169.254.",
                "169.254.43518",
                "169.16689662",
                "2852039166",
                "0xa9fea9fe",
                "0251.0376.0251.0376",
                "0xa9.0xfe.0xa9.0xfe",
                "::ffff:169.254.169.254",
                "[::ffff:a9fe:a9fe]",
                "::169.254.169.254",
                "64:ff9b::a9fe:a9fe",
                "2002:a9fe:a9fe::",
                "fe80::a9fe:a9fe",
                "fd00:ec2::254",
                "[fd00:ec2::254]",
                "FD00:0EC2:0:0:0:0:0:0254",
                "100.100.100.200",
                "168.63.129.16",
                "169.254.170.2",
                "192.0.0.192",
                "fd00:ec2::23",
                "fd20:ce::254",
                "fd00:c1::a9fe:a9fe",
                "fd00:42::42",
                "::ffff:0:a9fe:a9fe",
                "64:ff9b:1::a9fe:a9fe",
                "64:ff9b:1:a9fe:a9:fe00::",
                "2001::1:5601:5601",
                "2001:db8::5efe:a9fe:a9fe",
            ];
            for spelling in spellings.iter().chain(names) {
                for (name, value) in [
                    ("X-Nerve-Check-IP", (*spelling).to_owned()),
                    (
                        "X-Haproxy-Server-State",
                        format!("UP; address={spelling}; port=80"),
                    ),
                ] {
                    for path in [
                        "/http/web/80/latest/meta-data/",
                        "/tcp/web/80",
                        "/redis/web/80",
                    ] {
                        let answer =
                            client::request(client.address(port), "GET", path, &[(name, &value)]);
                        assert!(answer.status >= 400, "{path} {name}: {value}: {answer:?}");
                        assert!(!answer.body.contains("credentials"), "{answer:?}");
                    }
                }
            }
            if host.is_separate() {
                // A name with one good address: that one alone is tried, and nothing listens there.
                let header = [("X-Nerve-Check-IP", "both.test")];
                client::request(client.address(port), "GET", "/http/web/80/", &header)
                    .says(503, "refused");
            }
        };
        host.beside(attack);
        assert!(
            bait.iter().all(|b| b.seen().is_empty()),
            "a probe reached a metadata address"
        );
        daemon.is_sound();
    });
}
