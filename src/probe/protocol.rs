//! One row of the table of protocols.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::login::Login;
use super::{Outcome, PROTOCOLS, Probe, ProbeSettings, QueryError};

/// One row of [`PROTOCOLS`].
pub struct Protocol {
    /// The first part of a check's path.
    pub name: &'static str,
    /// The check's path needs a slash behind the port, as the originals' HTTP routes do.
    pub(crate) needs_slash: bool,
    /// What of the request decides the result, and so is part of the cache key.
    pub(crate) request: Request,
    /// The service's name decides the result, so it is part of the cache key.
    pub(crate) keyed_by_service: bool,
    /// Where such a service usually listens; `Some(0)` where nothing is connected to, so that a check needs no port.
    pub default_port: Option<u16>,
    /// The body on timeout is the originals' `Connection timed out after N.NNs` alone.
    pub(crate) bare_timeout: bool,
    /// How checks of a service log in under some settings; none where they do not.
    pub(crate) login: fn(&ProbeSettings, service: &str) -> Option<Login>,
    pub(crate) probe: ProbeFn,
}

/// A probe: reads what it needs from [`Probe`], and gives the outcome.
pub(crate) type ProbeFn = for<'a> fn(&'a Probe<'a>) -> Probing<'a>;

/// A probe under way.
pub(crate) type Probing<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// What a check comes to: an error is an outcome too, which ends it early.
pub(super) type Checked = Result<Outcome, Outcome>;

/// Makes a probe of a check that may end early, with `?`. Whether it ended early does not matter for the outcome.
pub(super) fn settle<'a>(check: impl Future<Output = Checked> + Send + 'a) -> Probing<'a> {
    Box::pin(async { check.await.unwrap_or_else(|early| early) })
}

/// What of a poller's request decides the result of a probe.
#[derive(Clone, Copy)]
pub(crate) enum Request {
    /// Nothing: a made-up path or query cannot multiply probes.
    Ignored,
    /// Path, query string and copied headers reach the target.
    Whole,
    /// Some options of the query string.
    Options(ReadOptions),
    /// The path's first segment.
    Segment,
    /// The path, without the query string.
    Path,
}

/// Reads the options of a query string, and returns a text that is the same for queries that mean the same.
///
/// # Errors
/// For options that are unknown, have no proper value, or contradict each other.
pub(crate) type ReadOptions = fn(query: &str) -> Result<String, QueryError>;

impl Protocol {
    /// Whether a check needs a port.
    #[must_use]
    pub(crate) fn needs_port(&self) -> bool {
        self.default_port != Some(0)
    }

    /// The row of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        PROTOCOLS.iter().find(|p| p.name == name)
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
