//! One request: route, check or page, answer, log.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, StatusCode};

use super::prepared::{Asker, Prepared};
use super::route::{self, Refusal, Route};
use super::state::{Live, Memory, State};
use super::{pages, pollers, spool_change};
use crate::check::{Question, Verdict};
use crate::config::Config;
use crate::http::phrase::reason_phrase;
use crate::http::reply::{self, Reply};
use crate::http::server::Handler;
use crate::ledger::stats;
use crate::ledger::{Answer, Told, Who};
use crate::os::logging::Seldom;
use crate::probe::Outcome;
use crate::spool::{Closed, Downtime, Mark};

/// Tells Envoy to act on this answer alone (Envoy manual, "Health checking", "Fast failure").
const ENVOY_FAIL: HeaderName = HeaderName::from_static("x-envoy-immediate-health-check-fail");

/// Answers the requests of pollers.
#[derive(Clone)]
pub struct Pollers(Arc<State>);

impl Pollers {
    /// For connections that are to come; each gets a clone.
    #[must_use]
    pub fn new(state: Arc<State>) -> Self {
        Self(state)
    }
}

/// How often connections of strangers are logged.
static STRANGERS: Seldom = Seldom::new();

/// Whether an address may ask; that it may not is logged, though not each time.
pub(super) fn admits(state: &State, poller: IpAddr) -> bool {
    let admitted = state
        .live()
        .config
        .daemon
        .allow_from
        .iter()
        .any(|n| n.contains(poller));
    if !admitted && let Some(times) = STRANGERS.now() {
        log::warn!("dropped a connection of {poller}, which is outside allow_from{times}");
    }
    admitted
}

impl Handler for Pollers {
    fn admits(&self, poller: IpAddr) -> bool {
        admits(&self.0, poller)
    }

    async fn handle(
        &self,
        request: Request<Incoming>,
        poller: SocketAddr,
        arrived: Instant,
    ) -> Reply {
        let from = poller.ip().to_canonical();
        let line = log::log_enabled!(log::Level::Debug)
            .then(|| format!("{} {}", request.method(), request.uri()));
        let reply = answer(&self.0, request, from, arrived).await;
        let status = reply.status().as_u16();
        self.0.counters.answered(status);
        if let Some(line) = line {
            let ms = arrived.elapsed().as_secs_f64() * 1000.0;
            log::debug!("{status} {line} ({from}) {ms:.2}ms");
        }
        reply
    }
}

async fn answer(
    state: &Arc<State>,
    request: Request<Incoming>,
    from: IpAddr,
    arrived: Instant,
) -> Reply {
    let route = match route::parse(request.method(), request.uri().path()) {
        Ok(route) => route,
        Err(refusal) => return refused(&refusal),
    };
    let query = request.uri().query();
    match route {
        Route::Check(check) => {
            let asker = Asker {
                uri: request.uri(),
                headers: request.headers(),
                from,
                kind: "",
            };
            let live = state.live();
            let prepared = Prepared::new(&check, &asker, &*state.own, &live);
            self::check(state, &live, &prepared, arrived).await
        }
        // What is rare is boxed, so that it takes no part in the memory of each connection.
        Route::SpoolChange(service, port) => {
            Box::pin(spool_change::post(state, service, port, request, from)).await
        }
        Route::PollersHealth => Box::pin(pollers::health(state, query, from)).await,
        Route::Status => pages::status(state),
        Route::Count => pages::count(state),
        Route::Recent => pages::recent(state, query),
        Route::Pollers => pollers::page(state, query),
        Route::Mutornadomon => pages::mutornadomon(state, from),
        Route::Metrics => pages::metrics(state),
        Route::Health => reply::text(StatusCode::OK, "ok\n"),
    }
}

fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::NotFound => reply::text(
            StatusCode::NOT_FOUND,
            "not found; checks are /<protocol>/<service>/<port>/<query>, pages are /status, /recent and /metrics\n",
        ),
        Refusal::Method(allowed) => reply::method_not_allowed(allowed),
        Refusal::Name(e) => reply::text(StatusCode::BAD_REQUEST, format!("{e}\n")),
        Refusal::Port => reply::text(StatusCode::BAD_REQUEST, "the port must be 0 to 65535\n"),
    }
}

async fn check(state: &State, live: &Live, prepared: &Prepared, arrived: Instant) -> Reply {
    let decided = decide(state, live, prepared, arrived).await;
    let reply = match &decided.verdict {
        Verdict::Down(closed) => down(closed, &state.live().config),
        Verdict::NotDown => reply::text(StatusCode::OK, ""),
        Verdict::Refused(outcome) => probed(outcome),
        Verdict::Probed(outcome) => probed(outcome),
    };
    let status = reply.status();
    let passes = status.is_success() || status.is_redirection();
    decided.note(state, status.as_u16(), passes);
    reply
}

/// A check that was decided.
#[must_use = "what is not noted is not remembered"]
pub struct Decided<'a> {
    /// What the poller is told.
    pub verdict: Verdict,
    /// The downtime that is told by weights alone.
    pub draining: Option<Closed>,
    prepared: &'a Prepared,
}

