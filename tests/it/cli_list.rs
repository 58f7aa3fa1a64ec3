//! `halist`, against servers that stand for the daemon.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::support::{Ran, run};

/// Runs `halist` against a server that gives one answer; also returns the request.
fn list(args: &[&str], answer: &str) -> (Ran, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        let ran = run("halist", &[&["-p", &port], args].concat());
        (ran, server.join().unwrap())
    })
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

const RECENT: &str = concat!(
    r#"{"seen_services": [["web", {"code": 200, "remote_ip": "127.0.0.1", "ts": 1795241082.083148}],"#,
    r#"["api", null], "old"], "threshold_seconds": 600}"#
);

#[test]
fn services_are_listed_by_name_with_their_last_answer() {
    let (ran, request) = list(&[], &ok(RECENT));
    ran.is(
        0,
        "api last_response=null\nold\n\
         web last_response={\"code\": 200, \"remote_ip\": \"127.0.0.1\", \"ts\": 1795241082.083148}\n",
    );
    assert!(request.starts_with("GET /recent HTTP/1.0\r\n"), "{request}");
    assert_eq!(list(&["-o", "uber"], &ok(RECENT)).0, ran);
}

#[test]
fn json_is_the_daemons_own() {
    list(&["-o", "json"], &ok(RECENT))
        .0
        .is(0, &format!("{RECENT}\n"));
}

#[test]
fn nothing_seen_is_nothing_printed() {
    list(
        &[],
        &ok(r#"{"seen_services": [], "threshold_seconds": 600}"#),
    )
    .0
    .is(0, "");
}

#[test]
fn control_characters_stay_out_of_the_terminal() {
    let body = r#"{"seen_services": [["a\nb\u001b", null]]}"#;
    list(&[], &ok(body)).0.is(0, "a b  last_response=null\n");
}

#[test]
fn no_daemon_is_one_sentence() {
    // The port of a connection's near end: nobody else takes it, and nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = stream.local_addr().unwrap().port().to_string();
    let ran = run("halist", &["-p", &port]);
    ran.is_with(
        1,
        "",
        &format!("halist: no hacheck answers on port {port} of 127.0.0.1 (connection refused)"),
    );
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
}

#[test]
fn another_server_on_the_port_is_told_apart() {
    for (answer, part) in [
        (ok("<html>"), "is not a hacheck"),
        (ok("[]"), "is not a hacheck"),
        (ok(r#"{"seen_services": 5}"#), "is not a hacheck"),
        (
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into(),
            "answered 404",
        ),
        ("SSH-2.0-OpenSSH\r\n".into(), "no hacheck answers"),
        (String::new(), "no hacheck answers"),
    ] {
        list(&[], &answer).0.is_with(1, "", part);
    }
}

#[test]
fn a_daemon_that_hangs_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    // The kernel accepts; nobody ever answers.
    run("halist", &["-p", &port]).is_with(1, "", "did not answer within 3 s");
}

#[test]
fn the_table_has_ages_in_place_of_unix_times() {
    let now = crate::support::unix_now();
    let asked = now - 7200.5 * 2.0;
    let body = format!(
        r#"{{"seen_services": [["web", {{"code": 503, "remote_ip": "10.0.0.1", "ts": {asked}}}], ["api", null]]}}"#
    );
    let table = "SERVICE  ANSWER  AGO  FOR\napi\nweb      503     4 h  10.0.0.1\n";
    list(&["-o", "table"], &ok(&body)).0.is(0, table);
    let none = list(&["-o", "table"], &ok(r#"{"seen_services": []}"#)).0;
    none.is_with(0, "", "nobody has polled lately");
}
