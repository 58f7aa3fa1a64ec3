//! Results that still count, and the sharing of running probes.
//!
//! Rule: of each key one probe runs at a time for each rank of askers, and nobody joins one that may have to wait behind
//! others of a lower rank. A poller that demands a fresh result never gets one that began before it asked: it waits until
//! that is over. Entries and bytes are bounded: the result that was stored first goes first.

mod contents;
mod entry;
mod eviction;
mod ticket;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use self::contents::Contents;
pub use self::ticket::{RunningProbe, Ticket};
use super::CheckSettings;
use super::key::CacheKey;
use crate::probe::{Outcome, Rank};

/// Counts since the start; the names are those of the originals' `/status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Results found too old.
    pub expirations: u64,
    /// Probes begun and results stored.
    pub sets: u64,
    /// Look-ups.
    pub gets: u64,
    /// Look-ups that found a result or a probe to join.
    pub hits: u64,
    /// Look-ups that began a probe.
    pub misses: u64,
    /// Results dropped for want of room.
    pub evictions: u64,
}

/// What a look-up gives.
pub enum Lookup {
    /// A result that counts.
    Stored(Arc<Outcome>),
    /// A running probe to wait for.
    Running(RunningProbe),
    /// Nothing: the caller runs the probe and hands its outcome to the ticket; all wait on the running probe.
    Begin(Ticket, RunningProbe),
}

/// Which results will do.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Neither a stored result nor one of a probe that has begun.
    pub fresh: bool,
    /// None of a probe for a lower rank, unless it is stored.
    pub rank: Rank,
}

/// The results of all probes.
pub struct Cache {
    contents: Mutex<Contents>,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(settings: &CheckSettings) -> Self {
        Self {
            contents: Mutex::new(Contents::new(settings)),
        }
    }

    /// Looks a key up.
    pub(crate) fn look_up(
        self: &Arc<Self>,
        key: &CacheKey,
        wanted: Wanted,
        now: Instant,
    ) -> Lookup {
        // One lock from the look-up to the entry of a new probe: of two who ask at once, the second joins the first.
        let mut contents = self.lock();
        if let Some(found) = contents.look_up(key, wanted, now) {
            return found;
        }

        let (sender, receiver) = watch::channel(None);
        let running = RunningProbe(receiver);
        let turn = contents.begin(key, wanted.rank, &running);
        let ticket = Ticket::new(Arc::clone(self), key, turn, sender);
        Lookup::Begin(ticket, running)
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> CacheCounts {
        self.lock().counts
    }

    /// Stored results and their bytes.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.lock().size()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        let lock = self.contents.lock();
        // After a panic under the lock a count may be wrong, which is better than a daemon that panics at each poll.
        lock.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
