//! Waiting until every load balancer has acted.
//!
//! Who counts is settled on the daemon's clock: the ledger is read right before the change, and
//! everyone who polled within the last three of its own intervals counts from then on, and whoever
//! polls later. Answers count from the first look after the change. A person who looks once or
//! twice, with curl or a browser, is no poller.
//!
//! Rule: a poller that counts once counts until the end, also when it falls silent or the daemon is
//! restarted.

pub(crate) mod acted;
mod balancers;
mod deadline;
mod end;
pub(crate) mod guard;
mod healthy;
pub(crate) mod interrupt;
pub(crate) mod limits;
mod looks;
mod need;
pub(crate) mod polled;
pub(crate) mod progress;
pub(crate) mod seen;
pub(crate) mod summary;
mod until_acted;

use std::time::Duration;

use crate::cli::client::{self, ANSWER_TIME, DaemonClient, DaemonError};
use crate::cli::failure::Failure;
use crate::ledger::PollersPage;
use crate::spool::{Key, Spool};
use acted::{Goal, Rules};
use balancers::{Balancers, SETTLED};
use deadline::Deadline;
pub(crate) use end::{Reached, Unfinished};
use interrupt::Interrupt;
use limits::WaitLimits;
use polled::{Unpolled, unpolled};
use progress::Progress;

/// How often the daemon is asked, while its answers are short.
const EVERY: Duration = Duration::from_millis(100);

/// Waits for what the balancers make of some services.
pub(crate) struct Waiter {
    pub(crate) client: DaemonClient,
    pub(crate) spool: Spool,
    /// The services or instances.
    pub(crate) keys: Vec<Key>,
    /// Their names, to ask the daemon about.
    pub(crate) names: Vec<String>,
    pub(crate) limits: WaitLimits,
    pub(crate) interrupt: Interrupt,
    pub(crate) progress: Progress,
}

impl Waiter {
    /// From here on, signals that ask for an end are looked at between two steps.
    pub(crate) fn new(
        program: &str,
        client: DaemonClient,
        spool: Spool,
        keys: Vec<Key>,
        limits: WaitLimits,
    ) -> Result<Self, Failure> {
        Ok(Self {
            client,
            spool,
            names: client::names(&keys),
            keys,
            limits,
            // Before anything is changed: what comes from here on waits until it can be answered.
            interrupt: Interrupt::hold()?,
            progress: Progress::new(program),
        })
    }

    /// What the daemon says of all pollers right now.
    pub(crate) fn everybody(&self) -> Result<PollersPage, DaemonError> {
        self.client.everybody(&self.names, ANSWER_TIME)
    }

    /// Waits until the daemon knows who polls, before anything is changed.
    pub(crate) fn until_known(&mut self) -> Result<PollersPage, Unfinished> {
        let deadline = self.deadline();
        // What is not known yet does not depend on the goal.
        let rules = Rules::new(Goal::Out, self.limits.polls);
        let mut is_told = false;
        loop {
            let page = self.everybody().map_err(Unfinished::NotBegun)?;
            let balancers = Balancers::new(&page, &self.names, rules, true);
            if self.knows_enough(&balancers) {
                return Ok(page);
            }

            if !is_told {
                is_told = true;
                self.tell_unknown(&balancers, &page);
            }

            let head = format!("waiting for balancers to be known, {}", deadline.spent());
            self.progress.show(&head, &[]);
            self.check_end(&balancers, deadline)?;
            std::thread::sleep(EVERY.min(deadline.left()));
        }
    }

    fn deadline(&self) -> Deadline {
        Deadline::new(self.limits.timeout.unwrap_or(need::LEAST))
    }

    /// Says why more balancers are waited for.
    fn tell_unknown(&mut self, balancers: &Balancers, page: &PollersPage) {
        let unknown = self.unknown(balancers);
        self.progress.say(&unknown);
        self.tell_unpolled(page);
    }

    /// Whether no balancer can be missing among those that are known.
    fn knows_enough(&self, balancers: &Balancers) -> bool {
        match self.limits.min_pollers {
            Some(wanted) => balancers.known() >= wanted,
            None => balancers.is_complete,
        }
    }

    /// Why more balancers are waited for.
    fn unknown(&self, balancers: &Balancers) -> String {
        match self.limits.min_pollers {
            Some(wanted) => format!("{} of {wanted} load balancers are known", balancers.known()),
            None => format!(
                "hacheck has been running for less than {SETTLED:.0} s, so it may not know all load balancers yet; --min-pollers N waits for N of them only"
            ),
        }
    }

    /// A slip of the finger is told while it can still be a balancer that has not polled yet.
    fn tell_unpolled(&mut self, everybody: &PollersPage) {
        if let Some(Unpolled::AmongOthers(sentences)) = unpolled(everybody, &self.keys) {
            for sentence in sentences {
                self.progress.say(&format!("so far {sentence}"));
            }
        }
    }

    /// Fails where others are polled, but not these.
    pub(crate) fn refuse_unpolled(&mut self, everybody: &PollersPage) -> Result<(), Unfinished> {
        let said = match unpolled(everybody, &self.keys) {
            None => return Ok(()),
            // Nothing to mistake the name for: a host that no balancer knows yet.
            Some(Unpolled::Everything) => "no load balancer polls anything here".to_owned(),
            Some(Unpolled::AmongOthers(sentences)) if self.limits.force => sentences.join("; "),
            Some(Unpolled::AmongOthers(sentences)) => {
                return Err(Unfinished::NotPolled(sentences));
            }
        };

        self.progress.say_once(&said);
        Ok(())
    }

    /// Ends the wait where somebody interrupts it, or time is up.
    fn check_end(&self, balancers: &Balancers, deadline: Deadline) -> Result<(), Unfinished> {
        // First: somebody who interrupts in the last moment is told so.
        if let Some(signal) = self.interrupt.came() {
            let missing = self.missing(balancers);
            return Err(Unfinished::Interrupted { signal, missing });
        }

        if deadline.is_over() {
            let limit = deadline.limit;
            let missing = self.missing(balancers);
            return Err(Unfinished::TimeUp { limit, missing });
        }

        Ok(())
    }

    /// Who has not acted, and why.
    fn missing(&self, balancers: &Balancers) -> String {
        let mut reasons = balancers.waiting();
        if !self.knows_enough(balancers) {
            reasons.push(self.unknown(balancers));
        }

        if balancers.known() == 0 {
            reasons.extend(forgotten(balancers));
        }

        if let Some(trouble) = &balancers.trouble {
            reasons.push(trouble.to_string());
        }

        reasons.join("\n  ")
    }
}

/// Says that a load balancer may be unknown, where that may be.
fn forgotten(balancers: &Balancers) -> Option<String> {
    match balancers.forgotten {
        0 => None,
        forgotten => Some(format!(
            "hacheck has forgotten {forgotten} pollers for want of room, the last within the hour: a load balancer that it \
             forgot is not waited for until it polls again; max_pollers and pollers_from make room"
        )),
    }
}
