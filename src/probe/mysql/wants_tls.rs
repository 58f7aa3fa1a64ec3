//! Whether a server's account wants TLS, remembered for a while.
//!
//! A server does not say that an account requires TLS, it refuses the login. So that is not tried with every probe, which
//! would fill the server's log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::net::Host;

/// How long what was learned counts.
const KEPT: Duration = Duration::from_secs(300);

/// Most servers that are remembered.
const SERVERS: usize = 10_000;

/// A server, and the account there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Server {
    pub host: Host,
    pub port: u16,
    /// The entry of `services` that names the account; unset for the global one.
    pub account: Option<String>,
}

type LearnedServers = HashMap<Server, (bool, Instant)>;

/// What was learned of servers; clones share it.
#[derive(Clone, Default)]
pub(super) struct WantsTls(Arc<Mutex<LearnedServers>>);

impl WantsTls {
    /// Whether to log in over TLS; `None` when that must be found out.
    pub(super) fn known(&self, server: &Server) -> Option<bool> {
        let known = self.lock();
        let (tls, at) = known.get(server)?;
        // Found out again now and then, as an account may be changed.
        (at.elapsed() < KEPT).then_some(*tls)
    }

    pub(super) fn learn(&self, server: &Server, tls: bool) {
        let mut known = self.lock();
        // Forgetting costs one refused login for each server, so no order needs to be kept.
        if known.len() >= SERVERS {
            known.clear();
        }

        known.insert(server.clone(), (tls, Instant::now()));
    }

    pub(super) fn forget(&self, server: &Server) {
        self.lock().remove(server);
    }

    fn lock(&self) -> MutexGuard<'_, LearnedServers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
