//! Requests that wait for a probe.
//!
//! Rule: their number is limited. When one more comes, the one that has waited longest loses its place: a check that
//! takes long is what fills the places, and one that takes its few milliseconds is through before its turn comes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// All of them.
#[derive(Default)]
pub(super) struct WaitingRequests {
    next: AtomicU64,
    /// In the order in which they came.
    waiting: Mutex<InOrder>,
}

/// What tells each of them that its place is lost.
type InOrder = BTreeMap<u64, oneshot::Sender<()>>;

/// The place of one of them, for as long as its poller is there.
pub(super) struct WaitingPlace<'a> {
    all: &'a WaitingRequests,
    id: u64,
    told: oneshot::Receiver<()>,
}

impl WaitingRequests {
    /// How many wait.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Takes a place; there are `most`.
    pub(super) fn begin(&self, most: usize) -> WaitingPlace<'_> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.lock();
        make_room(&mut waiting, most);
        // Numbered under the lock, so that numbers are in the order of arrival.
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        waiting.insert(id, tell);
        WaitingPlace {
            all: self,
            id,
            told,
        }
    }

    fn lock(&self) -> MutexGuard<'_, InOrder> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the places of those that have waited longest, until there is one of `most` for another.
fn make_room(waiting: &mut InOrder, most: usize) {
    // With a limit of 0 every request would lose its place at once.
    while waiting.len() >= most.max(1) {
        let Some((_, longest)) = waiting.pop_first() else {
            break;
        };
        // It may have been answered at this very moment.
        let _ = longest.send(());
    }
}

impl WaitingPlace<'_> {
    /// Ends when the place is lost.
    pub(super) async fn lost(&mut self) {
        // The sender goes only with its place.
        let _ = (&mut self.told).await;
    }
}

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        // If the place was lost, nothing is removed here: numbers are never used twice.
        self.all.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_that_has_waited_longest_loses_its_place_first() {
        let waiting = WaitingRequests::default();
        let mut first = waiting.begin(2);
        let mut second = waiting.begin(2);
        let third = waiting.begin(2);
        first.lost().await;
        assert!(second.told.try_recv().is_err());
        drop(third);
        assert_eq!(waiting.count(), 1);
        drop((first, second));
        assert_eq!(waiting.count(), 0);
    }
}
