//! gRPC's health protocol as balancers ask by it, with a client of the tests' own.

use crate::support::client::exchange;
use crate::support::daemon::Daemon;
use crate::support::http2::{Answer, Asking, get, requests};
use crate::support::upstream::{Upstream, http};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const GRPC: &[(&str, &str)] = &[("content-type", "application/grpc"), ("te", "trailers")];

/// `HealthCheckRequest` in a frame.
fn asking_for(service: &str) -> Vec<u8> {
    let length = u8::try_from(service.len()).unwrap();
    assert!(length < 126);
    let mut frame = vec![0, 0, 0, 0, length + 2, 0x0a, length];
    frame.extend(service.as_bytes());
    frame
}

fn call(daemon: &Daemon, path: &str, frame: &[u8]) -> Answer {
    call_with(daemon, path, GRPC, frame)
}

fn call_with(daemon: &Daemon, path: &str, headers: &[(&str, &str)], frame: &[u8]) -> Answer {
    let asking = Asking {
        method: "POST",
        path,
        headers,
        body: frame,
    };
    requests(daemon.address, &[asking]).pop().unwrap()
}

/// What a call for a service is told: `SERVING`, `NOT_SERVING`, or its status and message.
#[track_caller]
fn told(daemon: &Daemon, service: &str) -> String {
    said(&call(daemon, CHECK, &asking_for(service)))
}

