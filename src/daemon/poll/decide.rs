//! The policy, on one screen: the spool first, then the check.
//!
//! Rule: a downtime is answered at once and never cached; how downtimes of several entries are ranked is
//! [`Gate::closed`]'s.

use std::sync::Arc;
use std::time::Instant;

use super::super::state::Live;
use super::{Asked, Poll};
use crate::check::Checker;
use crate::ledger::Told;
use crate::probe::Outcome;
use crate::spool::{Closed, Gate};

/// What a poll is told.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// An operator took it down.
    Down(Closed),
    /// It may not or cannot be probed.
    Refused(Outcome),
    /// Nobody took it down.
    Open {
        /// What the probe found, where one is asked for.
        outcome: Option<Arc<Outcome>>,
        /// The downtime that is told by the agent's weights alone, if any.
        drain: Option<Closed>,
    },
}

impl Verdict {
    /// The verdict in a word.
    pub(crate) fn told(&self) -> Told {
        match self {
            Self::Down(_) => Told::Down,
            Self::Refused(_) => Told::Fail,
            Self::Open { outcome, drain } => match (outcome, drain) {
                (Some(outcome), _) if !outcome.passes() => Told::Fail,
                (_, Some(_)) => Told::Drain,
                (_, None) => Told::Up,
            },
        }
    }

    /// Whether that is an answer that passes.
    pub(crate) fn passes(&self) -> bool {
        self.told().passes()
    }

    /// What a probe found, or why there was none.
    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Down(_) => None,
            Self::Refused(outcome) => Some(outcome),
            Self::Open { outcome, .. } => outcome.as_deref(),
        }
    }
}

/// Decides a poll.
pub(crate) async fn decide(poll: &Poll, live: &Live, gate: &Gate, checker: &Checker) -> Verdict {
    let weights = live.config.daemon.agent_weights;
    let entries = || poll.entries(live);
    let closed = gate.closed(
        poll.poller.service.as_str(),
        &entries,
        weights,
        Instant::now(),
    );
    let drain = match closed {
        Some(closed) if weights && closed.is_drain() => Some(closed),
        Some(closed) => return Verdict::Down(closed),
        None => None,
    };
    let check = match &poll.asked {
        Asked::Check(check) => check,
        Asked::Refused(outcome) => return Verdict::Refused(outcome.clone()),
        Asked::Nothing => {
            return Verdict::Open {
                outcome: None,
                drain,
            };
        }
    };
    let result = match poll.fresh {
        true => checker.fresh().outcome(check, &live.context).await,
        false => checker.outcome(check, &live.context).await,
    };
    match result {
        Err(refused) => Verdict::Refused(refused),
        Ok(outcome) => Verdict::Open {
            outcome: Some(outcome),
            drain,
        },
    }
}
