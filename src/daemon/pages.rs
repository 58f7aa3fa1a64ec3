//! The pages about the daemon itself: `/status`, `/status/count`, `/recent`, `/mutornadomon`, `/metrics`.

use std::net::IpAddr;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::metrics::Page;
use super::room;
use super::state::State;
use crate::config;
use crate::http::reply::{self, Reply};
use crate::ledger::stats::{Last, Seen};
use crate::os::{logging, sys};
use crate::spool::unix_now;

/// How far back `/recent` looks unless told otherwise, in seconds.
const RECENT: i64 = 600;

/// How long a spool that could not be read counts as unreadable after the last failure.
const TROUBLE: Duration = Duration::from_secs(10);

/// `/status`: the originals' keys, and what an operator asks at night.
pub fn status(state: &State) -> Reply {
    let live = state.live();
    let counts = state.checker.cache().counts();
    let (entries, bytes) = state.checker.cache().size();
    let (services, failing, forgotten) = state.memory().stats.figures();
    let gate = state.checker.gate();
    // Counting them may be what finds the trouble.
    let downtimes = state.downtimes();
    let trouble = gate.trouble_within(TROUBLE);
    reply::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime": state.started.elapsed().as_secs_f64(),
        "outbound_request_queue_size": live.context.probes.waiting(),
        "cache": {
            "expirations": counts.expirations,
            "sets": counts.sets,
            "gets": counts.gets,
            "hits": counts.hits,
            "misses": counts.misses,
        },
        "cache_size": {"entries": entries, "bytes": bytes, "evictions": counts.evictions},
        "spool": {
            "root": gate.spool().root().to_string_lossy(),
            "readable": trouble.is_none(),
            "error": trouble,
            "errors": gate.errors(),
            "downtimes": downtimes,
        },
        "services": {"known": services, "failing_checks": failing, "forgotten": forgotten},
        "groups": groups(state),
        "probes_running": live.context.probes.running(),
        "connections": {
            "open": state.connections.count(),
            "max": state.connections.limits().connections,
            "dropped": state.connections.dropped(),
        },
        "log_lines_dropped": logging::dropped(),
    }))
}

/// The groups of the configuration by name, as far as they were checked.
fn groups(state: &State) -> Map<String, Value> {
    let live = state.live();
    let group = |name: &String| {
        let known = state.checker.groups().get(name);
        let action = known
            .action
            .map(|a| json!({"command": a.command, "ts": a.at, "end": a.end, "good": a.good}));
        let up = known.up.map(|up| if up { "up" } else { "down" });
        json!({
            "state": up,
            "changed": known.changed,
            "checked": known.checked,
            "summary": known.summary,
            "last_action": action,
        })
    };
    live.config
        .groups
        .keys()
        .map(|name| (name.clone(), group(name)))
        .collect()
}

