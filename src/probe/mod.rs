//! Probes: one check of one target, now.
//!
//! [`PROTOCOLS`] is the list of what can be probed; a new protocol is a file beside this one and a row in the table.
//! A failed probe is an [`Outcome`], never an error, and a probe knows nothing of spool, cache or daemon.
//!
//! Rule: [`run`] sets the one deadline, from the wait for a slot to the last byte. A probe itself never times out.

mod connection;
mod context;
mod exec;
mod grpc;
mod haproxy;
mod header;
mod http;
mod http_rule;
mod http_rules;
mod lines;
mod memcached;
mod mysql;
mod options;
mod outcome;
mod postgres;
mod redis;
mod redis_info;
pub(crate) mod settings;
mod slots;
mod smtp;
mod stream;
mod target;
mod tcp;
mod tls;
mod trace;
mod zookeeper;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use crate::settings::Secret;
pub use context::{Context, Room};
pub use header::Header;
pub use http_rule::{HttpRule, Pattern};
pub use outcome::Outcome;
pub use settings::{Settings, TlsUse};
pub use slots::Name;
pub use target::{Headers, Target};
pub use tls::TlsError;
pub use trace::{Step, Trace};

/// Everything that can be probed. Router, metrics, `hacheck probe` and the documentation's tests read this table.
pub const PROTOCOLS: &[Protocol] = &[
    http::HTTP,
    http::HTTPS,
    tcp::TCP,
    mysql::MYSQL,
    postgres::POSTGRES,
    redis::REDIS,
    redis_info::REDIS_INFO,
    redis::SENTINEL,
    redis_info::SENTINEL_INFO,
    haproxy::HAPROXY,
    smtp::SMTP,
    memcached::MEMCACHED,
    zookeeper::ZOOKEEPER,
    grpc::GRPC,
    grpc::GRPCS,
    exec::EXEC,
    GROUP_ROW,
];

/// The name of the row for groups of checks, which `crate::group` runs.
pub const GROUP: &str = "group";

/// The row for groups: for router, metrics and check URLs.
const GROUP_ROW: Protocol = Protocol {
    name: GROUP,
    needs_slash: false,
    request: Request::Ignored,
    keyed_by_service: true,
    default_port: Some(0),
    bare_timeout: false,
    probe: |probe| Box::pin(async move { probe.failed("a group is not probed by itself") }),
};

/// What HTTP probes call themselves, as the originals did.
pub const AGENT: &str = concat!("hastate ", env!("CARGO_PKG_VERSION"));

/// One row of [`PROTOCOLS`].
pub struct Protocol {
    /// The first part of a check's path.
    pub name: &'static str,
    /// The check's path needs a slash behind the port, as the originals' HTTP routes do.
    pub needs_slash: bool,
    /// What of the request decides the result, and so is part of the cache key.
    pub request: Request,
    /// The service's name decides the result, so it is part of the cache key.
    pub keyed_by_service: bool,
    /// Where such a service usually listens; `Some(0)` where nothing is connected to, so that a check needs no port.
    pub default_port: Option<u16>,
    /// The body on timeout is the originals' `Connection timed out after N.NNs` alone.
    pub bare_timeout: bool,
    /// The probe.
    pub probe: ProbeFn,
}

/// A probe: reads what it needs from [`Probe`], gives the outcome.
pub type ProbeFn = for<'a> fn(&'a Probe<'a>) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// What of a poller's request decides the result of a probe.
#[derive(Clone, Copy)]
pub enum Request {
    /// Nothing: a made-up path or query cannot multiply probes.
    Ignored,
    /// Path, query string and copied headers reach the target.
    Whole,
    /// Some options of the query string.
    Options(ReadOptions),
    /// The path's first segment.
    Segment,
}

/// Reads the options of a query string: gives a text that is the same for queries that mean the same.
///
/// # Errors
/// A sentence, for options that are unknown or contradict each other.
pub type ReadOptions = fn(query: &str) -> Result<String, String>;

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Protocol {
    /// Whether a check needs a port.
    #[must_use]
    pub fn needs_port(&self) -> bool {
        self.default_port != Some(0)
    }

    /// The row of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        PROTOCOLS.iter().find(|p| p.name == name)
    }
}

/// One probe under way: what a [`ProbeFn`] gets.
pub struct Probe<'a> {
    /// The row that is run.
    pub protocol: &'static Protocol,
    /// What is probed.
    pub target: &'a Target,
    /// Settings and shared means.
    pub context: &'a Context,
    /// What was done so far.
    pub trace: &'a Trace,
}

impl Probe<'_> {
    /// `http 127.0.0.1:8080`, for messages.
    #[must_use]
    pub fn subject(&self) -> String {
        format!(
            "{} {}:{}",
            self.protocol.name, self.target.host, self.target.port
        )
    }

    /// The deadline, from the start.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.target
            .limit
            .unwrap_or_else(|| self.context.settings.timeout_of(&self.target.service))
    }

    /// A failure that names protocol, address, cause and duration.
    pub fn failed(&self, cause: impl fmt::Display) -> Outcome {
        Outcome::unavailable(format!(
            "{}: {cause} after {}",
            self.subject(),
            self.trace.elapsed()
        ))
    }
}

/// Runs one probe within its deadline.
pub async fn run(
    protocol: &'static Protocol,
    target: &Target,
    context: &Context,
    trace: &Trace,
) -> Outcome {
    run_as(None, protocol, target, context, trace).await
}

/// Runs the probe of a check that has a name, by which it is known again: one that passed lately finds a place among
/// made-up ones.
pub async fn run_as(
    check: Option<Name>,
    protocol: &'static Protocol,
    target: &Target,
    context: &Context,
    trace: &Trace,
) -> Outcome {
    let probe = Probe {
        protocol,
        target,
        context,
        trace,
    };
    let limit = probe.limit();
    let placed = AtomicBool::new(false);
    let work = async {
        trace.stage("waiting for a free slot (max_clients)");
        match context.slots.take(target, check).await {
            Ok(_slot) => {
                placed.store(true, Ordering::Relaxed);
                (protocol.probe)(&probe).await
            }
            Err(full) => full,
        }
    };
    let outcome = tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| Outcome {
            overload: !placed.load(Ordering::Relaxed),
            ..timed_out(&probe)
        });
    if let Some(check) = check.filter(|_| outcome.passes()) {
        context.slots.note_passed(check, target);
    }
    outcome
}

fn timed_out(probe: &Probe<'_>) -> Outcome {
    let text = format!("Connection timed out after {}", probe.trace.elapsed());
    let detail = format!("{}, {}", probe.subject(), probe.trace.current());
    if probe.protocol.bare_timeout {
        Outcome::unavailable(text).because(detail)
    } else {
        Outcome::unavailable(format!("{text}: {detail}"))
    }
}

/// A duration as the originals print it: `0.05s`.
pub(crate) struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_stands_once_in_the_table() {
        let mut names: Vec<_> = PROTOCOLS.iter().map(|p| p.name).chain(["spool"]).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(
            names.len(),
            PROTOCOLS.len() + 1,
            "a name stands twice, or is 'spool'"
        );
    }
}
