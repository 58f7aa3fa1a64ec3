//! One request: route, check or page, answer, log.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::PRAGMA;
use hyper::{HeaderMap, Request, StatusCode};

use super::route::{self, Check, Refusal, Route};
use super::state::State;
use super::{pages, spool_change, target};
use crate::check::{Question, Verdict};
use crate::http::listen::Handler;
use crate::http::reply::{self, Reply};
use crate::logging::Seldom;
use crate::probe::{Outcome, Request as Part};
use crate::spool::{Closed, phrase};

/// Answers the requests of all connections.
#[derive(Clone)]
pub struct Pollers(pub Arc<State>);

/// How often connections of strangers are logged.
static STRANGERS: Seldom = Seldom::new();

impl Handler for Pollers {
    fn admits(&self, poller: IpAddr) -> bool {
        let admitted = self.0.live().config.allow_from.iter().any(|n| n.contains(poller));
        if !admitted && let Some(times) = STRANGERS.now() {
            log::warn!("dropped a connection of {poller}, which is outside allow_from{times}");
        }
        admitted
    }

    async fn handle(&self, request: Request<Incoming>, poller: SocketAddr) -> Reply {
        let start = Instant::now();
        let from = poller.ip().to_canonical();
        let line = log::log_enabled!(log::Level::Debug).then(|| format!("{} {}", request.method(), request.uri()));
        let reply = answer(&self.0, request, from).await;
        self.0.counters.answered(reply.status().as_u16());
        if let Some(line) = line {
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
        Route::SpoolChange(service, port) => spool_change::post(state, service, port, request, from).await,
        Route::Status => pages::status(state),
        Route::Count => pages::count(state),
        Route::Recent => pages::recent(state, request.uri().query()),
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
    let service = check.service.as_str();
    state.stats.asked(service, from);
    let live = state.live();
    let asked = target::build(check, request.uri(), request.headers(), &live.config, &*state.own);
    let instance = instance(check, &asked);
    let question = Question {
        protocol: check.protocol,
        service,
        spool_names: &asked.spool_names,
        target: asked.target,
        fresh: wants_fresh(request.headers()),
    };
    let verdict = state.checker.check(question, &live.context).await;
    let reply = match &verdict {
        Verdict::Down(closed) => {
            state.counters.down.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            down(closed)
        }
        Verdict::NotDown => reply::text(StatusCode::OK, ""),
        Verdict::Refused(outcome) => {
            state.counters.refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            probed(outcome)
        }
        Verdict::Probed(outcome) => probed(outcome),
    };
    record(state, service, &instance, from, &verdict, reply.status());
    reply
}

/// What changes of a service's state are told apart by.
fn instance(check: &Check<'_>, asked: &target::Asked) -> String {
    let protocol = check.protocol.map_or("spool", |p| p.name);
    match &asked.target {
        Ok(target) if check.protocol.is_some_and(|p| matches!(p.request, Part::Segment)) => {
            format!("{protocol} {} {}:{}", target.segment(), target.host, target.port)
        }
        Ok(target) => format!("{protocol} {}:{}", target.host, target.port),
        Err(_) => protocol.to_owned(),
    }
}

fn record(state: &State, service: &str, instance: &str, from: IpAddr, verdict: &Verdict, status: StatusCode) {
    let passes = status.is_success() || status.is_redirection();
    let Some(passes) = state.stats.answered(service, instance, from, status.as_u16(), passes) else { return };
    let now = if passes { "up" } else { "DOWN" };
    match verdict {
        Verdict::Down(closed) => {
            let held = if closed.held { " (the spool cannot be read; this is what it said last)" } else { "" };
            let why = closed.downtime.one_line();
            log::info!("{service} ({instance}) is now {now} for {from}: {} is down: {why}{held}", closed.name);
        }
        Verdict::NotDown => log::info!("{service} ({instance}) is now {now} for {from}"),
        Verdict::Refused(outcome) => log::info!("{service} ({instance}) is now {now} for {from}: {}", said(outcome)),
        Verdict::Probed(outcome) => log::info!("{service} ({instance}) is now {now} for {from}: {}", said(outcome)),
    }
}

/// Status, cause and the beginning of the body, for the log.
fn said(outcome: &Outcome) -> String {
    let cause = outcome.cause.as_ref().map(|c| format!(" ({c})")).unwrap_or_default();
    let body = phrase(&String::from_utf8_lossy(&outcome.body[..outcome.body.len().min(400)])).unwrap_or_default();
    format!("{}{cause} {body}", outcome.status.as_u16())
}

fn down(closed: &Closed) -> Reply {
    let reply = reply::text(StatusCode::SERVICE_UNAVAILABLE, closed.downtime.body(&closed.name));
    reply::phrased(reply, closed.downtime.phrase())
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
