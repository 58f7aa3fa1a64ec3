//! A stranger never costs a balancer a poll: neither its answer nor its place.

use crate::support::client::{Response, exchange};
use crate::support::daemon::Daemon;
use crate::support::upstream::{Upstream, http};

/// A poll as HAProxy sends it where it was told no host.
fn without_host(daemon: &Daemon, path: &str) -> Response {
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    Response::parse(&exchange(daemon.address, request.as_bytes()))
}

#[test]
fn a_virtual_host_that_passes_says_nothing_to_those_who_name_none() {
    let service = Upstream::start(|head| match head.contains("127.0.0.1") {
        true => Some(http("500 Internal Server Error", "broken")),
        false => Some(http("200 OK", "static")),
    });
    let daemon = Daemon::with_config("cache_time: 3600\n");
    let path = format!("/http/web/{}/", service.port());
    for host in ["static.example", "localhost:3333"] {
        let stranger = daemon.get_with(&path, &[("Host", host)]);
        stranger.is(200, "static");
        without_host(&daemon, &path).is(500, "broken");
    }
    // Addresses differ from balancer to balancer, and name no site.
    let address = [("Host", "10.0.0.1:3333")];
    daemon.get_with(&path, &address).is(500, "broken");
    assert_eq!(service.seen().len(), 3);
}

/// Polls a path so often at a steady pace.
fn poll_steadily(daemon: &Daemon, path: &str) {
    for _ in 0..5 {
        daemon.get(path);
        // Faster ones would count as a burst.
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
}

#[test]
fn five_polls_at_a_steady_pace_make_a_poller_established_and_four_do_not() {
    let service = Upstream::answering("fine");
    let daemon = Daemon::start();
    let path = |page: &str| format!("/http/web/{}/{page}", service.port());
    for _ in 0..4 {
        daemon.get(&path("four"));
    }
    poll_steadily(&daemon, &path("steady"));
    let page = daemon.get("/pollers?service=web").json();
    let pollers = page["pollers"].as_array().unwrap();
    let established = |variant: &str| {
        let poller = pollers.iter().find(|p| p["variant"] == variant).unwrap();
        poller["established"].as_bool().unwrap()
    };
    assert!(established("/steady"), "{pollers:?}");
    assert!(!established("/four"), "{pollers:?}");
}
