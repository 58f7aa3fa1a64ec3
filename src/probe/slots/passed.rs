//! Which checks passed lately, and their targets.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{CheckId, TargetKey};

/// How long a check counts as one that passed lately.
const LATELY: Duration = Duration::from_secs(600);

/// Most checks that are remembered.
const CHECKS_MAX: usize = 16_384;

/// How often old checks are looked for, at most, while there is no room for more.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The memory of checks that passed.
#[derive(Default)]
pub(super) struct Passed(Mutex<Memory>);

#[derive(Default, Clone)]
struct Memory {
    checks: HashMap<CheckId, Instant>,
    /// The targets of those checks.
    targets: HashMap<TargetKey, Instant>,
    swept: Option<Instant>,
}

impl Passed {
    /// Whether a check passed lately.
    pub(super) fn has_check(&self, check: CheckId) -> bool {
        is_lately(self.lock().checks.get(&check))
    }

    /// Whether any check of a target passed lately.
    pub(super) fn has_target(&self, target: &TargetKey) -> bool {
        is_lately(self.lock().targets.get(target))
    }

    /// Notes that a check of a target passed now.
    pub(super) fn note(&self, check: CheckId, target: TargetKey) {
        let now = Instant::now();
        let mut memory = self.lock();
        memory.make_room(now);
        // A flood of made-up checks cannot push out those that it found here.
        if memory.has_room() || memory.checks.contains_key(&check) {
            memory.checks.insert(check, now);
            memory.targets.insert(target, now);
        }
    }

    /// Remembers what another one remembers, and nothing else.
    pub(super) fn adopt(&self, other: &Self) {
        // In two steps, so that the two locks are never held together.
        let memory = other.lock().clone();
        *self.lock() = memory;
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn has_room(&self) -> bool {
        self.checks.len() < CHECKS_MAX
    }

    /// Forgets what passed long ago, when there is no room for more.
    fn make_room(&mut self, now: Instant) {
        if self.has_room() || self.swept.is_some_and(|at| now - at <= SWEEP_EVERY) {
            return;
        }
        self.checks.retain(|_, at| now - *at < LATELY);
        self.targets.retain(|_, at| now - *at < LATELY);
        self.swept = Some(now);
    }
}

fn is_lately(passed: Option<&Instant>) -> bool {
    passed.is_some_and(|at| at.elapsed() < LATELY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Host;

    #[test]
    fn the_memory_is_bounded_and_keeps_the_first() {
        let passed = Passed::default();
        let real = CheckId::new(u64::MAX);
        passed.note(real, (Host::Local, 80));
        for i in 0..2 * CHECKS_MAX as u64 {
            passed.note(CheckId::new(i), (Host::Local, 81));
        }
        let next = Passed::default();
        next.adopt(&passed);
        assert_eq!(next.lock().checks.len(), CHECKS_MAX);
        assert!(next.has_check(real));
        assert!(next.has_target(&(Host::Local, 80)));
    }
}
