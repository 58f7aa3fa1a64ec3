//! `services: {…: {http: …}}`: what the answers of a service must be like.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::daemon::Setup;
use crate::support::upstream::{Upstream, http};

const RULES: &str = r#"
services:
  strict: {http: {status: [200, 204, 301-399], body_contains: "db: ok", body_regex: "^ready\\b"}}
  status: {http: {status: 404}}
  asks: {http: {method: head, request_headers: {X-Token: s3cret-token, Host: site.example}}}
"#;

#[test]
fn everything_that_the_rule_asks_for_must_hold() {
    let upstream = Upstream::start(|head| {
        Some(match head.split(' ').nth(1).unwrap() {
            "/good" => http("200 OK", "ready\ndb: ok"),
            "/redirect" => http("302 Found", "ready db: ok"),
            "/status" => http("206 Partial Content", "ready db: ok"),
            "/text" => http("200 OK", "ready db: bad"),
            "/regex" => http("200 OK", "readyish db: ok"),
            "/none" => http("404 Not Found", "nobody"),
            _ => http("500 Internal Server Error", ""),
        })
    });
    let daemon = Setup::new().config(RULES).start();
    let get = |service: &str, path: &str| {
        daemon.get(&format!("/http/{service}/{}/{path}", upstream.port()))
    };
    get("strict", "good").is(200, "ready\ndb: ok");
    get("strict", "redirect").is(200, "ready db: ok");
    get("strict", "status").says(
        503,
        "http: status 206 Partial Content is not one of those allowed",
    );
    get("strict", "text").says(503, "http: the body does not contain 'db: ok'");
    get("strict", "regex").says(503, r"http: the body does not match '^ready\\b'");
    get("strict", "none").says(503, "http: status 404");
    get("status", "none").is(200, "nobody");
    // A service without a rule is judged as ever, and never takes the result of one with a rule.
    get("other", "none").is(404, "nobody");
    get("other", "status").is(206, "ready db: ok");
}

#[test]
fn method_and_headers_of_the_rule_are_sent() {
    let upstream =
        Upstream::start(|_| Some(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec()));
    let daemon = Setup::new().config(RULES).start();
    daemon
        .get(&format!("/http/asks/{}/x?y", upstream.port()))
        .is(200, "");
    let head = &upstream.seen()[0].to_ascii_lowercase();
    assert!(head.starts_with("head /x?y http/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\nx-token: s3cret-token") && head.contains("\r\nhost: site.example"),
        "{head}"
    );
    assert!(!daemon.log().contains("s3cret-token"));
}

#[test]
fn results_are_shared_within_a_service_only() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let upstream = Upstream::start(|_| {
        ASKED.fetch_add(1, Ordering::SeqCst);
        Some(http("200 OK", "x"))
    });
    let daemon = Setup::new().config(RULES).start();
    let get = |service: &str| {
        daemon
            .get(&format!("/http/{service}/{}/", upstream.port()))
            .status
    };
    assert_eq!(
        (get("strict"), get("strict"), get("a"), get("b")),
        (503, 503, 200, 200)
    );
    assert_eq!(ASKED.load(Ordering::SeqCst), 2);
}
