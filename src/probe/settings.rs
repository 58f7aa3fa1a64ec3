//! The settings of probes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::compat::{Compat, compat};
use super::services::{LONGEST, OrOff, ScriptStep, Service, logins};
use super::{Header, header};
use crate::names::fits_url;
use crate::names::pattern::is_name_or_pattern;
use crate::net::{LoginTo, Network, Ports};
use crate::os::process::{Argv, Environment};
use crate::settings::{
    Kind, Reader, Secret, any_text, bytes, collect, command, count, flag, list, map, networks,
    path, port_ranges, quoted, seconds, secret, settings, text,
};

/// Most characters of a command's name.
const NAME_MAX: usize = 64;

settings! {
    /// Deadlines and places of probes, what may be probed, and with which logins.
    pub struct ProbeSettings {
        /// The deadline of a probe, from connect to last byte, waiting for a slot included. At most 86400; 0 is the
        /// default.
        healthcheck_timeout: Duration = Duration::from_secs(10), seconds(0.001, LONGEST), read_by(read_timeout);
        /// Probes that run at once for pollers, as far as the limit of open files allows. A quarter is kept for established
        /// pollers: those that asked the same five times at a steady pace. Of the others, no address gets more than half.
        /// Who finds no place waits for one. The checks of groups have as many places of their own.
        max_clients: usize = 1024, count("probes", 1, 1_000_000);
        /// Probes that run at once against one host and port for pollers, so that one hung service cannot starve the
        /// others. They are shared in the same way: 16 of the 64 are kept for established pollers, and an address that is
        /// none gets 32.
        max_probes_per_target: usize = 64, count("probes", 1, 1_000_000);
        /// Whose manner is kept where the two Python hachecks differ: `uber` follows up to five redirects of HTTP checks,
        /// as far as `check_hosts` and `allowed_ports` let it, and takes host and port of a check from its path alone,
        /// whatever `X-Haproxy-Server-State` and `X-Nerve-Check-IP` say.
        compat: Compat = Compat::Yelp, compat();
        /// Runs at once of one command of `exec` for pollers, whatever services they name. They are shared in the same way.
        max_runs_per_command: usize = 4, count("runs", 1, 1_000_000);
        /// A request header that tells HTTP upstreams the service's name.
        service_name_header: Option<Header> = None, header_or_none();
        /// Headers of the poller that HTTP probes pass on. Their values are part of the cache key.
        http_headers_to_copy: Vec<Header> = vec![Header::host()], headers();
        /// Where hosts named in request headers must lie, besides this host's own addresses. `private` is loopback, RFC
        /// 1918, 100.64.0.0/10 and fc00::/7; `any` is everything. Cloud metadata addresses are refused always.
        check_hosts: Vec<Network> = Network::private(), networks();
        /// Ports that may be probed at all, such as `[80, 443, 8000-8999]`. Narrow it where pollers should learn
        /// nothing of other local services.
        allowed_ports: Vec<Ports> = vec![Ports::ALL], port_ranges();
        /// Where checks may log in, and so where passwords go: `local` is this host's own addresses, at the protocol's
        /// own port (MySQL 3306, PostgreSQL 5432, Redis 6379, Sentinel 26379, AMQP 5672 and over TLS 5671); `local:3307` at
        /// another one; `10.0.0.0/8` a network, at any port; `10.0.0.0/8:6379` and `"[fd00::/8]:6379"` at one. A check that
        /// would log in elsewhere is refused before anything is sent. The hosts of groups and unix sockets need no entry. `Authorization`,
        /// `Proxy-Authorization` and `Cookie` in `request_headers` are logins too, for which `local` is any port.
        login_to: Vec<LoginTo> = vec![LoginTo::LOCAL], logins();
        /// Whether the certificates of HTTPS upstreams are verified.
        tls_verify: bool = false, flag();
        /// The certificates to trust; the system's when unset. A server's own must be made with CA:FALSE. Of use with
        /// `tls_verify: true` only.
        tls_ca_file: Option<PathBuf> = None, path("path of a PEM file", "/etc/ssl/certs/ca.pem").or_unset();
        /// The user that MySQL probes log in as.
        mysql_username: Option<String> = None, any_text().or_unset();
        /// That user's password, exactly as written. Never shown.
        mysql_password: Option<Secret> = None, secret().or_unset();
        /// Whether MySQL probes log in over TLS: `auto` tries without and, where the account demands it, with;
        /// `required` fails without.
        mysql_tls: TlsUse = TlsUse::Auto, tls_use();
        /// The user that PostgreSQL probes log in as; without one they only ask whether the server takes connections.
        postgres_username: Option<String> = None, text().or_unset();
        /// That user's password, exactly as written. Never shown.
        postgres_password: Option<Secret> = None, secret().or_unset();
        /// The database that PostgreSQL probes name, unless the check does by `?dbname=`.
        postgres_database: String = "postgres".into(), text();
        /// Whether PostgreSQL probes log in over TLS: `auto` where the server offers it, `required` fails without.
        postgres_tls: TlsUse = TlsUse::Auto, tls_use();
        /// The user that Redis and Sentinel probes log in as; the server's default user when unset. A Sentinel's own is
        /// its service's `login`; `login: off` is none.
        redis_username: Option<String> = None, text().or_unset();
        /// That user's password, exactly as written; without user and password there is no login. A Sentinel that
        /// refuses this login is asked all the same, unless it is its service's own. Never shown.
        redis_password: Option<Secret> = None, secret().or_unset();
        /// Whether Redis and Sentinel probes speak TLS.
        redis_tls: bool = false, flag();
        /// The commands of `exec` checks: `zk: [/usr/local/bin/zk.sh, --port, "2181"]`, asked for by
        /// `/exec/<service>/<port>/zk`. A list is taken as it is, a text is split like a shell would; there is no
        /// shell.
        exec: BTreeMap<String, Argv> = BTreeMap::new(), commands();
        /// Variables of hacheck's environment that the commands of `exec` checks and of groups get besides `PATH`, `HOME`,
        /// `LANG`, `TZ` and `HACHECK_*`. All others are kept from them, as any may hold a secret.
        exec_environment: Vec<String> = Vec::new(), variables();
        /// What single services have in place of the global settings: see [docs/checks.md](checks.md#services). A key may be a pattern,
        /// such as `db-*`; keys merge one by one: the service, the longest pattern, `*`, the global settings.
        services: BTreeMap<String, Service> = BTreeMap::new(), services();
        /// Most of an upstream's body that is relayed; of a longer one the rest is left out. At most 1GiB.
        max_body: usize = 1 << 20, bytes(1, 1 << 30);
    }
}

