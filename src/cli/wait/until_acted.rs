//! One wait after a change: look, judge, and look again.

use std::time::{Duration, Instant};

use super::acted::{Goal, Rules};
use super::balancers::Balancers;
use super::deadline::Deadline;
use super::progress::PollerStanding;
use super::{EVERY, Reached, Unfinished, Waiter, forgotten, summary};
use crate::cli::client::{ANSWER_TIME, DaemonError};
use crate::ledger::PollersPage;
use crate::spool::Key;

/// Where a wait stands.
struct WaitState {
    balancers: Balancers,
    deadline: Deadline,
    /// All have acted and only sessions are left, which have a time of their own.
    is_draining: bool,
}

impl Waiter {
    /// Waits after a change; `before` is what the daemon said of all pollers right before it.
    pub(crate) fn until_acted(
        &mut self,
        goal: Goal,
        before: Result<PollersPage, DaemonError>,
    ) -> Result<Reached, Unfinished> {
        let before = before.map_err(Unfinished::NotBegun)?;
        let mut state = WaitState {
            deadline: self.deadline(),
            balancers: self.begin(goal, &before),
            is_draining: false,
        };

        loop {
            let asked = Instant::now();
            if let Some(reached) = self.step(&mut state)? {
                return Ok(reached);
            }

            self.check_end(&state.balancers, state.deadline)?;
            // A daemon with many pollers is not kept busy by those who ask about them.
            let pause = EVERY.max(asked.elapsed() * 4);
            std::thread::sleep(pause.min(state.deadline.left()));
        }
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

    /// Looks once; `None` where the wait goes on.
    fn step(&mut self, state: &mut WaitState) -> Result<Option<Reached>, Unfinished> {
        // Sessions have the time that the operator gave them, however seldom a balancer polls.
        if !state.is_draining {
            self.allow_for_slow(&mut state.deadline, &state.balancers);
        }

        state.balancers.limit_grace(state.deadline.left());
        if self.look(state)? {
            return Ok(Some(self.reached(&state.balancers)));
        }

        // Looked at last: where all have acted, a downtime that ends later is no failure.
        self.refuse_ended_downtime(state)?;
        self.begin_to_drain(state);
        // Before the end is checked: sessions that are left are told, and are no time-out.
        if state.is_draining && state.deadline.is_over() {
            return Ok(Some(self.reached_with_sessions(&state.balancers)));
        }

        Ok(None)
    }

    /// Asks the daemon once and shows the answer; whether the goal is reached.
    fn look(&mut self, state: &mut WaitState) -> Result<bool, Unfinished> {
        // The last look gets a little time, too, however late it comes.
        let limit = state.deadline.left().max(EVERY).min(ANSWER_TIME);
        match self.client.everybody(&self.names, limit) {
            Ok(page) => {
                state.balancers.take(&page);
                let standings = self.show(state);
                self.is_reached(&mut state.balancers, &standings, &page)
            }
            Err(e) => {
                self.take_trouble(state, e);
                Ok(false)
            }
        }
    }

    fn take_trouble(&mut self, state: &mut WaitState, trouble: DaemonError) {
        // A daemon that is being restarted comes back; it is told once, and waited for.
        if state.balancers.trouble.is_none() {
            self.progress.say(&format!("{trouble} (still waiting)"));
        }

        state.balancers.trouble = Some(trouble);
        // Shown all the same: time goes on, and whoever watches sees that it does.
        self.show(state);
    }

    /// Shows where the balancers stand.
    fn show(&mut self, state: &WaitState) -> Vec<PollerStanding> {
        // The shell wrote its prompt below the table when Ctrl-Z came.
        if self.interrupt.went_on() {
            self.progress.leave_table();
        }

        let standings = state.balancers.standings();
        let count = state.balancers.count();
        let head = format!("{count}, {}", state.deadline.spent());
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
            self.tell_unknown_once(balancers, page);
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

    fn tell_unknown_once(&mut self, balancers: &mut Balancers, page: &PollersPage) {
        if !balancers.is_told_unknown {
            balancers.is_told_unknown = true;
            self.tell_unknown(balancers, page);
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

    /// Fails where a downtime should hold while the balancers take the server out, and does not.
    fn refuse_ended_downtime(&self, state: &WaitState) -> Result<(), Unfinished> {
        if state.balancers.rules.goal == Goal::Up {
            return Ok(());
        }

        for key in &self.keys {
            if self.is_up(key) {
                return Err(Unfinished::DowntimeEnded(key.clone()));
            }
        }

        Ok(())
    }

    fn is_up(&self, key: &Key) -> bool {
        // One that cannot be read may be there: only what is certainly lifted ends the wait.
        matches!(self.spool.read(key), Ok(None))
    }

    fn begin_to_drain(&self, state: &mut WaitState) {
        let Some(limit) = self.drain_limit(state.balancers.rules.goal) else {
            return;
        };

        // Once: the time of the sessions does not begin anew when a balancer comes back.
        if !state.is_draining && self.has_acted(&state.balancers) {
            state.is_draining = true;
            state.deadline = Deadline::new(limit);
        }
    }

    fn has_acted(&self, balancers: &Balancers) -> bool {
        self.knows_enough(balancers) && balancers.have_acted()
    }

    /// How long sessions may take to end, where they have a time of their own.
    fn drain_limit(&self, goal: Goal) -> Option<Duration> {
        let limit = self.limits.drain.filter(|_| goal == Goal::Drained)?;
        // A shorter time would end the wait before the grace of balancers that tell of no sessions is over.
        Some(limit.max(self.limits.grace))
    }

    fn reached(&self, balancers: &Balancers) -> Reached {
        let mut now = Vec::new();
        for key in &self.keys {
            now.push(summary::sentence(key, balancers, &self.spool));
        }

        Reached {
            left: None,
            hides_sessions: balancers.hide_sessions(),
            now,
        }
    }

    /// The same, where sessions have not ended in their time.
    fn reached_with_sessions(&self, balancers: &Balancers) -> Reached {
        Reached {
            left: Some(self.missing(balancers)),
            ..self.reached(balancers)
        }
    }
}
