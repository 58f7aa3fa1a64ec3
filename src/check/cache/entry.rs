//! What is known of one key: the probes that run, and the newest result.

use std::sync::Arc;
use std::time::Instant;

use super::Wanted;
use super::ticket::RunningProbe;
use crate::probe::{Outcome, Rank};

/// The probes of a key, those begun first in front, and the newest result.
#[derive(Default)]
pub(super) struct CacheEntry {
    pub(super) running: Vec<Running>,
    pub(super) result: Option<StoredResult>,
}

/// A probe that is under way, or that waits for its turn.
pub(super) struct Running {
    pub(super) number: u64,
    pub(super) rank: Rank,
    pub(super) has_begun: bool,
    pub(super) probe: RunningProbe,
}

/// A result, with the number of the probe that it is of.
pub(super) struct StoredResult {
    pub(super) number: u64,
    pub(super) outcome: Arc<Outcome>,
    /// When it expires; never without one.
    pub(super) until: Option<Instant>,
    pub(super) bytes: usize,
}

impl CacheEntry {
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.result.is_none()
    }

    pub(super) fn begins(&mut self, number: u64) {
        let mut all = self.running.iter_mut();
        if let Some(running) = all.find(|running| running.number == number) {
            running.has_begun = true;
        }
    }

    pub(super) fn take_off(&mut self, number: u64) {
        self.running.retain(|running| running.number != number);
    }

    /// The probe that will do.
    pub(super) fn usable(&self, wanted: Wanted) -> Option<&RunningProbe> {
        let will_do = |r: &&Running| r.rank >= wanted.rank && !(wanted.fresh && r.has_begun);
        let found = self.running.iter().find(will_do)?;
        Some(&found.probe)
    }

    /// The probe that must be over before another one begins.
    pub(super) fn last(&self, rank: Rank) -> Option<&RunningProbe> {
        // A probe of a lower rank may wait in a line that this rank does not stand in, so nobody waits for it.
        let running = self.running.iter().rfind(|r| r.rank >= rank)?;
        Some(&running.probe)
    }

    /// Whether a probe that began later than this one has ended already.
    pub(super) fn has_newer_than(&self, number: u64) -> bool {
        match &self.result {
            Some(result) => result.number > number,
            None => false,
        }
    }
}

impl StoredResult {
    /// Whether it is young enough.
    pub(super) fn counts(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}
