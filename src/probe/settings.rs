//! The settings of probes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Header, HttpRule, header};
use crate::net::{Network, Ports};
use crate::os::process::Argv;
use crate::settings::{Reader, Secret, by_service, collect, command};

/// The settings of probes.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
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
    /// `check_hosts`: the networks that hosts named in request headers must lie in, besides this host's own addresses.
    pub check_hosts: Vec<Network>,
    /// `allowed_ports`: the ports that may be probed.
    pub allowed_ports: Vec<Ports>,
    /// `tls_verify`: whether the certificates of HTTPS upstreams are verified.
    pub tls_verify: bool,
    /// `tls_ca_file`: the certificates to trust, PEM; the system's when unset.
    pub tls_ca_file: Option<PathBuf>,
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
    /// `redis_username`: the user that Redis and Sentinel probes log in as; the server's default user when unset.
    pub redis_username: Option<String>,
    /// `redis_password`: that user's password; no login when neither is set.
    pub redis_password: Option<Secret>,
    /// `redis_tls`: whether Redis and Sentinel probes speak TLS.
    pub redis_tls: bool,
    /// `exec`: the commands of `exec` checks, by name.
    pub exec: BTreeMap<String, Argv>,
    /// `http_rules`: what the answers of HTTP upstreams must be like, by service.
    pub http_rules: BTreeMap<String, HttpRule>,
    /// `sockets`: the unix sockets of services on this host, by service.
    pub sockets: BTreeMap<String, PathBuf>,
    /// `timeouts`: deadlines of probes in place of `healthcheck_timeout`, by service.
    pub timeouts: BTreeMap<String, Duration>,
    /// `max_body`: most of an upstream's body that is relayed, in bytes; of a longer one the rest is left out.
    pub max_body: usize,
}

impl Settings {
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

    /// The deadline of a service's probes.
    #[must_use]
    pub fn timeout_of(&self, service: &str) -> Duration {
        match self.timeouts.get(service) {
            Some(own) => *own,
            None => self.healthcheck_timeout,
        }
    }

    /// Whether a service's name decides how it is probed.
    #[must_use]
    pub fn is_special(&self, service: &str) -> bool {
        self.http_rules.contains_key(service)
            || self.sockets.contains_key(service)
            || self.timeouts.contains_key(service)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            healthcheck_timeout: Duration::from_secs(10),
            max_clients: 1024,
            max_probes_per_target: 64,
            service_name_header: None,
            http_headers_to_copy: vec![Header::host()],
            check_hosts: Network::private(),
            allowed_ports: vec![Ports::ALL],
            tls_verify: false,
            tls_ca_file: None,
            mysql_username: None,
            mysql_password: None,
            mysql_tls: TlsUse::Auto,
            postgres_username: None,
            postgres_password: None,
            postgres_tls: TlsUse::Auto,
            redis_username: None,
            redis_password: None,
            redis_tls: false,
            exec: BTreeMap::new(),
            http_rules: BTreeMap::new(),
            sockets: BTreeMap::new(),
            timeouts: BTreeMap::new(),
            max_body: 8 << 20,
        }
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

impl TlsUse {
    /// Whether a database's probes use TLS. `off` is also how YAML 1.1 writes false.
    pub fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.parsed(
            "is no such choice",
            "write off, auto or required",
            |t| match t.trim().to_ascii_lowercase().as_str() {
                "off" | "no" | "false" => Some(Self::Off),
                "auto" => Some(Self::Auto),
                "required" => Some(Self::Required),
                _ => None,
            },
        )
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Auto => "auto",
            Self::Required => "required",
        }
    }
}

/// The longest deadline of a probe, in seconds: a day. Whoever writes more has mistaken the unit.
pub(crate) const LONGEST: f64 = 86_400.0;

/// Most characters of a command's name.
const NAME_MAX: usize = 64;

/// A header name, or none.
#[expect(clippy::option_option, reason = "none and a fault are not the same")]
pub(crate) fn read_header(reader: &Reader<'_>) -> Option<Option<Header>> {
    header::read_or_none(reader)
}

/// Header names.
pub(crate) fn read_headers(reader: &Reader<'_>) -> Option<Vec<Header>> {
    header::read_list(reader)
}

/// The commands of `exec` checks.
pub(crate) fn read_exec(reader: &Reader<'_>) -> Option<BTreeMap<String, Argv>> {
    collect(reader, |name, value| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(fits) {
            value.fault_of_key(
                "is no name for a command",
                "use letters, digits, '.', '_' and '-', at most 64",
            );
            return None;
        }
        command(value)
    })
}

/// What answers must be like, by service.
pub(crate) fn read_http_rules(reader: &Reader<'_>) -> Option<BTreeMap<String, HttpRule>> {
    by_service(reader, HttpRule::read)
}

/// Unix sockets, by service.
pub(crate) fn read_sockets(reader: &Reader<'_>) -> Option<BTreeMap<String, PathBuf>> {
    by_service(reader, |value| {
        let path = value.path("/run/web.sock")?;
        // sun_path of unix(7), with its final zero.
        let fits = path.is_absolute() && path.as_os_str().len() < 108;
        if !fits {
            value.fault(
                "is not an absolute path of less than 108 bytes",
                "write one such as /run/web.sock",
            );
        }
        fits.then_some(path)
    })
}

/// Deadlines, by service.
pub(crate) fn read_timeouts(reader: &Reader<'_>) -> Option<BTreeMap<String, Duration>> {
    by_service(reader, |value| value.seconds(0.001, LONGEST))
}
