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

use std::time::{Duration, Instant};

use crate::cli::client::{self, ANSWER_TIME, DaemonClient, DaemonError};
use crate::cli::failure::Failure;
use crate::ledger::PollersPage;
use crate::spool::{Key, Spool};
use acted::{Goal, Rules};
use balancers::{Balancers, SETTLED};
pub(crate) use end::{Reached, Unfinished};
use interrupt::Interrupt;
use limits::WaitLimits;
use polled::{Unpolled, unpolled};
use progress::{PollerStanding, Progress};

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

/// How long a wait may take.
#[derive(Clone, Copy)]
struct Deadline {
    begin: Instant,
    limit: Duration,
}

impl Deadline {
    fn new(limit: Duration) -> Self {
        Self {
            begin: Instant::now(),
            limit,
        }
    }

    fn left(self) -> Duration {
        self.limit.saturating_sub(self.begin.elapsed())
    }

    /// `8 s of 60 s`.
    fn spent(self) -> String {
        let spent = self.begin.elapsed().min(self.limit).as_secs();
        format!("{spent} s of {} s", self.limit.as_secs_f64())
    }
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
        let mut said = false;
        loop {
            let page = self.everybody().map_err(Unfinished::NotBegun)?;
            let rules = Rules::new(Goal::Out, self.limits.polls);
            let balancers = Balancers::new(&page, &self.names, rules, true);
            if self.knows_enough(&balancers) {
                return Ok(page);
            }

            if !said {
                said = true;
                self.tell_unknown(&balancers, &page);
            }
            let head = format!("waiting for balancers to be known, {}", deadline.spent());
            self.progress.show(&head, &[]);
            self.check_end(&balancers, deadline)?;
            std::thread::sleep(EVERY.min(deadline.left()));
        }
    }

    /// Waits after a change; `before` is what the daemon said of all pollers right before it.
    pub(crate) fn until_acted(
        &mut self,
        goal: Goal,
        before: Result<PollersPage, DaemonError>,
    ) -> Result<Reached, Unfinished> {
        let before = before.map_err(Unfinished::NotBegun)?;
        let mut deadline = self.deadline();
        let mut balancers = self.begin(goal, &before);
        let mut is_draining = false;
        loop {
            let asked = Instant::now();
            if !is_draining {
                self.allow_for_slow(&mut deadline, &balancers);
            }
            balancers.limit_grace(deadline.left());
            if self.look(&mut balancers, deadline)? {
                return Ok(self.reached(&balancers));
            }

            // Looked at last: where all have acted, a downtime that ends later is no failure.
            self.refuse_ended_downtime(goal)?;
            if !is_draining && let Some(limit) = self.begins_to_drain(goal, &balancers) {
                is_draining = true;
                deadline = Deadline::new(limit);
            }
            if is_draining && deadline.left().is_zero() {
                return Ok(self.reached_with_sessions(&balancers));
            }

            self.check_end(&balancers, deadline)?;
            // A daemon with many pollers is not kept busy by those who ask about them.
            let pause = EVERY.max(asked.elapsed() * 4);
            std::thread::sleep(pause.min(deadline.left()));
        }
    }

    /// How long sessions may take from now on, where all have acted and only these are left.
    fn begins_to_drain(&self, goal: Goal, balancers: &Balancers) -> Option<Duration> {
        let limit = self.drain_limit(goal)?;
        let has_acted = self.knows_enough(balancers) && balancers.have_acted();
        has_acted.then_some(limit)
    }

    /// Who counts, and what is to be said of it.
    fn begin(&mut self, goal: Goal, before: &PollersPage) -> Balancers {
        let mut rules = Rules::new(goal, self.limits.polls);
        rules.grace = self.limits.grace.as_secs_f64();
        let balancers = Balancers::new(before, &self.names, rules, self.limits.force);
        if let Some(forgotten) = forgotten(&balancers) {
            self.progress.say(&forgotten);
        }

        self.tell_who_counts(before, &balancers);
        balancers
    }

    fn deadline(&self) -> Deadline {
        Deadline::new(self.limits.timeout.unwrap_or(need::LEAST))
    }

    fn reached(&self, balancers: &Balancers) -> Reached {
        let sentence = |key| summary::sentence(balancers.rules.goal, key, balancers, &self.spool);
        Reached {
            left: None,
            hides_sessions: balancers.hide_sessions(),
            now: self.keys.iter().map(sentence).collect(),
        }
    }

    /// The same, where sessions have not ended in their time.
    fn reached_with_sessions(&self, balancers: &Balancers) -> Reached {
        Reached {
            left: Some(self.missing(balancers)),
            ..self.reached(balancers)
        }
    }

    /// How long sessions may take to end, where they have a time of their own.
    fn drain_limit(&self, goal: Goal) -> Option<Duration> {
        let limit = self.limits.drain.filter(|_| goal == Goal::Drained)?;
        // A shorter time would end the wait before the grace of balancers that tell of no sessions is over.
        Some(limit.max(self.limits.grace))
    }

    /// Asks the daemon once and shows the answer; whether the goal is reached.
    fn look(&mut self, balancers: &mut Balancers, deadline: Deadline) -> Result<bool, Unfinished> {
        // The last look gets a little time, too, however late it comes.
        let limit = deadline.left().max(EVERY).min(ANSWER_TIME);
        match self.client.everybody(&self.names, limit) {
            Ok(page) => {
                balancers.take(&page);
                let standings = self.show(balancers, deadline);
                self.is_reached(balancers, &standings, &page)
            }
            Err(e) => {
                // A daemon that is being restarted comes back; it is told once, and waited for.
                if balancers.trouble.is_none() {
                    self.progress.say(&format!("{e} (still waiting)"));
                }
                balancers.trouble = Some(e);
                self.show(balancers, deadline);
                Ok(false)
            }
        }
    }

    /// Shows where the balancers stand.
    fn show(&mut self, balancers: &Balancers, deadline: Deadline) -> Vec<PollerStanding> {
        if self.interrupt.went_on() {
            self.progress.leave_table();
        }

        let standings = balancers.standings();
        let head = format!("{}, {}", balancers.count(), deadline.spent());
        self.progress.show(&head, &standings);
        standings
    }

    fn is_reached(
        &mut self,
        balancers: &mut Balancers,
        standings: &[PollerStanding],
        page: &PollersPage,
    ) -> Result<bool, Unfinished> {
        self.refuse_emptied(balancers)?;
        if !self.knows_enough(balancers) {
            if !balancers.is_told_unknown {
                balancers.is_told_unknown = true;
                self.tell_unknown(balancers, page);
            }
            return Ok(false);
        }

        let are_done = standings.iter().all(|balancer| balancer.standing.is_done());
        // Who is forgotten is known again by its next poll.
        let is_forgotten = balancers.known() == 0 && balancers.forgotten > 0;
        if !are_done || is_forgotten {
            return Ok(false);
        }

        // Last: nobody at all has acted where nobody polls, which is mostly a slip of the finger.
        self.refuse_unpolled(page)?;
        Ok(true)
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

    fn refuse_emptied(&self, balancers: &Balancers) -> Result<(), Unfinished> {
        let takes_down = balancers.rules.goal != Goal::Up;
        match balancers.emptied() {
            Some(sentence) if takes_down && !self.limits.force => {
                Err(Unfinished::LastServer(sentence))
            }
            _ => Ok(()),
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
        match unpolled(everybody, &self.keys) {
            None => Ok(()),
            Some(Unpolled::Everything) => {
                let text = "no load balancer polls anything here";
                self.progress.say_once(text);
                Ok(())
            }
            Some(Unpolled::AmongOthers(sentences)) if self.limits.force => {
                self.progress.say_once(&sentences.join("; "));
                Ok(())
            }
            Some(Unpolled::AmongOthers(sentences)) => Err(Unfinished::NotPolled(sentences)),
        }
    }

    /// Fails where a downtime should hold while the balancers take the server out, and does not.
    fn refuse_ended_downtime(&self, goal: Goal) -> Result<(), Unfinished> {
        if goal == Goal::Up {
            return Ok(());
        }

        let is_up = |key: &&Key| matches!(self.spool.read(key), Ok(None));
        match self.keys.iter().find(is_up) {
            Some(key) => Err(Unfinished::DowntimeEnded(key.clone())),
            None => Ok(()),
        }
    }

    /// Ends the wait where somebody interrupts it, or time is up.
    fn check_end(&self, balancers: &Balancers, deadline: Deadline) -> Result<(), Unfinished> {
        if let Some(signal) = self.interrupt.came() {
            let missing = self.missing(balancers);
            return Err(Unfinished::Interrupted { signal, missing });
        }

        if deadline.left().is_zero() {
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
    let forgotten = balancers.forgotten;
    (forgotten > 0).then(|| {
        format!(
            "hacheck has forgotten {forgotten} pollers for want of room, the last within the hour: a load balancer that it \
             forgot is not waited for until it polls again; max_pollers and pollers_from make room"
        )
    })
}
