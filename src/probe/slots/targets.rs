//! How many probes run against each target.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::TargetKey;

/// The probes that run, by target.
#[derive(Default)]
pub(super) struct Targets(Mutex<HashMap<TargetKey, usize>>);

/// The right to run a probe against a target, given back when dropped.
pub(super) struct Reserved<'a> {
    targets: &'a Targets,
    target: TargetKey,
}

impl Targets {
    /// Takes one of the `limit` slots of a target.
    ///
    /// # Errors
    /// The number of probes that run there, when all slots are taken.
    pub(super) fn reserve(&self, target: TargetKey, limit: usize) -> Result<Reserved<'_>, usize> {
        let mut running = self.lock();
        let count = running.get(&target).copied().unwrap_or(0);
        if count >= limit {
            return Err(count);
        }
        running.insert(target.clone(), count + 1);
        Ok(Reserved {
            targets: self,
            target,
        })
    }

    fn give_back(&self, target: &TargetKey) {
        let mut running = self.lock();
        match running.get_mut(target) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                running.remove(target);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TargetKey, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.targets.give_back(&self.target);
    }
}
