//! Results that still count, and the sharing of running probes.
//!
//! Rule: of each key one probe runs at a time for each rank of askers, and nobody joins one that may have to wait behind
//! others of a lower rank. A poller that demands a fresh result never gets one that began before it asked: it waits until
//! that is over. Entries and bytes are bounded: the result that was stored first goes first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use foldhash::fast::RandomState;
use tokio::sync::watch;

use super::CheckSettings;
use super::key::CacheKey;
use crate::probe::{Outcome, Rank};

/// How many expired results are taken out before others get the lock.
const EXPIRED_AT_ONCE: usize = 256;

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

/// A probe that runs, as those see it who wait for it.
#[derive(Clone)]
pub struct RunningProbe(watch::Receiver<Option<Arc<Outcome>>>);

impl RunningProbe {
    /// Waits for the outcome.
    pub async fn outcome(mut self) -> Arc<Outcome> {
        let delivered = match self.0.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            // The ticket went with the runtime.
            Err(_) => None,
        };
        delivered.unwrap_or_else(shutting_down)
    }
}

fn shutting_down() -> Arc<Outcome> {
    let why = "the check was broken off: hacheck is shutting down";
    Arc::new(Outcome::unavailable(why))
}

/// The duty to deliver an outcome. A probe that panics drops it, and everyone who waits gets a failure.
pub struct Ticket {
    cache: Arc<Cache>,
    key: CacheKey,
    number: u64,
    sender: watch::Sender<Option<Arc<Outcome>>>,
    /// The probe that must be over before this one begins.
    before: Option<RunningProbe>,
    delivered: bool,
}

impl Ticket {
    /// Waits for its turn: until the probe of the same key ended that ran when this one was asked for.
    pub async fn turn(&mut self) {
        if let Some(before) = self.before.take() {
            before.outcome().await;
            self.cache.lock().begins(&self.key, self.number);
        }
    }

    /// Stores the outcome, and wakes those who wait for it.
    pub fn deliver(mut self, outcome: Outcome) {
        self.finish(outcome);
    }

    /// Wakes those who wait for the outcome, and stores nothing.
    pub fn share(mut self, outcome: Outcome) {
        self.delivered = true;
        self.cache.lock().ended(&self.key, self.number);
        self.sender.send_replace(Some(Arc::new(outcome)));
    }

    fn finish(&mut self, outcome: Outcome) {
        self.delivered = true;
        let outcome = Arc::new(outcome);
        self.cache.lock().store(&self.key, self.number, &outcome);
        self.sender.send_replace(Some(outcome));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.delivered {
            let why = "the check broke off inside hacheck; its log says more";
            self.finish(Outcome::unavailable(why));
        }
    }
}

/// The results of all probes.
pub struct Cache {
    inner: Mutex<Inner>,
}

struct Inner {
    settings: CheckSettings,
    entries: HashMap<CacheKey, CacheEntry, RandomState>,
    /// Keys of stored results, the first one stored first; a key stands here with the number of its result.
    order: VecDeque<(CacheKey, u64)>,
    bytes: usize,
    next: u64,
    counts: CacheCounts,
}

/// The probes of a key, those begun first in front, and the newest result.
#[derive(Default)]
struct CacheEntry {
    running: Vec<Running>,
    result: Option<StoredResult>,
}

struct Running {
    number: u64,
    rank: Rank,
    has_begun: bool,
    probe: RunningProbe,
}

struct StoredResult {
    number: u64,
    outcome: Arc<Outcome>,
    until: Option<Instant>,
    bytes: usize,
}

impl CacheEntry {
    fn is_empty(&self) -> bool {
        self.running.is_empty() && self.result.is_none()
    }

    fn running(&mut self, number: u64) -> Option<&mut Running> {
        let mut all = self.running.iter_mut();
        all.find(|running| running.number == number)
    }

    fn take_off(&mut self, number: u64) {
        self.running.retain(|running| running.number != number);
    }

    /// The probe that will do.
    fn usable(&self, wanted: Wanted) -> Option<&RunningProbe> {
        let mut running = self.running.iter().filter(|r| r.rank >= wanted.rank);
        let found = running.find(|r| !wanted.fresh || !r.has_begun)?;
        Some(&found.probe)
    }

    /// The probe that must be over before another one begins.
    fn last(&self, rank: Rank) -> Option<&RunningProbe> {
        let running = self.running.iter().rfind(|r| r.rank >= rank)?;
        Some(&running.probe)
    }
}

