//! Clients that never rest, and what they met.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::haproxy::{Haproxy, through};
use super::{PATIENCE, wait_until};

/// Clients of several balancers; they end when this is dropped.
pub struct Load {
    met: Arc<Met>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Met {
    stop: AtomicBool,
    served: Mutex<HashMap<String, usize>>,
    failed: Mutex<Vec<String>>,
}

impl Load {
    /// One client for each balancer.
    pub fn on(balancers: &[&Haproxy]) -> Self {
        let met = Arc::<Met>::default();
        let client = |front: PathBuf| {
            let met = Arc::clone(&met);
            thread::spawn(move || {
                while !met.stop.load(Ordering::Relaxed) {
                    match through(&front) {
                        Ok(response) => {
                            *met.served.lock().unwrap().entry(response.body).or_default() += 1;
                        }
                        Err(e) => met.failed.lock().unwrap().push(e),
                    }
                }
            })
        };
        let threads = balancers.iter().map(|b| client(b.front())).collect();
        Self { met, threads }
    }

    /// How many requests a server answered, by its body.
    pub fn served_by(&self, server: &str) -> usize {
        self.met
            .served
            .lock()
            .unwrap()
            .get(server)
            .copied()
            .unwrap_or_default()
    }

    #[track_caller]
    pub fn wait_for_more(&self, server: &str) {
        let before = self.served_by(server);
        let what = format!("20 more requests served by {server}");
        wait_until(PATIENCE, &what, || self.served_by(server) >= before + 20);
    }

    /// Checks that no request failed so far.
    #[track_caller]
    pub fn has_no_failures(&self) {
        assert_eq!(
            *self.met.failed.lock().unwrap(),
            [""; 0],
            "requests of clients failed"
        );
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.met.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
