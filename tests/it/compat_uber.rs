//! `compat: uber`: what Uber hacheck answers (with Tornado 4.5) where it differs from Yelp's.

use crate::support::daemon::Daemon;
use crate::support::upstream::{Upstream, http};

fn path_of(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

/// `/5` leads to `/4` and so on to `/0`.
fn stairs() -> Upstream {
    Upstream::start(|head| {
        let step: u32 = path_of(head).trim_start_matches('/').parse().unwrap();
        Some(match step.checked_sub(1) {
            Some(next) => redirect(&next.to_string()),
            None => http("200 OK", "here"),
        })
    })
}

#[test]
fn five_redirects_are_followed_and_the_sixth_is_the_answer() {
    let (upstream, uber) = (stairs(), Daemon::with_config("compat: uber\n"));
    let port = upstream.port();
    uber.get(&format!("/http/web/{port}/5")).is(200, "here");
    uber.get(&format!("/http/web/{port}/6")).is(302, "");
    let heads = upstream.seen();
    let own_host = format!("\r\nhost: 127.0.0.1:{port}\r\n");
    let second = heads[1].to_ascii_lowercase();
    assert!(second.contains(&own_host), "{second}");

    let yelp = Daemon::start();
    yelp.get(&format!("/http/web/{port}/5")).is(302, "");
}

#[test]
fn a_redirect_leads_only_where_a_poller_could_send_a_check() {
    let uber = Daemon::with_config("compat: uber\n");
    let own = uber.address.port();
    let own = format!("http://127.0.0.1:{own}/spool/web/0");
    for (location, says) in [
        ("http://192.0.2.1/", "outside check_hosts"),
        (
            "http://169.254.169.254/latest/meta-data/",
            "cloud metadata is never checked",
        ),
        (own.as_str(), "hacheck itself listens"),
    ] {
        let answer = redirect(location);
        let upstream = Upstream::start(move |_| Some(answer.clone()));
        let path = format!("/http/web/{}/", upstream.port());
        uber.get(&path).says(403, says);
    }
}

#[test]
fn what_a_poller_copied_for_one_place_does_not_go_to_another() {
    let config = "compat: uber\nhttp_headers_to_copy: [Host, Authorization, Cookie, X-Tenant]\n";
    let (other, uber) = (Upstream::answering(""), Daemon::with_config(config));
    let answer = redirect(&format!("http://{}/", other.address));
    let upstream = Upstream::start(move |_| Some(answer.clone()));
    let headers = [
        ("Authorization", "Basic dTpw"),
        ("Cookie", "a=b"),
        ("X-Tenant", "blue"),
    ];
    let path = format!("/http/web/{}/", upstream.port());
    uber.get_with(&path, &headers).is(200, "");
    let head = other.seen()[0].to_ascii_lowercase();
    assert!(head.contains("x-tenant: blue"), "{head}");
    assert!(
        !head.contains("authorization") && !head.contains("cookie"),
        "{head}"
    );
}

#[test]
fn host_and_port_of_a_check_are_those_of_the_path() {
    let (named, asked) = (Upstream::answering("named"), Upstream::answering("asked"));
    let state = format!("UP; address=127.0.0.1; port={}", named.port());
    let headers = [
        ("X-Haproxy-Server-State", state.as_str()),
        ("X-Nerve-Check-IP", "192.0.2.1"),
    ];
    let path = format!("/http/web/{}/", asked.port());
    let uber = Daemon::with_config("compat: uber\n");
    uber.get_with(&path, &headers).is(200, "asked");
    let yelp = Daemon::start();
    yelp.get_with(&path, &headers[..1]).is(200, "named");
}
