//! HTTP checks of `heartbeat`: what byrondover's heartbeat asks with Python's `requests` (2.27), and calls healthy.

use crate::heartbeat::Stage;
use crate::support::upstream::{Upstream, http};
use crate::tls::{RSA, Server};

/// The promotions and demotions of one run over one check.
fn actions(check: &str) -> Vec<String> {
    let stage = Stage::new();
    stage.conf(
        "daemonize = no",
        &format!("[DEFAULT]\naction = nginx\n[web]\n{check}"),
    );
    stage.run(&[]);
    stage.actions()
}

fn web(port: u16, more: &str) -> String {
    format!("type = http\nhostname = localhost\nport = {port}\n{more}\n")
}

fn path_of(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

fn header(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut values = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.to_owned())
}

fn redirect(to: &str, more: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\n{more}Content-Length: 0\r\n\r\n").into_bytes()
}

/// `/30` leads to `/29` and so on to `/0`.
fn stairs() -> Upstream {
    Upstream::start(|head| {
        let step: u32 = path_of(head).trim_start_matches('/').parse().unwrap();
        Some(match step.checked_sub(1) {
            Some(next) => redirect(&format!("/{next}"), ""),
            None => http("200 OK", ""),
        })
    })
}

#[test]
fn thirty_redirects_are_followed_and_the_next_one_demotes() {
    let upstream = stairs();
    assert_eq!(actions(&web(upstream.port(), "path = /30")), ["up"]);
    assert_eq!(actions(&web(upstream.port(), "path = /31")), ["down"]);
}

#[test]
fn a_redirect_that_leads_nowhere_demotes() {
    for location in ["/", "ftp://localhost/", "http://", "http://a b/", ""] {
        let upstream = Upstream::start(move |_| Some(redirect(location, "")));
        let done = actions(&web(upstream.port(), "path = /"));
        assert_eq!(done, ["down"], "Location: {location}");
    }
}

#[test]
fn a_cookie_that_comes_with_a_redirect_goes_with_the_next_request() {
    let upstream = Upstream::start(|head| {
        Some(match header(head, "cookie").as_deref() {
            Some("seen=yes; b=2") => http("200 OK", ""),
            _ => redirect("/", "Set-Cookie: seen=yes; Path=/\r\nSet-Cookie: b=2\r\n"),
        })
    });
    assert_eq!(actions(&web(upstream.port(), "")), ["up"]);
}

#[test]
fn a_login_in_hostname_is_sent_and_stays_at_that_place() {
    let other = Upstream::answering("");
    let place = other.address;
    let upstream = Upstream::start(move |head| {
        Some(match path_of(head) {
            "/" => redirect("/here", ""),
            _ => redirect(&format!("http://{place}/there"), ""),
        })
    });
    let check = web(upstream.port(), "hostname = u:p@localhost\npath = /");
    assert_eq!(actions(&check), ["up"]);
    let logins: Vec<_> = upstream
        .seen()
        .iter()
        .map(|head| header(head, "authorization"))
        .collect();
    assert_eq!(
        logins,
        [Some("Basic dTpw".to_owned()), Some("Basic dTpw".to_owned())]
    );
    assert_eq!(header(&other.seen()[0], "authorization"), None);
    assert_eq!(header(&other.seen()[0], "host"), Some(place.to_string()));
}

#[test]
fn host_names_paths_and_timeouts_are_taken_as_requests_does() {
    let upstream = Upstream::answering("");
    let port = upstream.port();
    let check = web(port, "path = /a b?c d#e\ntimeout = 5000");
    assert_eq!(actions(&check), ["up"]);
    let head = &upstream.seen()[0];
    assert_eq!(path_of(head), "/a%20b?c%20d");
    assert_eq!(header(head, "host"), Some(format!("localhost:{port}")));

    let sixth = Upstream::start_on("[::1]:0".parse().unwrap(), |_| Some(http("200 OK", "")));
    let check = web(sixth.port(), "hostname = [::1]");
    assert_eq!(actions(&check), ["up"]);
    let host = format!("[::1]:{}", sixth.port());
    assert_eq!(header(&sixth.seen()[0], "host"), Some(host));
}

#[test]
fn certificates_count_unless_the_file_says_otherwise() {
    let server = Server::start("localhost", &RSA);
    let check = |more: &str| {
        let port = server.address.port();
        actions(&format!(
            "type = https\nhostname = localhost\nport = {port}\n{more}\n"
        ))
    };
    let ca_file = format!("ca_file = {}", server.certificate().display());
    assert_eq!(check(""), ["down"]);
    assert_eq!(check("verify = yes"), ["down"]);
    assert_eq!(check("verify = no"), ["up"]);
    assert_eq!(check(&ca_file), ["up"]);
    assert_eq!(check("[DEFAULT]\nverify = no"), ["up"]);
}

#[test]
fn a_ca_file_that_cannot_be_read_is_told_at_the_start() {
    let stage = Stage::new();
    let check = "[DEFAULT]\naction = nginx\n[web]\ntype = https\nhostname = localhost\nport = 1\n";
    stage.conf("daemonize = no\nca_file = /nonexistent.pem", check);
    stage.run(&[]).is_with(
        1,
        "",
        "heartbeat: cannot read certificates from /nonexistent.pem: no such file",
    );
}

/// The words are those of `parse_results` in heartbeat.py.
#[test]
fn each_check_that_fails_is_an_error_in_the_log_each_time() {
    let upstream = Upstream::start(|_| Some(http("204 No Content", "")));
    let port = upstream.port();
    let stage = Stage::new();
    let check = web(
        port,
        "action = nginx\ntimeout = 7\nhostname = u:p@localhost",
    );
    stage.conf("daemonize = yes", &format!("[web]\n{check}"));
    stage.start();
    let line = format!(
        " ERROR    [Service Check] Name: web, Endpoint: localhost:{port}, Type: http, Timeout: 7, Status: Unhealthy\n"
    );
    stage.wait_for_log(&line, 2);
    assert_eq!(stage.actions(), ["down"]);
    assert!(
        stage
            .read("heartbeat.log")
            .contains(" INFO     Log level: DEBUG.\n")
    );
}

#[test]
fn bytes_that_are_no_utf_8_are_told_only_where_they_count() {
    let upstream = Upstream::answering("");
    let stage = Stage::new();
    stage.conf(
        "daemonize = no",
        &format!("[web]\n{}", web(upstream.port(), "action = nginx")),
    );
    let file = stage.folder.file("heartbeat.conf");
    let text = std::fs::read(&file).unwrap();
    std::fs::write(&file, [b"# Pr\xfcfung\n", text.as_slice()].concat()).unwrap();
    stage.run(&[]).is(0, "");
    std::fs::write(&file, [text.as_slice(), b"path = /pr\xfcfung\n"].concat()).unwrap();
    stage
        .run(&[])
        .is_with(1, "", "[web] path: is not UTF-8; write it in UTF-8");
}