/// The services that were asked for, by name. They are sorted when the memory is free again.
fn seen(state: &State) -> Vec<Seen> {
    let mut all = state.memory().stats.snapshot();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// `/status/count`: requests by service and address.
pub fn count(state: &State) -> Reply {
    let mut services = Map::new();
    for seen in seen(state) {
        let counts = seen
            .counts
            .iter()
            .map(|(ip, n)| (ip.to_string(), Value::from(*n)))
            .collect();
        services.insert(seen.name.to_string(), Value::Object(counts));
    }
    reply::json(&json!({"service_access_counts": services}))
}

/// `/recent[?threshold=SECONDS]`: services asked for lately, each with its last answer.
pub fn recent(state: &State, query: Option<&str>) -> Reply {
    let arguments = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let threshold = match arguments.filter(|(name, _)| name == "threshold").last() {
        None => RECENT,
        Some((_, text)) => match text.trim().parse() {
            Ok(seconds) => seconds,
            Err(_) => {
                let body = format!(
                    "threshold must be a whole number of seconds, not '{}'",
                    text.escape_debug()
                );
                return reply::text(StatusCode::BAD_REQUEST, body);
            }
        },
    };
    let now = unix_now();
    #[allow(clippy::cast_precision_loss)] // a threshold of 2^53 seconds is for ever either way
    let is_recent = |at: f64| now - at <= threshold as f64;
    let last = |l: Last| json!({"code": l.code, "remote_ip": l.remote_ip.to_string(), "ts": l.ts});
    let seen: Vec<Value> = seen(state)
        .iter()
        .filter(|s| is_recent(s.at))
        .map(|s| json!([s.name.as_str(), s.last.map(last)]))
        .collect();
    let changed = |g: &Value| g["checked"].as_f64().is_some_and(is_recent);
    let groups: Map<String, Value> = groups(state)
        .into_iter()
        .filter(|(_, g)| changed(g))
        .collect();
    let mut page = json!({"seen_services": seen, "threshold_seconds": threshold});
    if !groups.is_empty() {
        page["groups"] = groups.into();
    }
    reply::json(&page)
}

/// `/mutornadomon`: figures of the process, for callers on this host, in the shape of that package.
pub fn mutornadomon(state: &State, from: IpAddr) -> Reply {
    if !from.is_loopback() {
        return reply::text(StatusCode::FORBIDDEN, "only for callers on this host");
    }
    let figures = sys::process_figures();
    reply::json(&json!({
        "process": {
            "uptime": state.started.elapsed().as_secs_f64(),
            "meminfo": {"rss_bytes": figures.rss_bytes, "vsz_bytes": figures.vsz_bytes},
            "cpu": {
                "user_time": figures.user_seconds,
                "system_time": figures.system_seconds,
                "num_threads": figures.threads,
            },
            "num_fds": figures.open_files,
        },
        "counters": {"requests": state.counters.requests()},
        "gauges": {"open_connections": state.connections.count()},
    }))
}

/// `/metrics`: the text for Prometheus.
pub fn metrics(state: &State) -> Reply {
    let mut page = Page::new();
    page.metric("build_info", "gauge", "The version that runs.");
    page.sample(
        "build_info",
        concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}"),
        1,
    );
    page.single(
        "uptime_seconds",
        "gauge",
        "Time since the start.",
        state.started.elapsed().as_secs_f64(),
    );
    page.counters(&state.counters);
    cache(&mut page, state);
    spool(&mut page, state);
    group_metrics(&mut page, state);
    process(&mut page, state);
    limits(&mut page, state);
    reply::metrics(page.finish())
}

fn cache(page: &mut Page, state: &State) {
    let counts = state.checker.cache().counts();
    let (entries, bytes) = state.checker.cache().size();
    page.single(
        "cache_hits_total",
        "counter",
        "Look-ups that found a result or a running probe.",
        counts.hits,
    );
    page.single(
        "cache_misses_total",
        "counter",
        "Look-ups that began a probe.",
        counts.misses,
    );
    page.single(
        "cache_evictions_total",
        "counter",
        "Results dropped for want of room.",
        counts.evictions,
    );
    page.single(
        "cache_expirations_total",
        "counter",
        "Results found too old.",
        counts.expirations,
    );
    page.single("cache_entries", "gauge", "Results stored.", entries);
    page.single("cache_bytes", "gauge", "Memory of results stored.", bytes);
    let live = state.live();
    page.single(
        "probes_running",
        "gauge",
        "Probes that run now.",
        live.context.probes.running(),
    );
    let requests = state.checker.waiting();
    page.single(
        "requests_waiting",
        "gauge",
        "Requests that wait for a probe (max_waiting).",
        requests,
    );
    page.single(
        "probes_waiting",
        "gauge",
        "Probes that wait for a slot (max_clients).",
        live.context.probes.waiting(),
    );
}

fn group_metrics(page: &mut Page, state: &State) {
    let live = state.live();
    if live.config.groups.is_empty() {
        return;
    }
    let known: Vec<_> = live
        .config
        .groups
        .keys()
        .map(|name| (name, state.checker.groups().get(name)))
        .collect();
    page.metric(
        "group_up",
        "gauge",
        "Whether a group is up, once that is known.",
    );
    for (name, up) in known.iter().filter_map(|(n, k)| Some((n, k.up?))) {
        page.sample("group_up", &format!("{{group=\"{name}\"}}"), u8::from(up));
    }
    page.metric(
        "group_changed_timestamp_seconds",
        "gauge",
        "When a group's state changed last.",
    );
    for (name, at) in known.iter().filter_map(|(n, k)| Some((n, k.changed?))) {
        page.sample(
            "group_changed_timestamp_seconds",
            &format!("{{group=\"{name}\"}}"),
            at,
        );
    }
    page.metric(
        "group_action_success",
        "gauge",
        "Whether a group's last action succeeded.",
    );
    for (name, good) in known
        .iter()
        .filter_map(|(n, k)| Some((n, k.action.as_ref()?.good)))
    {
        page.sample(
            "group_action_success",
            &format!("{{group=\"{name}\"}}"),
            u8::from(good),
        );
    }
}

