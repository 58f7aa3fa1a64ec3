//! Requests that wait for a probe.
//!
//! Rule: there is a most of them. When one more comes, the one that has waited longest is told so and goes: a check that
//! takes long is what fills the places, and one that takes its few milliseconds is through before its turn comes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// All of them.
#[derive(Default)]
pub(super) struct Waiting(Mutex<All>);

#[derive(Default)]
struct All {
    next: u64,
    /// In the order in which they came.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// One of them, for as long as its poller is there.
pub(super) struct Waits<'a> {
    all: &'a Waiting,
    id: u64,
    told: oneshot::Receiver<()>,
}

impl Waiting {
    /// How many wait.
    pub(super) fn count(&self) -> usize {
        self.all().waiting.len()
    }

    /// One more waits; `most` may.
    pub(super) fn begin(&self, most: usize) -> Waits<'_> {
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
        Waits {
            all: self,
            id,
            told,
        }
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits<'_> {
    /// Ends when it has to go.
    pub(super) async fn must_go(&mut self) {
        // The sender goes only with its place.
        let _ = (&mut self.told).await;
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.all.all().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_that_has_waited_longest_goes_first() {
        let waiting = Waiting::default();
        let mut first = waiting.begin(2);
        let mut second = waiting.begin(2);
        let third = waiting.begin(2);
        first.must_go().await;
        assert!(second.told.try_recv().is_err());
        drop(third);
        assert_eq!(waiting.count(), 1);
        drop((first, second));
        assert_eq!(waiting.count(), 0);
    }
}
