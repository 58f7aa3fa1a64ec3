//! What all viewers of the page share: one reading of the engine, and one overview of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::client::FleetClient;
use super::reading::{EngineState, READ_TIME};
use crate::fleet::overview::{FleetOverview, OverviewRequest};
use crate::fleet::{Selector, Snapshot};
use crate::spool::unix_now;

/// From one reading to the next. Whole readings, and no watch: one that is silent would not tell old from new, and what is
/// on the screen must tell how old it is.
const EVERY: Duration = Duration::from_secs(2);

/// Most hosts of an answer.
const HOSTS_MAX: usize = 100;

/// The board.
pub(super) struct Board {
    scope: Selector,
    now: Mutex<(Arc<LastRead>, EngineState)>,
}

/// What was read last.
#[derive(Default)]
pub(super) struct LastRead {
    snapshot: Snapshot,
    /// Of all hosts.
    pub(super) overview: FleetOverview,
}

impl Board {
    /// Nothing was read yet.
    pub(super) fn new(scope: Selector) -> Self {
        Self {
            scope,
            now: Mutex::default(),
        }
    }

    /// Reads until this process ends.
    pub(super) fn keep(&self, mut client: FleetClient) {
        loop {
            match client.snapshot_within(READ_TIME) {
                Ok(snapshot) => self.put(snapshot),
                Err(failure) => self.lock().1.note(Some(failure.to_string())),
            }
            std::thread::sleep(EVERY);
        }
    }

    fn put(&self, snapshot: Snapshot) {
        // Before the lock: viewers go on meanwhile.
        let overview = self.overview(&snapshot, String::new());
        let mut now = self.lock();
        now.0 = Arc::new(LastRead { snapshot, overview });
        now.1.note(None);
    }

    /// What was read last, and how it stands with the engine.
    pub(super) fn look(&self) -> (Arc<LastRead>, EngineState) {
        self.lock().clone()
    }

    /// The overview of the hosts that hold a text.
    pub(super) fn search(&self, known: &LastRead, text: String) -> FleetOverview {
        self.overview(&known.snapshot, text)
    }

    fn overview(&self, snapshot: &Snapshot, text: String) -> FleetOverview {
        let request = OverviewRequest {
            scope: self.scope.clone(),
            text,
            hosts_max: HOSTS_MAX,
        };
        FleetOverview::new(snapshot, &request, unix_now())
    }

    fn lock(&self) -> MutexGuard<'_, (Arc<LastRead>, EngineState)> {
        // What a panic leaves is whole: each part is replaced in one step.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
