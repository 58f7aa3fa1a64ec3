//! What `hadown` tells on standard error.

use super::Hadown;
use crate::cli::output::downtimes::description;
use crate::cli::output::times;
use crate::cli::wait::guard;
use crate::ledger::PollersPage;
use crate::spool::{Downtime, Key, Mark, ServiceName, unix_now};

/// In seconds: such a number of unix time is one of milliseconds.
const MILLISECONDS: f64 = 1e11;

/// In seconds, with a leap day.
const YEAR: f64 = 366.0 * 86400.0;

impl Hadown<'_> {
    /// Tells of an end that may be a slip; `-e` takes any, as in the replaced tools.
    pub(super) fn note_odd_end(&self) {
        let Some(end) = self.request.expiration else {
            return;
        };

        let now = unix_now();
        if end < now {
            self.request.note(
                "the expiration is in the past, so this downtime has already ended; give a later -e, --for or --until",
            );
        } else if end > MILLISECONDS {
            self.request.note("the expiration looks like milliseconds, so this downtime hardly ever ends; -e takes seconds");
        } else if end > now + YEAR {
            let end = times::show(end);
            self.request
                .note(&format!("the expiration, {end}, is over a year from now"));
        } else if times::date(end) != times::date(now) {
            self.note_tomorrow(end);
        }
    }

    /// A time of day that has passed is tomorrow's, which whoever wrote it may not have meant.
    fn note_tomorrow(&self, end: f64) {
        if let Some(time) = &self.request.until_time {
            let end = times::show(end);
            self.request.note(&format!(
                "{time} has passed today, so the downtime ends tomorrow, at {end}"
            ));
        }
    }

    /// What of another downtime was replaced.
    pub(super) fn note_replaced(&self, key: &Key, before: &Downtime, owner: Option<String>) {
        if before.reason != self.reason {
            let before = description(before, owner);
            self.request
                .note(&format!("{key} was already down {before}; replaced"));
        }

        let had = times::in_calendar(before.expiration);
        let has = times::in_calendar(self.request.expiration);
        if let Some(change) = change_of_end(had, has) {
            self.request
                .note(&format!("the downtime of {key} {change}"));
        }
    }

    /// Tells where `--soft`, `--drain` or `--agent-only` does not do what its name says.
    pub(super) fn note_mark(&self, page: &PollersPage) {
        match self.request.mark {
            Some(Mark::Soft) => self.note_soft(page),
            Some(Mark::Drain) if !page.agent_weights => self.request.note(
                "the daemon runs without agent_weights, so it answers 503 as for any other downtime",
            ),
            Some(Mark::AgentOnly) => {
                if let Some(sentence) = guard::nobody_for_agent_only(page) {
                    self.request.note(sentence);
                }
            }
            _ => {}
        }
    }

    fn note_soft(&self, page: &PollersPage) {
        self.request.note_all(&guard::deaf_to_soft(page));
        if let Some(sentence) = guard::agents_of_soft(page) {
            self.request.note(sentence);
        }
    }

    /// A name that is fine in the spool may still be one that no check can carry.
    pub(super) fn note_not_pollable(&self, service: &ServiceName) {
        if !service.fits_url() {
            let name = service.as_str();
            self.request.note(&format!(
                "no check can ask for a service named {name:?}: in check URLs names have letters, digits, '.', '_' and '-' only"
            ));
        }
    }
}

/// How the end of a downtime has changed; `None` where it has not.
fn change_of_end(had: Option<f64>, has: Option<f64>) -> Option<String> {
    match (had, has) {
        (None, None) => None,
        (Some(had), Some(has)) if had == has => None,
        (Some(had), Some(has)) => {
            let (had, has) = (times::show(had), times::show(has));
            Some(format!("was to end at {had}, and now ends at {has}"))
        }
        (Some(had), None) => Some(format!(
            "was to end at {}, and now never ends",
            times::show(had)
        )),
        (None, Some(has)) => Some(format!("had no end, and now ends at {}", times::show(has))),
    }
}
