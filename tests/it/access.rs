//! Who may do what: connections, ports, spool changes, the unix socket.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::sys::signal::Signal;

use crate::support::client::{self, Response, connect};
use crate::support::daemon::{Daemon, Setup};
use crate::support::server::free_port;
use crate::support::upstream::Upstream;
use crate::support::{PATIENCE, wait_until};

const OLD: &str = "0123456789abcdef-old";
const NEW: &str = "0123456789abcdef-new";

#[test]
fn strangers_are_dropped_before_a_byte_is_read() {
    let daemon = Setup::new().config("allow_from: 127.0.0.2\nlisten_unix: sock\n");
    let socket = daemon.spool.outside().join("sock");
    let text = format!("allow_from: 127.0.0.2\nlisten_unix: {}\n", socket.display());
    let daemon = daemon.config(text).start();
    for _ in 0..20 {
        let mut stream = connect(daemon.address);
        let mut answer = Vec::new();
        // The end of the connection, in whatever manner, and nothing else.
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer, b"");
    }
    let page = over(&socket, "GET /metrics HTTP/1.1\r\n");
    page.says(200, "hacheck_connections_refused_total 20\n");
    page.says(200, "hacheck_requests_total{code=\"2xx\"} 0\n");
    assert_eq!(
        daemon.logged("which is outside allow_from"),
        1,
        "{}",
        daemon.log()
    );
    daemon.write_config("allow_from: [127.0.0.2, 127.0.0.1]\n");
    daemon.process.signal(Signal::SIGHUP);
    daemon.wait_for_log("configuration read from");
    daemon.get("/healthz").is(200, "ok\n");
}

#[test]
fn strangers_are_dropped_at_agent_ports_and_groups_too() {
    let (agent, group) = (free_port(), free_port());
    let text = |from: &str| {
        let groups =
            format!("groups: {{g: {{checks: [tcp://127.0.0.1:1], listen: '127.0.0.1:{group}'}}}}");
        format!("allow_from: {from}\nagent_ports: [{agent}]\n{groups}\n")
    };
    let daemon = Setup::new().config(text("127.0.0.2")).start();
    let answer = |port: u16, question: &str| {
        let mut answer = Vec::new();
        let mut stream = daemon.while_stopped(|| {
            let mut stream = connect(([127, 0, 0, 1], port).into());
            let _ = stream.write_all(question.as_bytes());
            stream
        });
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    };
    let ask = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(
        (answer(agent, "web\n"), answer(group, ask)),
        (String::new(), String::new())
    );
    daemon.reload(&text("127.0.0.1"), "configuration read from");
    assert_eq!(answer(agent, "web\n"), "up\n");
    assert!(answer(group, ask).starts_with("HTTP/1.1 504 "));
}

