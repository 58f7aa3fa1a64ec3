//! The configuration: every setting with its type, default, unit and reason.
//!
//! Rule: a [`Config`] that exists can be used as it is; whatever could be wrong was reported while parsing.
//!
//! The way of a file: `decode` makes bytes text, [`raw`] makes text a tree whose nodes know their lines, `tree` settles
//! keys that stand twice and merge keys, [`SETTINGS`] has a row for each key that reads its value with a
//! [`read::Reader`], and every complaint lands in a [`Sink`], so that all are shown together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `cache_time`: how long a result counts, from its end; `None` is for ever, zero shares running probes only.
    pub cache_time: Option<Duration>,
    /// `healthcheck_timeout`: the deadline of a probe, from connect to last byte, waiting for a slot included.
    pub healthcheck_timeout: Duration,
    /// `max_clients`: probes that run at once.
    pub max_clients: usize,
    /// `max_probes_per_target`: probes that run at once against one host and port.
    pub max_probes_per_target: usize,
    /// `service_name_header`: the request header that tells an HTTP upstream the service's name.
    pub service_name_header: Option<Header>,
    /// `http_headers_to_copy`: headers of the poller that HTTP probes pass on.
    pub http_headers_to_copy: Vec<Header>,
    /// `allow_remote_spool_changes`: whether `POST /spool/…` works.
    pub allow_remote_spool_changes: bool,
    /// `check_hosts`: the networks that hosts named in request headers must lie in, besides this host's own addresses.
    pub check_hosts: Vec<Network>,
    /// `tls_verify`: whether the certificates of HTTPS upstreams are verified.
    pub tls_verify: bool,
    /// `tls_ca_file`: the certificates to trust, PEM; the system's when unset.
    pub tls_ca_file: Option<PathBuf>,
    /// `log_path`: where the log goes.
    pub log_path: LogPath,
    /// `log_format`: how a line of the log looks.
    pub log_format: LogFormat,
    /// `log_level`: what is logged without `-v`.
    pub log_level: log::LevelFilter,
    /// `rlimit_nofile`: the soft limit of open files.
    pub rlimit_nofile: Option<FileLimit>,
    /// `mysql_username`: the user that MySQL probes log in as.
    pub mysql_username: Option<String>,
    /// `mysql_password`: that user's password.
    pub mysql_password: Option<Secret>,
    /// `mysql_tls`: whether MySQL probes log in over TLS.
    pub mysql_tls: TlsUse,
    /// `postgres_username`: the user that PostgreSQL probes log in as; without one they only ask for readiness.
    pub postgres_username: Option<String>,
    /// `postgres_password`: that user's password.
    pub postgres_password: Option<Secret>,
    /// `postgres_tls`: whether PostgreSQL probes speak over TLS.
    pub postgres_tls: TlsUse,
    /// `exec`: the commands of `exec` checks, by name.
    pub exec: BTreeMap<String, Argv>,
    /// `http_rules`: what the answers of HTTP upstreams must be like, by service.
    pub http_rules: BTreeMap<String, HttpRule>,
    /// `sockets`: the unix sockets of services on this host, by service.
    pub sockets: BTreeMap<String, PathBuf>,
    /// `timeouts`: deadlines of probes in place of `healthcheck_timeout`, by service.
    pub timeouts: BTreeMap<String, Duration>,
    /// `redis_username`: the user that Redis and Sentinel probes log in as; the server's default user when unset.
    pub redis_username: Option<String>,
    /// `redis_password`: that user's password; no login when neither is set.
    pub redis_password: Option<Secret>,
    /// `redis_tls`: whether Redis and Sentinel probes speak TLS.
    pub redis_tls: bool,
    /// `groups`: named sets of checks.
    pub groups: BTreeMap<String, Group>,
    /// `max_body`: most of an upstream's body that is relayed, in bytes; of a longer one the rest is left out.
    pub max_body: usize,
    /// `cache_entries`: results that are kept at once.
    pub cache_entries: usize,
    /// `cache_bytes`: memory for the bodies of kept results, in bytes.
    pub cache_bytes: usize,
    /// `max_services`: service names that statistics remember.
    pub max_services: usize,
    /// `max_pollers`: load balancers that `/pollers` and `hadown --wait` remember.
    pub max_pollers: usize,
    /// `agent_ports`: ports on which HAProxy's agent-check is answered.
    pub agent_ports: Vec<u16>,
    /// `agent_weights`: agents are told weights too, so that `hadown --drain` works; hacheck then owns the weight.
    pub agent_weights: bool,
    /// `envoy_immediate_fail`: down answers tell Envoy to act at once, without its unhealthy threshold.
    pub envoy_immediate_fail: bool,
    /// `max_connections`: connections of pollers at once; `None` follows the limit of open files.
    pub max_connections: Option<usize>,
    /// `header_timeout`: how long a poller may take to send its request head, and idle between two requests.
    pub header_timeout: Duration,
    /// `shutdown_timeout`: how long running requests may take to end after SIGTERM.
    pub shutdown_timeout: Duration,
    /// `allow_from`: the networks that pollers may connect from.
    pub allow_from: Vec<Network>,
    /// `allowed_ports`: the ports that may be probed.
    pub allowed_ports: Vec<Ports>,
    /// `remote_spool_from`: the networks that `POST /spool/…` may come from.
    pub remote_spool_from: Vec<Network>,
    /// `remote_spool_tokens`: files with the bearer tokens for `POST /spool/…`; with none it needs no token.
    pub remote_spool_tokens: Vec<PathBuf>,
    /// `listen_unix`: the unix socket to listen on, besides the ports.
    pub listen_unix: Option<PathBuf>,
    /// `listen_unix_mode`: the permissions of that socket.
    pub listen_unix_mode: u32,
    /// `max_connections_per_address`: connections of pollers from one address at once.
    pub max_connections_per_address: usize,
    /// `write_timeout`: how long a poller may leave an answer unread.
    pub write_timeout: Duration,
    /// `max_head`: the request head that always fits, in bytes.
    pub max_head: usize,
    /// `max_headers`: most headers of a request.
    pub max_headers: usize,
    /// `max_request_body`: most bytes of a form.
    pub max_request_body: usize,
    /// `max_waiting`: requests that may wait for the result of a probe; `None` is half of the connections.
    pub max_waiting: Option<usize>,
    /// `max_addresses_per_service`: pollers that are counted for one service.
    pub max_addresses_per_service: usize,
    /// `log_rate`: most lines of the log in one second.
    pub log_rate: usize,
}