impl ProbeSettings {
    /// All secrets, for whoever must keep them from others.
    #[must_use]
    pub fn secrets(&self) -> Vec<&str> {
        // A setting with a password that is not in this list would reach the environment of commands.
        let global = [
            &self.mysql_password,
            &self.postgres_password,
            &self.redis_password,
        ];
        let own = self.services.values().filter_map(password);
        let all = global.into_iter().flatten().chain(own);
        let mut all: Vec<&str> = all.map(Secret::reveal).collect();
        // What a script sends may be a password: no setting says which of its words is one.
        let scripts = self.services.values().flat_map(|entry| &entry.script);
        all.extend(scripts.flatten().flat_map(ScriptStep::secrets));
        all
    }

    /// What of this process' environment programs get.
    #[must_use]
    pub fn environment(&self) -> Environment<'_> {
        Environment {
            listed: &self.exec_environment,
            secrets: self.secrets(),
        }
    }
}

/// In Yelp's hacheck 0 is no deadline at all; a probe without one could hold its place for ever.
fn read_timeout(settings: &mut ProbeSettings, reader: &Reader<'_>) {
    if reader.is_zero() {
        let usual = settings.healthcheck_timeout.as_secs();
        reader.warn(format!(
            "0 is no deadline, so the default of {usual} s holds; write the seconds that a check may take"
        ));
    } else if let Some(value) = reader.seconds(0.001, LONGEST) {
        settings.healthcheck_timeout = value;
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
    fn read(reader: &Reader<'_>) -> Option<Self> {
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
    fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Auto => "auto",
            Self::Required => "required",
        }
    }
}

fn tls_use() -> Kind<TlsUse> {
    let show = |tls: &TlsUse| tls.word().into();
    Kind::new("`off`, `auto` or `required`", TlsUse::read, show)
}

fn password(service: &Service) -> Option<&Secret> {
    match service.login.as_ref()? {
        OrOff::On(login) => login.password.as_ref(),
        OrOff::Off => None,
    }
}

fn header_or_none() -> Kind<Option<Header>> {
    let show = |header: &Option<Header>| match header {
        Some(header) => quoted(header.written()),
        None => "null".into(),
    };
    Kind::new("header name", header::read_or_none, show)
}

fn headers() -> Kind<Vec<Header>> {
    let show = |headers: &Vec<Header>| list(headers);
    Kind::new("list of header names", header::read_list, show)
}

fn services() -> Kind<BTreeMap<String, Service>> {
    let show = |entries: &BTreeMap<String, Service>| map(entries, Service::show);
    Kind::new("map by service", read_services, show)
}

fn read_services(reader: &Reader<'_>) -> Option<BTreeMap<String, Service>> {
    collect(reader, |name, value| {
        if !is_name_or_pattern(name) {
            value.fault_of_key(
                "is neither a service nor a pattern of names",
                "use letters, digits, '.', '_' and '-', and '*' for any characters",
            );
            return None;
        }
        Service::read(value)
    })
}

/// The commands of `exec` checks, by name.
fn commands() -> Kind<BTreeMap<String, Argv>> {
    let show = |commands: &BTreeMap<String, Argv>| map(commands, |argv| list(argv.words()));
    Kind::new("map of commands", read_commands, show)
}

fn read_commands(reader: &Reader<'_>) -> Option<BTreeMap<String, Argv>> {
    collect(reader, |name, value| {
        if name.is_empty() || name.len() > NAME_MAX || !fits_url(name) {
            value.fault_of_key(
                "is no name for a command",
                "use letters, digits, '.', '_' and '-', at most 64",
            );
            return None;
        }
        command(value)
    })
}

/// Names of environment variables.
fn variables() -> Kind<Vec<String>> {
    let show = |names: &Vec<String>| list(names);
    Kind::new("list of names", |reader| reader.each(read_variable), show)
}

fn read_variable(reader: &Reader<'_>) -> Option<String> {
    let remedy = "write one such as ORACLE_HOME";
    reader.parsed("is not the name of an environment variable", remedy, |t| {
        // No patterns: which secrets one would let through, nobody can see from it.
        let fits = !t.is_empty() && !t.contains(['=', '\0', ' ', '*']);
        fits.then(|| t.to_owned())
    })
}
