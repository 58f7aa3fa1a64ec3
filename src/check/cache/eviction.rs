//! Which results go: those that have expired, and those for which there is no room.
//!
//! Rule: what was stored first goes first, so that finding it costs nothing.

use std::sync::Arc;
use std::time::Instant;

use super::Cache;
use super::contents::Contents;
use super::entry::StoredResult;
use crate::check::CheckSettings;
use crate::check::key::CacheKey;
use crate::probe::Outcome;

/// How many expired results are taken out before others get the lock.
const EXPIRED_AT_ONCE: usize = 256;

impl Cache {
    /// Changes the limits. Results are forgotten when they would now count for another time.
    pub fn set(&self, settings: &CheckSettings) {
        self.lock().set(settings);
    }

    /// Forgets all results. Probes that run go on and will be stored.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Drops what has expired, so that its memory is free although nobody asks for it again.
    pub(crate) fn drop_expired(&self, now: Instant) {
        loop {
            // The lock is held for this line only. The bodies are freed at the end of the turn, without it.
            let dropped = self.lock().take_expired(now);
            if dropped.is_empty() {
                return;
            }
        }
    }
}

impl Contents {
    pub(super) fn size(&self) -> (usize, usize) {
        (self.order.len(), self.bytes)
    }

    pub(super) fn set(&mut self, settings: &CheckSettings) {
        // A result holds the time at which it expires, computed from the `cache_time` of its day.
        if self.settings.cache_time != settings.cache_time {
            self.clear();
        }

        self.settings = settings.clone();
    }

    /// Drops what was stored first until all limits hold.
    pub(super) fn make_room(&mut self) {
        let now = Instant::now();
        while !self.order.is_empty() {
            let oldest = self.oldest();
            // A place at the front whose result is gone is removed whether the limits hold or not.
            if oldest.is_some() && !self.is_over() {
                break;
            }
            // Expired results are not counted: evictions tell the operator that the limits are too small.
            let counts = oldest.is_some_and(|result| result.counts(now));
            self.counts.evictions += u64::from(counts);
            self.drop_oldest();
        }
    }

    /// Takes results out that have expired, the first ones; none when there are no more.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<Arc<Outcome>> {
        let mut taken = Vec::new();
        while taken.len() < EXPIRED_AT_ONCE && !self.order.is_empty() {
            let oldest = self.oldest();
            // All results count equally long, so none behind this one has expired either.
            if oldest.is_some_and(|result| result.counts(now)) {
                break;
            }
            taken.extend(oldest.map(|expired| Arc::clone(&expired.outcome)));
            self.drop_oldest();
        }

        self.counts.expirations += taken.len() as u64;
        taken
    }

    /// The result that was stored first, if it is still there.
    fn oldest(&self) -> Option<&StoredResult> {
        let (key, number) = self.order.front()?;
        let stored = self.entries.get(key)?.result.as_ref()?;
        // A newer one of the same key has a place of its own.
        (stored.number == *number).then_some(stored)
    }

    fn drop_oldest(&mut self) {
        if let Some((key, number)) = self.order.pop_front() {
            self.remove(&key, number);
        }
    }

    fn is_over(&self) -> bool {
        // Places whose result is gone count too: they hold memory, and this limit bounds them.
        self.order.len() > self.settings.cache_entries || self.bytes > self.settings.cache_bytes
    }

    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.bytes = 0;
        self.entries.retain(|_, entry| {
            entry.result = None;
            // A running probe keeps its entry, because pollers wait for it and others may join.
            !entry.running.is_empty()
        });
    }

    fn remove(&mut self, key: &CacheKey, number: u64) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };

        if let Some(stored) = entry.result.take_if(|r| r.number == number) {
            self.bytes -= stored.bytes;
        }

        self.remove_if_empty(key);
    }
}
