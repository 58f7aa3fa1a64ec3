//! The result of a check: one that still counts, one of a probe that runs already, or one of a new probe.
//!
//! Rule: a probe runs in a task of its own, so that a poller that hangs up does not cancel what others wait for.

pub mod cache;
pub mod key;
mod settings;
mod waiting;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use self::cache::{Cache, Lookup, RunningProbe, Ticket, Wanted};
use self::key::CacheKey;
pub use self::settings::CheckSettings;
use self::waiting::WaitingRequests;
use crate::group::{
    self, CheckContext, CheckRunner, Group, GroupResult, GroupStates, RunningCheck,
};
use crate::probe::{Asker, Check, Outcome, Rank, Trace};

/// Told of each probe that was run.
pub type Observer = dyn Fn(&Check, &Outcome, &Trace) + Send + Sync;

/// Checks through the cache.
#[derive(Clone)]
pub struct Checker {
    cache: Arc<Cache>,
    observer: Arc<Observer>,
    groups: Arc<GroupStates>,
    /// Requests of strangers that wait for a probe.
    waiting: Arc<WaitingRequests>,
    /// The steps of each probe are kept, for the observer.
    traces: bool,
    /// Neither a stored result nor a probe under way will do.
    fresh: bool,
}

impl Checker {
    /// Nothing is stored yet.
    #[must_use]
    pub fn new(settings: &CheckSettings, observer: Arc<Observer>) -> Self {
        Self {
            cache: Arc::new(Cache::new(settings)),
            observer,
            groups: Arc::default(),
            waiting: Arc::default(),
            traces: false,
            fresh: false,
        }
    }

    /// The same, with the steps of each probe for the observer.
    #[must_use]
    pub fn tracing(self) -> Self {
        Self {
            traces: true,
            ..self
        }
    }

    /// The same, for who wants fresh results.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self {
            fresh: true,
            ..self.clone()
        }
    }

    /// The results.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Requests of strangers that wait for a probe.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.count()
    }

    /// What is remembered of groups.
    #[must_use]
    pub fn groups(&self) -> &Arc<GroupStates> {
        &self.groups
    }

    /// The result of a check.
    ///
    /// # Errors
    /// The answer, where the check makes no sense and is not run.
    pub async fn outcome(
        &self,
        check: &Check,
        context: &Arc<CheckContext>,
        asker: Asker,
    ) -> Result<Arc<Outcome>, Outcome> {
        let key = CacheKey::of(check, &context.probes)?;
        let rank = asker.rank();
        let wanted = Wanted {
            fresh: self.fresh,
            rank,
        };
        let running = match self.cache.look_up(&key, wanted, Instant::now()) {
            Lookup::Stored(outcome) => return Ok(outcome),
            Lookup::Running(running) => running,
            Lookup::Begin(ticket, running) => {
                self.begin(asker, check, context, ticket);
                running
            }
        };
        let most = context.probes.max_waiting();
        // Boxed, as most requests need no probe, and each has room for all that this one might do.
        Ok(Box::pin(self.wait(running, rank, most)).await)
    }

    fn begin(&self, asker: Asker, check: &Check, context: &Arc<CheckContext>, ticket: Ticket) {
        // The clone carries `fresh` along: a fresh group needs fresh checks.
        let checker = self.clone();
        tokio::spawn(checker.run(asker, check.clone(), Arc::clone(context), ticket));
    }

    /// Waits for a probe; a stranger only as one of the requests that wait at most.
    async fn wait(&self, running: RunningProbe, rank: Rank, most: usize) -> Arc<Outcome> {
        // Only strangers need a limit: who floods does not poll at a steady pace.
        match rank {
            Rank::Stranger => self.wait_in_place(running, most).await,
            Rank::Established | Rank::Configuration => running.outcome().await,
        }
    }

    async fn wait_in_place(&self, running: RunningProbe, most: usize) -> Arc<Outcome> {
        let mut place = self.waiting.begin(most);
        tokio::select! {
            // If the outcome arrives at the moment the place is lost, the outcome counts.
            biased;
            outcome = running.outcome() => outcome,
            () = place.lost() => waited_longest(most),
        }
    }

    /// Runs a check and delivers its result. Boxed, as a group runs further checks.
    fn run(
        self,
        asker: Asker,
        check: Check,
        context: Arc<CheckContext>,
        mut ticket: Ticket,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            // The deadline of the probe begins when its turn has come.
            ticket.turn().await;
            let outcome = self.observed(asker, &check, &context).await;
            if check.is_group() {
                // Its checks are kept; kept twice, they would be twice as old.
                ticket.share(outcome);
            } else {
                ticket.deliver(outcome);
            }
        })
    }

    /// Runs a check, and tells the observer of it.
    async fn observed(&self, asker: Asker, check: &Check, context: &Arc<CheckContext>) -> Outcome {
        let trace = Trace::start(self.traces);
        let outcome = group::run_check(asker, self, check, context, &trace).await;
        let outcome = outcome.found_by(&trace);
        // Before the outcome is delivered, so that a poller with an answer finds its probe counted.
        (self.observer)(check, &outcome, &trace);
        outcome
    }
}

fn waited_longest(most: usize) -> Arc<Outcome> {
    let text = format!(
        "{most} requests wait for their checks, and this one did so for longest (max_waiting)"
    );
    Arc::new(Outcome::overload(text))
}

impl CheckRunner for Checker {
    fn run_check<'a>(&'a self, check: Check, context: &'a Arc<CheckContext>) -> RunningCheck<'a> {
        Box::pin(async move {
            // The configuration names the checks of a group, so they have its rank, whoever asked.
            let outcome = self.outcome(&check, context, Asker::Configuration).await;
            outcome.unwrap_or_else(Arc::new)
        })
    }

    fn checked(&self, result: &GroupResult, group: &Group) {
        // With `every` the state is decided by the watch, by `rise` and `fall`.
        self.groups.checked(result, group.every.is_some());
    }
}

#[cfg(test)]
mod tests;
