//! What the engine holds, read again and again, and why it cannot be read where it cannot.
//!
//! Rule: what was read last stays, and how old it is stands beside it.

use std::time::Duration;

use serde::Serialize;

use super::client::FleetClient;
use crate::cli::failure::Failure;
use crate::fleet::Snapshot;
use crate::fleet::overview::{FleetOverview, OverviewRequest};
use crate::spool::unix_now;

/// How long one reading may take. Longer than a member may take to answer by default, so that the next one is asked, too.
pub(super) const READ_TIME: Duration = Duration::from_secs(6);

/// The form of the answer that the page understands.
const PAGE: u32 = 1;

/// What was read last, and how it stands now.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    /// Empty before the first.
    snapshot: Snapshot,
    pub(super) state: EngineState,
}

/// Whether the engine can be read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct EngineState {
    /// When it was read last, in seconds of unix time; never yet when there is none.
    pub(super) read: Option<f64>,
    /// Why it cannot be read now.
    pub(super) error: Option<String>,
    /// Since when it cannot.
    pub(super) since: Option<f64>,
}

impl EngineState {
    /// Notes how a reading went that ended now.
    pub(super) fn note(&mut self, error: Option<String>) {
        let now = unix_now();
        match error {
            None => {
                *self = Self {
                    read: Some(now),
                    ..Self::default()
                };
            }
            Some(error) => {
                self.error = Some(error);
                // The first failure of an outage: how long it lasts is what matters.
                self.since = self.since.or(Some(now));
            }
        }
    }
}

impl Reading {
    /// Reads once; gives why it failed.
    pub(super) fn read(&mut self, client: &mut FleetClient) -> Result<(), Failure> {
        let read = client.snapshot_within(READ_TIME);
        let error = read.as_ref().err().map(ToString::to_string);
        self.state.note(error);
        self.snapshot = read?;
        Ok(())
    }

    /// The overview of what was read last.
    pub(super) fn overview(&self, request: &OverviewRequest) -> FleetOverview {
        FleetOverview::new(&self.snapshot, request, unix_now())
    }
}

/// The answer that `/fleet.json` and `-o json` give.
#[derive(Serialize)]
pub(super) struct FleetAnswer<'a> {
    page: u32,
    now: f64,
    fleet: &'a str,
    version: &'static str,
    engine: &'a EngineState,
    /// Only hosts that hold this are in it; all when it is empty.
    text: &'a str,
    #[serde(flatten)]
    overview: &'a FleetOverview,
}

impl<'a> FleetAnswer<'a> {
    pub(super) fn new(
        fleet: &'a str,
        engine: &'a EngineState,
        text: &'a str,
        overview: &'a FleetOverview,
    ) -> Self {
        Self {
            page: PAGE,
            now: unix_now(),
            fleet,
            version: env!("CARGO_PKG_VERSION"),
            engine,
            text,
            overview,
        }
    }
}
