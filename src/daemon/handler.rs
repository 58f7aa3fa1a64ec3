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
use super::state::{Live, Memory, Moment, State};
use super::{memory, pages, pollers, spool_change};
use crate::check::{Question, Verdict};
use crate::config::Config;
use crate::http::listen::Handler;
use crate::http::reply::{self, Reply};
use crate::ledger::stats;
use crate::ledger::{Answer, Told, Who};
use crate::os::logging::Seldom;
use crate::probe::Outcome;
use crate::soon::Soon;
use crate::spool::{Closed, Downtime, Mark, phrase};

/// Tells Envoy to act on this answer alone (Envoy manual, "Health checking", "Fast failure").
const ENVOY_FAIL: HeaderName = HeaderName::from_static("x-envoy-immediate-health-check-fail");

/// Answers the requests of one connection.
pub struct Pollers {
    state: Arc<State>,
    memory: memory::Memory,
}

impl Pollers {
    /// For connections that are to come; each gets a clone.
    #[must_use]
    pub fn new(state: Arc<State>) -> Self {
        Self {
            state,
            memory: memory::Memory::default(),
        }
    }
}

impl Clone for Pollers {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.state))
    }
}

/// How often connections of strangers are logged.
static STRANGERS: Seldom = Seldom::new();

/// Whether an address may ask; that it may not is logged, though not each time.
pub(super) fn admits(state: &State, poller: IpAddr) -> bool {
    let admitted = state
        .live()
        .config
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
        admits(&self.state, poller)
    }

    fn handle(
        &self,
        request: Request<Incoming>,
        poller: SocketAddr,
        arrived: Instant,
    ) -> Soon<Reply> {
        let from = poller.ip().to_canonical();
        let line = log::log_enabled!(log::Level::Debug)
            .then(|| format!("{} {}", request.method(), request.uri()));
        self.answer(request, from, arrived)
            .map(&self.state, move |state, reply| {
                state.counters.answered(reply.status().as_u16());
                if let Some(line) = line {
                    let ms = arrived.elapsed().as_secs_f64() * 1000.0;
                    log::debug!("{} {line} ({from}) {ms:.2}ms", reply.status().as_u16());
                }
                reply
            })
    }
}

