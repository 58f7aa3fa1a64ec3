//! The policy, on one screen: the spool first, then the cache, then a probe.
//!
//! Rule: a downtime is answered at once and never cached; a probe runs in a task of its own, so that a poller that
//! hangs up does not cancel what others wait for.

mod waits;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use hyper::header::{HOST, HeaderValue};

use self::waits::Waiting;
use crate::cache::{self, Cache, Found, Running, Ticket};
use crate::config::Group;
use crate::group::{self, Ask, Asked, Memory};
use crate::probe::{Context, GROUP, Host, Name, Outcome, Protocol, Request, Target, Trace};
use crate::spool::{Closed, Downtime, Gate, Mark};

/// What a poller wants to know.
pub struct Question<'a> {
    /// How to probe; `None` asks the spool only.
    pub protocol: Option<&'static Protocol>,
    /// The service.
    pub service: &'a str,
    /// The spool entries that can take it down, besides `all`, in the order to ask.
    pub entries: &'a dyn Fn() -> Vec<String>,
    /// Where to probe, or why that is refused.
    pub target: Result<Target, Outcome>,
    /// Downtimes that ask for it are told by weights of the agent protocol.
    pub weights: bool,
    /// Neither a stored result nor a probe under way will do.
    pub fresh: bool,
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
        Self { fresh: true, ..self.clone() }
    }

    /// The outcome of a check.
    ///
    /// # Errors
    /// The answer, where the check cannot be made.
    fn outcome(&self, protocol: &'static Protocol, target: Target, context: &Arc<Context>) -> Result<Soon, Outcome> {
        let (key, without_host) = keys(protocol, &target, context)?;
        let running = match self.cache.find(&key, self.fresh) {
            Found::Result(outcome) => return Ok(Soon::Now(outcome)),
            Found::Running(running) => running,
            Found::Begin(ticket, running) => {
                let check = Begun { protocol, target, context: Arc::clone(context), name: context.name(&key) };
                tokio::spawn(self.clone().run(check, ticket, without_host));
                running
            }
        };
        // A group's checks wait themselves; one that passed lately is not to be pushed aside by made-up ones.
        let waits_on = protocol.name == GROUP || context.passed_lately(context.name(&key));
        let most = (!waits_on).then(|| (Arc::clone(&self.waiting), context.max_waiting()));
        Ok(Soon::Later(Box::pin(wait(running, most))))
    }

    /// Runs a check in a task of its own, so that a poller that hangs up does not cancel what others wait for.
    fn run(self, check: Begun, ticket: Ticket, also: Option<cache::Key>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let Begun { protocol, target, context, name } = check;
            let start = Instant::now();
            let outcome = group::check_as(Some(name), &self, protocol, &target, &context, &Trace::start(false)).await;
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

/// Waits for a probe; where there is a limit, as one of the requests that wait at most.
async fn wait(running: Running, most: Option<(Arc<Waiting>, usize)>) -> Arc<Outcome> {
    let Some((waiting, most)) = most else { return running.outcome().await };
    let mut waits = waiting.begin(most);
    tokio::select! {
        biased;
        outcome = running.outcome() => outcome,
        () = waits.must_go() => {
            let text = format!("{most} requests wait for their checks, and this one did so for longest (max_waiting)");
            Arc::new(Outcome::overload(text))
        }
    }
}

/// An outcome that is there, or that a probe will bring. Most are there: so what a request waits with is boxed, and no
/// part of the memory of each.
pub enum Soon {
    /// It is there.
    Now(Arc<Outcome>),
    /// It is to be waited for.
    Later(Pin<Box<dyn Future<Output = Arc<Outcome>> + Send>>),
}

impl Soon {
    /// The outcome, once it is there.
    pub async fn outcome(self) -> Arc<Outcome> {
        match self {
            Self::Now(outcome) => outcome,
            Self::Later(wait) => wait.await,
        }
    }
}

/// A check that is to be run.
struct Begun {
    protocol: &'static Protocol,
    target: Target,
    context: Arc<Context>,
    name: Name,
}

impl Ask for Shared {
    fn ask<'a>(&'a self, protocol: &'static Protocol, target: Target, context: &'a Arc<Context>) -> Asked<'a> {
        Box::pin(async move {
            match self.outcome(protocol, target, context) {
                Ok(soon) => soon.outcome().await,
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
        Self { gate, shared: Shared { cache, observer, groups: Arc::default(), waiting: Arc::default(), fresh: false } }
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

    /// Answers a question, or says what to wait for; beside it stands the downtime that is told by weights alone, if
    /// any.
    pub fn check(&self, question: Question<'_>, context: &Arc<Context>) -> (Result<Verdict, Soon>, Option<Closed>) {
        let draining = match self.closed(&question) {
            Some(closed) if question.weights && closed.downtime.mark() == Some(Mark::Drain) => Some(closed),
            Some(closed) => return (Ok(Verdict::Down(closed)), None),
            None => None,
        };
        let Some(protocol) = question.protocol else { return (Ok(Verdict::NotDown), draining) };
        let target = match question.target {
            Ok(target) => target,
            Err(refused) => return (Ok(Verdict::Refused(refused)), draining),
        };
        match self.probe(protocol, target, question.fresh, context) {
            Ok(soon) => (Err(soon), draining),
            Err(refused) => (Ok(Verdict::Refused(refused)), draining),
        }
    }

    /// The downtime that counts: one that is told as usual before a soft one, a soft one before a drain.
    fn closed(&self, question: &Question<'_>) -> Option<Closed> {
        let find = |wanted: &dyn Fn(&Downtime) -> bool| self.gate.ask_for(question.service, question.entries, wanted);
        let any = find(&|_| true)?;
        if any.downtime.mark().is_none() {
            return Some(any);
        }
        let is_usual = |d: &Downtime| d.mark().is_none() || !question.weights && d.mark() == Some(Mark::Drain);
        find(&is_usual).or_else(|| find(&|d| d.mark() == Some(Mark::Soft))).or(Some(any))
    }

    /// Asks the target, whatever the spool says; `fresh` does without a stored result and a probe under way.
    ///
    /// # Errors
    /// The outcome of a question that is refused, since it makes no sense.
    pub fn probe(
        &self,
        protocol: &'static Protocol,
        target: Target,
        fresh: bool,
        context: &Arc<Context>,
    ) -> Result<Soon, Outcome> {
        if fresh {
            self.shared.fresh().outcome(protocol, target, context)
        } else {
            self.shared.outcome(protocol, target, context)
        }
    }
}

/// The cache key of a check; and the one of pollers who name no virtual host, where this one does.
fn keys(
    protocol: &'static Protocol,
    target: &Target,
    context: &Context,
) -> Result<(cache::Key, Option<cache::Key>), Outcome> {
    let by_service = protocol.keyed_by_service
        || context.config.service_name_header.is_some()
        || context.config.is_special(&target.service);
    // A host that the configuration names may be one that requests must not: they do not share results.
    let service = match target.host {
        Host::Local => by_service.then(|| target.service.clone()),
        _ if target.trusted => Some(format!("group:{}", target.service).into_boxed_str()),
        _ => by_service.then(|| target.service.clone()),
    };
    // Nothing of a request but the name decides what a group is.
    let (host, port) = if protocol.name == GROUP { (Host::Local, 0) } else { (target.host.clone(), target.port) };
    let key = |request| cache::Key::new(protocol.name, host.clone(), port, service.clone(), request);
    Ok(match protocol.request {
        Request::Ignored => (key(None), None),
        Request::Segment => (key(Some(target.segment().into())), None),
        Request::Options(read) => {
            let options = read(target.query());
            let options = options.map_err(|e| Outcome::bad_request(format!("{}: {e}", protocol.name)))?;
            (key(Some(options.into_boxed_str())), None)
        }
        Request::Whole => {
            let plain = key(Some(request(target, false)));
            if target.headers.get(&HOST).is_some_and(names_virtual_host) {
                // Over TLS the name also decides which certificate is asked for, and verified.
                (key(Some(request(target, true))), Some(plain).filter(|_| protocol.name == "http"))
            } else {
                (plain, None)
            }
        }
    })
}

/// Path, query string and copied headers as one text.
fn request(target: &Target, with_host: bool) -> Box<str> {
    let mut text = String::from(&*target.path);
    for (name, value) in target.headers.iter().filter(|(name, _)| with_host || *name != HOST) {
        text.push('\n');
        text.push_str(name.as_str());
        text.push(':');
        text.extend(value.as_bytes().iter().map(|b| char::from(*b)));
    }
    text.into_boxed_str()
}

/// Whether a `Host` asks for a certain site. A balancer that was not told one sends the address that it connects to,
/// which differs from balancer to balancer and means nothing to the service.
fn names_virtual_host(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return true };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let is_address = bare.parse::<IpAddr>().is_ok() || host.parse::<SocketAddr>().is_ok();
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    !(is_address || name.is_empty() || name.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests;
