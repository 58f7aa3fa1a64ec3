//! HTTP/2 in clear text, as balancers speak it, and with frames that no balancer sends.

use std::io::{Read as _, Write as _};
use std::process::Command;

use crate::support::client::connect;
use crate::support::daemon::{Daemon, Setup};
use crate::support::haproxy::Haproxy;
use crate::support::http2::{
    Asking, DATA, Frame, HEADERS, PREFACE, RESET, Raw, SETTINGS, get, head, requests,
};
use crate::support::upstream::Upstream;
use crate::support::{PATIENCE, wait_until};

/// Settings of a client: nothing of an answer's body may be sent.
const NO_WINDOW: (u16, u32) = (4, 0);

/// What curl writes of each answer: the body, the version, the status.
fn curl(daemon: &Daemon, options: &[&str], paths: &[&str]) -> String {
    // Each with a connection of its own: curl 7.88 cannot use one of HTTP/2 in clear text twice.
    let ask = |path: &&str| curl_once(daemon, options, path);
    paths.iter().map(ask).collect()
}

fn curl_once(daemon: &Daemon, options: &[&str], path: &str) -> String {
    let mut command = Command::new("curl");
    let format = " (%{http_version} %{http_code})\n";
    command
        .args(["-sS", "-m", "60", "-w", format])
        .args(options);
    command.arg(format!("http://{}{path}", daemon.address));
    let output = command.output();
    let output = output.expect("curl is missing: apt-get install curl");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn curl_is_answered_over_http2_as_over_http1() {
    let upstream = Upstream::answering("I am well");
    let daemon = Daemon::start();
    daemon.run("hadown", &["-r", "new disk", "db"]).code_is(0);
    let check = format!("/http/web/{}/", upstream.port());
    let paths = ["/healthz", &check, "/spool/db/80", "/nope"];
    let is_same = |options: &[&str], version: &str| {
        let said = curl(&daemon, options, &paths);
        let expected =
            format!("ok\n ({version} 200)\nI am well ({version} 200)\nService db in down state");
        assert!(said.starts_with(&expected), "{said}");
        assert!(
            said.contains(&format!("new disk ({version} 503)\n")),
            "{said}"
        );
        assert!(said.ends_with(&format!("({version} 404)\n")), "{said}");
    };
    is_same(&["--http2-prior-knowledge"], "2");
    is_same(&["--http1.1"], "1.1");
    // An upgrade is not taken; the answer is HTTP/1.1's.
    is_same(&["--http2"], "1.1");
}

#[test]
fn forms_and_heads_come_over_http2_too() {
    let daemon = Daemon::with_config("allow_remote_spool_changes: true\n");
    let prior = "--http2-prior-knowledge";
    let down = ["-d", "status=down&reason=disk", prior];
    assert_eq!(curl(&daemon, &down, &["/spool/web/0"]), " (2 200)\n");
    assert!(daemon.spool.path("web").exists());
    let head = curl(&daemon, &["-I", prior], &["/spool/web/80"]);
    assert!(head.starts_with("HTTP/2 503"), "{head}");
    assert!(head.contains("\ncontent-length: "), "{head}");
    assert!(head.ends_with(" (2 503)\n"), "{head}");
}

#[test]
fn haproxy_checks_by_http2() {
    let daemon = Daemon::start();
    let address = daemon.address;
    let haproxy = Haproxy::start(&format!(
        "backend web\n  option httpchk\n  http-check connect proto h2\n  http-check send meth GET uri /spool/web/80 ver HTTP/2\n  \
         server s1 {address} check inter 100ms fall 2 rise 2\n\
         frontend f\n  bind unix@front\n  default_backend web\n"
    ));
    haproxy.wait_for_check("web", "s1", "200", "");
    daemon.run("hadown", &["-r", "new disk", "web"]).code_is(0);
    haproxy.wait_for("web", "s1", "DOWN");
    daemon.run("haup", &["web"]).code_is(0);
    haproxy.wait_for("web", "s1", "UP");
}

#[test]
fn at_most_32_requests_of_a_connection_wait_and_each_counts_until_it_is_given_up() {
    let upstream = Upstream::hung();
    let daemon = Daemon::with_config("healthcheck_timeout: 3600\n");
    let mut raw = Raw::to(daemon.address, &[]);
    let settings = raw.wait_for(|f| f.kind == SETTINGS && f.flags == 0).payload;
    assert!(
        settings.chunks(6).any(|s| s == [0, 3, 0, 0, 0, 32]),
        "{settings:?}"
    );
    let check = format!("/smtp/web/{}", upstream.port());
    for _ in 0..32 {
        raw.ask("GET", &check).unwrap();
    }
    let waiting = || daemon.metric("hacheck_requests_waiting");
    wait_until(PATIENCE, "all of them wait", || waiting() == 32.0);
    let refused = raw.ask("GET", "/healthz").unwrap();
    // REFUSED_STREAM
    let reset = raw.wait_for(|f| f.kind == RESET);
    assert_eq!((reset.stream, reset.payload), (refused, vec![0, 0, 0, 7]));
    // CANCEL
    assert!(raw.send(RESET, 0, 1, &[0, 0, 0, 8]));
    wait_until(PATIENCE, "one was given up", || waiting() == 31.0);
    drop(raw);
    wait_until(PATIENCE, "all were given up", || waiting() == 0.0);
}

#[test]
fn a_connection_without_a_whole_request_is_closed_in_time() {
    let daemon = Daemon::with_config("header_timeout: 0.3\n");
    let mut silent = Raw::to(daemon.address, &[]);
    while silent.read().is_some() {}
    let mut slow = Raw::to(daemon.address, &[]);
    // Without END_HEADERS.
    assert!(slow.send(HEADERS, 1, 1, &head("GET", "/healthz", &[])));
    while slow.read().is_some() {}
    let mut part = connect(daemon.address);
    part.write_all(&PREFACE[..10]).unwrap();
    // It ends, in whatever manner.
    let _ = part.read_to_end(&mut Vec::new());
}

#[test]
fn an_answer_that_is_left_unread_ends_the_connection_though_others_are_read() {
    let config = "write_timeout: 0.5\nheader_timeout: 3600\n";
    let daemon = Daemon::with_config(config);
    for path in ["/metrics", "/status", "/overview", "/ui"] {
        leave_unread(&daemon, path);
    }
}

fn leave_unread(daemon: &Daemon, path: &str) {
    let mut raw = Raw::to(daemon.address, &[NO_WINDOW]);
    let stalled = raw.ask("GET", path).unwrap();
    raw.wait_for(|f| f.kind == HEADERS && f.stream == stalled);
    // Answers without a body go on.
    while let Some(stream) = raw.ask("HEAD", "/healthz") {
        let answered = |f: &Frame| f.kind == HEADERS && f.stream == stream;
        loop {
            match raw.read() {
                Some(frame) if answered(&frame) => break,
                Some(frame) => assert_ne!(frame.kind, DATA),
                None => return,
            }
        }
    }
}

#[test]
fn too_many_headers_are_refused() {
    let daemon = Daemon::with_config("max_headers: 20\n");
    let names: Vec<String> = (0..30).map(|n| format!("x-{n}")).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "1")).collect();
    let many = requests(daemon.address, &[get("/healthz"), get("/spool/web/80")]);
    many[1].is(200, "");
    let asking = |headers| Asking {
        headers,
        ..get("/healthz")
    };
    let answers = requests(daemon.address, &[asking(&headers), asking(&headers[..10])]);
    answers[0].is(431, "");
    answers[1].is(200, "ok\n");
}

#[test]
fn http2_can_be_switched_off() {
    let daemon = Setup::new().config("http2: false\n").start();
    let said = curl(&daemon, &["--http2-prior-knowledge"], &["/healthz"]);
    assert!(said.contains("curl: "), "{said}");
    let sample = "hacheck_connections_foreign_total{kind=\"http2\"}";
    assert_eq!(daemon.metric(sample), 1.0);
    daemon.wait_for_log("HTTP/2, which this port does not speak");
    let said = curl(&daemon, &["--http1.1"], &["/healthz"]);
    assert_eq!(said, "ok\n (1.1 200)\n");
}
