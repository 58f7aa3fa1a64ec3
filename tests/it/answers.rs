//! Answers, as pollers and people read them off the wire.

use std::net::TcpListener;

use serde_json::json;

use crate::support::client::{self, Kept};
use crate::support::daemon::{Daemon, Setup};
use crate::support::upstream::{Upstream, http};

#[test]
fn a_reason_is_the_phrase_of_the_status_line() {
    let daemon = Daemon::start();
    daemon
        .run("hadown", &["-r", "new kernel\u{e9}\nback at 6", "web"])
        .is(0, "");
    let raw = client::exchange(daemon.address, b"GET /spool/web/80 HTTP/1.1\r\n\r\n");
    let text = String::from_utf8_lossy(&raw);
    assert!(
        text.starts_with("HTTP/1.1 503 new kernel? back at 6\r\n"),
        "{text}"
    );
    let raw = client::exchange(daemon.address, b"GET /spool/web/80 HTTP/1.0\r\n\r\n");
    let text = String::from_utf8_lossy(&raw);
    assert!(
        text.starts_with("HTTP/1.0 503 new kernel? back at 6\r\n"),
        "HAProxy asks so: {text}"
    );
    assert!(text.ends_with(": new kernel\u{e9} back at 6"), "{text}");
    let refused = daemon.get("/tcp/db/1");
    refused.says(503, "tcp 127.0.0.1:1: connection refused after ");
    assert_eq!(refused.phrase, refused.body);
    daemon.spool.put("quiet", "{}");
    assert_eq!(daemon.get("/spool/quiet/80").phrase, "Service Unavailable");
}

#[test]
fn head_has_no_body_and_options_is_like_get() {
    let daemon = Daemon::start();
    let upstream = Upstream::answering("fine");
    daemon.run("hadown", &["-r", "why", "db"]).is(0, "");
    for path in [
        &format!("/http/web/{}/", upstream.port()),
        "/spool/db/80",
        "/spool/web/80",
        "/healthz",
        "/nowhere",
    ] {
        let get = daemon.get(path);
        let options = daemon.request("OPTIONS", path, &[]);
        assert_eq!(
            (options.status, &options.body, &options.phrase),
            (get.status, &get.body, &get.phrase),
            "{path}"
        );
        let head = daemon.request("HEAD", path, &[]);
        assert_eq!(
            (head.status, head.body.as_str()),
            (get.status, ""),
            "{path}"
        );
        assert_eq!(
            head.header("content-length"),
            Some(get.body.len().to_string().as_str()),
            "{path}"
        );
        assert_eq!(
            head.header("content-type"),
            get.header("content-type"),
            "{path}"
        );
    }
}

#[test]
fn what_is_not_there_and_what_is_not_allowed_is_told() {
    let daemon = Daemon::start();
    for path in [
        "/",
        "/favicon.ico",
        "/http/web/80",
        "/status/",
        "/spool/web",
    ] {
        daemon
            .get(path)
            .says(404, "checks are /<protocol>/<service>/<port>/<query>");
    }
    let unknown = daemon.get("/nope/web/80/");
    unknown.says(404, "unknown protocol 'nope'; there are http, https, tcp, ");
    for (method, path, allow) in [
        ("POST", "/http/web/80/", "GET, HEAD, OPTIONS"),
        ("DELETE", "/spool/web/80", "GET, HEAD, OPTIONS, POST"),
        ("PUT", "/status", "GET, HEAD, OPTIONS"),
    ] {
        let refused = daemon.request(method, path, &[]);
        refused.says(405, allow);
        assert_eq!(refused.header("allow"), Some(allow), "{method} {path}");
    }
    daemon
        .request("POST", "/spool/web/80?status=up", &[])
        .says(403, "remote spool changes are not enabled");
}

