//! Where checks may log in: nowhere else is a byte sent.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::thread;

use crate::support::daemon::{Daemon, Setup};
use crate::support::server::peer;

const CREDENTIALS: &str =
    "mysql_username: u\nmysql_password: hunter2\npostgres_username: u\nredis_password: hunter2\n";

/// A listener on this host at a port that is no protocol's own.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[track_caller]
fn nobody_connected(listener: &TcpListener) {
    let connection = listener.accept();
    assert!(
        connection
            .as_ref()
            .is_err_and(|e| e.kind() == ErrorKind::WouldBlock),
        "{connection:?}"
    );
}

/// Answers a Redis client until it goes.
fn redis(mut stream: impl Read + Write) {
    let mut lines = Vec::new();
    loop {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        lines.push(byte[0]);
        for (asked, answer) in [(&b"hunter2\r\n"[..], "+OK\r\n"), (b"PING\r\n", "+PONG\r\n")] {
            if lines.ends_with(asked) {
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    }
}

/// An HTTP server on 127.0.0.1 that answers 200 to a header.
fn http_that_wants(header: &'static str) -> u16 {
    peer(move |mut stream: TcpStream| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
            head.push(byte[0]);
        }
        let welcome = String::from_utf8_lossy(&head).contains(header);
        let answer: &[u8] = match welcome {
            true => b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwelcome",
            false => b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        };
        let _ = stream.write_all(answer);
    })
}

fn redis_server() -> u16 {
    peer(|stream: TcpStream| redis(stream))
}

#[test]
fn a_check_that_would_log_in_elsewhere_is_refused_before_a_byte_is_sent() {
    let daemon = Setup::new().config(CREDENTIALS).start();
    let (listener, port) = listener();
    for protocol in [
        "redis",
        "redis-info",
        "sentinel",
        "sentinel-info",
        "postgres",
        "mysql",
    ] {
        let answer = daemon.get(&format!("/{protocol}/db/{port}"));
        let why = format!(
            "host 127.0.0.1 may not be logged in to at port {port} from here: it is outside login_to; add local:{port} to it"
        );
        answer.is(403, &why);
    }
    let header = ("X-Nerve-Check-IP", "127.0.0.2");
    daemon
        .get_with(&format!("/redis/db/{port}"), &[header])
        .says(403, &format!("add 127.0.0.2:{port} to it"));
    nobody_connected(&listener);
}

#[test]
fn a_credential_in_a_rule_for_http_goes_to_no_other_host_that_a_poller_names() {
    let text = "cache_time: 0\nservices: {web: {http: {request_headers: {Authorization: Bearer hunter2}}}}\n";
    let daemon = Setup::new().config(text).start();
    let port = http_that_wants("authorization: Bearer hunter2");
    let path = format!("/http/web/{port}/");
    daemon.get(&path).is(200, "welcome");
    let elsewhere = ("X-Nerve-Check-IP", "127.0.0.2");
    let refused = daemon.get_with(&path, &[elsewhere]);
    refused.says(403, &format!("add 127.0.0.2:{port} to it"));
    let other = format!("/http/other/{port}/");
    daemon.get_with(&other, &[elsewhere]).says(503, "refused");
}

#[test]
fn checks_that_need_no_login_go_everywhere_as_ever() {
    let daemon = Daemon::start();
    let port = redis_server();
    daemon
        .get(&format!("/redis/cache/{port}"))
        .is(200, "Sent PING, got back +PONG");
    daemon
        .get(&format!("/mysql/db/{port}"))
        .is(500, "No MySQL username/password in config file");
    daemon
        .get(&format!("/postgres/db/{port}?role=primary"))
        .says(500, "No postgres_username in config file");
    let one_user = Setup::new().config("mysql_username: u\n").start();
    one_user
        .get(&format!("/mysql/db/{port}"))
        .is(500, "No MySQL username/password in config file");
}

#[test]
fn a_place_that_is_listed_is_logged_in_to_and_one_that_is_no_longer_is_not() {
    let port = redis_server();
    let with = |place: &str| format!("cache_time: 600\n{CREDENTIALS}login_to: [{place}]\n");
    let daemon = Setup::new().config(with("local")).start();
    let path = format!("/redis/cache/{port}");
    daemon.get(&path).says(403, "outside login_to");
    for place in [
        format!("local:{port}"),
        "127.0.0.0/8".to_owned(),
        format!("127.0.0.1:{port}"),
    ] {
        daemon.reload(&with(&place), "configuration read from");
        daemon.get(&path).is(200, "Sent PING, got back +PONG");
    }
    daemon.reload(&with("local"), "configuration read from");
    daemon.get(&path).says(403, "outside login_to");
}

#[test]
fn a_groups_own_servers_are_logged_in_to_and_nobody_else_profits() {
    let port = redis_server();
    let config =
        format!("{CREDENTIALS}groups: {{cache: {{checks: ['redis://localhost:{port}']}}}}\n");
    let daemon = Setup::new().config(config).start();
    daemon
        .get("/group/cache/0/")
        .says(200, "1 of 1 checks passed");
    let path = format!("/redis/x/{port}");
    daemon.get(&path).says(403, "outside login_to");
    daemon
        .get("/group/cache/0/")
        .says(200, "1 of 1 checks passed");
}

#[test]
fn a_unix_socket_of_the_configuration_is_logged_in_to() {
    let setup = Setup::new();
    let path = setup.spool.outside().join("redis.sock");
    let socket = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        for stream in socket.incoming() {
            redis(stream.unwrap());
        }
    });
    let config = format!(
        "{CREDENTIALS}services: {{cache: {{socket: {}}}}}\n",
        path.display()
    );
    let daemon = setup.config(config).start();
    daemon
        .get("/redis/cache/0")
        .is(200, "Sent PING, got back +PONG");
}

#[test]
fn one_line_at_the_start_says_which_ports_get_credentials_unless_login_to_is_set() {
    let daemon = Setup::new().config(CREDENTIALS).start();
    daemon.wait_for_log("login_to is not set");
    let log = daemon.log();
    let told: Vec<&str> = log.lines().filter(|l| l.contains("login_to")).collect();
    assert_eq!(told.len(), 1, "{log}");
    for port in ["mysql port 3306", "postgres port 5432", "redis port 6379"] {
        assert!(told[0].contains(port), "{told:?}");
    }
    let text = format!("{CREDENTIALS}login_to: [local]\n");
    let daemon = Setup::new().config(text).start();
    daemon.get("/healthz").is(200, "ok\n");
    assert_eq!(daemon.logged("login_to"), 0, "{}", daemon.log());
}
