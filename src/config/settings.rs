//! The table of settings: every key stands here once, with type, unit, meaning, and how it is read and shown.
//!
//! Rule: parsing, suggestions, `hacheck config`, the reference and the advice after SIGHUP all follow this table. A new
//! key is a field of its room's settings with its default, and a row here.

use super::daemon::read_file_limit;
use super::logging::{read_log_format, read_log_level, read_log_path};
use super::row::{USUAL, networks, row, seconds, secret, set};
use super::{Config, access, limits};
use crate::check::read_cache_time;
use crate::group::{self, Group};
use crate::os::logging::{LogFormat, LogPath};
use crate::os::sys::FileLimit;
use crate::probe::settings::{
    LONGEST, read_exec, read_header, read_headers, read_http_rules, read_sockets, read_timeouts,
};
use crate::probe::{HttpRule, TlsUse};
use crate::settings::{
    Reader, Secret, list, map, networks as read_networks, or_null, plain_list, ports, quoted,
    size_words,
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

/// All settings, in the order of the reference.
pub const SETTINGS: &[Setting] =
    &joined::<{ ROWS.len() + access::ROWS.len() + limits::ROWS.len() }>();

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
        parse: |c, r| set(&mut c.check.cache_time, read_cache_time(r)),
        show: |c| c.check.cache_time.map_or_else(|| ".inf".into(), seconds),
        ..USUAL
    },
    row! { probe.healthcheck_timeout: seconds(0.001, LONGEST), "The deadline of a probe, from connect to last byte, waiting for a slot included. At most 86400." },
    row! { probe.max_clients: count("probes", 1, 1_000_000), "Probes that run at once, as far as the limit of open files allows. A quarter of them is kept for checks that passed in the last ten minutes." },
    row! { probe.max_probes_per_target: count("probes", 1, 1_000_000), "Probes that run at once against one host and port, so that one hung service cannot starve the others. Where a check passed in the last ten minutes, a quarter is kept for such checks." },
    Setting {
        name: "service_name_header",
        kind: "header name",
        doc: "A request header that tells HTTP upstreams the service's name.",
        parse: |c, r| set(&mut c.probe.service_name_header, read_header(r)),
        show: |c| {
            or_null(c.probe.service_name_header.as_ref(), |h| {
                quoted(h.written())
            })
        },
        ..USUAL
    },
    Setting {
        name: "http_headers_to_copy",
        kind: "list of header names",
        doc: "Headers of the poller that HTTP probes pass on. Their values are part of the cache key.",
        parse: |c, r| set(&mut c.probe.http_headers_to_copy, read_headers(r)),
        show: |c| list(&c.probe.http_headers_to_copy),
        ..USUAL
    },
    row! { daemon.allow_remote_spool_changes: flag, "Whether `POST /spool/…` may take services down and up." },
    row! { probe.check_hosts: networks, "Where hosts named in request headers must lie, besides this host's own addresses. `private` is loopback, RFC 1918 and fc00::/7; `any` is everything. Cloud metadata addresses are refused always." },
    row! { probe.tls_verify: flag, "Whether the certificates of HTTPS upstreams are verified." },
    Setting {
        name: "tls_ca_file",
        kind: "path of a PEM file",
        doc: "The certificates to trust; the system's when unset. A server's own must be made with CA:FALSE. Of use with `tls_verify: true` only.",
        parse: |c, r| {
            set(
                &mut c.probe.tls_ca_file,
                r.path("/etc/ssl/certs/ca.pem").map(Some),
            );
        },
        show: |c| {
            or_null(c.probe.tls_ca_file.as_ref(), |p| {
                quoted(&p.to_string_lossy())
            })
        },
        ..USUAL
    },
    Setting {
        name: "log_path",
        kind: "`stdout`, `stderr` or a path",
        doc: "Where the log goes. A file is opened anew after it was renamed, as logrotate does.",
        parse: |c, r| set(&mut c.log.log_path, read_log_path(r)),
        show: |c| match &c.log.log_path {
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
        parse: |c, r| set(&mut c.log.log_format, read_log_format(r)),
        show: |c| match c.log.log_format {
            LogFormat::Text => "text".into(),
            LogFormat::Json => "json".into(),
        },
        ..USUAL
    },
    Setting {
        name: "log_level",
        kind: "`error`, `warn`, `info`, `debug`, `trace` or `off`",
        doc: "What is logged without `-v`. Changes of a service are info, each request is debug.",
        parse: |c, r| set(&mut c.log.log_level, read_log_level(r)),
        show: |c| c.log.log_level.to_string().to_ascii_lowercase(),
        ..USUAL
    },
    Setting {
        name: "rlimit_nofile",
        kind: "number or `max`",
        unit: "files",
        doc: "The soft limit of open files; `max` is the hard limit, unset leaves what was inherited.",
        restart: true,
        parse: |c, r| set(&mut c.daemon.rlimit_nofile, read_file_limit(r).map(Some)),
        show: |c| match c.daemon.rlimit_nofile {
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
        // Empty is the anonymous user.
        parse: |c, r| set(&mut c.probe.mysql_username, r.any_text().map(Some)),
        show: |c| or_null(c.probe.mysql_username.as_ref(), |t| quoted(t)),
        ..USUAL
    },
    row! { probe.mysql_password: secret, "That user's password, exactly as written. Never shown." },
    row! { probe.mysql_tls: tls, "Whether MySQL probes log in over TLS: `auto` tries without and, where the account demands it, with; `required` fails without." },
    row! { probe.postgres_username: text, "The user that PostgreSQL probes log in as; without one they only ask whether the server takes connections." },
    row! { probe.postgres_password: secret, "That user's password, exactly as written. Never shown." },
    row! { probe.postgres_tls: tls, "Whether PostgreSQL probes log in over TLS: `auto` where the server offers it, `required` fails without." },
    Setting {
        name: "exec",
        kind: "map of commands",
        doc: "The commands of `exec` checks: `zk: [/usr/local/bin/zk.sh, --port, \"2181\"]`, asked for by `/exec/<service>/<port>/zk`. A list is taken as it is, a text is split like a shell would; there is no shell.",
        parse: |c, r| set(&mut c.probe.exec, read_exec(r)),
        show: |c| map(&c.probe.exec, |argv| list(argv.words())),
        ..USUAL
    },
    Setting {
        name: "http_rules",
        kind: "map by service",
        doc: "What the answers of a service's HTTP upstream must be like: `web: {status: [200, 301-399], body_contains: ok, body_regex: ^ready, headers: {X-A: b}, method: HEAD}`. Bodies are searched up to 64KiB.",
        parse: |c, r| set(&mut c.probe.http_rules, read_http_rules(r)),
        show: |c| map(&c.probe.http_rules, HttpRule::show),
        ..USUAL
    },
    Setting {
        name: "sockets",
        kind: "map of paths by service",
        doc: "Unix sockets that probes of a service connect to when it is checked on this host: `web: /run/web.sock`.",
        parse: |c, r| set(&mut c.probe.sockets, read_sockets(r)),
        show: |c| map(&c.probe.sockets, |path| quoted(&path.to_string_lossy())),
        ..USUAL
    },
    Setting {
        name: "timeouts",
        kind: "map of numbers by service",
        unit: "seconds",
        doc: "Deadlines of a service's probes in place of `healthcheck_timeout`: `db: 2`.",
        parse: |c, r| set(&mut c.probe.timeouts, read_timeouts(r)),
        show: |c| map(&c.probe.timeouts, |limit| seconds(*limit)),
        ..USUAL
    },
    row! { probe.redis_username: text, "The user that Redis and Sentinel probes log in as; the server's default user when unset." },
    row! { probe.redis_password: secret, "That user's password, exactly as written; without user and password there is no login. A Sentinel that wants none is checked all the same. Never shown." },
    row! { probe.redis_tls: flag, "Whether Redis and Sentinel probes speak TLS." },
    Setting {
        name: "groups",
        kind: "map of groups",
        doc: "Named sets of checks, asked for by `/group/<name>/0/`, on listeners of their own, or watched: see [Groups](#groups).",
        parse: |c, r| {
            let groups = group::read(&c.probe.exec, r);
            set(&mut c.groups, groups);
        },
        show: |c| map(&c.groups, Group::show),
        ..USUAL
    },
    row! { probe.max_body: bytes(1, 1 << 30), "Most of an upstream's body that is relayed; of a longer one the rest is left out. At most 1GiB." },
    row! { check.cache_entries: count("results", 1, 10_000_000), "Results that are kept at once; the oldest make room." },
    row! { check.cache_bytes: bytes(0, MOST_MEMORY), "Memory for the bodies of kept results." },
    row! { ledger.max_services: count("names", 1, 10_000_000), restart, "Service names that statistics remember." },
    row! { ledger.max_pollers: count("pollers", 2, 1_000_000), restart, "Load balancers that `/pollers`, `hadown --wait` and `haroll` remember." },
    Setting {
        name: "agent_ports",
        kind: "list of ports",
        doc: "Ports on which HAProxy's `agent-check` is answered; `--agent-port` wins.",
        restart: true,
        parse: |c, r| set(&mut c.daemon.agent_ports, ports(r)),
        show: |c| plain_list(&c.daemon.agent_ports),
        ..USUAL
    },
    row! { daemon.agent_weights: flag, "Whether agents are also told weights: `up 100%`, and `up 0%` after `hadown --drain`. hacheck then owns the weight: what an admin sets with `set weight` is undone at the next answer." },
    row! { daemon.envoy_immediate_fail: flag, "Whether answers of a downtime carry `x-envoy-immediate-health-check-fail`, so that Envoy acts without waiting for its unhealthy threshold." },
    Setting {
        name: "max_connections",
        unit: "connections",
        doc: "Connections of pollers at once; unset follows the limit of open files.",
        restart: true,
        parse: |c, r| {
            set(
                &mut c.http.max_connections,
                r.count(1, 10_000_000).map(Some),
            );
        },
        show: |c| or_null(c.http.max_connections.as_ref(), ToString::to_string),
        ..USUAL
    },
    row! { http.header_timeout: seconds(0.1, 3600.0), restart, "How long a poller may take to send its request head, and stay idle between two requests." },
    row! { daemon.shutdown_timeout: seconds(0.0, 3600.0), restart, "How long running requests may take to end after SIGTERM." },
];

/// The largest memory that can be asked for, in bytes: 1 TiB, or what a pointer can count.
const MOST_MEMORY: usize = if usize::BITS > 40 { 1 << 40 } else { 1 << 30 };

/// The changed keys that take effect at the next start only.
#[must_use]
pub fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let changed = |s: &&Setting| s.restart && (s.show)(old) != (s.show)(new);
    SETTINGS.iter().filter(changed).map(|s| s.name).collect()
}
