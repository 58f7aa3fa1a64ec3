//! How the agent is doing, for metrics and pages.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The figures, shared by the agent and the pages.
#[derive(Debug, Default)]
pub struct FleetFigures(Mutex<AgentFigures>);

/// How the agent is doing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentFigures {
    /// It has a session, and all orders are known.
    pub connected: bool,
    /// When it last knew that it knows all orders, in seconds of unix time.
    pub last_sync: Option<f64>,
    /// The engine's revision then.
    pub revision: i64,
    /// How many sessions have ended, by their causes.
    pub sessions: BTreeMap<&'static str, u64>,
    /// Orders that hold something down here.
    pub held: usize,
    /// Orders that would, but for a waiver.
    pub waived: usize,
    /// Registers that cannot be read.
    pub unknown: usize,
    /// Orders that are held although the engine does not have them.
    pub missing: usize,
    /// How far this host's clock is ahead of those that give orders, in seconds.
    pub clock_skew: f64,
    /// Writes to the engine that failed.
    pub write_errors: u64,
    /// Since when this host has a slot, in seconds of unix time.
    pub slot_since: Option<f64>,
    /// What an operator should know.
    pub problems: Vec<String>,
}

impl FleetFigures {
    /// The figures now.
    #[must_use]
    pub fn now(&self) -> AgentFigures {
        self.lock().clone()
    }

    /// To change them; held for some instructions only.
    pub(super) fn lock(&self) -> MutexGuard<'_, AgentFigures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
