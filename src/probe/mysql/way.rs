//! Whether a server's account wants TLS, remembered for a while.
//!
//! A server does not say that an account requires TLS, it refuses the login. So that is not tried with every probe, which
//! would fill the server's log.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::net::Host;
use crate::probe::Target;

/// How long what was learned counts.
const KEPT: Duration = Duration::from_secs(300);

/// Most servers that are remembered.
const SERVERS: usize = 10_000;

type Known = HashMap<(Host, u16), (bool, Instant)>;

/// What was learned of servers.
#[derive(Default)]
pub(in crate::probe) struct Ways(Mutex<Known>);

impl Ways {
    /// Whether to log in over TLS; `None` when that must be found out.
    pub(super) fn known(&self, target: &Target) -> Option<bool> {
        let known = self.lock();
        let (tls, at) = known.get(&(target.host.clone(), target.port))?;
        (at.elapsed() < KEPT).then_some(*tls)
    }

    /// Remembers, or forgets.
    pub(super) fn learn(&self, target: &Target, tls: Option<bool>) {
        let key = (target.host.clone(), target.port);
        let mut known = self.lock();
        let Some(tls) = tls else {
            known.remove(&key);
            return;
        };
        if known.len() >= SERVERS {
            known.clear();
        }
        known.insert(key, (tls, Instant::now()));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
