//! Slots for the probes that run at once: of all, and of each target.
//!
//! Rule: a quarter of the slots, of all and of each target that is known, is kept for checks that passed lately. Whoever
//! floods the daemon with made-up checks fills the other slots only, and the balancer's own checks go on.

mod passed;
mod targets;

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use self::passed::Passed;
use self::targets::{Reserved, Targets};
use super::{Outcome, Target};
use crate::net::Host;

/// What tells one check from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CheckId(u64);

impl CheckId {
    /// From a hash of everything that decides the check's result, by a secret of this process: no poller can find two
    /// checks with one id.
    #[must_use]
    pub(crate) fn new(hash: u64) -> Self {
        Self(hash)
    }
}

/// Host and port.
type TargetKey = (Host, u16);

/// How many slots there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotLimits {
    /// Probes at once.
    pub(super) all: usize,
    /// Probes of one host and port at once.
    pub(super) target: usize,
    /// Probes that wait for a slot.
    pub(super) waiting: usize,
}

/// The slots.
pub(super) struct Slots {
    limits: SlotLimits,
    all: Semaphore,
    /// The part of all slots that is open to checks that did not pass lately.
    open: Semaphore,
    waiting: AtomicUsize,
    targets: Targets,
    passed: Passed,
}

/// The right to run a probe, given back when dropped.
pub(super) struct Permit<'a> {
    _reserved: Reserved<'a>,
    /// None for a check that passed lately.
    _open: Option<SemaphorePermit<'a>>,
    _slot: SemaphorePermit<'a>,
}

impl Slots {
    pub(super) fn new(limits: SlotLimits) -> Self {
        // A semaphore panics on more.
        let all = limits.all.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            limits: SlotLimits { all, ..limits },
            all: Semaphore::new(all),
            open: Semaphore::new(open_part(all)),
            waiting: AtomicUsize::new(0),
            targets: Targets::default(),
            passed: Passed::default(),
        }
    }

    /// Takes a slot for a check, which `passed` lately or did not, and waits for it where none is free.
    ///
    /// # Errors
    /// At once, where a target has all of its own slots taken, so that one hung service cannot make the others wait;
    /// and where too many checks wait already.
    pub(super) async fn take(&self, target: &Target, passed: bool) -> Result<Permit<'_>, Outcome> {
        let reserved = self.reserve(target, passed)?;
        let waiting = WaitingProbe::begin(&self.waiting);
        let open = self.take_open(passed).await?;
        let slot = acquire(&self.all).await?;
        drop(waiting);
        Ok(Permit {
            _reserved: reserved,
            _open: open,
            _slot: slot,
        })
    }

    /// Takes a slot of the open part, which a check that passed lately does not need.
    async fn take_open(&self, passed: bool) -> Result<Option<SemaphorePermit<'_>>, Outcome> {
        if passed {
            return Ok(None);
        }
        self.expect_a_short_queue()?;
        let permit = acquire(&self.open).await?;
        Ok(Some(permit))
    }

    /// Takes a slot of a target.
    fn reserve(&self, target: &Target, passed: bool) -> Result<Reserved<'_>, Outcome> {
        let key = (target.host.clone(), target.port);
        let all = self.limits.target;
        // A target of which nothing is known has nobody to keep slots for.
        let limit = if !passed && self.passed.has_target(&key) {
            open_part(all)
        } else {
            all
        };
        let (host, port) = (&target.host, target.port);
        self.targets.reserve(key, limit).map_err(|running| {
            Outcome::overload(format!(
                "{host}:{port}: {running} checks are already running there (max_probes_per_target)"
            ))
        })
    }

    /// Fails where no slot is free and too many checks wait for one.
    fn expect_a_short_queue(&self) -> Result<(), Outcome> {
        let is_full = self.all.available_permits() == 0 || self.open.available_permits() == 0;
        let max = self.limits.waiting;
        if is_full && self.waiting() > max {
            return Err(Outcome::overload(format!(
                "{max} checks wait already (max_waiting)"
            )));
        }
        Ok(())
    }

    /// Whether a check passed lately.
    pub(super) fn passed_lately(&self, check: CheckId) -> bool {
        self.passed.has_check(check)
    }

    /// Notes that a check of a target passed.
    pub(super) fn note_passed(&self, check: CheckId, target: &Target) {
        self.passed.note(check, (target.host.clone(), target.port));
    }

    /// Remembers what the slots of the configuration before knew.
    pub(super) fn adopt(&self, before: &Self) {
        self.passed.adopt(&before.passed);
    }

    /// The most probes at once.
    pub(super) fn max(&self) -> usize {
        self.limits.all
    }

    /// Probes that run now.
    pub(super) fn running(&self) -> usize {
        self.limits.all.saturating_sub(self.all.available_permits())
    }

    /// Probes that wait for a slot.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The most probes that wait, but for checks that passed lately.
    pub(super) fn max_waiting(&self) -> usize {
        self.limits.waiting
    }
}

/// What of a number of slots is open to checks that did not pass lately.
fn open_part(slots: usize) -> usize {
    // Without any, no check could ever pass for the first time.
    (slots - slots / 4).max(1)
}

async fn acquire(semaphore: &Semaphore) -> Result<SemaphorePermit<'_>, Outcome> {
    // The semaphores are never closed.
    let acquired = semaphore.acquire().await;
    acquired.map_err(|closed| Outcome::overload(closed.to_string()))
}

/// Counts who waits, also when the deadline ends the waiting.
struct WaitingProbe<'a>(&'a AtomicUsize);

impl<'a> WaitingProbe<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for WaitingProbe<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
