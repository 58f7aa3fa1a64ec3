//! Unix sockets as targets, and deadlines by service.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use hacheck::probe::{Service, TlsUse};

use crate::mariadb::primary;
use crate::support::daemon::Setup;
use crate::support::probing::{Prober, secret};
use crate::support::server::free_port;
use crate::support::upstream::{Upstream, http};
use crate::support::{TempDir, timed_out_after};

/// Answers each connection with a text once something was asked.
fn listen(path: &std::path::Path, answer: Vec<u8>) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&answer);
        }
    });
}

#[test]
fn services_behind_unix_sockets_are_checked_there() {
    let folder = TempDir::new();
    let path = |name: &str| folder.path().join(name);
    listen(&path("web"), http("200 OK", "by socket"));
    listen(&path("cache"), b"+PONG\r\n".to_vec());
    let config = format!(
        "services: {{web: {{socket: {0}/web}}, cache: {{socket: {0}/cache}}, gone: {{socket: {0}/gone}}}}",
        folder.path().display()
    );
    let daemon = Setup::new().config(config).start();
    daemon.get("/http/web/80/x").is(200, "by socket");
    // HAProxy tells `address=unix` and an empty port; the path's port is a dummy then.
    let state = [(
        "X-Haproxy-Server-State",
        "UP; address=unix; port=; name=b/s",
    )];
    daemon
        .get_with("/http/web/0/x", &state)
        .is(200, "by socket");
    daemon
        .get("/redis/cache/0")
        .is(200, "Sent PING, got back +PONG");
    daemon.get("/tcp/gone/0").says(
        503,
        &format!(
            "{}/gone: no such file or directory",
            folder.path().display()
        ),
    );
    let elsewhere = format!("/tcp/gone/{}", free_port());
    daemon
        .get_with(&elsewhere, &[("X-Nerve-Check-IP", "127.0.0.5")])
        .says(503, "/gone: ");
    daemon
        .get_with("/http/web/0/x", &[("X-Nerve-Check-IP", "169.254.169.254")])
        .says(403, "may not be checked from here");
    daemon
        .get(&format!("/tcp/other/{}", free_port()))
        .says(503, "connection refused");
}

fn behind(socket: PathBuf) -> Service {
    Service {
        socket: Some(socket),
        ..Service::default()
    }
}

#[test]
fn a_real_mariadb_is_logged_in_to_by_its_socket() {
    // Nothing leaves this host, so nothing is missing where TLS is required.
    for tls in [TlsUse::Off, TlsUse::Auto, TlsUse::Required] {
        let prober = Prober::new(|c| {
            (c.mysql_username, c.mysql_password) = (Some("checker".into()), secret("s3cret"));
            c.mysql_tls = tls;
            c.services.insert("db".into(), behind(primary().socket()));
        });
        // Nothing listens on port 1.
        prober
            .probe("mysql", 1, "")
            .is(200, "MySQL connect response: MySQLResponse(OK)<>");
    }
}

#[test]
fn a_mysql_socket_that_is_not_there_is_named() {
    let prober = Prober::new(|c| {
        (c.mysql_username, c.mysql_password) = (Some("checker".into()), secret("s3cret"));
        c.services
            .insert("db".into(), behind("/nowhere/socket".into()));
    });
    prober
        .probe("mysql", 1, "")
        .is(503, ": /nowhere/socket: no such file or directory after");
}

#[test]
fn a_service_may_have_a_deadline_of_its_own() {
    let upstream = Upstream::hung();
    let daemon = Setup::new()
        .config("services: {quick: {timeout: 0.3}}\nhealthcheck_timeout: 300\n")
        .start();
    let answer = daemon.get(&format!("/http/quick/{}/", upstream.port()));
    assert!((0.3..300.0).contains(&timed_out_after(&answer.body)));
}