impl Pollers {
    fn answer(&self, request: Request<Incoming>, from: IpAddr, arrived: Instant) -> Soon<Reply> {
        let state = &self.state;
        let live = state.live();
        if let Some(prepared) = self.memory.recall(&request, live.number, &*state.own) {
            return check(state, &live, &prepared, arrived);
        }
        let route = match route::parse(request.method(), request.uri().path()) {
            Ok(route) => route,
            Err(refusal) => return Soon::Now(refused(&refusal)),
        };
        let query = request.uri().query();
        Soon::Now(match route {
            Route::Check(check) => {
                let asker = Asker {
                    uri: request.uri(),
                    headers: request.headers(),
                    from,
                    kind: "",
                };
                let prepared = Arc::new(Prepared::new(&check, &asker, &*state.own, &live));
                self.memory.remember(&request, live.number, &prepared);
                return self::check(state, &live, &prepared, arrived);
            }
            Route::SpoolChange(service, port) => {
                let state = Arc::clone(state);
                return Soon::later(async move {
                    spool_change::post(&state, service, port, request, from).await
                });
            }
            Route::PollersHealth => {
                let (state, query) = (Arc::clone(state), query.map(str::to_owned));
                return Soon::later(async move {
                    pollers::health(&state, query.as_deref(), from).await
                });
            }
            Route::Status => pages::status(state),
            Route::Count => pages::count(state),
            Route::Recent => pages::recent(state, query),
            Route::Pollers => pollers::page(state, query),
            Route::Mutornadomon => pages::mutornadomon(state, from),
            Route::Metrics => pages::metrics(state),
            Route::Health => reply::text(StatusCode::OK, "ok\n"),
        })
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

fn check(
    state: &Arc<State>,
    live: &Live,
    prepared: &Arc<Prepared>,
    arrived: Instant,
) -> Soon<Reply> {
    decide(state, live, prepared, arrived).map(state, |state, decided| {
        let reply = match &decided.verdict {
            Verdict::Down(closed) => down(closed, &state.live().config),
            Verdict::NotDown => reply::text(StatusCode::OK, ""),
            Verdict::Refused(outcome) => probed(outcome),
            Verdict::Probed(outcome) => probed(outcome),
        };
        let status = reply.status();
        decided.note(
            state,
            status.as_u16(),
            status.is_success() || status.is_redirection(),
        );
        reply
    })
}

/// A check that was decided.
#[must_use = "what is not noted is not remembered"]
pub struct Decided {
    /// What the poller is told.
    pub verdict: Verdict,
    /// The downtime that is told by weights alone.
    pub draining: Option<Closed>,
    prepared: Arc<Prepared>,
    at: Moment,
    /// The poll is noted already, as it had to wait.
    noted: bool,
}

/// Decides a check. That it was asked is noted at once where it has to wait, else with the answer.
pub fn decide(
    state: &Arc<State>,
    live: &Live,
    prepared: &Arc<Prepared>,
    arrived: Instant,
) -> Soon<Decided> {
    let Prepared {
        who, wants, fresh, ..
    } = &**prepared;
    let at = state.moment(arrived);
    let entries = || prepared.entries(&*state.own);
    let weights = live.config.agent_weights;
    let question = Question {
        service: who.service.as_str(),
        entries: &entries,
        wants,
        fresh: *fresh,
        weights,
        now: arrived,
    };
    let (verdict, draining) = state.checker.check(&question, &live.context);
    let prepared = Arc::clone(prepared);
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(Soon::Now(outcome)) => Verdict::Probed(outcome),
        Err(later) => {
            {
                let Memory { ledger, stats } = &mut *state.memory();
                stats.asked(&who.service, who.address, at.unix, None);
                ledger.polled(at.since_start, who, prepared.poll(), None);
            }
            return later.map(state, |state, outcome| {
                let at = state.moment(Instant::now());
                Decided {
                    verdict: Verdict::Probed(outcome),
                    draining,
                    prepared,
                    at,
                    noted: true,
                }
            });
        }
    };
    Soon::Now(Decided {
        verdict,
        draining,
        prepared,
        at,
        noted: false,
    })
}

impl Decided {
    /// Notes the answer in ledger, counters, statistics and log, and the poll if it is not noted yet; `code` is 0 where
    /// there is none.
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
        let Moment { since_start, unix } = self.at;
        let of_service = stats::Answer {
            instance: who.check.number(),
            code: answer.code,
            passes,
        };
        let Memory { ledger, stats } = &mut *state.memory();
        if self.noted {
            ledger.answered(since_start, who, answer);
            stats.answered(&who.service, who.address, unix, of_service)
        } else {
            // Two look-ups of what may lie far off, one right behind the other: the processor waits for both at once.
            let news = stats.asked(&who.service, who.address, unix, Some(of_service));
            ledger.polled(since_start, who, self.prepared.poll(), Some(answer));
            news
        }
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
    let body = phrase(&String::from_utf8_lossy(
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
        downtime.phrase(),
    );
    match config.envoy_immediate_fail {
        true => reply::with(reply, ENVOY_FAIL, HeaderValue::from_static("true")),
        false => reply,
    }
}

fn probed(outcome: &Outcome) -> Reply {
    let reply = reply::text(outcome.status, outcome.body.clone());
    if outcome.ours && !outcome.passes() {
        let reply = reply::phrased(reply, phrase(&String::from_utf8_lossy(&outcome.body)));
        return if outcome.overload {
            reply::retry_soon(reply)
        } else {
            reply
        };
    }
    reply
}
