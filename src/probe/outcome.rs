//! What comes of a probe: a failed one is a value too.

use bytes::Bytes;
use hyper::StatusCode;

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
    /// There was no place for the probe: it says nothing of the target, so it is not stored, and worth asking again.
    pub overload: bool,
    /// The host was given by a name, and its look-up led to this host.
    pub name_is_ours: bool,
}

impl Outcome {
    /// A sentence of ours with a status.
    pub(crate) fn new(status: StatusCode, body: impl Into<String>) -> Self {
        Self {
            status,
            body: Bytes::from(body.into()),
            ours: true,
            cause: None,
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

    /// Whether the check passes for the originals' clients: 200 to 399.
    #[must_use]
    pub(crate) fn passes(&self) -> bool {
        self.status.is_success() || self.status.is_redirection()
    }
}