#[track_caller]
fn said(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/grpc");
    if let Some(status) = answer.headers.get("grpc-status") {
        assert!(answer.body.is_empty());
        let message = answer.headers["grpc-message"].to_str().unwrap();
        return format!("{} {message}", status.to_str().unwrap());
    }
    assert_eq!(answer.trailers["grpc-status"], "0");
    match &answer.body[..] {
        b"\0\0\0\0\x02\x08\x01" => "SERVING".into(),
        b"\0\0\0\0\x02\x08\x02" => "NOT_SERVING".into(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_is_serving_unless_it_or_the_host_is_down() {
    let daemon = Daemon::start();
    for service in ["", "web", "web:8080", "db"] {
        assert_eq!(told(&daemon, service), "SERVING", "{service:?}");
    }
    assert_eq!(said(&call(&daemon, CHECK, b"\0\0\0\0\0")), "SERVING");
    daemon.run("hadown", &["-r", "disk", "web"]).code_is(0);
    daemon
        .run("hadown", &["-r", "disk", "-P", "1", "db"])
        .code_is(0);
    for (service, expected) in [
        ("web", "NOT_SERVING"),
        ("web:8080", "NOT_SERVING"),
        ("db", "SERVING"),
        ("db:1", "NOT_SERVING"),
        ("db:2", "SERVING"),
        ("", "SERVING"),
    ] {
        assert_eq!(told(&daemon, service), expected, "{service:?}");
    }
    daemon.run("hadown", &["-r", "kernel", "all"]).code_is(0);
    for service in ["", "db", "db:2"] {
        assert_eq!(told(&daemon, service), "NOT_SERVING", "{service:?}");
    }
    let pollers = daemon.get("/pollers").body;
    assert!(pollers.contains("grpc-health spool"), "{pollers}");
}

#[test]
fn a_check_is_serving_when_it_passes() {
    let service = Upstream::start(|head| {
        Some(match head.split(' ').nth(1) {
            Some("/good" | "/good?x=1") => http("200 OK", "fine"),
            _ => http("403 Forbidden", "none of yours"),
        })
    });
    let daemon = Daemon::start();
    let port = service.port();
    for (check, expected) in [
        (format!("http/web/{port}/good"), "SERVING"),
        (format!("/http/web/{port}/good?x=1"), "SERVING"),
        (format!("tcp/web/{port}"), "SERVING"),
        // A service's own 403 is a failed check, no refusal.
        (format!("http/web/{port}/bad"), "NOT_SERVING"),
        ("tcp/web/1".into(), "NOT_SERVING"),
        (format!("spool/web/{port}"), "SERVING"),
    ] {
        assert_eq!(told(&daemon, &check), expected, "{check}");
    }
    daemon.run("hadown", &["-r", "disk", "web"]).code_is(0);
    assert_eq!(told(&daemon, &format!("tcp/web/{port}")), "NOT_SERVING");
}

#[test]
fn what_names_nothing_is_not_found_and_what_may_not_be_asked_is_denied() {
    let daemon = Daemon::with_config("allowed_ports: [1-2]\n");
    for name in [
        "a\u{1}b",
        "../x",
        "nope/web/80/",
        "http/web",
        "web:70000",
        "status/",
    ] {
        let told = told(&daemon, name);
        assert!(told.starts_with("5 "), "{name}: {told}");
    }
    let denied = told(&daemon, "tcp/web/3");
    assert!(denied.starts_with("7 "), "{denied}");
    assert!(denied.contains("allowed_ports"), "{denied}");
    let own = format!("http/web/{}/healthz", daemon.address.port());
    assert!(told(&daemon, &own).starts_with("7 "));
}

/// Metadata of a call are headers. They move no check, so `check_hosts` has nothing to refuse.
#[test]
fn metadata_lead_a_check_to_no_other_host_and_login_to_holds_as_for_http() {
    let service = Upstream::answering("fine");
    let check = format!("tcp/web/{}", service.port());
    let daemon = Daemon::with_config("redis_password: hunter2\ncheck_hosts: any\n");
    for other in ["127.0.0.2", "203.0.113.9", "169.254.169.254"] {
        let state = format!("UP; address={other}; port=1");
        let more = [
            ("x-nerve-check-ip", other),
            ("x-haproxy-server-state", &state),
        ];
        let headers = [GRPC, &more].concat();
        let answer = call_with(&daemon, CHECK, &headers, &asking_for(&check));
        assert_eq!(said(&answer), "SERVING", "{other}");
    }
    let told = told(&daemon, "redis/cache/1");
    assert!(told.starts_with("7 "), "{told}");
    assert!(told.contains("login_to"), "{told}");
}

#[test]
fn other_calls_are_not_implemented_and_other_messages_are_no_arguments() {
    let daemon = Daemon::start();
    for path in [
        "/grpc.health.v1.Health/Watch",
        "/grpc.health.v1.Health/",
        "/a.B/C",
    ] {
        let told = said(&call(&daemon, path, b"\0\0\0\0\0"));
        assert!(told.starts_with("12 "), "{path}: {told}");
    }
    let long = [b"\0\0\0\x80\0\x0a\x80\x80\x02".to_vec(), vec![b'x'; 0x8000]].concat();
    for frame in [
        &b""[..],
        b"\0\0\0\0\x05\x0a",
        b"\x01\0\0\0\0",
        b"\0\0\0\0\x04\x0a\x02\xff\xfe",
        b"\0\0\0\0\0\0\0\0\0\0",
        &long,
    ] {
        let told = said(&call(&daemon, CHECK, frame));
        assert!(told.starts_with("3 "), "{frame:?}: {told}");
    }
}

#[test]
fn over_http1_or_without_its_content_type_it_is_no_grpc() {
    let mut daemon = Daemon::start();
    let request = format!(
        "POST {CHECK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n"
    );
    let answer = exchange(daemon.address, request.as_bytes());
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    daemon.get(CHECK).says(405, "HTTP/2");
    let plain = Asking {
        method: "POST",
        headers: &[("content-type", "text/plain")],
        ..get(CHECK)
    };
    let answers = requests(daemon.address, &[get(CHECK), plain]);
    let status: Vec<u16> = answers.iter().map(|a| a.status).collect();
    assert_eq!(status, [405, 415]);
    daemon.is_sound();
}

#[test]
fn hacheck_asks_hacheck_by_grpc() {
    let asked = Daemon::start();
    let asking = Daemon::start();
    let path = |service: &str| format!("/grpc/web/{}?service={service}", asked.address.port());
    asking.get(&path("db")).is(200, "SERVING");
    asked.run("hadown", &["-r", "disk", "db"]).code_is(0);
    asking
        .get_with(&path("db"), &[("Pragma", "no-cache")])
        .says(503, "NOT_SERVING");
}
