//! Downtimes that could not be written to a file.
//!
//! Rule: a gate that holds none asks for no lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::super::{Downtime, Key, Listing};
use super::Closed;

/// The downtimes, by the names that their files would have.
#[derive(Default)]
pub(super) struct InMemory {
    downtimes: Mutex<BTreeMap<Box<str>, Arc<Downtime>>>,
    any: AtomicBool,
}

impl InMemory {
    pub(super) fn hold(&self, name: &str, downtime: Downtime) {
        let mut downtimes = self.downtimes();
        downtimes.insert(name.into(), Arc::new(downtime));
        self.any.store(true, Ordering::Release);
    }

    pub(super) fn let_go(&self, name: &str) {
        let mut downtimes = self.downtimes();
        downtimes.remove(name);
        self.any.store(!downtimes.is_empty(), Ordering::Release);
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// The downtime of one entry.
    pub(super) fn closed(&self, name: &str) -> Option<Closed> {
        if !self.any() {
            return None;
        }

        let downtimes = self.downtimes();
        let downtime = downtimes.get(name)?;
        let is_over = downtime.is_over(SystemTime::now());
        (!is_over).then(|| Closed {
            entry: name.into(),
            downtime: Arc::clone(downtime),
            held: false,
        })
    }

    /// Adds those that have no file to a list of the files.
    pub(super) fn add_to(&self, listing: &mut Listing) {
        let now = SystemTime::now();
        for (name, downtime) in self.downtimes().iter() {
            let Ok(key) = Key::parse(name) else {
                continue;
            };
            let has_file = listing.downtimes.iter().any(|(other, _)| *other == key);
            if !has_file && !downtime.is_over(now) {
                listing.downtimes.push((key, Downtime::clone(downtime)));
            }
        }
    }

    fn downtimes(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Arc<Downtime>>> {
        let downtimes = self.downtimes.lock();
        downtimes.unwrap_or_else(PoisonError::into_inner)
    }
}
