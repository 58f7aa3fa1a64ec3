//! The policy, on one screen: the spool first, then the cache, then a probe.
//!
//! Rule: a downtime is answered at once and never cached; a probe runs in a task of its own, so that a poller that
//! hangs up does not cancel what others wait for.

pub mod cache;
mod lookup;
mod settings;
mod waits;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use self::cache::{Cache, Found, Running, Ticket};
pub use self::lookup::Lookup;
pub use self::settings::Settings;
use self::waits::Waiting;
use crate::group::{self, Ask, Asked, CheckContext, Group, Memory};
use crate::probe::{GROUP, Name, Outcome, Protocol, Target, Trace};
use crate::spool::{Closed, Downtime, Gate, Mark};

/// What a poller wants to know.
pub struct Question<'a> {
    /// The service.
    pub service: &'a str,
    /// The spool entries that can take it down, besides `all`, in the order to ask.
    pub entries: &'a (dyn Fn() -> Vec<String> + Sync),
    /// What is asked besides the spool.
    pub wants: &'a Wants,
    /// Downtimes that ask for it are told by weights of the agent protocol.
    pub weights: bool,
    /// Neither a stored result nor a probe under way will do.
    pub fresh: bool,
    /// When it was asked.
    pub now: Instant,
}

/// What a poller asks besides the spool.
#[derive(Debug)]
pub enum Wants {
    /// Nothing.
    Nothing,
    /// A check.
    Check(Lookup),
    /// A check that is refused: the answer, and the check if it could be one.
    Refused(Outcome, Option<(&'static Protocol, Arc<Target>)>),
}

impl Wants {
    /// The check, also one that is refused for what it is asked with.
    #[must_use]
    pub fn check(&self) -> Option<(&'static Protocol, &Arc<Target>)> {
        match self {
            Self::Check(Lookup {
                protocol, target, ..
            })
            | Self::Refused(_, Some((protocol, target))) => Some((protocol, target)),
            Self::Nothing | Self::Refused(_, None) => None,
        }
    }
}

/// What it is told.
pub enum Verdict {
    /// An operator took it down.
    Down(Closed),
    /// Nobody took it down, and nothing more was asked.
    NotDown,
    /// It may not or cannot be probed.
    Refused(Outcome),
    /// The result of a probe.
    Probed(Arc<Outcome>),
}

/// Told of each probe that was run: protocol, outcome, seconds.
pub type Observer = dyn Fn(&'static Protocol, &Outcome, f64) + Send + Sync;

/// Checks through the cache: a result that counts, a running probe to join, or a new one.
#[derive(Clone)]
pub struct Shared {
    cache: Arc<Cache>,
    observer: Arc<Observer>,
    groups: Arc<Memory>,
    /// Requests that wait for a probe, but for those of checks that passed lately.
    waiting: Arc<Waiting>,
    /// Neither a stored result nor a probe under way will do.
    fresh: bool,
}

impl Shared {
    /// The same, for who wants results that are new.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self {
            fresh: true,
            ..self.clone()
        }
    }

    /// The outcome of a check.
    async fn outcome(&self, lookup: &Lookup, context: &Arc<CheckContext>) -> Arc<Outcome> {
        let running = match self.cache.find(&lookup.key, self.fresh, Instant::now()) {
            Found::Result(outcome) => return outcome,
            Found::Running(running) => running,
            Found::Begin(ticket, running) => {
                let check = Begun {
                    protocol: lookup.protocol,
                    target: Arc::clone(&lookup.target),
                    context: Arc::clone(context),
                    name: lookup.key.name(),
                };
                let also = lookup.without_host.clone();
                tokio::spawn(self.clone().run(check, ticket, also));
                running
            }
        };
        // A group's checks wait themselves; one that passed lately is not to be pushed aside by made-up ones.
        if lookup.protocol.name == GROUP || context.probes.passed_lately(lookup.key.name()) {
            return running.outcome().await;
        }
        self.wait(running, context.probes.max_waiting()).await
    }

    /// Waits for a probe, as one of the requests that wait at most.
    async fn wait(&self, running: Running, most: usize) -> Arc<Outcome> {
        let mut waits = self.waiting.begin(most);
        tokio::select! {
            biased;
            outcome = running.outcome() => outcome,
            () = waits.must_go() => {
                let text = format!("{most} requests wait for their checks, and this one did so for longest (max_waiting)");
                Arc::new(Outcome::overload(text))
            }
        }
    }

    /// Runs a check in a task of its own, so that a poller that hangs up does not cancel what others wait for.
    fn run(
        self,
        check: Begun,
        ticket: Ticket,
        also: Option<cache::Key>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let Begun {
                protocol,
                target,
                context,
                name,
            } = check;
            let start = Instant::now();
            let outcome = group::check_as(
                Some(name),
                &self,
                protocol,
                &target,
                &context,
                &Trace::start(false),
            )
            .await;
            (self.observer)(protocol, &outcome, start.elapsed().as_secs_f64());
            if protocol.name == GROUP {
                // Its checks are kept; kept twice, they would be twice as old.
                ticket.share(outcome);
            } else {
                // A site that fails, or that there is not, says nothing to those who name none.
                let also = also.filter(|_| outcome.passes());
                ticket.deliver(outcome, also.as_ref());
            }
        })
    }
}