#[test]
fn everything_is_plain_text_or_json_and_no_upstream_header_is_passed_on() {
    let daemon = Daemon::start();
    let upstream = Upstream::start(|_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: a=b\r\nX-Own: yes\r\nConnection: close\r\n\r\n";
        Some(format!("{head}<script>alert(1)</script>").into_bytes())
    });
    let check = format!("/http/web/{}/", upstream.port());
    for path in [
        &check,
        "/spool/web/80",
        "/tcp/web/1",
        "/healthz",
        "/nowhere",
        "/spool/../80",
        "/recent?threshold=x",
    ] {
        let response = daemon.get(path);
        assert_eq!(
            response.header("content-type"),
            Some("text/plain; charset=utf-8"),
            "{path}"
        );
        assert_eq!(
            response.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(
            (response.header("set-cookie"), response.header("x-own")),
            (None, None),
            "{path}"
        );
    }
    daemon.get(&check).is(200, "<script>alert(1)</script>");
    for path in ["/status", "/status/count", "/recent", "/mutornadomon"] {
        let response = daemon.get(path);
        assert_eq!(
            response.header("content-type"),
            Some("application/json; charset=UTF-8"),
            "{path}"
        );
        assert_eq!(
            response.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
    }
}

#[test]
fn the_status_of_an_upstream_passes_if_it_has_a_name() {
    let daemon = Daemon::start();
    let upstream = Upstream::start(|head| {
        let status = head.split([' ', '/']).nth(2).unwrap_or_default();
        Some(http(&format!("{status} Whatever"), "said"))
    });
    let ask = |status: u16| daemon.get(&format!("/http/web/{}/{status}", upstream.port()));
    for status in [200, 201, 302, 404, 418, 500, 503] {
        ask(status).is(status, "said");
    }
    for status in [204, 304] {
        ask(status).is(status, "");
    }
    for status in [299, 599, 999] {
        ask(status).is(503, "said");
    }
}

#[test]
fn hosts_outside_check_hosts_are_forbidden_however_they_are_spelt() {
    let daemon = Daemon::start();
    for host in [
        "8.8.8.8",
        "[2001:4860:4860::8888]",
        "::ffff:8.8.8.8",
        "134744072",
        "0x08080808",
        "0.0.0.0",
        "::",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "::a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "fe80::1",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
    ] {
        let state = format!("UP 1/2; address={host}; port=9; name=web/a");
        for header in [
            ("X-Nerve-Check-IP", host),
            ("X-Haproxy-Server-State", state.as_str()),
        ] {
            for path in ["/http/web/9/", "/tcp/web/9"] {
                daemon
                    .get_with(path, &[header])
                    .says(403, "may not be checked from here: ");
            }
        }
        // The spool probes nothing.
        daemon
            .get_with("/spool/web/9", &[("X-Nerve-Check-IP", host)])
            .is(200, "");
    }
    for host in [
        "fe80::1%lo",
        "a b",
        "127.0.0.1:80",
        "user@127.0.0.1",
        "127.0.0.1/x",
        "\u{e9}",
    ] {
        assert_eq!(
            daemon
                .get_with("/tcp/web/9", &[("X-Nerve-Check-IP", host)])
                .status,
            400,
            "{host}"
        );
    }
    let all = Daemon::with_config("check_hosts: ['0.0.0.0/0', '::/0']\nhealthcheck_timeout: 0.5\n");
    for host in [
        "169.254.169.254",
        "2852039166",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
    ] {
        assert_eq!(
            all.get_with("/tcp/web/9", &[("X-Nerve-Check-IP", host)])
                .status,
            403,
            "{host} is never allowed"
        );
    }
}

#[test]
fn a_name_that_cannot_be_resolved_fails_the_check() {
    let daemon = Daemon::with_config("healthcheck_timeout: 3\n");
    let response = daemon.get_with(
        "/tcp/web/80",
        &[("X-Nerve-Check-IP", "no-such-host.invalid")],
    );
    // Where the name server does not answer, the deadline comes first.
    let told = response
        .body
        .contains("host no-such-host.invalid cannot be resolved");
    assert!(
        response.status == 503 && (told || response.body.starts_with("Connection timed out")),
        "{response:?}"
    );
}

#[test]
fn ipv6_and_host_names_are_checked_where_headers_say() {
    let daemon = Daemon::start();
    let v6 = Upstream::start_on("[::1]:0".parse().unwrap(), |_| Some(http("200 OK", "six")));
    let v4 = Upstream::answering("four");
    daemon
        .get_with(
            "/http/web/1/",
            &[(
                "X-Haproxy-Server-State",
                &format!("UP; address=::1; port={}", v6.port()),
            )],
        )
        .is(200, "six");
    daemon
        .get_with(
            &format!("/http/web/{}/", v6.port()),
            &[("X-Nerve-Check-IP", "::1")],
        )
        .is(200, "six");
    daemon
        .get_with(
            &format!("/http/web/{}/", v6.port()),
            &[("X-Nerve-Check-IP", "[::1]")],
        )
        .is(200, "six");
    // The name may have two addresses, of which the upstream listens on one.
    daemon
        .get_with(
            &format!("/http/web/{}/", v4.port()),
            &[("X-Nerve-Check-IP", "localhost")],
        )
        .is(200, "four");
    daemon
        .get_with(
            &format!("/http/web/{}/", v4.port()),
            &[("X-Nerve-Check-IP", "LOCALHOST")],
        )
        .is(200, "four");
    let on_v6 = Setup::new().bind("::1").start();
    on_v6
        .get(&format!("/http/web/{}/", v4.port()))
        .is(200, "four");
    assert_eq!(
        on_v6.get("/status/count").json()["service_access_counts"]["web"],
        json!({"::1": 1})
    );
}

/// An upstream that answers with a number of its own for each request.
fn counting() -> Upstream {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Upstream::start(move |_| {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        Some(http("200 OK", &n.to_string()))
    })
}

#[test]
fn query_and_copied_headers_make_a_check_of_its_own() {
    let daemon = Daemon::with_config("cache_time: 3600\nhttp_headers_to_copy: [Host, X-Own]\n");
    let upstream = counting();
    let ask = |service: &str, rest: &str, headers: &[(&str, &str)]| {
        daemon
            .get_with(
                &format!("/http/{service}/{}/{rest}", upstream.port()),
                headers,
            )
            .body
    };
    assert_eq!(ask("web", "", &[]), "1");
    assert_eq!(ask("web", "", &[]), "1");
    assert_eq!(ask("web", "?a=1", &[]), "2");
    assert_eq!(ask("web", "?a=2", &[]), "3");
    assert_eq!(ask("web", "?a=1", &[]), "2");
    assert_eq!(ask("web", "", &[("Host", "other.test")]), "4");
    assert_eq!(ask("web", "", &[("X-Own", "1")]), "5");
    assert_eq!(
        ask("web", "", &[("X-Other", "1")]),
        "1",
        "a header that is not copied is part of no key"
    );
    assert_eq!(ask("db", "", &[]), "1", "the name decides nothing for http");
    let seen = upstream.seen();
    let says = |i: usize, text: &str| {
        assert!(
            seen[i].to_lowercase().contains(text),
            "{text:?} in {}",
            seen[i]
        );
    };
    says(0, "host: check.test");
    says(0, "user-agent: hastate ");
    says(1, "get /?a=1 http/1.1");
    says(3, "host: other.test");
    says(4, "x-own: 1");
    // For a protocol without a request, a made-up query makes no probe.
    for i in 0..5 {
        daemon.get(&format!("/tcp/web/{}/?q={i}", upstream.port()));
    }
    assert_eq!(
        daemon.metric("hacheck_probes_total{protocol=\"tcp\",result=\"pass\"}"),
        1.0
    );
}

#[test]
fn a_poller_can_demand_a_fresh_result() {
    let daemon = Daemon::with_config("cache_time: 3600\n");
    let upstream = counting();
    let ask = |headers: &[(&str, &str)]| {
        daemon
            .get_with(&format!("/http/web/{}/", upstream.port()), headers)
            .body
    };
    assert_eq!(ask(&[]), "1");
    for (value, body) in [
        ("no-cache", "2"),
        ("NO-CACHE", "3"),
        ("No-Cache", "4"),
        ("cache", "4"),
        ("", "4"),
    ] {
        assert_eq!(ask(&[("Pragma", value)]), body, "{value}");
    }
    assert_eq!(
        ask(&[]),
        "4",
        "the fresh result is kept, for that request alone was it demanded"
    );
    assert_eq!(ask(&[("pragma", "no-cache")]), "5");
}

#[test]
fn failures_are_kept_and_expire() {
    let daemon = Daemon::with_config("cache_time: 3600\n");
    let closed = TcpListener::bind("127.0.0.5:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let header = [("X-Nerve-Check-IP", "127.0.0.5")];
    let ask = || daemon.get_with(&format!("/http/web/{}/", closed.port()), &header);
    ask().says(503, &format!("http {closed}: connection refused"));
    let _upstream = Upstream::start_on(closed, |_| Some(http("200 OK", "up")));
    ask().says(503, "connection refused");
    daemon.reload("cache_time: 0\n", "SIGHUP: configuration read from");
    let fresh = [("X-Nerve-Check-IP", "127.0.0.5"), ("Pragma", "no-cache")];
    daemon
        .get_with(&format!("/http/web/{}/", closed.port()), &fresh)
        .is(200, "up");
}

#[test]
fn a_connection_serves_many_requests() {
    let daemon = Daemon::start();
    let mut kept = Kept::to(daemon.address);
    for i in 0..50 {
        let response = kept.get(&format!("/spool/web{i}/80"), &[("Host", "x")]);
        assert_eq!(
            (response.status, response.header("content-length")),
            (200, Some("0"))
        );
    }
    assert_eq!(daemon.status("/services/known"), 50);
}

#[test]
fn a_slip_in_the_protocol_is_told_in_the_body_and_in_the_phrase_that_haproxy_shows() {
    let daemon = Daemon::start();
    let answer = daemon.get("/htp/web/80/health");
    answer.is(404, "unknown protocol 'htp'; did you mean http?\n");
    assert_eq!(answer.phrase, "unknown protocol 'htp'; did you mean http?");
    daemon
        .get("/gopher/web/80/")
        .says(404, "unknown protocol 'gopher'; there are http, https");
    daemon.get("/gopher/web").says(404, "not found; checks are");
}
