//! Places for probes that run at once: of all, and of each target.
//!
//! Rule: a quarter of the places, of all and of each target that is known, is kept for checks that passed lately. Whoever floods the
//! daemon with made-up checks fills the other places only, and the balancer's own checks go on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Outcome, Target};
use crate::net::Host;

/// How long a check counts as one that passed lately.
const LATELY: Duration = Duration::from_secs(600);

/// Most checks that are remembered to have passed. When they are full, a flood cannot push out those that it found.
const PASSED_MAX: usize = 16_384;

/// What tells one check from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name(u64);

impl Name {
    /// From a hash of everything that decides the check's result, by a secret of this process: no poller can find two
    /// checks with one name.
    #[must_use]
    pub fn new(hash: u64) -> Self {
        Self(hash)
    }
}

/// The places.
pub(super) struct Slots {
    limits: Limits,
    all: Semaphore,
    /// The part of all places that is open to checks that did not pass lately.
    strangers: Semaphore,
    waiting: AtomicUsize,
    busy: Mutex<HashMap<(Host, u16), usize>>,
    passed: Mutex<Passed>,
}

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Probes at once.
    pub(super) all: usize,
    /// Probes of one host and port at once.
    pub(super) target: usize,
    /// Probes that wait for a place.
    pub(super) waiting: usize,
}

#[derive(Default, Clone)]
struct Passed {
    checks: HashMap<Name, Instant>,
    /// Hosts and ports of those checks.
    targets: HashMap<(Host, u16), Instant>,
    swept: Option<Instant>,
}

/// The right to probe a target, given back when dropped.
pub(super) struct Slot<'a> {
    _reserved: Reserved<'a>,
    _stranger: Option<SemaphorePermit<'a>>,
    _place: SemaphorePermit<'a>,
}

/// What is left of a number for checks that did not pass lately.
fn for_strangers(places: usize) -> usize {
    (places - places / 4).max(1)
}

impl Slots {
    pub(super) fn new(limits: Limits) -> Self {
        let all = limits.all.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            limits: Limits { all, ..limits },
            all: Semaphore::new(all),
            strangers: Semaphore::new(for_strangers(all)),
            waiting: AtomicUsize::new(0),
            busy: Mutex::default(),
            passed: Mutex::default(),
        }
    }

    /// The most probes at once.
    pub(super) fn max(&self) -> usize {
        self.limits.all
    }

    /// Probes that run now.
    pub(super) fn running(&self) -> usize {
        self.limits.all.saturating_sub(self.all.available_permits())
    }

    /// Probes that wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The most probes that wait, but for checks that passed lately.
    pub(super) fn max_waiting(&self) -> usize {
        self.limits.waiting
    }

    /// Whether a check passed lately.
    pub(super) fn passed_lately(&self, check: Name) -> bool {
        self.passed()
            .checks
            .get(&check)
            .is_some_and(|at| at.elapsed() < LATELY)
    }

    /// Notes that a check of a target passed.
    pub(super) fn note_passed(&self, check: Name, target: &Target) {
        let now = Instant::now();
        let mut passed = self.passed();
        if passed.checks.len() >= PASSED_MAX
            && passed
                .swept
                .is_none_or(|at| now - at > Duration::from_secs(1))
        {
            passed.checks.retain(|_, at| now - *at < LATELY);
            passed.targets.retain(|_, at| now - *at < LATELY);
            passed.swept = Some(now);
        }
        if passed.checks.len() < PASSED_MAX || passed.checks.contains_key(&check) {
            passed.checks.insert(check, now);
            passed
                .targets
                .insert((target.host.clone(), target.port), now);
        }
    }

    /// Remembers what the places of the configuration before knew.
    pub(super) fn adopt(&self, before: &Self) {
        let known = before.passed().clone();
        *self.passed() = known;
    }

    /// Takes one of the places. A target that has all of its own taken is answered at once, so that one hung service
    /// cannot make the others wait; so is a check for which too many wait already.
    pub(super) async fn take(
        &self,
        target: &Target,
        check: Option<Name>,
    ) -> Result<Slot<'_>, Outcome> {
        let known = check.is_some_and(|c| self.passed_lately(c));
        let reserved = self.reserve(target, known)?;
        let waiting = Waiting::begin(&self.waiting);
        let must_wait = self.all.available_permits() == 0
            || (!known && self.strangers.available_permits() == 0);
        if must_wait && !known && self.waiting() > self.limits.waiting {
            return Err(Outcome::overload(format!(
                "{} checks wait already (max_waiting)",
                self.limits.waiting
            )));
        }
        // The semaphores are never closed.
        let closed = |e: tokio::sync::AcquireError| Outcome::overload(e.to_string());
        let stranger = if known {
            None
        } else {
            Some(self.strangers.acquire().await.map_err(closed)?)
        };
        let place = self.all.acquire().await.map_err(closed)?;
        drop(waiting);
        Ok(Slot {
            _reserved: reserved,
            _stranger: stranger,
            _place: place,
        })
    }

    fn reserve(&self, target: &Target, known: bool) -> Result<Reserved<'_>, Outcome> {
        let key = (target.host.clone(), target.port);
        let kept = !known
            && self
                .passed()
                .targets
                .get(&key)
                .is_some_and(|at| at.elapsed() < LATELY);
        let limit = if kept {
            for_strangers(self.limits.target)
        } else {
            self.limits.target
        };
        let mut busy = self.busy();
        let running = busy.get(&key).copied().unwrap_or(0);
        if running >= limit {
            return Err(Outcome::overload(format!(
                "{}:{}: {running} checks are already running there (max_probes_per_target)",
                target.host, target.port
            )));
        }
        busy.insert(key.clone(), running + 1);
        Ok(Reserved {
            slots: self,
            target: key,
        })
    }

    fn passed(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<(Host, u16), usize>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place at the target, given back when dropped.
struct Reserved<'a> {
    slots: &'a Slots,
    target: (Host, u16),
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut busy = self.slots.busy();
        if let Some(running) = busy.get_mut(&self.target) {
            *running -= 1;
            if *running == 0 {
                busy.remove(&self.target);
            }
        }
    }
}

/// Counts who waits, also when the deadline ends the waiting.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
