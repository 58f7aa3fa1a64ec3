//! Pages under a crowd: built beside the threads that serve, shared where that is safe, in pieces within the budget.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use crate::support::client::{self, Kept, Response};
use crate::support::daemon::Daemon;

const SERVICES: usize = 8_000;

/// A daemon that was asked for many services with long names.
fn crowded(config: &str, services: usize) -> Daemon {
    let daemon = Daemon::with_config(config);
    let mut poller = Kept::to(daemon.address);
    for i in 0..services {
        poller
            .get(&format!("/spool/{}/0", name(i)), &[("Host", "x")])
            .is(200, "");
    }
    daemon
}

fn name(i: usize) -> String {
    format!("service-{i:06}-{}", "n".repeat(80))
}

/// Clients that ask for a page again and again, until they are stopped.
struct Crowd {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<()>>,
}

impl Crowd {
    fn on(daemon: SocketAddr, path: &'static str, clients: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let asked = Arc::<AtomicUsize>::default();
        let client = |_| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    is_whole(&client::request(daemon, "GET", path, &[]));
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        Self {
            clients: (0..clients).map(client).collect(),
            stop,
            asked,
        }
    }

    /// How many requests were answered in all.
    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        self.asked.load(Ordering::Relaxed)
    }
}

/// Checks that an answer is as long as it says, and JSON.
#[track_caller]
fn is_whole(answer: &Response) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let length: usize = answer.header("content-length").unwrap().parse().unwrap();
    assert_eq!(answer.body.len(), length);
    assert!(answer.json().is_object());
}

#[test]
fn requests_that_come_while_a_long_page_is_built_share_it() {
    let mut daemon = crowded("", SERVICES);
    let counts = daemon.get("/status/count");
    is_whole(&counts);
    assert!(counts.body.len() > 500_000, "{}", counts.body.len());
    let services = counts.json()["service_access_counts"].clone();
    assert_eq!(services.as_object().unwrap().len(), SERVICES);
    assert_eq!(services[name(17)]["127.0.0.1"], 1);
    let before = daemon.metric("hacheck_pages_built_total");
    let crowd = Crowd::on(daemon.address, "/recent", 16);
    for _ in 0..30 {
        daemon.get("/spool/web/0").is(200, "");
    }
    let asked = crowd.end();
    let built = daemon.metric("hacheck_pages_built_total") - before;
    assert!(built < asked as f64, "{built} pages for {asked} requests");
    let recent = daemon.get("/recent").json();
    let seen = recent["seen_services"].as_array().unwrap();
    assert_eq!(seen.len(), SERVICES + 1);
    daemon.is_sound();
}

#[test]
fn what_commands_wait_for_is_new_however_many_ask() {
    let daemon = crowded("", 300);
    let crowds = ["/recent", "/status", "/pollers"].map(|p| Crowd::on(daemon.address, p, 2));
    for round in 0..3 {
        let reason = format!("round {round}");
        daemon.run("hadown", &["-r", &reason, "web"]).is(0, "");
        let told = daemon
            .get_with("/downtimes", &[("Host", "127.0.0.1")])
            .json();
        assert_eq!(told["downtimes"][0]["reason"], reason, "{told}");
        assert_eq!(daemon.status("/spool/downtimes"), 1);
        daemon.run("haup", &["web"]).is(0, "");
        assert_eq!(daemon.status("/spool/downtimes"), 0);
    }
    for crowd in crowds {
        crowd.end();
    }
}

#[test]
fn requests_that_come_before_a_page_is_begun_share_it_so_that_a_flood_does_not_line_up() {
    let daemon = crowded("", 2_000);
    let before = daemon.metric("hacheck_pages_built_total");
    let crowd = Crowd::on(daemon.address, "/pollers", 24);
    for _ in 0..3 {
        daemon.run("hadown", &["web"]).is(0, "");
        daemon.run("haup", &["web"]).is(0, "");
    }
    let asked = crowd.end();
    let built = daemon.metric("hacheck_pages_built_total") - before;
    assert!(
        built > 0.0 && built < asked as f64 / 2.0,
        "{built} pages for {asked} requests"
    );
}

#[test]
fn a_page_for_which_there_is_no_memory_is_refused_and_the_others_are_answered() {
    let mut daemon = crowded("memory_limit: 1MiB\ncache_bytes: 0\n", SERVICES);
    let refused = daemon.get("/status/count");
    refused.says(503, "memory_limit");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(daemon.metric("hacheck_memory_refusals_total") > 0.0);
    assert_eq!(daemon.metric("hacheck_memory_used_bytes"), 0.0);
    is_whole(&daemon.get("/status"));
    daemon.get("/spool/web/0").is(200, "");
    daemon.is_sound();
}