fn spool(page: &mut Page, state: &State) {
    let gate = state.checker.gate();
    let (services, failing, forgotten) = state.memory().stats.figures();
    let downtimes = state.downtimes();
    let readable = u8::from(gate.trouble_within(TROUBLE).is_none());
    page.single(
        "spool_readable",
        "gauge",
        "0 while the spool cannot be read and states are held.",
        readable,
    );
    page.single(
        "spool_errors_total",
        "counter",
        "Reads of the spool that failed.",
        gate.errors(),
    );
    if let Some(downtimes) = downtimes {
        page.single(
            "downtimes",
            "gauge",
            "Downtimes in force in the spool.",
            downtimes,
        );
    }
    pollers(page, state);
    page.single(
        "failing_checks",
        "gauge",
        "Checks whose last answer was a failure.",
        failing,
    );
    page.single("services", "gauge", "Services remembered.", services);
    page.single(
        "services_forgotten_total",
        "counter",
        "Services forgotten for want of room.",
        forgotten,
    );
}

fn pollers(page: &mut Page, state: &State) {
    let now = state.now();
    let figures = {
        let ledger = &mut state.memory().ledger;
        ledger.prune(now);
        ledger.figures(now)
    };
    page.metric(
        "pollers",
        "gauge",
        "Load balancers that poll, by their view of the server.",
    );
    for (view, count) in ["up", "down", "nolb", "unknown"]
        .iter()
        .zip(figures.polling)
    {
        page.sample("pollers", &format!("{{view=\"{view}\"}}"), count);
    }
    page.single(
        "pollers_silent",
        "gauge",
        "Load balancers that stopped polling.",
        figures.silent,
    );
    let forgotten = figures.forgotten;
    page.single(
        "pollers_forgotten_total",
        "counter",
        "Pollers forgotten for want of room.",
        forgotten,
    );
}

fn process(page: &mut Page, state: &State) {
    let figures = sys::process_figures();
    let connections = &state.connections;
    page.single(
        "connections",
        "gauge",
        "Open connections of pollers.",
        connections.count(),
    );
    page.single(
        "connections_max",
        "gauge",
        "The most that may be open.",
        connections.limits().connections,
    );
    page.single(
        "connections_dropped_total",
        "counter",
        "Connections that made room.",
        connections.dropped(),
    );
    let of_address = connections.dropped_for_address();
    page.single(
        "connections_dropped_for_address_total",
        "counter",
        "Those that made room for their own address.",
        of_address,
    );
    let strangers = connections.turned_away();
    page.single(
        "connections_refused_total",
        "counter",
        "Connections from outside allow_from.",
        strangers,
    );
    page.single(
        "log_lines_dropped_total",
        "counter",
        "Log lines dropped.",
        logging::dropped(),
    );
    page.single(
        "resident_memory_bytes",
        "gauge",
        "Resident memory.",
        figures.rss_bytes,
    );
    page.single(
        "open_fds",
        "gauge",
        "Open file descriptors.",
        figures.open_files,
    );
    page.single("threads", "gauge", "Threads.", figures.threads);
    let cpu = figures.user_seconds + figures.system_seconds;
    page.single("cpu_seconds_total", "counter", "CPU time.", cpu);
}

/// Every limit, with what it has become where the configuration leaves it open.
fn limits(page: &mut Page, state: &State) {
    let live = state.live();
    page.metric(
        "limit",
        "gauge",
        "The limits in force, in bytes, seconds or pieces.",
    );
    for setting in config::settings() {
        let configured = setting.limit(&live.config);
        #[allow(clippy::cast_precision_loss)] // numbers of connections and probes
        let value = match setting.name {
            "max_connections" => Some(state.connections.limits().connections as f64),
            "max_waiting" => Some(room::waiting(&live.config) as f64),
            "max_clients" => Some(live.context.probes.max() as f64),
            _ => configured,
        };
        if let Some(value) = value {
            page.sample("limit", &format!("{{name=\"{}\"}}", setting.name), value);
        }
    }
}
