//! The downtimes that were read last: what an entry keeps while it cannot be read.
//!
//! Rule: only downtimes are kept, so a host in rotation keeps nothing, and asks for no lock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::super::Downtime;

/// Longest reason that is remembered for a key while the spool is readable, in bytes.
const REMEMBERED_REASON: usize = 1 << 17;

/// The downtime last read for each key that was down then. Bounded by the files that the spool has held.
#[derive(Default)]
pub(super) struct LastDown {
    downtimes: Mutex<HashMap<Box<str>, Arc<Downtime>>>,
    any: AtomicBool,
}

/// A downtime that was remembered.
pub(super) struct JustRead {
    pub(super) downtime: Arc<Downtime>,
    /// The entry said something else before, or nothing.
    pub(super) is_new: bool,
}

impl LastDown {
    /// Remembers what an entry says now.
    pub(super) fn remember(&self, name: &str, downtime: Downtime) -> JustRead {
        let mut downtimes = self.downtimes();
        if let Some(known) = downtimes.get(name)
            && **known == downtime
        {
            // Mostly it says the same, and then answers share one copy of the reason.
            return JustRead {
                downtime: Arc::clone(known),
                is_new: false,
            };
        }

        // Under the lock, or a `forget` that has just seen an empty map could overwrite it.
        self.any.store(true, Ordering::Release);
        let downtime = Arc::new(downtime);
        downtimes.insert(name.into(), bounded(&downtime));
        JustRead {
            downtime,
            is_new: true,
        }
    }

    /// What an entry said last, unless it has ended since.
    pub(super) fn remembered(&self, name: &str) -> Option<Arc<Downtime>> {
        let downtimes = self.downtimes();
        let known = downtimes.get(name)?;
        // It may have ended while it could not be read.
        let is_over = known.is_over(SystemTime::now());
        (!is_over).then(|| Arc::clone(known))
    }

    /// Forgets an entry that is gone or over.
    pub(super) fn forget(&self, name: &str) {
        // Mostly nothing is down, and then there is nothing to lock for.
        if !self.any() {
            return;
        }

        let mut downtimes = self.downtimes();
        downtimes.remove(name);
        self.any.store(!downtimes.is_empty(), Ordering::Release);
    }

    /// Whether the downtime of any key is remembered.
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    fn downtimes(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Downtime>>> {
        let downtimes = self.downtimes.lock();
        downtimes.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The downtime with so much of its reason as is remembered.
fn bounded(downtime: &Arc<Downtime>) -> Arc<Downtime> {
    if downtime.reason.len() <= REMEMBERED_REASON {
        return Arc::clone(downtime);
    }

    // A character has four bytes at most, so these fit in any case.
    let beginning = downtime.reason.chars().take(REMEMBERED_REASON / 4);
    Arc::new(Downtime {
        reason: beginning.collect(),
        ..Downtime::clone(downtime)
    })
}
