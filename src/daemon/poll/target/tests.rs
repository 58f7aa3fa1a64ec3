use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;

use super::super::route;
use super::super::{Asked, Poll};
use super::*;
use crate::daemon::state::Live;
use crate::daemon::tokens::Tokens;
use crate::ledger::Face;

/// A poll of a host with two addresses, of which its own name has the first.
fn poll(path: &str, headers: &[(&'static str, &str)]) -> (Poll, Live) {
    let addresses = [[10, 0, 0, 7].into(), [10, 0, 0, 8].into()];
    let own = LocalAddresses::known(&addresses, Some(addresses[0]));
    let live = {
        let config = Config::default();
        let memory = crate::daemon::memory(&config);
        Live::new(config, Tokens::default(), &Arc::new(own), &memory).unwrap()
    };
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let Ok(path) = route::check(path, query) else {
        panic!("{path} is no check")
    };
    let headers = headers
        .iter()
        .map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap()))
        .collect();
    let poll = Poll::new(
        Face::Http,
        [10, 0, 0, 1].into(),
        &path,
        &headers,
        &live,
        Instant::now(),
    );
    (poll, live)
}

fn asked(path: &str, headers: &[(&'static str, &str)]) -> Result<Arc<Target>, Outcome> {
    match poll(path, headers).0.asked {
        Asked::Check(check) => Ok(check.target),
        Asked::Refused(outcome) | Asked::NoPlace(outcome) => Err(outcome),
        Asked::Nothing => panic!("{path} asks the spool alone"),
    }
}

const STATE: &str = "x-haproxy-server-state";
const NERVE: &str = "x-nerve-check-ip";

#[test]
fn headers_move_the_check_to_the_servers_own_address() {
    for (headers, host, port) in [
        (vec![], "127.0.0.1", 80),
        (
            vec![(STATE, "UP 2/3; address=10.1.2.3; port=8080; name=b/s")],
            "10.1.2.3",
            8080,
        ),
        (
            vec![(STATE, "UP;\t address = srv2 ;port = 81 ;")],
            "srv2",
            81,
        ),
        (vec![(STATE, "UP; address=::1; port=81")], "[::1]", 81),
        (
            vec![(STATE, "UP; address=unix; port=; name=b/s")],
            "127.0.0.1",
            80,
        ),
        (
            vec![(STATE, "UP; address=10.1.2.3; port=0")],
            "10.1.2.3",
            80,
        ),
        (
            vec![(STATE, "UP; port=2; port=3; port=4=5")],
            "127.0.0.1",
            3,
        ),
        (
            vec![(NERVE, "10.1.2.3"), (STATE, "UP; port=81")],
            "10.1.2.3",
            81,
        ),
        (vec![(NERVE, "")], "127.0.0.1", 80),
        (vec![(NERVE, "10.0.0.7")], "127.0.0.1", 80),
        (vec![(NERVE, "10.0.0.8")], "10.0.0.8", 80),
        (vec![(NERVE, "::ffff:127.0.0.1")], "127.0.0.1", 80),
    ] {
        let target = asked("/http/web/80/x", &headers).unwrap();
        assert_eq!(
            (target.host.to_string().as_str(), target.port),
            (host, port),
            "{headers:?}"
        );
    }
}

#[test]
fn hosts_and_ports_that_cannot_be_are_refused() {
    for headers in [
        vec![(NERVE, "a@b")],
        vec![(NERVE, "127.0.0.1:80/other?")],
        vec![(STATE, "UP; port=abc")],
        vec![(STATE, "UP; port=+80")],
        vec![(STATE, "UP; port=70000")],
    ] {
        let refused = asked("/http/web/80/x", &headers).unwrap_err();
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{headers:?}");
    }
    assert_eq!(
        asked("/tcp/web/70000", &[]).unwrap_err().status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        asked("/tcp/web/70000", &[(STATE, "UP; port=80")])
            .unwrap()
            .port,
        80
    );
    assert_eq!(
        asked("/tcp/web/0", &[]).unwrap_err().status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[test]
fn spool_entries_name_service_and_instance() {
    for (headers, names) in [
        (vec![], vec!["web", "web:80", "web:10.0.0.7:80"]),
        (
            vec![(NERVE, "10.0.0.7")],
            vec!["web", "web:80", "web:10.0.0.7:80"],
        ),
        (
            vec![(NERVE, "10.0.0.8")],
            vec!["web", "web:80", "web:10.0.0.8:80"],
        ),
        (vec![(NERVE, "10.9.9.9")], vec!["web", "web:10.9.9.9:80"]),
        (
            vec![(STATE, "UP; address=::1; port=81")],
            vec!["web", "web:81", "web:::1:81"],
        ),
        (
            vec![(NERVE, "127.0.0.2")],
            vec!["web", "web:80", "web:127.0.0.2:80"],
        ),
        (
            vec![(NERVE, "127.1")],
            vec!["web", "web:80", "web:10.0.0.7:80", "web:127.1:80"],
        ),
        (
            vec![(NERVE, "2130706434")],
            vec!["web", "web:80", "web:127.0.0.2:80", "web:2130706434:80"],
        ),
        (
            vec![(NERVE, "LocalHost")],
            vec![
                "web",
                "web:80",
                "web:10.0.0.7:80",
                "web:localhost:80",
                "web:LocalHost:80",
            ],
        ),
        (
            vec![(NERVE, "0.0.0.0")],
            vec!["web", "web:80", "web:0.0.0.0:80"],
        ),
        (
            vec![(NERVE, "db.example")],
            vec!["web", "web:db.example:80"],
        ),
    ] {
        let (poll, live) = poll("/spool/web/80", &headers);
        assert_eq!(poll.entries(&live, false), names, "{headers:?}");
    }
}

#[test]
fn the_path_goes_on_as_it_came() {
    for (uri, path) in [
        ("/http/web/80/", "/"),
        ("/http/web/80/a%20b%3F/c?d=e?f", "/a%20b%3F/c?d=e?f"),
        ("/http/web/80/x?", "/x"),
        ("/http/web/80//x", "/x"),
    ] {
        assert_eq!(&*asked(uri, &[]).unwrap().path, path, "{uri}");
    }
}

#[test]
fn the_address_of_the_hosts_own_name_counts_as_this_host() {
    for (address, check) in [
        ("10.0.0.7", "tcp 127.0.0.1:80"),
        ("10.0.0.8", "tcp 10.0.0.8:80"),
    ] {
        let (poll, _) = poll("/tcp/web/80", &[(NERVE, address)]);
        assert_eq!(poll.poller.check.to_string(), check);
    }
}
