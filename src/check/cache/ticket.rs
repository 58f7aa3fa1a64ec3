//! A running probe, as seen by who runs it and by those who wait for it.
//!
//! Rule: whoever holds a ticket owes an outcome, and pays it in any case: a ticket that is dropped delivers a failure.

use std::sync::Arc;

use tokio::sync::watch;

use super::Cache;
use super::contents::ProbeTurn;
use crate::check::key::CacheKey;
use crate::probe::Outcome;

/// What those who wait will find: nothing as long as the probe runs.
type Delivered = Option<Arc<Outcome>>;

/// A probe that runs, as those see it who wait for it.
#[derive(Clone)]
pub struct RunningProbe(pub(super) watch::Receiver<Delivered>);

impl RunningProbe {
    /// Waits for the outcome.
    pub async fn outcome(mut self) -> Arc<Outcome> {
        let delivered = match self.0.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            // Needed by the type only: a ticket delivers even when it is dropped.
            Err(_) => None,
        };
        delivered.unwrap_or_else(shutting_down)
    }
}

fn shutting_down() -> Arc<Outcome> {
    let why = "the check was broken off: hacheck is shutting down";
    Arc::new(Outcome::unavailable(why))
}

/// The duty to deliver an outcome. A probe that panics drops it, and everyone who waits gets a failure.
pub struct Ticket {
    cache: Arc<Cache>,
    key: CacheKey,
    number: u64,
    sender: watch::Sender<Delivered>,
    /// The probe that must be over before this one begins.
    before: Option<RunningProbe>,
    delivered: bool,
}

impl Ticket {
    pub(super) fn new(
        cache: Arc<Cache>,
        key: &CacheKey,
        turn: ProbeTurn,
        sender: watch::Sender<Delivered>,
    ) -> Self {
        Self {
            cache,
            key: key.clone(),
            number: turn.number,
            sender,
            before: turn.before,
            delivered: false,
        }
    }

    /// Waits for its turn: until the probe of the same key ended that ran when this one was asked for.
    pub async fn turn(&mut self) {
        if let Some(before) = self.before.take() {
            before.outcome().await;
            // Until now it was fresh for everyone who asked; for those who ask from now on it is not.
            self.cache.lock().begins(&self.key, self.number);
        }
    }

    /// Stores the outcome, and wakes those who wait for it.
    pub(crate) fn deliver(mut self, outcome: Outcome) {
        self.finish(outcome);
    }

    /// Wakes those who wait for the outcome, and stores nothing.
    pub fn share(mut self, outcome: Outcome) {
        self.delivered = true;
        self.cache.lock().ended(&self.key, self.number);
        self.send(Arc::new(outcome));
    }

    fn finish(&mut self, outcome: Outcome) {
        self.delivered = true;
        let outcome = Arc::new(outcome);
        // Stored first, so that a poller that is woken and asks again finds the result.
        self.cache.lock().store(&self.key, self.number, &outcome);
        self.send(outcome);
    }

    fn send(&self, outcome: Arc<Outcome>) {
        // All pollers may have hung up; `send` would return that as an error.
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
