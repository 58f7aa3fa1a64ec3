//! hacheck behind a real HAProxy: hosts leave and come back, and no client notices.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::daemon::{Daemon, Setup};
use crate::support::haproxy::{Haproxy, through};
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, wait_until};

/// A host with a daemon and a service of its own.
struct Host {
    daemon: Daemon,
    service: Upstream,
}

impl Host {
    fn start(address: &str) -> Self {
        let daemon = Setup::new().bind(address).start();
        let service = service((daemon.address.ip(), 0).into());
        Self { daemon, service }
    }

    /// A line of an HAProxy backend for its service.
    fn server(&self, name: &str) -> String {
        let (service, port) = (self.service.address, self.daemon.address.port());
        format!("  server {name} {service} check port {port} inter 100ms fall 2 rise 2\n")
    }
}

/// A sample service that says who it is and is healthy at `/health` alone.
fn service(address: SocketAddr) -> Upstream {
    Upstream::start_on(address, move |head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        Some(match path {
            "/" | "/health" => http("200 OK", &address.ip().to_string()),
            _ => http("404 Not Found", "no such page"),
        })
    })
}

/// Clients that never rest, and what they met.
#[derive(Default)]
struct Clients {
    stop: AtomicBool,
    served: Mutex<HashMap<String, usize>>,
    failed: Mutex<Vec<String>>,
}

impl Clients {
    fn run(&self, haproxy: &Haproxy) {
        let front = haproxy.front();
        while !self.stop.load(Ordering::Relaxed) {
            match through(&front) {
                Ok(response) => {
                    *self
                        .served
                        .lock()
                        .unwrap()
                        .entry(response.body)
                        .or_default() += 1;
                }
                Err(e) => self.failed.lock().unwrap().push(e),
            }
        }
    }

    fn served_by(&self, host: &str) -> usize {
        self.served
            .lock()
            .unwrap()
            .get(host)
            .copied()
            .unwrap_or_default()
    }

    #[track_caller]
    fn wait_for_more(&self, host: &str) {
        let before = self.served_by(host);
        let what = format!("20 more requests served by {host}");
        wait_until(PATIENCE, &what, || self.served_by(host) >= before + 20);
    }
}

/// Ends the clients also when the test fails, or its scope would wait for them for ever.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_host_leaves_and_comes_back_and_no_client_notices() {
    let mut a = Host::start("127.0.0.2");
    let b = Host::start("127.0.0.3");
    let backend = format!(
        "listen web\n  bind unix@front\n  balance roundrobin\n  option httpchk GET /http/web/1/health\n  \
         http-check send-state\n{}{}",
        a.server("a"),
        b.server("b")
    );
    let haproxy = Haproxy::start(&backend);
    haproxy.wait_for("web", "a", "UP");
    haproxy.wait_for("web", "b", "UP");
    // The port in the checks' path is wrong; HAProxy's header moves them to the servers' own ports.
    for host in [&a, &b] {
        assert!(
            host.service
                .seen()
                .iter()
                .any(|r| r.starts_with("GET /health HTTP/1.1"))
        );
    }
    let clients = Clients::default();
    thread::scope(|scope| {
        let stop = Stop(&clients.stop);
        for _ in 0..2 {
            scope.spawn(|| clients.run(&haproxy));
        }
        clients.wait_for_more("127.0.0.2");
        clients.wait_for_more("127.0.0.3");

        a.daemon
            .run("hadown", &["-r", "new kernel, back at 6", "web"])
            .is(0, "");
        haproxy.wait_for("web", "a", "DOWN");
        haproxy.wait_for_check("web", "a", "503", "new kernel, back at 6");
        wait_until(PATIENCE, "a is drained", || {
            haproxy.stat("web", "a", "scur") == "0"
        });
        a.service.stop();
        clients.wait_for_more("127.0.0.3");
        a.service = service(a.service.address);
        a.daemon.run("haup", &["web"]).is(0, "");
        haproxy.wait_for("web", "a", "UP");
        clients.wait_for_more("127.0.0.2");
        drop(stop);
    });
    assert_eq!(
        *clients.failed.lock().unwrap(),
        [""; 0],
        "requests of clients failed"
    );
    assert_eq!(
        [&a, &b].map(|host| host.daemon.logged("is now DOWN")),
        [1, 0]
    );
}

#[test]
fn a_service_that_fails_shows_its_cause_in_haproxy() {
    let host = Host::start("127.0.0.1");
    let backend = format!(
        "listen web\n  bind unix@front\n  option httpchk GET /http/web/1/nowhere\n  http-check send-state\n{}\
         listen refused\n  bind unix@other\n  option httpchk GET /tcp/web/1\n{}",
        host.server("a"),
        host.server("a"),
    );
    let haproxy = Haproxy::start(&backend);
    haproxy.wait_for("web", "a", "DOWN");
    // The upstream's own status passes through.
    haproxy.wait_for_check("web", "a", "404", "");
    haproxy.wait_for("refused", "a", "DOWN");
    let refused = "tcp 127.0.0.1:1: connection refused";
    haproxy.wait_for_check("refused", "a", "503", refused);
}

#[test]
fn haproxys_default_check_works_and_all_takes_every_service_down() {
    let host = Host::start("127.0.0.1");
    let port = host.service.address.port();
    let backend = format!(
        "listen web\n  bind unix@front\n  option httpchk /http/web/{port}/\n{server}\
         listen mail\n  bind unix@mail\n  option httpchk /tcp/mail/{port}\n{server}",
        server = host.server("a")
    );
    let haproxy = Haproxy::start(&backend);
    let wait = |status: &str| ["web", "mail"].map(|backend| haproxy.wait_for(backend, "a", status));
    wait("UP");
    host.daemon
        .run("hadown", &["-r", "reboot", "all"])
        .is(0, "");
    wait("DOWN");
    for backend in ["web", "mail"] {
        haproxy.wait_for_check(backend, "a", "503", "reboot");
    }
    assert_eq!(
        host.daemon.get("/spool/web/0").body.split(" since ").next(),
        Some("Service all in down state")
    );
    host.daemon.run("haup", &["all"]).is(0, "");
    wait("UP");
}
