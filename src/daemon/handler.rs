//! One request: route, check or page, answer, log.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue, PRAGMA};
use hyper::{HeaderMap, Request, StatusCode, Uri};

use super::route::{self, Check, Refusal, Route};
use super::state::State;
use super::{pages, pollers, spool_change, target};
use crate::check::{Question, Soon, Verdict};
use crate::config::Config;
use crate::http::listen::Handler;
use crate::http::reply::{self, Reply};
use crate::ledger::{Asked, Entries, Told, Who};
use crate::logging::Seldom;
use crate::probe::{Host, Outcome, Request as Part, Target};
use crate::spool::{Closed, Downtime, Mark, phrase};

/// Tells Envoy to act on this answer alone (Envoy manual, "Health checking", "Fast failure").
const ENVOY_FAIL: HeaderName = HeaderName::from_static("x-envoy-immediate-health-check-fail");

/// Longest text that tells checks apart, in characters: a made-up path must not be remembered whole.
const CHECK_MAX: usize = 300;

/// Answers the requests of all connections.
#[derive(Clone)]
pub struct Pollers(pub Arc<State>);

/// How often connections of strangers are logged.
static STRANGERS: Seldom = Seldom::new();

/// Whether an address may ask; that it may not is logged, though not each time.
pub(super) fn admits(state: &State, poller: IpAddr) -> bool {
    let admitted = state.live().config.allow_from.iter().any(|n| n.contains(poller));
    if !admitted && let Some(times) = STRANGERS.now() {
        log::warn!("dropped a connection of {poller}, which is outside allow_from{times}");
    }
    admitted
}

impl Handler for Pollers {
    fn admits(&self, poller: IpAddr) -> bool {
        admits(&self.0, poller)
    }

    async fn handle(&self, request: Request<Incoming>, poller: SocketAddr) -> Reply {
        let from = poller.ip().to_canonical();
        let told = log::log_enabled!(log::Level::Debug)
            .then(|| (Instant::now(), format!("{} {}", request.method(), request.uri())));
        let reply = answer(&self.0, request, from).await;
        self.0.counters.answered(reply.status().as_u16());
        if let Some((start, line)) = told {
            let ms = start.elapsed().as_secs_f64() * 1000.0;
            log::debug!("{} {line} ({from}) {ms:.2}ms", reply.status().as_u16());
        }
        reply
    }
}

