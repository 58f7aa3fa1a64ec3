//! How a wait ends.

use std::fmt;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::cli::client::DaemonError;
use crate::cli::failure::Failure;
use crate::spool::Key;

/// Why a wait ended before its goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// The daemon could not be asked before the change, so who counts is unknown.
    NotBegun(DaemonError),
    /// The downtime of this service was lifted, or has expired.
    DowntimeEnded(Key),
    /// Others are polled, but not these: a sentence for each.
    NotPolled(Vec<String>),
    /// A balancer has no server left: what it says.
    LastServer(String),
    Interrupted {
        signal: Signal,
        missing: String,
    },
    TimeUp {
        limit: Duration,
        missing: String,
    },
    NotHealthy {
        limit: Duration,
        why: String,
    },
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBegun(error) => error.fmt(f),
            Self::DowntimeEnded(key) => write!(
                f,
                "the downtime of {key} has ended meanwhile: it was lifted, or its time is over"
            ),
            Self::NotPolled(sentences) => f.write_str(&sentences.join("\n")),
            Self::LastServer(sentence) => write!(f, "{sentence}; --force takes it down anyway"),
            Self::Interrupted { signal, missing } => {
                write!(f, "interrupted ({}): {missing}", signal.as_str())
            }
            Self::TimeUp { limit, missing } => {
                write!(f, "not within {} s: {missing}", limit.as_secs_f64())
            }
            Self::NotHealthy { limit, why } => {
                write!(f, "not healthy within {} s: {why}", limit.as_secs_f64())
            }
        }
    }
}

impl From<Unfinished> for Failure {
    fn from(unfinished: Unfinished) -> Self {
        Self::failed(unfinished)
    }
}

/// What is known at the end of a wait that came to its goal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Sessions that did not end in their time, by balancer: `--drain-timeout` was over.
    pub(crate) left: Option<String>,
    /// The sessions of a balancer are unknown.
    pub(crate) hides_sessions: bool,
    /// What is so now: a sentence for each service.
    pub(crate) now: Vec<String>,
}
