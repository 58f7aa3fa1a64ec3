//! Probes: one check of one target, now.
//!
//! [`PROTOCOLS`] is the list of what can be probed; a new protocol is a file beside this one and a row in the table.
//! A failed probe is an [`Outcome`], never an error, and a probe knows nothing of spool, cache or daemon.
//!
//! Rule: a probe never times out by itself; [`run()`] sets the one deadline.

mod allowed;
mod amqp;
mod asker;
mod compat;
mod connection;
mod context;
mod cookies;
mod effective;
mod exec;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grpc;
mod haproxy;
mod header;
mod http;
mod http_rule;
mod http_rules;
mod lines;
mod login;
mod lookup;
mod memcached;
mod mysql;
mod options;
mod outcome;
mod postgres;
mod protocol;
mod redirects;
mod redis;
mod run;
mod script;
mod services;
pub(crate) mod settings;
mod shown;
mod slots;
mod smtp;
mod target;
mod tcp;
mod tls;
mod tls_handshake;
mod trace;
mod url;
mod zookeeper;

pub use crate::settings::Secret;
pub use asker::{Asker, Rank};
pub use compat::Compat;
pub use context::{Capacity, Context};
pub use header::Header;
pub use http_rule::{HttpRule, Pattern};
pub(crate) use login::{Login, Travel};
pub(crate) use options::QueryError;
pub use outcome::{Outcome, ProbeRun};
pub use protocol::Protocol;
pub(crate) use protocol::Request;
use protocol::{Checked, settle};
pub(crate) use run::Probe;
pub use run::run;
pub(crate) use services::LONGEST;
pub use services::{OrOff, ProxyProtocol, ScriptStep, Service, ServiceLogin, ServiceTls};
pub use settings::{ProbeSettings, TlsUse};
pub use target::{Check, Headers, Target};
pub use tls::TlsError;
pub use trace::{Step, Trace};

/// Everything that can be probed. Router, metrics, `hacheck probe` and the documentation's tests read this table.
pub const PROTOCOLS: &[Protocol] = &[
    http::HTTP,
    http::HTTPS,
    tcp::TCP,
    tls_handshake::TLS,
    mysql::MYSQL,
    postgres::POSTGRES,
    redis::REDIS,
    redis::info::REDIS_INFO,
    redis::SENTINEL,
    redis::info::SENTINEL_INFO,
    haproxy::HAPROXY,
    smtp::SMTP,
    smtp::SMTPS,
    memcached::MEMCACHED,
    amqp::AMQP,
    script::SCRIPT,
    zookeeper::ZOOKEEPER,
    grpc::GRPC,
    grpc::GRPCS,
    exec::EXEC,
    GROUP_ROW,
];

/// The name of the row for groups of checks, which `crate::group` runs.
pub(crate) const GROUP: &str = "group";

/// The row for groups: for router, metrics and check URLs.
const GROUP_ROW: Protocol = Protocol {
    name: GROUP,
    needs_slash: false,
    request: Request::Ignored,
    keyed_by_service: true,
    default_port: Some(0),
    bare_timeout: false,
    login: login::none,
    probe: |probe| settle(async { Err(probe.failed("a group is not probed by itself")) }),
};

/// What HTTP probes call themselves, as the originals did.
pub(crate) const AGENT: &str = concat!("hastate ", env!("CARGO_PKG_VERSION"));

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