/// Decides a check, once it is noted that it was asked: it may have to wait for a probe.
pub async fn decide<'a>(
    state: &State,
    live: &Live,
    prepared: &'a Prepared,
    arrived: Instant,
) -> Decided<'a> {
    note_asked(state, prepared, arrived);
    let entries = || prepared.entries(&*state.own);
    let question = Question {
        service: prepared.who.service.as_str(),
        entries: &entries,
        wants: &prepared.wants,
        fresh: prepared.fresh,
        weights: live.config.daemon.agent_weights,
        now: arrived,
    };
    let (verdict, draining) = state.checker.check(&question, &live.context).await;
    Decided {
        verdict,
        draining,
        prepared,
    }
}

fn note_asked(state: &State, prepared: &Prepared, arrived: Instant) {
    let who = &prepared.who;
    let at = state.moment(arrived);
    let Memory { ledger, stats } = &mut *state.memory();
    stats.asked(&who.service, who.address, at.unix);
    ledger.polled(at.since_start, who, prepared.poll());
}

impl Decided<'_> {
    /// Notes the answer in ledger, counters, statistics and log; `code` is 0 where there is none.
    pub fn note(&self, state: &State, code: u16, passes: bool) {
        let told = match (&self.verdict, &self.draining) {
            (Verdict::Down(_), _) => Told::Down,
            _ if !passes => Told::Fail,
            (_, Some(_)) => Told::Drain,
            _ => Told::Up,
        };
        let counter = match &self.verdict {
            Verdict::Down(_) => Some(&state.counters.down),
            Verdict::Refused(_) => Some(&state.counters.refused),
            Verdict::NotDown | Verdict::Probed(_) => None,
        };
        counter.map(|c| c.fetch_add(1, Ordering::Relaxed));
        if let Some(passes) = self.remember(state, Answer { told, code }, passes) {
            self.log_change(passes);
        }
    }

    /// Notes the answer in ledger and statistics. Gives `Some(passes)` when it is news.
    fn remember(&self, state: &State, answer: Answer, passes: bool) -> Option<bool> {
        let who = &self.prepared.who;
        let at = state.moment(Instant::now());
        let of_service = stats::Answer {
            instance: who.check.number(),
            code: answer.code,
            passes,
        };
        let Memory { ledger, stats } = &mut *state.memory();
        ledger.answered(at.since_start, who, answer);
        stats.answered(&who.service, who.address, at.unix, of_service)
    }

    /// Says that a check passes again, or no more.
    fn log_change(&self, passes: bool) {
        let why = match &self.verdict {
            Verdict::Down(closed) => {
                let held = if closed.held {
                    " (the spool cannot be read; this is what it said last)"
                } else {
                    ""
                };
                format!(
                    ": {} is down: {}{held}",
                    closed.name,
                    closed.downtime.one_line()
                )
            }
            Verdict::NotDown => String::new(),
            Verdict::Refused(outcome) => format!(": {}", said(outcome)),
            Verdict::Probed(outcome) => format!(": {}", said(outcome)),
        };
        let Who {
            service,
            check,
            address,
            ..
        } = &*self.prepared.who;
        let now = if passes { "up" } else { "DOWN" };
        log::info!(
            "{} ({}) is now {now} for {address}{why}",
            service.as_str(),
            **check
        );
    }
}

/// Status, cause and the beginning of the body, for the log.
fn said(outcome: &Outcome) -> String {
    let cause = outcome
        .cause
        .as_ref()
        .map(|c| format!(" ({c})"))
        .unwrap_or_default();
    let body = reason_phrase(&String::from_utf8_lossy(
        &outcome.body[..outcome.body.len().min(400)],
    ))
    .unwrap_or_default();
    format!("{}{cause} {body}", outcome.status.as_u16())
}

/// The status of a downtime's answer.
pub fn down_status(downtime: &Downtime) -> StatusCode {
    match downtime.mark() {
        Some(Mark::Soft) => StatusCode::NOT_FOUND,
        Some(Mark::Drain) | None => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The answer of a downtime.
pub fn down(closed: &Closed, config: &Config) -> Reply {
    let downtime = &closed.downtime;
    let reply = reply::phrased(
        reply::text(down_status(downtime), downtime.body(&closed.name)),
        reason_phrase(&downtime.reason),
    );
    match config.daemon.envoy_immediate_fail {
        true => reply::with(reply, ENVOY_FAIL, HeaderValue::from_static("true")),
        false => reply,
    }
}

fn probed(outcome: &Outcome) -> Reply {
    let reply = reply::text(outcome.status, outcome.body.clone());
    if outcome.ours && !outcome.passes() {
        let reply = reply::phrased(
            reply,
            reason_phrase(&String::from_utf8_lossy(&outcome.body)),
        );
        return if outcome.overload {
            reply::retry_soon(reply)
        } else {
            reply
        };
    }
    reply
}