/// A check that is to be run.
struct Begun {
    protocol: &'static Protocol,
    target: Arc<Target>,
    context: Arc<CheckContext>,
    name: Name,
}

impl Ask for Shared {
    fn ask<'a>(
        &'a self,
        protocol: &'static Protocol,
        target: Target,
        context: &'a Arc<CheckContext>,
    ) -> Asked<'a> {
        Box::pin(async move {
            match Lookup::new(protocol, Arc::new(target), &context.probes.settings) {
                Ok(lookup) => self.outcome(&lookup, context).await,
                Err(refused) => Arc::new(refused),
            }
        })
    }

    fn checked(&self, result: &group::Result, group: &Group) {
        self.groups.checked(result, group.every.is_some());
    }
}

/// The policy with its means.
pub struct Checker {
    gate: Gate,
    shared: Shared,
}

impl Checker {
    /// Puts the means together.
    #[must_use]
    pub fn new(gate: Gate, cache: Arc<Cache>, observer: Arc<Observer>) -> Self {
        Self {
            gate,
            shared: Shared {
                cache,
                observer,
                groups: Arc::default(),
                waiting: Arc::default(),
                fresh: false,
            },
        }
    }

    /// The spool's side.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The results.
    #[must_use]
    pub fn cache(&self) -> &Arc<Cache> {
        &self.shared.cache
    }

    /// Requests that wait for a probe, but for those of checks that passed lately.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.waiting.count()
    }

    /// The side of the cache, without the spool.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What is remembered of groups.
    #[must_use]
    pub fn groups(&self) -> &Arc<Memory> {
        &self.shared.groups
    }

    /// Answers a question; beside the verdict stands the downtime that is told by weights alone, if any.
    pub async fn check(
        &self,
        question: &Question<'_>,
        context: &Arc<CheckContext>,
    ) -> (Verdict, Option<Closed>) {
        let draining = match self.closed(question) {
            Some(closed) if question.weights && closed.downtime.mark() == Some(Mark::Drain) => {
                Some(closed)
            }
            Some(closed) => return (Verdict::Down(closed), None),
            None => None,
        };
        let verdict = match question.wants {
            Wants::Nothing => Verdict::NotDown,
            Wants::Refused(outcome, _) => Verdict::Refused(outcome.clone()),
            Wants::Check(lookup) => {
                Verdict::Probed(self.probe(lookup, question.fresh, context).await)
            }
        };
        (verdict, draining)
    }

    /// The downtime that counts: one that is told as usual before a soft one, a soft one before a drain.
    fn closed(&self, question: &Question<'_>) -> Option<Closed> {
        let find = |wanted: &dyn Fn(&Downtime) -> bool| {
            self.gate
                .ask_for(question.service, question.entries, wanted, question.now)
        };
        let any = find(&|_| true)?;
        if any.downtime.mark().is_none() {
            return Some(any);
        }
        let is_usual =
            |d: &Downtime| d.mark().is_none() || !question.weights && d.mark() == Some(Mark::Drain);
        find(&is_usual)
            .or_else(|| find(&|d| d.mark() == Some(Mark::Soft)))
            .or(Some(any))
    }

    /// Asks the target, whatever the spool says; `fresh` does without a stored result and a probe under way.
    pub async fn probe(
        &self,
        lookup: &Lookup,
        fresh: bool,
        context: &Arc<CheckContext>,
    ) -> Arc<Outcome> {
        if fresh {
            self.shared.fresh().outcome(lookup, context).await
        } else {
            self.shared.outcome(lookup, context).await
        }
    }
}

#[cfg(test)]
mod tests;
