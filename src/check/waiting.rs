//! Requests that wait for a probe.
//!
//! Rule: their number is limited. When one more comes, the one that has waited longest loses its place: a check that
//! takes long is what fills the places, and one that takes its few milliseconds is through before its turn comes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// All of them.
#[derive(Default)]
pub(super) struct Waiting(Mutex<WaitingRequests>);

#[derive(Default)]
struct WaitingRequests {
    next: u64,
    /// In the order in which they came.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// The place of one of them, for as long as its poller is there.
pub(super) struct WaitingPlace<'a> {
    all: &'a Waiting,
    id: u64,
    told: oneshot::Receiver<()>,
}

impl Waiting {
    /// How many wait.
    pub(super) fn count(&self) -> usize {
        self.all().waiting.len()
    }

    /// Takes a place; there are `most`.
    pub(super) fn begin(&self, most: usize) -> WaitingPlace<'_> {
        let (tell, told) = oneshot::channel();
        let mut all = self.all();
        while all.waiting.len() >= most.max(1) {
            let Some((_, longest)) = all.waiting.pop_first() else {
                break;
            };
            // It may have been answered at this very moment.
            let _ = longest.send(());
        }
        let id = all.next;
        all.next += 1;
        all.waiting.insert(id, tell);
        WaitingPlace {
            all: self,
            id,
            told,
        }
    }

    fn all(&self) -> MutexGuard<'_, WaitingRequests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.all.all().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_that_has_waited_longest_loses_its_place_first() {
        let waiting = Waiting::default();
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
