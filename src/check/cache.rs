//! Results that still count, and the sharing of running probes.
//!
//! Rule: for each key at most one running probe can be joined, and entries and bytes are bounded: the result that was
//! stored first goes first. A poller that demands a fresh result never gets one that began before it asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use foldhash::fast::RandomState;
use tokio::sync::watch;

use super::Settings;
use super::key::CacheKey;
use crate::probe::Outcome;

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

/// A probe that runs, as those see it who wait for it.
#[derive(Clone)]
pub struct RunningProbe(watch::Receiver<Option<Arc<Outcome>>>);

impl RunningProbe {
    /// Waits for the outcome.
    pub async fn outcome(mut self) -> Arc<Outcome> {
        match self.0.wait_for(Option::is_some).await.map(|o| o.clone()) {
            Ok(Some(outcome)) => outcome,
            _ => Arc::new(Outcome::unavailable(
                "the check was broken off: hacheck is shutting down",
            )),
        }
    }
}

/// The duty to deliver an outcome. A probe that panics drops it, and everyone who waits gets a failure.
pub struct Ticket {
    cache: Arc<Cache>,
    key: CacheKey,
    number: u64,
    sender: watch::Sender<Option<Arc<Outcome>>>,
    delivered: bool,
}

impl Ticket {
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
    settings: Settings,
    entries: HashMap<CacheKey, CacheEntry, RandomState>,
    /// Keys of stored results, the first one stored first; a key stands here with the number of its result.
    order: VecDeque<(CacheKey, u64)>,
    bytes: usize,
    next: u64,
    counts: CacheCounts,
}

/// The newest probe begun for a key, and the newest result.
#[derive(Default)]
struct CacheEntry {
    running: Option<(u64, RunningProbe)>,
    result: Option<StoredResult>,
}

struct StoredResult {
    number: u64,
    outcome: Arc<Outcome>,
    until: Option<Instant>,
    bytes: usize,
}

impl CacheEntry {
    fn is_empty(&self) -> bool {
        self.running.is_none() && self.result.is_none()
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
    pub fn new(settings: &Settings) -> Self {
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
    pub fn set(&self, settings: &Settings) {
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

    /// Looks a key up; with `fresh` neither a stored result nor a probe that runs already will do.
    pub fn look_up(self: &Arc<Self>, key: &CacheKey, fresh: bool, now: Instant) -> Lookup {
        let mut inner = self.lock();
        inner.counts.gets += 1;
        if let Some(found) = inner.usable(key, fresh, now) {
            inner.counts.hits += 1;
            return found;
        }
        inner.counts.misses += 1;
        inner.counts.sets += 1;
        let number = inner.next;
        inner.next += 1;
        let (sender, receiver) = watch::channel(None);
        let running = RunningProbe(receiver);
        inner.entries.entry(key.clone()).or_default().running = Some((number, running.clone()));
        let ticket = Ticket {
            cache: Arc::clone(self),
            key: key.clone(),
            number,
            sender,
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
    fn usable(&mut self, key: &CacheKey, fresh: bool, now: Instant) -> Option<Lookup> {
        let entry = self.entries.get_mut(key)?;
        if let Some(stored) = &entry.result {
            if !fresh && stored.counts(now) {
                return Some(Lookup::Stored(Arc::clone(&stored.outcome)));
            }
            self.counts.expirations += 1;
            self.bytes -= stored.bytes;
            entry.result = None;
        }
        let running = entry.running.as_ref().filter(|_| !fresh)?;
        Some(Lookup::Running(running.1.clone()))
    }

    /// Takes a probe off that leaves no result.
    fn ended(&mut self, key: &CacheKey, number: u64) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.running.take_if(|(n, _)| *n == number);
        if entry.is_empty() {
            self.entries.remove(key);
        }
    }

    fn store(&mut self, key: &CacheKey, number: u64, outcome: &Arc<Outcome>) {
        if outcome.overload {
            return self.ended(key, number);
        }
        let entry = self.entries.entry(key.clone()).or_default();
        entry.running.take_if(|(n, _)| *n == number);
        // A probe that began later, and ended earlier, knows better.
        if entry.result.as_ref().is_some_and(|r| r.number > number) {
            return;
        }
        let overhead = size_of::<CacheEntry>() + size_of::<StoredResult>();
        let time = self.settings.cache_time;
        let result = StoredResult {
            number,
            outcome: Arc::clone(outcome),
            until: time.and_then(|time| Instant::now().checked_add(time)),
            bytes: key.bytes() + outcome.body.len() + overhead,
        };
        self.bytes += result.bytes;
        if let Some(old) = entry.result.replace(result) {
            self.bytes -= old.bytes;
        }
        self.order.push_back((key.clone(), number));
        self.make_room();
    }

    /// Drops what was stored first until all limits hold. What has expired stays until then, or until it is asked for,
    /// which is when the originals count it.
    fn make_room(&mut self) {
        let now = Instant::now();
        while let Some((key, number)) = self.order.front() {
            let result = self.entries.get(key).and_then(|e| e.result.as_ref());
            let current = result.filter(|result| result.number == *number);
            if current.is_some() && !self.is_over() {
                break;
            }
            let counts = current.is_some_and(|result| result.counts(now));
            self.counts.evictions += u64::from(counts);
            let Some((key, number)) = self.order.pop_front() else {
                break;
            };
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
            entry.running.is_some()
        });
    }

    fn remove(&mut self, key: &CacheKey, number: u64) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if let Some(stored) = entry.result.take_if(|r| r.number == number) {
            self.bytes -= stored.bytes;
        }
        if entry.is_empty() {
            self.entries.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
