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
use crate::spool::{Closed, Gate, GateAsker};

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
        /// The downtime that is told by agents alone, by their weights or by their words, if any.
        drain: Option<Closed>,
    },
}

impl Verdict {
    /// The verdict in a word.
    pub(crate) fn told(&self) -> Told {
        match self {
            Self::Down(_) => Told::Down,
            Self::Refused(_) => Told::Fail,
            Self::Open { outcome, drain } => told_open(outcome.as_deref(), drain.is_some()),
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

fn told_open(outcome: Option<&Outcome>, drains: bool) -> Told {
    match outcome {
        Some(outcome) if !outcome.passes() => Told::Fail,
        _ if drains => Told::Drain,
        _ => Told::Up,
    }
}

/// Decides a poll.
pub(crate) async fn decide(poll: &Poll, live: &Live, gate: &Gate, checker: &Checker) -> Verdict {
    let spool = SpoolQuestion { poll, live, gate };
    let drain = match spool.ask(false, poll.arrived) {
        Ok(drain) => drain,
        Err(down) => return Verdict::Down(down),
    };

    let outcome = match outcome(poll, live, checker).await {
        Ok(outcome) => outcome,
        Err(refused) => return Verdict::Refused(refused),
    };

    match &outcome {
        // Only the look-up of a name shows that it is one of this host, whose downtimes are then the name's too.
        Some(found) if found.name_is_ours => decide_here(&spool, outcome),
        _ => Verdict::Open { outcome, drain },
    }
}

/// Asks the spool once more, now that it is known that the check is one of this host.
fn decide_here(spool: &SpoolQuestion<'_>, outcome: Option<Arc<Outcome>>) -> Verdict {
    // The probe took its time, so the clock is read again: the gate's list of the folder may have aged.
    match spool.ask(true, Instant::now()) {
        Ok(drain) => Verdict::Open { outcome, drain },
        Err(down) => Verdict::Down(down),
    }
}

/// Whether a downtime takes a poll down.
struct SpoolQuestion<'a> {
    poll: &'a Poll,
    live: &'a Live,
    gate: &'a Gate,
}

/// What takes the poll down, as an error; else the downtime that is told by agents alone, if any.
type SpoolAnswer = Result<Option<Closed>, Closed>;

impl SpoolQuestion<'_> {
    /// Asks; `leads_here` once a look-up has shown that the check is one of this host.
    fn ask(&self, leads_here: bool, now: Instant) -> SpoolAnswer {
        let poller = &self.poll.poller;
        let asker = GateAsker {
            weights: self.live.config.daemon.agent_weights,
            agent: poller.check.is_agent(),
        };

        let service = poller.service.as_str();
        // Named only when the gate asks: mostly nothing is down, and no name is needed.
        let entries = || self.poll.entries(self.live, leads_here);
        match self.gate.closed(service, &entries, asker, now) {
            Some(closed) if closed.lets_pass(asker) => Ok(Some(closed)),
            Some(closed) => Err(closed),
            None => Ok(None),
        }
    }
}

/// What the check finds, where one is asked for.
async fn outcome(
    poll: &Poll,
    live: &Live,
    checker: &Checker,
) -> Result<Option<Arc<Outcome>>, Outcome> {
    let check = match &poll.asked {
        Asked::Nothing => return Ok(None),
        Asked::Refused(outcome) | Asked::NoPlace(outcome) => return Err(outcome.clone()),
        Asked::Check(check) => check,
    };

    let asker = poll.asker();
    let outcome = match poll.fresh {
        // One whose probe began after the poll came: to join an older one would not do.
        true => checker.fresh().outcome(check, &live.context, asker).await,
        false => checker.outcome(check, &live.context, asker).await,
    };
    outcome.map(Some)
}
