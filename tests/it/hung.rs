//! Services that hang, and those beside them. What comes first is asserted by order, not by a clock.

use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use crate::support::client::{answer, is_silent, send};
use crate::support::daemon::Daemon;
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, timed_out_after, wait_until};

/// No answer of ours may come from this deadline: it is longer than any test.
const PATIENT: &str = "healthcheck_timeout: 300\n";

fn ask(daemon: &Daemon, path: &str) -> TcpStream {
    send(daemon.address, "GET", path, &[])
}

#[test]
fn a_healthy_service_is_answered_while_fifty_others_hang() {
    let mut daemon = Daemon::with_config(PATIENT);
    let hung: Vec<Upstream> = (0..50).map(|_| Upstream::hung()).collect();
    let waiting: Vec<TcpStream> = hung
        .iter()
        .enumerate()
        .map(|(i, u)| ask(&daemon, &format!("/http/hung{i}/{}/", u.port())))
        .collect();
    for upstream in &hung {
        upstream.wait_for(1);
    }
    assert_eq!(daemon.status("/probes_running"), 50);
    let healthy = Upstream::answering("fine");
    for protocol in ["http", "tcp"] {
        assert_eq!(
            daemon
                .get(&format!("/{protocol}/web/{}/", healthy.port()))
                .status,
            200
        );
    }
    daemon.get("/spool/web/80").is(200, "");
    assert!(
        waiting.iter().all(is_silent),
        "a hung service was answered before the healthy one"
    );
    daemon.is_sound();
}

#[test]
fn a_hung_service_is_answered_when_its_time_is_over() {
    let daemon = Daemon::with_config("healthcheck_timeout: 1\n");
    let hung = Upstream::hung();
    let response = daemon.get(&format!("/http/web/{}/", hung.port()));
    response.says(
        503,
        &format!("http 127.0.0.1:{}, waiting for the answer", hung.port()),
    );
    for said in [&response.body, &response.phrase] {
        assert!(said.starts_with("Connection timed out after "), "{said}");
        assert!(timed_out_after(said) >= 1.0, "{said}");
    }
    assert_eq!(daemon.status("/probes_running"), 0);
}

#[test]
fn pollers_that_gave_up_on_hung_services_do_not_keep_others_out() {
    let mut daemon = Daemon::with_config(&format!(
        "{PATIENT}max_connections: 20\nmax_waiting: 1000\n"
    ));
    let hung: Vec<Upstream> = (0..5).map(|_| Upstream::hung()).collect();
    // A poller with a deadline of its own hangs up and comes again; the daemon cannot tell it from one that only
    // closed its sending side.
    let poll = |n: usize| ask(&daemon, &format!("/http/hung/{}/", hung[n % 5].port()));
    for n in 0..19 {
        let poller = poll(n);
        wait_until(PATIENCE, "the check was begun", || {
            daemon.status("/cache/gets") == n + 1
        });
        drop(poller);
    }
    let healthy = Upstream::answering("fine");
    for n in 0..20 {
        drop(poll(n));
        assert_eq!(
            daemon.get(&format!("/http/web/{}/", healthy.port())).body,
            "fine"
        );
    }
    assert!(daemon.status("/connections/dropped").as_u64().unwrap() > 0);
    daemon.is_sound();
}

#[test]
fn checks_of_a_target_that_is_full_wait_in_line_and_others_go_on() {
    let mut daemon = Daemon::with_config(PATIENT);
    let (hung, healthy) = (Upstream::hung(), Upstream::answering("fine"));
    let path = |i| format!("/http/web/{}/?q={i}", hung.port());
    // Of its 64 places one address gets 32.
    let waiting: Vec<TcpStream> = (0..40).map(|i| ask(&daemon, &path(i))).collect();
    hung.wait_for(32);
    wait_until(PATIENCE, "the others wait", || {
        daemon.metric("hacheck_probes_waiting") == 8.0
    });
    assert_eq!(
        daemon.get(&format!("/http/web/{}/", healthy.port())).body,
        "fine"
    );
    assert!(
        waiting.iter().all(is_silent),
        "a hung check was answered before the others"
    );
    assert_eq!(
        hung.seen().len(),
        32,
        "a check too many went to the full target"
    );
    daemon.is_sound();
}

/// A server that answers each request when it is told to.
fn on_command() -> (Sender<()>, Upstream) {
    let (go, wait) = channel();
    let wait = Mutex::new(wait);
    let upstream = Upstream::start(move |_| {
        wait.lock().unwrap().recv_timeout(PATIENCE).ok()?;
        Some(http("200 OK", "at last"))
    });
    (go, upstream)
}

/// Closes a connection with a reset, which a daemon that looks learns of at once.
fn hang_up(daemon: &Daemon, poller: TcpStream) {
    let at_once = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    nix::sys::socket::setsockopt(&poller, nix::sys::socket::sockopt::Linger, &at_once).unwrap();
    drop(poller);
    // The news of the reset was there before this request, on the daemon's only thread.
    daemon.get("/healthz").is(200, "ok\n");
}

#[test]
fn a_poller_that_hangs_up_does_not_cancel_what_another_one_waits_for() {
    let mut daemon = Daemon::with_config("cache_time: 0\nhealthcheck_timeout: 300\n");
    let (go, upstream) = on_command();
    let path = format!("/http/web/{}/", upstream.port());
    let first = ask(&daemon, &path);
    upstream.wait_for(1);
    let mut second = ask(&daemon, &path);
    wait_until(PATIENCE, "the second poller joined", || {
        daemon.status("/cache/hits") == 1
    });
    hang_up(&daemon, first);
    assert!(is_silent(&second));
    go.send(()).unwrap();
    answer(&mut second).is(200, "at last");
    assert_eq!(upstream.seen().len(), 1, "the upstream was asked twice");
    daemon.is_sound();
}

#[test]
fn a_probe_that_everybody_left_still_brings_its_result() {
    let mut daemon = Daemon::with_config("cache_time: 3600\nhealthcheck_timeout: 300\n");
    let (go, upstream) = on_command();
    let path = format!("/http/web/{}/", upstream.port());
    let alone = ask(&daemon, &path);
    upstream.wait_for(1);
    hang_up(&daemon, alone);
    go.send(()).unwrap();
    wait_until(PATIENCE, "the probe is done", || {
        daemon.status("/probes_running") == 0
    });
    daemon.get(&path).is(200, "at last");
    assert_eq!(upstream.seen().len(), 1, "the upstream was asked twice");
    daemon.is_sound();
}
