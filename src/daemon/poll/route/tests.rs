use super::*;
use crate::daemon::poll::refusal::unknown_protocol;

fn get(path: &str) -> Result<Route<'_>, Refusal> {
    parse(&Method::GET, path, None)
}

#[test]
fn checks_are_found_as_the_originals_find_them() {
    for (path, protocol, port, rest) in [
        ("/http/web/80/", Some("http"), Some(80), ""),
        ("/http/web/80/a/b", Some("http"), Some(80), "a/b"),
        ("/http/web/80//a", Some("http"), Some(80), "/a"),
        ("/tcp/web.main/8080", Some("tcp"), Some(8080), ""),
        ("/tcp/web/8080/x", Some("tcp"), Some(8080), "x"),
        ("/tcp/web/70000", Some("tcp"), None, ""),
        ("/spool/a_b-C.1/0", None, Some(0), ""),
    ] {
        match get(path) {
            Ok(Route::Check(c)) => {
                assert_eq!(
                    (c.protocol.map(|p| p.name), c.port, c.rest),
                    (protocol, port, rest),
                    "{path}"
                );
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[test]
fn other_paths_are_not_found() {
    for path in [
        "",
        "/",
        "/nope",
        "/nope/svc/x/80",
        "/n%6fpe/svc/80/x",
        "/http/svc/80",
        "/http//80/x",
        "/http/svc/http/x",
        "/tcp/svc/-1",
        "/tcp/svc/+80",
        "/tcp/svc/80abc",
        "/http/svc/%38/x",
        "//spool/svc/80",
        "/status/",
        "/spool/a%20b/80",
        "/spool/a:b/80",
        "/spool/a~b/80",
        "/spool/svc",
        "/spool/svc/",
        "/spool/%41/80",
    ] {
        assert!(
            matches!(get(path), Err(Refusal::NotFound)),
            "{path}: {:?}",
            get(path)
        );
    }
}

#[test]
fn a_slip_in_the_protocol_is_told_with_the_nearest() {
    for (path, says) in [
        (
            "/htp/svc/80/x",
            "unknown protocol 'htp'; did you mean http?",
        ),
        (
            "/HTTP/svc/80/x",
            "unknown protocol 'HTTP'; did you mean http?",
        ),
        (
            "/spol/svc/80",
            "unknown protocol 'spol'; did you mean spool?",
        ),
    ] {
        match get(path) {
            Err(Refusal::Protocol(name)) => assert_eq!(unknown_protocol(&name), says),
            other => panic!("{path}: {other:?}"),
        }
    }
    let all = unknown_protocol("gopher");
    assert!(
        all.contains("'gopher'; there are http, https, tcp"),
        "{all}"
    );
}

#[test]
fn names_that_could_not_be_spool_files_are_bad_requests() {
    let long = format!("/spool/{}/80", "x".repeat(300));
    for path in [
        "/spool/../80",
        "/spool/./80",
        "/tcp/%2e%2E/80",
        "/spool/a%2fb/80",
        "/spool/a%00b/80",
        &long,
    ] {
        assert!(
            matches!(get(path), Err(Refusal::Name(_))),
            "{path}: {:?}",
            get(path)
        );
    }
    assert!(matches!(get("/spool/svc/70000"), Err(Refusal::Port)));
}

#[test]
fn only_the_spool_takes_posts() {
    assert!(matches!(
        parse(&Method::POST, "/spool/web/80/x", None),
        Ok(Route::SpoolChange(_, 80))
    ));
    for path in ["/http/web/80/", "/status", "/recent", "/metrics"] {
        assert!(
            matches!(parse(&Method::POST, path, None), Err(Refusal::Method(READ))),
            "{path}"
        );
    }
    assert!(matches!(
        parse(&Method::DELETE, "/spool/web/80", None),
        Err(Refusal::Method(READ_AND_POST))
    ));
    assert!(matches!(
        parse(&Method::HEAD, "/http/web/80/", None),
        Ok(Route::Check(_))
    ));
}
