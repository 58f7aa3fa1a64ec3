//! Which downtime closes the gate, and which of several counts.
//!
//! Rule: a weaker downtime never hides a stronger one.

use std::sync::Arc;

use super::super::{Downtime, Mark};

/// A downtime that closes the gate.
#[derive(Debug, Clone)]
pub struct Closed {
    /// The name of its entry.
    pub entry: Box<str>,
    /// The downtime.
    pub downtime: Arc<Downtime>,
    /// The entry cannot be read now; this is what it said last.
    pub held: bool,
}

impl Closed {
    /// What the answer names: `all` or the service, without host and port of an instance.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self.entry.split_once(':') {
            Some((service, _)) => service,
            None => &self.entry,
        }
    }

    /// Whether the one who asks is told nothing of it but, as an agent, a weight.
    #[must_use]
    pub fn lets_pass(&self, asker: GateAsker) -> bool {
        match self.downtime.mark() {
            // By the weight alone: a check that failed would take the server out at once.
            Some(Mark::Drain) => asker.weights,
            Some(Mark::AgentOnly) => !asker.agent,
            Some(Mark::Soft) | None => false,
        }
    }

    pub(super) fn rank(&self, asker: GateAsker) -> DowntimeRank {
        match self.downtime.mark() {
            Some(Mark::AgentOnly) if !asker.agent => DowntimeRank::Untold,
            Some(Mark::Drain) if asker.weights => DowntimeRank::Drain,
            Some(Mark::Soft) => DowntimeRank::Soft,
            Some(Mark::Drain | Mark::AgentOnly) | None => DowntimeRank::Usual,
        }
    }
}

/// Who asks the gate, as far as that decides which downtime counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateAsker {
    /// The daemon tells agents weights.
    pub weights: bool,
    /// It is an agent that asks, and no check.
    pub agent: bool,
}

/// Which of several downtimes counts: the last of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DowntimeRank {
    /// Agents are told of it, and it is a check that asks.
    Untold,
    /// It is told by the weights of the agent protocol.
    Drain,
    /// It is told by 404.
    Soft,
    /// It is told by 503.
    Usual,
}

/// The one that counts; of two equal ones the first.
pub(super) fn stronger(before: Option<Closed>, new: Closed, asker: GateAsker) -> Closed {
    match before {
        Some(before) if before.rank(asker) >= new.rank(asker) => before,
        _ => new,
    }
}
