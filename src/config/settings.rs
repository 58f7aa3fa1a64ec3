//! The table of settings: every key stands here once, with type, unit, meaning, and how it is read and shown.
//!
//! Rule: parsing, suggestions, `hacheck config`, the reference and the advice after SIGHUP all follow this table. A new
//! key is a field of [`Config`] with its default, and a row here.

use std::time::Duration;

use super::read::{Reader, size_words};
use super::show::{list, map, or_null, plain_list, quoted};
use super::{
    Config, FileLimit, Group, HttpRule, LogFormat, LogPath, Network, Secret, access, groups, limits, maps, values,
};

/// One key of the configuration file.
#[derive(Clone, Copy)]
pub struct Setting {
    /// The key.
    pub name: &'static str,
    /// Its type, in words for people.
    pub kind: &'static str,
    /// The unit of its values; empty when there is none.
    pub unit: &'static str,
    /// What it does and why one would change it: sentences on one line.
    pub doc: &'static str,
    /// Whether a change needs a restart: the daemon reads the value only once. All others apply at SIGHUP.
    pub restart: bool,
    /// Whether its value is never shown.
    pub secret: bool,
    /// Reads the value into the configuration, or notes faults.
    pub parse: fn(&mut Config, &Reader<'_>),
    /// The value as YAML; two configurations that show the same have the same value (but for secrets).
    pub show: fn(&Config) -> String,
    /// The number behind a limit, in bytes, seconds or pieces, for `/metrics`; `None` when the key is no limit.
    pub limit: Option<fn(&Config) -> f64>,
}

/// What most rows have in common.
pub(super) const USUAL: Setting = Setting {
    name: "",
    kind: "number",
    unit: "",
    doc: "",
    restart: false,
    secret: false,
    parse: |_, _| {},
    show: |_| String::new(),
    limit: None,
};

/// All settings, in the order of the reference.
pub const SETTINGS: &[Setting] = &joined::<{ ROWS.len() + access::ROWS.len() + limits::ROWS.len() }>();

const fn joined<const N: usize>() -> [Setting; N] {
    let mut all = [USUAL; N];
    let groups = [ROWS, access::ROWS, limits::ROWS];
    let (mut group, mut row, mut at) = (0, 0, 0);
    while at < N {
        if row == groups[group].len() {
            (group, row) = (group + 1, 0);
        } else {
            all[at] = groups[group][row];
            (row, at) = (row + 1, at + 1);
        }
    }
    all
}

#[allow(clippy::cast_precision_loss)] // limits above 2^53 mean nothing
const ROWS: &[Setting] = &[
    Setting {
        name: "cache_time",
        unit: "seconds",
        doc: "How long a result counts, from its end. 0 keeps none, yet polls at the same time still share one probe; `.inf` keeps results for ever.",
        parse: |c, r| set(&mut c.cache_time, values::cache_time(r)),
        show: |c| c.cache_time.map_or_else(|| ".inf".into(), seconds),
        ..USUAL
    },
    Setting {
        name: "healthcheck_timeout",
        unit: "seconds",
        doc: "The deadline of a probe, from connect to last byte, waiting for a slot included. At most 3600.",
        parse: |c, r| set(&mut c.healthcheck_timeout, r.seconds(0.001, 3600.0)),
        show: |c| seconds(c.healthcheck_timeout),
        limit: Some(|c| c.healthcheck_timeout.as_secs_f64()),
        ..USUAL
    },
    Setting {
        name: "max_clients",
        unit: "probes",
        doc: "Probes that run at once, as far as the limit of open files allows. A quarter of them is kept for checks that passed in the last ten minutes.",
        parse: |c, r| set(&mut c.max_clients, r.count(1, 1_000_000)),
        show: |c| c.max_clients.to_string(),
        limit: Some(|c| c.max_clients as f64),
        ..USUAL
    },
    Setting {
        name: "max_probes_per_target",
        unit: "probes",
        doc: "Probes that run at once against one host and port, so that one hung service cannot starve the others. Where a check passed in the last ten minutes, a quarter is kept for such checks.",
        parse: |c, r| set(&mut c.max_probes_per_target, r.count(1, 1_000_000)),
        show: |c| c.max_probes_per_target.to_string(),
        limit: Some(|c| c.max_probes_per_target as f64),
        ..USUAL
    },
    Setting {
        name: "service_name_header",
        kind: "header name",
        doc: "A request header that tells HTTP upstreams the service's name.",
        parse: |c, r| set(&mut c.service_name_header, values::header_or_none(r)),
        show: |c| or_null(c.service_name_header.as_ref(), |t| quoted(t)),
        ..USUAL
    },
    Setting {
        name: "http_headers_to_copy",
        kind: "list of header names",
        doc: "Headers of the poller that HTTP probes pass on. Their values are part of the cache key.",
        parse: |c, r| set(&mut c.http_headers_to_copy, values::headers(r)),
        show: |c| list(&c.http_headers_to_copy),
        ..USUAL
    },
    Setting {
        name: "allow_remote_spool_changes",
        kind: "true or false",
        doc: "Whether `POST /spool/…` may take services down and up.",
        parse: |c, r| set(&mut c.allow_remote_spool_changes, r.boolean()),
        show: |c| c.allow_remote_spool_changes.to_string(),
        ..USUAL
    },
    Setting {
        name: "check_hosts",
        kind: "list of networks",
        doc: "Where hosts named in request headers must lie, besides this host's own addresses. `private` is loopback, RFC 1918 and fc00::/7; `any` is everything. Cloud metadata addresses are refused always.",
        parse: |c, r| set(&mut c.check_hosts, values::networks(r)),
        show: |c| if c.check_hosts == Network::private() { "private".into() } else { list(&c.check_hosts) },
        ..USUAL
    },
    Setting {
        name: "tls_verify",
        kind: "true or false",
        doc: "Whether the certificates of HTTPS upstreams are verified.",
        parse: |c, r| set(&mut c.tls_verify, r.boolean()),
        show: |c| c.tls_verify.to_string(),
        ..USUAL
    },
    Setting {
        name: "tls_ca_file",
        kind: "path of a PEM file",
        doc: "The certificates to trust; the system's when unset. A server's own must be made with CA:FALSE. Of use with `tls_verify: true` only.",
        parse: |c, r| set(&mut c.tls_ca_file, r.path("/etc/ssl/certs/ca.pem").map(Some)),
        show: |c| or_null(c.tls_ca_file.as_ref(), |p| quoted(&p.to_string_lossy())),
        ..USUAL
    },
    Setting {
        name: "log_path",
        kind: "`stdout`, `stderr` or a path",
        doc: "Where the log goes. A file is opened anew after it was renamed, as logrotate does.",
        parse: |c, r| set(&mut c.log_path, values::log_path(r)),
        show: |c| match &c.log_path {
            LogPath::Stdout => "stdout".into(),
            LogPath::Stderr => "stderr".into(),
            LogPath::File(path) => quoted(&path.to_string_lossy()),
        },
        ..USUAL
    },
    Setting {
        name: "log_format",
        kind: "`text` or `json`",
        doc: "How a line of the log looks: for people, or one JSON object with `time`, `level`, `target` and `message`.",
        parse: |c, r| set(&mut c.log_format, values::log_format(r)),
        show: |c| match c.log_format {
            LogFormat::Text => "text".into(),
            LogFormat::Json => "json".into(),
        },
        ..USUAL
    },
    Setting {
        name: "log_level",
        kind: "`error`, `warn`, `info`, `debug`, `trace` or `off`",
        doc: "What is logged without `-v`. Changes of a service are info, each request is debug.",
        parse: |c, r| set(&mut c.log_level, values::log_level(r)),
        show: |c| c.log_level.to_string().to_ascii_lowercase(),
        ..USUAL
    },
    Setting {
        name: "rlimit_nofile",
        kind: "number or `max`",
        unit: "files",
        doc: "The soft limit of open files; `max` is the hard limit, unset leaves what was inherited.",
        restart: true,
        parse: |c, r| set(&mut c.rlimit_nofile, values::file_limit(r).map(Some)),
        show: |c| match c.rlimit_nofile {
            None => "null".into(),
            Some(FileLimit::Max) => "max".into(),
            Some(FileLimit::Number(n)) => n.to_string(),
        },
        ..USUAL
    },
    Setting {
        name: "mysql_username",
        kind: "text",
        doc: "The user that MySQL probes log in as.",
        parse: |c, r| set(&mut c.mysql_username, r.text().map(Some)),
        show: |c| or_null(c.mysql_username.as_ref(), |t| quoted(t)),
        ..USUAL
    },
    Setting {
        name: "mysql_password",
        kind: "text",
        doc: "That user's password, exactly as written. Never shown.",
        secret: true,
        parse: |c, r| set(&mut c.mysql_password, r.any_text().map(|t| Some(Secret::new(t)))),
        show: |c| secret(c.mysql_password.as_ref()),
        ..USUAL
    },
    Setting {
        name: "mysql_tls",
        kind: "`off`, `auto` or `required`",
        doc: "Whether MySQL probes log in over TLS: `auto` tries without and, where the account demands it, with; `required` fails without.",
        parse: |c, r| set(&mut c.mysql_tls, values::tls_use(r)),
        show: |c| values::tls_word(c.mysql_tls).into(),
        ..USUAL
    },
    Setting {
        name: "postgres_username",
        kind: "text",
        doc: "The user that PostgreSQL probes log in as; without one they only ask whether the server takes connections.",
        parse: |c, r| set(&mut c.postgres_username, r.text().map(Some)),
        show: |c| or_null(c.postgres_username.as_ref(), |t| quoted(t)),
        ..USUAL
    },
    Setting {
        name: "postgres_password",
        kind: "text",
        doc: "That user's password, exactly as written. Never shown.",
        secret: true,
        parse: |c, r| set(&mut c.postgres_password, r.any_text().map(|t| Some(Secret::new(t)))),
        show: |c| secret(c.postgres_password.as_ref()),
        ..USUAL
    },
    Setting {
        name: "postgres_tls",
        kind: "`off`, `auto` or `required`",
        doc: "Whether PostgreSQL probes log in over TLS: `auto` where the server offers it, `required` fails without.",
        parse: |c, r| set(&mut c.postgres_tls, values::tls_use(r)),
        show: |c| values::tls_word(c.postgres_tls).into(),
        ..USUAL
    },
    Setting {
        name: "exec",
        kind: "map of commands",
        doc: "The commands of `exec` checks: `zk: [/usr/local/bin/zk.sh, --port, \"2181\"]`, asked for by `/exec/<service>/<port>/zk`. A list is taken as it is, a text is split like a shell would; there is no shell.",
        parse: |c, r| set(&mut c.exec, maps::exec(r)),
        show: |c| map(&c.exec, |argv| list(argv.words())),
        ..USUAL
    },
    Setting {
        name: "http_rules",
        kind: "map by service",
        doc: "What the answers of a service's HTTP upstream must be like: `web: {status: [200, 301-399], body_contains: ok, body_regex: ^ready, headers: {X-A: b}, method: HEAD}`. Bodies are searched up to 64KiB.",
        parse: |c, r| set(&mut c.http_rules, maps::http_rules(r)),
        show: |c| map(&c.http_rules, HttpRule::show),
        ..USUAL
    },
    Setting {
        name: "sockets",
        kind: "map of paths by service",
        doc: "Unix sockets that probes of a service connect to when it is checked on this host: `web: /run/web.sock`.",
        parse: |c, r| set(&mut c.sockets, maps::sockets(r)),
        show: |c| map(&c.sockets, |path| quoted(&path.to_string_lossy())),
        ..USUAL
    },
    Setting {
        name: "timeouts",
        kind: "map of numbers by service",
        unit: "seconds",
        doc: "Deadlines of a service's probes in place of `healthcheck_timeout`: `db: 2`.",
        parse: |c, r| set(&mut c.timeouts, maps::timeouts(r)),
        show: |c| map(&c.timeouts, |limit| seconds(*limit)),
        ..USUAL
    },
    Setting {
        name: "redis_username",
        kind: "text",
        doc: "The user that Redis and Sentinel probes log in as; the server's default user when unset.",
        parse: |c, r| set(&mut c.redis_username, r.text().map(Some)),
        show: |c| or_null(c.redis_username.as_ref(), |t| quoted(t)),
        ..USUAL
    },
    Setting {
        name: "redis_password",
        kind: "text",
        doc: "That user's password, exactly as written; without user and password there is no login. A Sentinel that wants none is checked all the same. Never shown.",
        secret: true,
        parse: |c, r| set(&mut c.redis_password, r.any_text().map(|t| Some(Secret::new(t)))),
        show: |c| secret(c.redis_password.as_ref()),
        ..USUAL
    },
    Setting {
        name: "redis_tls",
        kind: "true or false",
        doc: "Whether Redis and Sentinel probes speak TLS.",
        parse: |c, r| set(&mut c.redis_tls, r.boolean()),
        show: |c| c.redis_tls.to_string(),
        ..USUAL
    },
    Setting {
        name: "groups",
        kind: "map of groups",
        doc: "Named sets of checks, asked for by `/group/<name>/0/`, on listeners of their own, or watched: see [Groups](#groups).",
        parse: |c, r| {
            let groups = groups::read(c, r);
            set(&mut c.groups, groups);
        },
        show: |c| map(&c.groups, Group::show),
        ..USUAL
    },
    Setting {
        name: "max_body",
        kind: "size",
        unit: "bytes, or with KiB, MiB, GiB",
        doc: "Most of an upstream's body that is relayed; of a longer one the rest is left out. At most 1GiB.",
        parse: |c, r| set(&mut c.max_body, r.bytes(1, 1 << 30)),
        show: |c| size_words(c.max_body),
        limit: Some(|c| c.max_body as f64),
        ..USUAL
    },
    Setting {
        name: "cache_entries",
        unit: "results",
        doc: "Results that are kept at once; the oldest make room.",
        parse: |c, r| set(&mut c.cache_entries, r.count(1, 10_000_000)),
        show: |c| c.cache_entries.to_string(),
        limit: Some(|c| c.cache_entries as f64),
        ..USUAL
    },
    Setting {
        name: "cache_bytes",
        kind: "size",
        unit: "bytes, or with KiB, MiB, GiB",
        doc: "Memory for the bodies of kept results.",
        parse: |c, r| set(&mut c.cache_bytes, r.bytes(0, MOST_MEMORY)),
        show: |c| size_words(c.cache_bytes),
        limit: Some(|c| c.cache_bytes as f64),
        ..USUAL
    },
    Setting {
        name: "max_services",
        unit: "names",
        doc: "Service names that statistics remember.",
        restart: true,
        parse: |c, r| set(&mut c.max_services, r.count(1, 10_000_000)),
        show: |c| c.max_services.to_string(),
        limit: Some(|c| c.max_services as f64),
        ..USUAL
    },
    Setting {
        name: "max_pollers",
        unit: "pollers",
        doc: "Load balancers that `/pollers`, `hadown --wait` and `haroll` remember.",
        restart: true,
        parse: |c, r| set(&mut c.max_pollers, r.count(2, 1_000_000)),
        show: |c| c.max_pollers.to_string(),
        limit: Some(|c| c.max_pollers as f64),
        ..USUAL
    },
    Setting {
        name: "agent_ports",
        kind: "list of ports",
        doc: "Ports on which HAProxy's `agent-check` is answered; `--agent-port` wins.",
        restart: true,
        parse: |c, r| set(&mut c.agent_ports, values::ports(r)),
        show: |c| plain_list(&c.agent_ports),
        ..USUAL
    },
    Setting {
        name: "agent_weights",
        kind: "true or false",
        doc: "Whether agents are also told weights: `up 100%`, and `up 0%` after `hadown --drain`. hacheck then owns the weight: what an admin sets with `set weight` is undone at the next answer.",
        parse: |c, r| set(&mut c.agent_weights, r.boolean()),
        show: |c| c.agent_weights.to_string(),
        ..USUAL
    },
    Setting {
        name: "envoy_immediate_fail",
        kind: "true or false",
        doc: "Whether answers of a downtime carry `x-envoy-immediate-health-check-fail`, so that Envoy acts without waiting for its unhealthy threshold.",
        parse: |c, r| set(&mut c.envoy_immediate_fail, r.boolean()),
        show: |c| c.envoy_immediate_fail.to_string(),
        ..USUAL
    },
    Setting {
        name: "max_connections",
        unit: "connections",
        doc: "Connections of pollers at once; unset follows the limit of open files.",
        restart: true,
        parse: |c, r| set(&mut c.max_connections, r.count(1, 10_000_000).map(Some)),
        show: |c| or_null(c.max_connections.as_ref(), ToString::to_string),
        ..USUAL
    },
    Setting {
        name: "header_timeout",
        unit: "seconds",
        doc: "How long a poller may take to send its request head, and stay idle between two requests.",
        restart: true,
        parse: |c, r| set(&mut c.header_timeout, r.seconds(0.1, 3600.0)),
        show: |c| seconds(c.header_timeout),
        limit: Some(|c| c.header_timeout.as_secs_f64()),
        ..USUAL
    },
    Setting {
        name: "shutdown_timeout",
        unit: "seconds",
        doc: "How long running requests may take to end after SIGTERM.",
        restart: true,
        parse: |c, r| set(&mut c.shutdown_timeout, r.seconds(0.0, 3600.0)),
        show: |c| seconds(c.shutdown_timeout),
        limit: Some(|c| c.shutdown_timeout.as_secs_f64()),
        ..USUAL
    },
];

/// The largest memory that can be asked for, in bytes: 1 TiB, or what a pointer can count.
const MOST_MEMORY: usize = if usize::BITS > 40 { 1 << 40 } else { 1 << 30 };

/// The changed keys that take effect at the next start only.
#[must_use]
pub fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let changed = |s: &&Setting| s.restart && (s.show)(old) != (s.show)(new);
    SETTINGS.iter().filter(changed).map(|s| s.name).collect()
}

pub(super) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

pub(super) fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

fn secret(value: Option<&Secret>) -> String {
    or_null(value, |_| "\"***\"".into())
}
