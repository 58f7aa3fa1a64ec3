//! A verdict as an answer over HTTP.
//!
//! Rule: a sentence of ours is also the reason phrase, which HAProxy shows in its log and statistics; a relayed body is
//! not.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use super::decide::Verdict;
use crate::config::Config;
use crate::http::reply::{self, Reply};
use crate::probe::Outcome;
use crate::spool::{Downtime, Mark};

/// Tells Envoy to act on this answer alone, and to leave the host out of its panic calculation (Envoy manual, "Health
/// checking", "Fast failure").
const ENVOY_FAIL: HeaderName = HeaderName::from_static("x-envoy-immediate-health-check-fail");

/// The answer to a poll.
pub(crate) fn http(verdict: &Verdict, config: &Config) -> Reply {
    let (status, body) = content(verdict);
    let reply = match verdict.outcome() {
        // An outcome's body has had its place in the memory budget since the probe.
        Some(_) => reply::held_text(status, body),
        None => reply::text(status, body),
    };

    match (verdict, verdict.outcome()) {
        // First, as a downtime has no outcome.
        (Verdict::Down(closed), _) => down(reply, &closed.downtime, config),
        (_, Some(outcome)) if outcome.ours && !outcome.passes() => failed(reply, outcome),
        _ => reply,
    }
}

/// Status and body of the answer.
pub(crate) fn content(verdict: &Verdict) -> (StatusCode, Bytes) {
    if let Verdict::Down(closed) = verdict {
        let body = closed.downtime.body(closed.subject());
        return (down_status(&closed.downtime), body.into());
    }

    match verdict.outcome() {
        Some(outcome) => (outcome.status, outcome.body.clone()),
        None => (StatusCode::OK, Bytes::new()),
    }
}

fn down_status(downtime: &Downtime) -> StatusCode {
    match downtime.mark() {
        Some(Mark::Soft) => StatusCode::NOT_FOUND,
        Some(Mark::Drain | Mark::AgentOnly) | None => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn down(reply: Reply, downtime: &Downtime, config: &Config) -> Reply {
    let reply = reply::phrased(reply, &downtime.reason);
    if config.daemon.envoy_immediate_fail {
        reply::with(reply, ENVOY_FAIL, HeaderValue::from_static("true"))
    } else {
        reply
    }
}

fn failed(reply: Reply, outcome: &Outcome) -> Reply {
    let reply = reply::phrased(reply, &String::from_utf8_lossy(&outcome.body));
    if outcome.overload {
        reply::retry_soon(reply)
    } else {
        reply
    }
}
