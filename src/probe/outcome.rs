//! What comes of a probe: a failed one is a value too.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::StatusCode;

use super::Trace;
use crate::names::text::shown;

/// What came of a probe.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The status that the poller is answered with; 200 is healthy.
    pub status: StatusCode,
    /// The body of the answer.
    pub body: Bytes,
    /// The body is a sentence of ours, not a relayed one, so that it may also be the reason phrase.
    pub ours: bool,
    /// What the body leaves unsaid, for the log and `hacheck probe`.
    pub cause: Option<Box<str>>,
    /// The probe that found it; `None` where there was none.
    pub run: Option<ProbeRun>,
    /// There was no place for the probe: it says nothing of the target, so it is not stored, and worth asking again.
    pub overload: bool,
    /// The host was given by a name, and its look-up led to this host.
    pub name_is_ours: bool,
}

/// When a probe ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeRun {
    /// When it ended.
    pub ended: SystemTime,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// A sentence of ours with a status.
    pub(crate) fn new(status: StatusCode, body: impl Into<String>) -> Self {
        Self {
            status,
            body: Bytes::from(body.into()),
            ours: true,
            cause: None,
            run: None,
            overload: false,
            name_is_ours: false,
        }
    }

    /// Healthy, with a body.
    pub(crate) fn healthy(body: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, body)
    }

    /// 503 with a body.
    pub(crate) fn unavailable(body: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, body)
    }

    /// 503 for want of a place, whatever the target may be like.
    pub(crate) fn overload(body: impl Into<String>) -> Self {
        Self {
            overload: true,
            ..Self::unavailable(body)
        }
    }

    /// 400 with a body.
    pub(crate) fn bad_request(body: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, body)
    }

    /// Adds what the body leaves unsaid.
    #[must_use]
    pub(crate) fn because(mut self, cause: impl Into<Box<str>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds that a probe has found it just now.
    #[must_use]
    pub(crate) fn found_by(mut self, probe: &Trace) -> Self {
        self.run = Some(ProbeRun {
            // By the wall clock, for people; how long it took is by the other one, which nobody sets.
            ended: SystemTime::now(),
            took: Duration::from_secs_f64(probe.seconds()),
        });
        self
    }

    /// Status, cause and the beginning of the body on one line, with at most so many characters.
    #[must_use]
    pub(crate) fn in_short(&self, most: usize) -> String {
        let code = self.status.as_u16();
        // A character has four bytes at most.
        let start = &self.body[..self.body.len().min(4 * most)];
        let body = String::from_utf8_lossy(start);
        let body = body.trim();
        let line = match &self.cause {
            Some(cause) => format!("{code} ({cause}) {body}"),
            None => format!("{code} {body}"),
        };
        shown(&line, most)
    }

    /// Whether the check passes for the originals' clients: 200 to 399.
    #[must_use]
    pub(crate) fn passes(&self) -> bool {
        self.status.is_success() || self.status.is_redirection()
    }
}