impl Config {
    /// All secrets, for whoever must keep them from others.
    #[must_use]
    pub fn secrets(&self) -> Vec<&str> {
        let all = [
            &self.mysql_password,
            &self.postgres_password,
            &self.redis_password,
        ];
        all.into_iter().flatten().map(Secret::reveal).collect()
    }
}

/// Whether a database's probes use TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsUse {
    /// Never.
    Off,
    /// When it is needed or offered, as far as the protocol lets a client find out.
    Auto,
    /// Always; a server without TLS fails the check.
    Required,
}

/// A text that never shows in logs, messages or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

mod access;
mod decode;
mod fault;
pub(crate) mod group;
mod groups;
mod header;
mod http_rule;
mod limits;
mod load;
mod maps;
mod numbers;
pub mod raw;
pub mod read;
mod row;
mod secrets;
mod settings;
mod show;
#[cfg(test)]
mod tests;
mod tree;
mod values;

use crate::net::{Network, Ports};
use crate::os::logging::{LogFormat, LogPath};
use crate::os::process::Argv;
use crate::os::sys::FileLimit;
pub use fault::{Fault, Faults, Sink};
pub use group::{Group, GroupCheck, Require};
pub use header::Header;
pub use http_rule::{HttpRule, Pattern};
pub use load::{Loaded, load, parse};
pub use settings::{SETTINGS, Setting, needs_restart};
pub use show::{effective, reference_markdown};

impl Config {
    /// The deadline of a service's probes.
    #[must_use]
    pub fn timeout_of(&self, service: &str) -> Duration {
        self.timeouts
            .get(service)
            .copied()
            .unwrap_or(self.healthcheck_timeout)
    }

    /// Whether a service's name decides how it is probed.
    #[must_use]
    pub fn is_special(&self, service: &str) -> bool {
        self.http_rules.contains_key(service)
            || self.sockets.contains_key(service)
            || self.timeouts.contains_key(service)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cache_time: Some(Duration::from_secs(10)),
            healthcheck_timeout: Duration::from_secs(10),
            max_clients: 1024,
            max_probes_per_target: 64,
            service_name_header: None,
            http_headers_to_copy: vec![Header::host()],
            allow_remote_spool_changes: false,
            check_hosts: Network::private(),
            tls_verify: false,
            tls_ca_file: None,
            log_path: LogPath::Stderr,
            log_format: LogFormat::Text,
            log_level: log::LevelFilter::Info,
            rlimit_nofile: None,
            mysql_username: None,
            mysql_password: None,
            mysql_tls: TlsUse::Auto,
            postgres_username: None,
            postgres_password: None,
            postgres_tls: TlsUse::Auto,
            exec: BTreeMap::new(),
            http_rules: BTreeMap::new(),
            sockets: BTreeMap::new(),
            timeouts: BTreeMap::new(),
            redis_username: None,
            redis_password: None,
            redis_tls: false,
            groups: BTreeMap::new(),
            max_body: 8 << 20,
            cache_entries: 10_000,
            cache_bytes: 64 << 20,
            max_services: 100_000,
            max_pollers: 10_000,
            agent_ports: Vec::new(),
            agent_weights: false,
            envoy_immediate_fail: false,
            max_connections: None,
            header_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(1),
            allow_from: Network::any(),
            allowed_ports: vec![Ports::ALL],
            remote_spool_from: Network::any(),
            remote_spool_tokens: Vec::new(),
            listen_unix: None,
            listen_unix_mode: 0o660,
            max_connections_per_address: 1024,
            write_timeout: Duration::from_secs(10),
            max_head: 32 << 10,
            max_headers: 100,
            max_request_body: 2 << 20,
            max_waiting: None,
            max_addresses_per_service: 256,
            log_rate: 1000,
        }
    }
}
