//! Who polls and what each balancer sees ([`Pollers`]), and which services were asked for lately ([`RecentServices`]).
//!
//! Rule: pure data structures. Times are passed in, nothing is read or logged, and all that is remembered is bounded.

mod asked_check;
mod gaps;
pub mod history;
mod namesakes;
pub mod overview;
mod pace;
mod poller;
mod pollers;
mod recent;
mod record;
mod row;
mod rules;
mod settings;
mod share;

use std::sync::Arc;
use std::time::Duration;

use crate::probe::Check;
pub use asked_check::{AskedCheck, Face};
pub use history::{
    CheckHistory, EventKind, Events, HostEvent, LastFail, PollAnswer, SharedHistory,
};
pub use namesakes::{Namesakes, Polls};
pub use poller::{Poller, Stated};
pub use pollers::{PollerFigures, Pollers};
pub use recent::{LastAnswer, RecentServices, SeenService};
pub(crate) use record::polled_checks;
pub use record::{PolledChecks, PollerRecord};
pub use row::{PollerRow, PollersPage, SpoolRoot, Told, View};
pub use rules::{Expectation, PollerRule, PollerRules};
pub(crate) use rules::{USER_AGENT_MAX, built_in_pollers};
pub use settings::LedgerSettings;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Time since the daemon's start: a clock that only goes forward.
    pub since_start: Duration,
    /// The wall clock, in seconds of unix time.
    pub unix: f64,
}

/// What is news of an answer.
#[derive(Debug, Default)]
pub struct News {
    /// The check began to fail, or passes again.
    pub event: Option<HostEvent>,
    /// It is the first answer for this check, or one that passes where the one before did not, or the other way round.
    pub is_other: bool,
    /// How many pollers ask for the check.
    pub pollers: usize,
}

/// Counts of what is remembered, for the metrics.
#[derive(Debug, Clone)]
pub struct LedgerFigures {
    /// Services.
    pub services: usize,
    /// Services that were forgotten for want of room.
    pub services_forgotten: u64,
    /// Checks whose last result fails.
    pub failing_checks: usize,
    /// Pollers.
    pub pollers: PollerFigures,
    /// Changes, by kind.
    pub changes: Vec<(EventKind, u64)>,
}

/// What is remembered of all polls.
pub struct Ledger {
    /// Who polls.
    pub pollers: Pollers,
    /// What was asked for.
    pub services: RecentServices,
    /// What changed.
    pub events: Events,
}

impl Ledger {
    /// Nothing is remembered yet.
    #[must_use]
    pub fn new(settings: &LedgerSettings) -> Self {
        let services = settings.max_services;
        Self {
            pollers: Pollers::with(settings.max_pollers, settings.pollers.clone()),
            services: RecentServices::new(services, settings.max_addresses_per_service),
            events: Events::default(),
        }
    }

    /// Notes a poll; its answer follows. The check is what it asks besides the spool. Gives whether it is one of an
    /// established poller.
    pub fn asked(
        &mut self,
        at: Moment,
        poller: &Arc<Poller>,
        stated: &Stated,
        check: Option<&Check>,
    ) -> bool {
        self.services.asked(at.unix, poller);
        self.pollers.asked(at.since_start, poller, stated, check)
    }

    /// Notes the answer to a poll, and gives what is news of it.
    pub fn answered(&mut self, at: Moment, poller: &Poller, answer: &PollAnswer<'_>) -> News {
        let news = self.pollers.answered(at, poller, answer);
        if let Some(event) = &news.event {
            self.events.push(event.clone());
        }

        self.services.answered(at.unix, poller, answer.code);
        news
    }

    /// Counts what is remembered, and forgets who has been silent for long.
    pub fn figures(&mut self, now: Duration) -> LedgerFigures {
        // First, or who has been silent for long would be counted once more.
        self.pollers.prune(now);
        let (services, services_forgotten) = self.services.figures();
        LedgerFigures {
            services,
            services_forgotten,
            failing_checks: self.pollers.failing(),
            pollers: self.pollers.figures(now),
            changes: self.events.counts(),
        }
    }
}