impl StoredResult {
    /// Whether it is young enough.
    fn counts(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(settings: &CheckSettings) -> Self {
        let inner = Inner {
            settings: settings.clone(),
            entries: HashMap::default(),
            order: VecDeque::new(),
            bytes: 0,
            next: 0,
            counts: CacheCounts::default(),
        };
        Self {
            inner: Mutex::new(inner),
        }
    }

    /// Changes the limits. Results are forgotten when they would now count for another time.
    pub fn set(&self, settings: &CheckSettings) {
        let mut inner = self.lock();
        if inner.settings.cache_time != settings.cache_time {
            inner.clear();
        }
        inner.settings = settings.clone();
    }

    /// Forgets all results. Probes that run go on and will be stored.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Drops what has expired, so that its memory is free although nobody asks for it again.
    pub(crate) fn drop_expired(&self, now: Instant) {
        loop {
            let dropped = self.lock().take_expired(now);
            if dropped.is_empty() {
                return;
            }
            // Freed here, where nobody waits for the lock.
        }
    }

    /// Looks a key up.
    pub fn look_up(self: &Arc<Self>, key: &CacheKey, wanted: Wanted, now: Instant) -> Lookup {
        let mut inner = self.lock();
        inner.counts.gets += 1;
        if let Some(found) = inner.usable(key, wanted, now) {
            inner.counts.hits += 1;
            return found;
        }
        inner.counts.misses += 1;
        let (sender, receiver) = watch::channel(None);
        let running = RunningProbe(receiver);
        let (number, before) = inner.begin(key, wanted.rank, &running);
        let ticket = Ticket {
            cache: Arc::clone(self),
            key: key.clone(),
            number,
            sender,
            before,
            delivered: false,
        };
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
        let inner = self.lock();
        (inner.order.len(), inner.bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
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
        None
    }

    /// Enters a new probe. Gives its number, and the probe that must be over before it begins.
    fn begin(
        &mut self,
        key: &CacheKey,
        rank: Rank,
        probe: &RunningProbe,
    ) -> (u64, Option<RunningProbe>) {
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
        (number, before)
    }

    /// It is the turn of a probe: who wants a fresh result joins it no more.
    fn begins(&mut self, key: &CacheKey, number: u64) {
        if let Some(entry) = self.entries.get_mut(key)
            && let Some(running) = entry.running(number)
        {
            running.has_begun = true;
        }
    }

    /// Takes a probe off that leaves no result.
    fn ended(&mut self, key: &CacheKey, number: u64) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.take_off(number);
            self.remove_if_empty(key);
        }
    }

    fn store(&mut self, key: &CacheKey, number: u64, outcome: &Arc<Outcome>) {
        // It says nothing of the target, so the next request is to find out.
        if outcome.overload {
            return self.ended(key, number);
        }
        let result = self.result(key, number, outcome);
        let entry = self.entries.entry(key.clone()).or_default();
        entry.take_off(number);
        // A probe that began later, and ended earlier, knows better.
        if entry.result.as_ref().is_some_and(|r| r.number > number) {
            return;
        }
        self.bytes += result.bytes;
        if let Some(old) = entry.result.replace(result) {
            self.bytes -= old.bytes;
        }
        self.order.push_back((key.clone(), number));
        self.make_room();
    }

    fn result(&self, key: &CacheKey, number: u64, outcome: &Arc<Outcome>) -> StoredResult {
        let time = self.settings.cache_time;
        let overhead = size_of::<CacheEntry>() + size_of::<StoredResult>();
        StoredResult {
            number,
            outcome: Arc::clone(outcome),
            until: time.and_then(|time| Instant::now().checked_add(time)),
            bytes: key.bytes() + outcome.body.len() + overhead,
        }
    }

    /// Drops what was stored first until all limits hold.
    fn make_room(&mut self) {
        let now = Instant::now();
        while !self.order.is_empty() {
            let oldest = self.oldest();
            if oldest.is_some() && !self.is_over() {
                break;
            }
            let counts = oldest.is_some_and(|result| result.counts(now));
            self.counts.evictions += u64::from(counts);
            self.drop_oldest();
        }
    }

    /// Takes results out that have expired, the first ones; none when there are no more.
    fn take_expired(&mut self, now: Instant) -> Vec<Arc<Outcome>> {
        let mut taken = Vec::new();
        while taken.len() < EXPIRED_AT_ONCE && !self.order.is_empty() {
            let oldest = self.oldest();
            if oldest.is_some_and(|result| result.counts(now)) {
                break;
            }
            if let Some(expired) = oldest {
                taken.push(Arc::clone(&expired.outcome));
                self.counts.expirations += 1;
            }
            self.drop_oldest();
        }
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
        self.order.len() > self.settings.cache_entries || self.bytes > self.settings.cache_bytes
    }

    fn clear(&mut self) {
        self.order.clear();
        self.bytes = 0;
        self.entries.retain(|_, entry| {
            entry.result = None;
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

    fn remove_if_empty(&mut self, key: &CacheKey) {
        if self.entries.get(key).is_some_and(CacheEntry::is_empty) {
            self.entries.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