async fn answer(state: &Arc<State>, request: Request<Incoming>, from: IpAddr) -> Reply {
    let route = match route::parse(request.method(), request.uri().path()) {
        Ok(route) => route,
        Err(refusal) => return refused(&refusal),
    };
    match route {
        Route::Check(check) => self::check(state, &check, &request, from).await,
        // What is rare does not make the memory of each request larger.
        Route::SpoolChange(service, port) => Box::pin(spool_change::post(state, service, port, request, from)).await,
        Route::Status => pages::status(state),
        Route::Count => pages::count(state),
        Route::Recent => pages::recent(state, request.uri().query()),
        Route::Pollers => pollers::page(state, request.uri().query()),
        Route::PollersHealth => Box::pin(pollers::health(state, request.uri().query(), from)).await,
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

async fn check(state: &Arc<State>, check: &Check<'_>, request: &Request<Incoming>, from: IpAddr) -> Reply {
    let decided = decide(state, check, request.uri(), request.headers(), from, "").await;
    let reply = match &decided.verdict {
        Verdict::Down(closed) => down(closed, &state.live().config),
        Verdict::NotDown => reply::text(StatusCode::OK, ""),
        Verdict::Refused(outcome) => probed(outcome),
        Verdict::Probed(outcome) => probed(outcome),
    };
    let status = reply.status();
    decided.note(state, status.as_u16(), status.is_success() || status.is_redirection());
    reply
}

/// A check that was decided.
pub struct Decided {
    /// What the poller is told.
    pub verdict: Verdict,
    /// The downtime that is told by weights alone.
    pub draining: Option<Closed>,
    who: Who,
}

/// Decides a check, and notes in statistics and ledger that it was asked. `kind` stands in front of what is checked.
pub async fn decide(
    state: &Arc<State>,
    check: &Check<'_>,
    uri: &Uri,
    headers: &HeaderMap,
    from: IpAddr,
    kind: &str,
) -> Decided {
    let (who, verdict, draining) = begin(state, check, uri, headers, from, kind);
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(soon) => Verdict::Probed(soon.outcome().await),
    };
    Decided { verdict, draining, who }
}

/// All of [`decide`] but the wait, so that nothing else is kept while it lasts.
fn begin(
    state: &State,
    check: &Check<'_>,
    uri: &Uri,
    headers: &HeaderMap,
    from: IpAddr,
    kind: &str,
) -> (Who, Result<Verdict, Soon>, Option<Closed>) {
    let service = check.service.as_str();
    state.stats.asked(service, from);
    let live = state.live();
    let asked = target::build(check, uri, headers, &live.config, &*state.own);
    let who = Who::new(service.into(), instance(kind, check, &asked.target), from, (asked.node, asked.server));
    let entries = || asked.entries.names();
    let ask = match (check.protocol, &asked.target) {
        (None, _) => Asked::Spool,
        (Some(protocol), Ok(target)) => Asked::Check(protocol, target),
        (Some(_), Err(_)) => Asked::Refused,
    };
    let remembered = Entries { names: &entries, basis: asked.entries.basis };
    state.ledger().polled(state.now(), &who, asked.stated, &remembered, ask);
    let question = Question {
        protocol: check.protocol,
        service,
        entries: &entries,
        target: asked.target,
        fresh: wants_fresh(headers),
        weights: live.config.agent_weights,
    };
    let (verdict, draining) = state.checker.check(question, &live.context);
    (who, verdict, draining)
}

impl Decided {
    /// Notes the answer in ledger, counters, statistics and log; `code` is 0 where there is none.
    pub fn note(&self, state: &State, code: u16, passes: bool) {
        let told = match (&self.verdict, &self.draining) {
            (Verdict::Down(_), _) => Told::Down,
            _ if !passes => Told::Fail,
            (_, Some(_)) => Told::Drain,
            _ => Told::Up,
        };
        state.ledger().answered(state.now(), &self.who, told, code);
        let counter = match &self.verdict {
            Verdict::Down(_) => Some(&state.counters.down),
            Verdict::Refused(_) => Some(&state.counters.refused),
            Verdict::NotDown | Verdict::Probed(_) => None,
        };
        counter.map(|c| c.fetch_add(1, Ordering::Relaxed));
        let (service, instance, from) = (&self.who.service, &self.who.check, self.who.address);
        let Some(passes) = state.stats.answered(service, instance, from, code, passes) else { return };
        let now = if passes { "up" } else { "DOWN" };
        match &self.verdict {
            Verdict::Down(closed) => {
                let held = if closed.held { " (the spool cannot be read; this is what it said last)" } else { "" };
                let why = closed.downtime.one_line();
                log::info!("{service} ({instance}) is now {now} for {from}: {} is down: {why}{held}", closed.name);
            }
            Verdict::NotDown => log::info!("{service} ({instance}) is now {now} for {from}"),
            Verdict::Refused(o) => log::info!("{service} ({instance}) is now {now} for {from}: {}", said(o)),
            Verdict::Probed(o) => log::info!("{service} ({instance}) is now {now} for {from}: {}", said(o)),
        }
    }
}

/// What changes of a service's state are told apart by, such as `http 127.0.0.1:8080`.
fn instance(kind: &str, check: &Check<'_>, target: &Result<Target, Outcome>) -> String {
    let mut text = String::with_capacity(64);
    text.push_str(kind);
    text.push_str(check.protocol.map_or("spool", |p| p.name));
    if let Ok(target) = target {
        if check.protocol.is_some_and(|p| matches!(p.request, Part::Segment)) {
            text.push(' ');
            text.push_str(target.segment());
        }
        match &target.host {
            Host::Local => text.push_str(" 127.0.0.1"),
            // Writing to a string cannot fail.
            host => drop(write!(text, " {host}")),
        }
        text.push(':');
        text.push_str(itoa::Buffer::new().format(target.port));
    }
    if let Some((end, _)) = text.char_indices().nth(CHECK_MAX).filter(|_| text.len() > CHECK_MAX) {
        text.truncate(end);
    }
    text
}

/// Status, cause and the beginning of the body, for the log.
fn said(outcome: &Outcome) -> String {
    let cause = outcome.cause.as_ref().map(|c| format!(" ({c})")).unwrap_or_default();
    let body = phrase(&String::from_utf8_lossy(&outcome.body[..outcome.body.len().min(400)])).unwrap_or_default();
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
    let reply = reply::phrased(reply::text(down_status(downtime), downtime.body(&closed.name)), downtime.phrase());
    match config.envoy_immediate_fail {
        true => reply::with(reply, ENVOY_FAIL, HeaderValue::from_static("true")),
        false => reply,
    }
}

fn probed(outcome: &Outcome) -> Reply {
    let reply = reply::text(outcome.status, outcome.body.clone());
    if outcome.ours && !outcome.passes() {
        let reply = reply::phrased(reply, phrase(&String::from_utf8_lossy(&outcome.body)));
        return if outcome.overload { reply::retry_soon(reply) } else { reply };
    }
    reply
}

/// `Pragma: no-cache` (RFC 9111 section 5.4), in any case; the poller will have neither a stored nor a shared result.
fn wants_fresh(headers: &HeaderMap) -> bool {
    headers.get(PRAGMA).is_some_and(|v| v.as_bytes().trim_ascii().eq_ignore_ascii_case(b"no-cache"))
}
