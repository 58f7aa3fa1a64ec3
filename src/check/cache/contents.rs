//! What stands under the cache's lock: all entries, their order, their size and the counts.
//!
//! Rule: nothing here waits for anything, since every poll needs the lock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use foldhash::fast::RandomState;

use super::entry::{CacheEntry, Running, StoredResult};
use super::{CacheCounts, Lookup, RunningProbe, Wanted};
use crate::check::CheckSettings;
use crate::check::key::CacheKey;
use crate::probe::{Outcome, Rank};

pub(super) struct Contents {
    pub(super) settings: CheckSettings,
    // Keys are what requests make up: the hash is seeded per process, so collisions cannot be forged.
    pub(super) entries: HashMap<CacheKey, CacheEntry, RandomState>,
    /// Keys of stored results, the first one stored first; a key stands here with the number of its result.
    pub(super) order: VecDeque<(CacheKey, u64)>,
    pub(super) bytes: usize,
    next: u64,
    pub(super) counts: CacheCounts,
}

/// The place of a new probe among those of its key.
pub(super) struct ProbeTurn {
    pub(super) number: u64,
    /// The probe that must be over before it begins.
    pub(super) before: Option<RunningProbe>,
}

impl Contents {
    pub(super) fn new(settings: &CheckSettings) -> Self {
        Self {
            settings: settings.clone(),
            entries: HashMap::default(),
            order: VecDeque::new(),
            bytes: 0,
            next: 0,
            counts: CacheCounts::default(),
        }
    }

    /// A result or a probe that will do, and counts what was found.
    pub(super) fn look_up(
        &mut self,
        key: &CacheKey,
        wanted: Wanted,
        now: Instant,
    ) -> Option<Lookup> {
        self.counts.gets += 1;
        let found = self.usable(key, wanted, now);
        match found {
            Some(_) => self.counts.hits += 1,
            None => self.counts.misses += 1,
        }

        found
    }

    fn usable(&mut self, key: &CacheKey, wanted: Wanted, now: Instant) -> Option<Lookup> {
        if let Some(outcome) = self.stored(key, wanted, now) {
            return Some(Lookup::Stored(outcome));
        }

        let running = self.entries.get(key)?.usable(wanted)?;
        Some(Lookup::Running(running.clone()))
    }

    /// The stored result. One that will not do goes at once: a new one is on its way.
    fn stored(&mut self, key: &CacheKey, wanted: Wanted, now: Instant) -> Option<Arc<Outcome>> {
        let entry = self.entries.get_mut(key)?;
        let stored = entry.result.as_ref()?;
        if !wanted.fresh && stored.counts(now) {
            return Some(Arc::clone(&stored.outcome));
        }

        self.counts.expirations += 1;
        self.bytes -= stored.bytes;
        entry.result = None;
        // Its place in `order` stays: finding it would mean searching all of `order`.
        None
    }

    /// Enters a new probe.
    pub(super) fn begin(&mut self, key: &CacheKey, rank: Rank, probe: &RunningProbe) -> ProbeTurn {
        self.counts.sets += 1;
        let number = self.next;
        self.next += 1;
        let entry = self.entries.entry(key.clone()).or_default();
        let before = entry.last(rank).cloned();
        entry.running.push(Running {
            number,
            rank,
            has_begun: before.is_none(),
            probe: probe.clone(),
        });
        ProbeTurn { number, before }
    }

    /// It is the turn of a probe: who wants a fresh result joins it no more.
    pub(super) fn begins(&mut self, key: &CacheKey, number: u64) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.begins(number);
        }
    }

    /// Takes a probe off that leaves no result.
    pub(super) fn ended(&mut self, key: &CacheKey, number: u64) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.take_off(number);
            self.remove_if_empty(key);
        }
    }

    /// Takes a probe off, and keeps its result.
    pub(super) fn store(&mut self, key: &CacheKey, number: u64, outcome: &Arc<Outcome>) {
        // It says nothing about the target, so the next request must probe again.
        if outcome.overload {
            return self.ended(key, number);
        }

        let result = self.result(key, number, outcome);
        let entry = self.entries.entry(key.clone()).or_default();
        entry.take_off(number);
        // A probe that began later, and ended earlier, knows better.
        if entry.has_newer_than(number) {
            return;
        }

        self.bytes += result.bytes;
        if let Some(old) = entry.result.replace(result) {
            self.bytes -= old.bytes;
        }

        self.order.push_back((key.clone(), number));
        // After the new result is in: if that alone exceeds `cache_bytes`, it is the one to go.
        self.make_room();
    }

    fn result(&self, key: &CacheKey, number: u64, outcome: &Arc<Outcome>) -> StoredResult {
        let overhead = size_of::<CacheEntry>() + size_of::<StoredResult>();
        StoredResult {
            number,
            outcome: Arc::clone(outcome),
            until: self.end_of_new_results(),
            bytes: key.bytes() + outcome.body.len() + overhead,
        }
    }

    fn end_of_new_results(&self) -> Option<Instant> {
        // A time that the clock cannot hold counts as `.inf`.
        Instant::now().checked_add(self.settings.cache_time?)
    }

    pub(super) fn remove_if_empty(&mut self, key: &CacheKey) {
        if self.entries.get(key).is_some_and(CacheEntry::is_empty) {
            self.entries.remove(key);
        }
    }
}
