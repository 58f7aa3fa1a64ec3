//! Why a request leads nowhere, and what it is told.

use hyper::StatusCode;

use super::route::SPOOL;
use crate::http::reply::{self, Reply};
use crate::names::nearest::nearest;
use crate::probe::PROTOCOLS;
use crate::spool::NameError;

/// Why a request leads nowhere.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// 404: there is no such path.
    NotFound,
    /// 404: a check by a protocol that there is not.
    Protocol(String),
    /// 405, with the methods that work.
    Method(&'static str),
    /// 400: the service cannot be named so.
    Name(NameError),
    /// 400: the port is above 65535.
    Port,
}

impl Refusal {
    pub(in crate::daemon) fn reply(&self) -> Reply {
        match self {
            Self::NotFound => reply::text(
                StatusCode::NOT_FOUND,
                "not found; checks are /<protocol>/<service>/<port>/<query>, pages are /ui, /status, /recent and /metrics\n",
            ),
            Self::Protocol(name) => no_such_protocol(name),
            Self::Method(allowed) => reply::method_not_allowed(allowed),
            Self::Name(e) => reply::text(StatusCode::BAD_REQUEST, format!("{e}\n")),
            Self::Port => reply::text(StatusCode::BAD_REQUEST, "the port must be 0 to 65535\n"),
        }
    }
}

fn no_such_protocol(name: &str) -> Reply {
    let text = unknown_protocol(name);
    let reply = reply::text(StatusCode::NOT_FOUND, format!("{text}\n"));
    // HAProxy shows the phrase, and not the body.
    reply::phrased(reply, &text)
}

/// What is said of a protocol that there is not: the nearest, else all that there are.
#[must_use]
pub(crate) fn unknown_protocol(name: &str) -> String {
    let mut known: Vec<&str> = PROTOCOLS.iter().map(|protocol| protocol.name).collect();
    // Asks for downtimes alone, so it is no protocol of a probe.
    known.push(SPOOL);
    let remedy = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", known.join(", ")),
    };
    format!("unknown protocol '{name}'; {remedy}")
}
