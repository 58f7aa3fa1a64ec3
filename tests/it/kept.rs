//! Connections that are kept: whatever they asked for before, they are told what a new one is told.

use crate::support::client::{Kept, Response};
use crate::support::daemon::Daemon;
use crate::support::random::Random;
use crate::support::upstream::{self, Upstream};

/// What tells answers apart; the time is another each time, and so is how long a probe took.
fn told(answer: &Response) -> (u16, String, String, Vec<(String, String)>) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !["date", "connection"].contains(&name.as_str()));
    (
        answer.status,
        without_duration(&answer.phrase),
        without_duration(&answer.body),
        headers,
    )
}

/// A text without the `N.NN` of `after N.NNs`.
fn without_duration(text: &str) -> String {
    let Some((before, rest)) = text.split_once(" after ") else {
        return text.to_owned();
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    format!("{before} after {rest}")
}

/// An upstream whose answer is what it was asked.
fn echo() -> Upstream {
    Upstream::start(|head| Some(upstream::http("200 OK", head)))
}

#[test]
fn a_kept_connection_is_told_what_a_new_one_is_whatever_it_asked_before() {
    let upstream = echo();
    let daemon = Daemon::with_config(
        "cache_time: 0\ncheck_hosts: [127.0.0.0/8]\nhttp_headers_to_copy: [Host, X-A]\n",
    );
    let port = upstream.port();
    let paths = [
        "/spool/web/80".into(),
        "/spool/mail/80".into(),
        "/spool/web/81".into(),
        format!("/http/web/{port}/a"),
        format!("/http/web/{port}/a?b"),
        format!("/http/mail/{port}/a"),
        "/http/web/0/a".into(),
        "/tcp/web/1".into(),
        "/status/nothing".into(),
        "/healthz".into(),
    ];
    let state = |rest: &'static str| ("X-Haproxy-Server-State", rest);
    let moved = format!("UP; address=127.0.0.2; port={port}");
    let headers: Vec<Vec<(&str, &str)>> = vec![
        vec![],
        vec![("X-A", "1")],
        vec![("X-A", "2")],
        vec![("X-B", "1")],
        vec![("x-a", "1"), ("X-A", "2")],
        vec![("Pragma", "no-cache")],
        vec![state("UP; address=127.0.0.1; port=80")],
        vec![state("UP; address=10.0.0.1; port=80")],
        vec![("X-Haproxy-Server-State", &moved)],
        vec![("X-Nerve-Check-IP", "127.0.0.3")],
        vec![("X-Nerve-Check-IP", "not an address")],
    ];
    let spool = |name: &str, down: bool| {
        let file = daemon.spool.root().join(name);
        if down {
            std::fs::write(file, name).unwrap();
        } else {
            std::fs::remove_file(file).unwrap_or_default();
        }
    };
    let entries = [
        "web",
        "web:80",
        "mail",
        "web:127.0.0.3:80",
        "all",
        "web:10.0.0.1:80",
    ];
    let mut kept: Vec<Kept> = (0..3).map(|_| Kept::to(daemon.address)).collect();
    let mut random = Random::new(7);
    let mut any = |below: usize| random.below(below);
    let mut ok = 0;
    for round in 0..400 {
        let (path, host) = (&paths[any(paths.len())], ["a.test", "b.test"][any(2)]);
        let mut said = vec![("Host", host)];
        said.extend(&headers[any(headers.len())]);
        let method = ["GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE"][any(6)];
        let connection = &mut kept[any(3)];
        for _ in 0..=any(6) {
            if any(5) == 0 {
                spool(entries[any(entries.len())], any(4) == 0);
            }
            let new = daemon.request(method, path, &said);
            let again = connection.request(method, path, &said);
            assert_eq!(
                told(&again),
                told(&new),
                "round {round}: {method} {path} {said:?}"
            );
            ok += usize::from(new.status == 200);
        }
    }
    assert!(ok > 100, "only {ok} of the answers were 200");
}

#[test]
fn a_reload_counts_for_connections_that_are_open() {
    let upstream = echo();
    let config = |copied: &str| format!("cache_time: 0\nhttp_headers_to_copy: [{copied}]\n");
    let daemon = Daemon::with_config(&config("Host"));
    let path = format!("/http/web/{}/a", upstream.port());
    let mut kept = Kept::to(daemon.address);
    let mut ask = || {
        kept.get(&path, &[("Host", "a.test"), ("X-A", "1")])
            .body
            .to_ascii_lowercase()
    };
    for (copied, has_host, has_other) in [
        ("Host", true, false),
        ("X-A", false, true),
        ("Host, X-A", true, true),
    ] {
        daemon.reload(&config(copied), "SIGHUP: configuration read from");
        for _ in 0..4 {
            let asked = ask();
            assert_eq!(
                (asked.contains("host: a.test"), asked.contains("x-a: 1")),
                (has_host, has_other),
                "{asked}"
            );
        }
    }
    daemon.reload("allowed_ports: [1]\n", "SIGHUP: configuration read from");
    kept.get(&path, &[("Host", "a.test"), ("X-A", "1")])
        .says(403, "allowed_ports");
}

#[test]
fn requests_on_one_connection_are_of_one_poller() {
    let daemon = Daemon::start();
    let mut kept = Kept::to(daemon.address);
    for _ in 0..5 {
        kept.get("/spool/web/80", &[("Host", "a.test")]).is(200, "");
        kept.get("/spool/mail/80", &[("Host", "a.test")])
            .is(200, "");
    }
    let pollers = daemon.get("/pollers").json();
    let polls: Vec<_> = pollers["pollers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (&p["service"], &p["polls"]))
        .collect();
    assert_eq!(
        polls,
        [(&"mail".into(), &5.into()), (&"web".into(), &5.into())],
        "{pollers}"
    );
}