/// A request over a unix socket.
fn over(socket: &Path, line: &str) -> Response {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(format!("{line}Host: x\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
    client::answer(&mut stream)
}

#[test]
fn only_allowed_ports_are_probed() {
    let upstream = Upstream::answering("secret");
    let port = upstream.port();
    let daemon = Daemon::with_config("allowed_ports: [1-2]\n");
    for path in [
        format!("/http/web/{port}/"),
        format!("/tcp/web/{port}"),
        format!("/redis/web/{port}"),
    ] {
        daemon.get(&path).says(403, "outside allowed_ports");
    }
    let state = format!("UP; address=127.0.0.1; port={port}");
    daemon
        .get_with("/http/web/1/", &[("X-Haproxy-Server-State", &state)])
        .says(403, "outside allowed_ports");
    assert_eq!(upstream.seen().len(), 0);
    daemon.reload(
        &format!("allowed_ports: {port}\ncache_time: 0\n"),
        "configuration read from",
    );
    daemon.get(&format!("/http/web/{port}/")).is(200, "secret");
}

fn post(daemon: &Daemon, token: Option<&str>) -> Response {
    let value = token.map(|t| format!("Bearer {t}"));
    let headers: Vec<_> = value
        .iter()
        .map(|v| ("Authorization", v.as_str()))
        .collect();
    daemon.request("POST", "/spool/web/0?status=down&reason=why", &headers)
}

#[test]
fn spool_changes_need_one_of_the_tokens_and_tokens_rotate() {
    let setup = Setup::new();
    let folder = setup.spool.outside().to_owned();
    let (old, new) = (folder.join("old.token"), folder.join("new.token"));
    fs::write(&old, format!("{OLD}\n")).unwrap();
    fs::write(&new, NEW).unwrap();
    for file in [&old, &new] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let with =
        |files: &str| format!("allow_remote_spool_changes: yes\nremote_spool_tokens: [{files}]\n");
    let both = with(&format!("{}, {}", old.display(), new.display()));
    let daemon = setup.config(both).start();
    let refused = post(&daemon, None);
    refused.says(401, "needs a token");
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    for guess in [
        "",
        "0123456789abcdef",
        "0123456789abcdef-olD",
        "0123456789abcdef-old2",
        "x",
    ] {
        post(&daemon, Some(guess)).says(401, "token");
    }
    assert!(daemon.spool.files().is_empty());
    assert_eq!(daemon.metric("hacheck_spool_changes_refused_total"), 6.0);
    post(&daemon, Some(OLD)).is(200, "");
    post(&daemon, Some(NEW)).is(200, "");
    daemon.wait_for_log("127.0.0.1 with the token old.token took web down: why");
    daemon.wait_for_log("127.0.0.1 with the token new.token took web down: why");
    assert!(!daemon.log().contains(OLD) && !daemon.log().contains(NEW));
    daemon.reload(&with(&new.display().to_string()), "configuration read from");
    post(&daemon, Some(OLD)).says(401, "token");
    post(&daemon, Some(NEW)).is(200, "");
    // The file's new content counts after the next SIGHUP.
    fs::write(&new, OLD).unwrap();
    daemon.reload(&with(&new.display().to_string()), "configuration read from");
    post(&daemon, Some(NEW)).says(401, "token");
    post(&daemon, Some(OLD)).is(200, "");
    // A file that is gone, or that holds no token any more, revokes the token; the others are still taken.
    fs::write(&old, NEW).unwrap();
    fs::write(&new, "short").unwrap();
    let both = with(&format!("{}, {}", old.display(), new.display()));
    daemon.reload(&both, "16 are the least");
    daemon.wait_for_log("SIGHUP: configuration read from");
    wait_until(PATIENCE, "the token is revoked", || {
        post(&daemon, Some(OLD)).status == 401
    });
    post(&daemon, Some(NEW)).is(200, "");
    fs::remove_file(&old).unwrap();
    daemon.reload(&both, "no such file or directory");
    wait_until(PATIENCE, "no token is left", || {
        post(&daemon, Some(NEW)).status == 401
    });
    post(&daemon, None).says(401, "needs a token");
}

#[test]
fn a_reason_that_is_too_long_is_cut_and_the_downtime_keeps_its_end() {
    let daemon = Daemon::with_config("allow_remote_spool_changes: yes\n");
    let reason = "é".repeat(600_000);
    let form = format!("status=down&expiration=4000000000&reason={reason}");
    let mut stream = client::connect(daemon.address);
    let head = format!(
        "POST /spool/web/0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        form.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(form.as_bytes()).unwrap();
    client::answer(&mut stream).says(200, "was cut");
    let told = daemon.get("/spool/web/0");
    told.says(503, " until 4000000000.000000: é");
    assert!(told.body.len() > 250_000, "{} bytes", told.body.len());
}

#[test]
fn spool_changes_come_from_certain_networks_only() {
    let daemon =
        Daemon::with_config("allow_remote_spool_changes: yes\nremote_spool_from: 10.0.0.0/8\n");
    post(&daemon, None).says(403, "remote_spool_from");
    assert!(daemon.spool.files().is_empty());
    daemon.reload(
        "allow_remote_spool_changes: yes\nremote_spool_from: 127.0.0.0/8\n",
        "configuration read from",
    );
    post(&daemon, None).is(200, "");
}

#[test]
fn a_unix_socket_has_its_mode_replaces_a_dead_one_and_goes_with_the_daemon() {
    let setup = Setup::new();
    let socket = setup.spool.outside().join("hacheck.sock");
    let config = format!(
        "listen_unix: {}\nlisten_unix_mode: 0600\n",
        socket.display()
    );
    drop(UnixListener::bind(&socket).unwrap());
    let mut daemon = setup.config(config.clone()).args(&["-n", "2"]).start();
    let found = fs::symlink_metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    over(&socket, "GET /spool/web/0 HTTP/1.1\r\n").is(200, "");
    over(&socket, "GET /mutornadomon HTTP/1.1\r\n").says(200, "rss_bytes");
    // A successor takes the name over, and the first one leaves it alone at its end.
    let successor = Setup::new().config(config).start();
    over(&socket, "GET /spool/web/0 HTTP/1.1\r\n").is(200, "");
    daemon.process.signal(Signal::SIGTERM);
    daemon.process.wait(PATIENCE);
    over(&socket, "GET /healthz HTTP/1.1\r\n").is(200, "ok\n");
    assert_eq!(
        successor.metric("hacheck_requests_total{code=\"2xx\"}"),
        2.0
    );
    let mut successor = successor;
    successor.process.signal(Signal::SIGTERM);
    successor.process.wait(PATIENCE);
    wait_until(PATIENCE, "the socket is gone", || !socket.exists());
}

#[test]
fn what_is_no_socket_is_not_replaced() {
    let setup = Setup::new();
    let file = setup.spool.outside().join("precious");
    fs::write(&file, "data").unwrap();
    let mut daemon = setup
        .config(format!("listen_unix: {}\n", file.display()))
        .spawn();
    assert_eq!(daemon.process.wait(PATIENCE), 1);
    daemon.wait_for_log("something else than a socket");
    assert_eq!(fs::read_to_string(&file).unwrap(), "data");
}
