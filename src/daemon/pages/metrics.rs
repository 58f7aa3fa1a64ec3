//! `/metrics`: the text for Prometheus.

use std::sync::atomic::Ordering;

use super::exposition::Exposition;
use super::{DaemonState, SPOOL_TROUBLE};
use crate::config;
use crate::daemon::counters::{BUCKETS, Counters, ProbeCounters, get};
use crate::daemon::room;
use crate::http::reply::{self, Reply};
use crate::ledger::PollerFigures;
use crate::os::{figures, logging};
use crate::probe::PROTOCOLS;

/// The page.
pub(super) fn page(state: &DaemonState) -> Reply {
    let mut page = Exposition::new();
    page.metric("build_info", "gauge", "The version that runs.");
    page.sample(
        "build_info",
        concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}"),
        1,
    );
    page.gauge(
        "uptime_seconds",
        "Time since the start.",
        state.started.elapsed().as_secs_f64(),
    );
    counters(&mut page, &state.counters);
    cache(&mut page, state);
    spool(&mut page, state);
    group_metrics(&mut page, state);
    reloads(&mut page, &state.counters);
    process(&mut page, state);
    limits(&mut page, state);
    reply::metrics(page.finish())
}

fn cache(page: &mut Exposition, state: &DaemonState) {
    let counts = state.checker.cache().counts();
    let (entries, bytes) = state.checker.cache().size();
    page.counter(
        "cache_hits_total",
        "Look-ups that found a result or a running probe.",
        counts.hits,
    );
    page.counter(
        "cache_misses_total",
        "Look-ups that began a probe.",
        counts.misses,
    );
    page.counter(
        "cache_evictions_total",
        "Results dropped for want of room.",
        counts.evictions,
    );
    page.counter(
        "cache_expirations_total",
        "Results found too old.",
        counts.expirations,
    );
    page.gauge("cache_entries", "Results stored.", entries);
    page.gauge("cache_bytes", "Memory of results stored.", bytes);
    let live = state.live();
    page.gauge(
        "probes_running",
        "Probes that run now.",
        live.context.probes.running(),
    );
    let requests = state.checker.waiting();
    page.gauge(
        "requests_waiting",
        "Requests that wait for a probe (max_waiting).",
        requests,
    );
    page.gauge(
        "probes_waiting",
        "Probes that wait for a slot (max_clients).",
        live.context.probes.waiting(),
    );
}

fn group_metrics(page: &mut Exposition, state: &DaemonState) {
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

fn spool(page: &mut Exposition, state: &DaemonState) {
    let gate = &state.gate;
    let known = state.ledger().figures(state.now());
    let downtimes = state.spool_watch.seen().count();
    let readable = u8::from(gate.trouble_within(SPOOL_TROUBLE).is_none());
    page.gauge(
        "spool_readable",
        "0 while the spool cannot be read and states are held.",
        readable,
    );
    page.counter(
        "spool_errors_total",
        "Reads of the spool that failed.",
        gate.errors(),
    );
    if let Some(downtimes) = downtimes {
        page.gauge("downtimes", "Downtimes in force in the spool.", downtimes);
    }
    pollers(page, known.pollers);
    page.gauge(
        "failing_checks",
        "Checks whose last result fails; those that are down by hand are none.",
        known.failing_checks,
    );
    page.gauge("services", "Services remembered.", known.services);
    page.counter(
        "services_forgotten_total",
        "Services forgotten for want of room.",
        known.services_forgotten,
    );
}

fn pollers(page: &mut Exposition, figures: PollerFigures) {
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
    page.gauge(
        "pollers_silent",
        "Load balancers that stopped polling.",
        figures.silent,
    );
    let forgotten = figures.forgotten;
    page.counter(
        "pollers_forgotten_total",
        "Pollers forgotten for want of room.",
        forgotten,
    );
}

fn process(page: &mut Exposition, state: &DaemonState) {
    let figures = figures::process_figures();
    let connections = &state.connections;
    page.gauge(
        "connections",
        "Open connections of pollers.",
        connections.count(),
    );
    page.gauge(
        "connections_max",
        "The most that may be open.",
        connections.max(),
    );
    page.counter(
        "connections_dropped_total",
        "Connections that made room.",
        connections.dropped(),
    );
    let of_address = connections.dropped_for_address();
    page.counter(
        "connections_dropped_for_address_total",
        "Those that made room for their own address.",
        of_address,
    );
    let strangers = connections.turned_away();
    page.counter(
        "connections_refused_total",
        "Connections from outside allow_from.",
        strangers,
    );
    page.counter(
        "log_lines_dropped_total",
        "Log lines dropped.",
        logging::dropped(),
    );
    page.gauge(
        "resident_memory_bytes",
        "Resident memory.",
        figures.rss_bytes,
    );
    page.gauge("open_fds", "Open file descriptors.", figures.open_files);
    page.gauge("threads", "Threads.", figures.threads);
    let cpu = figures.user_seconds + figures.system_seconds;
    page.counter("cpu_seconds_total", "CPU time.", cpu);
}

fn reloads(page: &mut Exposition, counters: &Counters) {
    let failed = counters.reload_failed.load(Ordering::Relaxed);
    page.gauge(
        "config_last_reload_successful",
        "0 while the configuration file is at fault and an older one is in force.",
        u8::from(!failed),
    );
    page.gauge(
        "config_last_reload_success_timestamp_seconds",
        "When the configuration in force was read.",
        get(&counters.config_read_at),
    );
}

/// Every limit, with what it has become where the configuration leaves it open.
fn limits(page: &mut Exposition, state: &DaemonState) {
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
            "max_connections" => Some(state.connections.max() as f64),
            "max_waiting" => Some(room::waiting(&live.config) as f64),
            "max_clients" => Some(live.context.probes.max() as f64),
            _ => configured,
        };
        if let Some(value) = value {
            page.sample("limit", &format!("{{name=\"{}\"}}", setting.name), value);
        }
    }
}

/// The counters that requests move.
fn counters(page: &mut Exposition, counters: &Counters) {
    page.metric(
        "requests_total",
        "counter",
        "HTTP requests answered, by class of status.",
    );
    for class in 1..=5 {
        page.sample(
            "requests_total",
            &format!("{{code=\"{class}xx\"}}"),
            get(&counters.classes[class]),
        );
    }
    page.counter(
        "checks_down_total",
        "Checks answered from a downtime.",
        get(&counters.down),
    );
    page.counter(
        "checks_refused_total",
        "Checks refused before a probe.",
        get(&counters.refused),
    );
    page.counter(
        "spool_changes_total",
        "Spool changes by POST.",
        get(&counters.spool_changes),
    );
    let refused = get(&counters.spool_changes_refused);
    page.counter(
        "spool_changes_refused_total",
        "Spool changes by POST that were not permitted.",
        refused,
    );
    page.metric(
        "probes_total",
        "counter",
        "Probes run, by protocol and result.",
    );
    for (protocol, probes) in PROTOCOLS.iter().zip(&counters.probes) {
        for (result, counter) in [("pass", &probes.passed), ("fail", &probes.failed)] {
            let labels = format!("{{protocol=\"{}\",result=\"{result}\"}}", protocol.name);
            page.sample("probes_total", &labels, get(counter));
        }
    }
    page.metric(
        "probe_duration_seconds",
        "histogram",
        "Time that probes took.",
    );
    for (protocol, probes) in PROTOCOLS.iter().zip(&counters.probes) {
        histogram(page, protocol.name, probes);
    }
}

fn histogram(page: &mut Exposition, protocol: &str, probes: &ProbeCounters) {
    let name = "probe_duration_seconds";
    let mut below = 0;
    for (bound, bucket) in BUCKETS.iter().zip(&probes.buckets) {
        below += get(bucket);
        page.sample(
            &format!("{name}_bucket"),
            &format!("{{protocol=\"{protocol}\",le=\"{bound}\"}}"),
            below,
        );
    }
    // A probe that ends between the two reads must not make a bucket larger than the count.
    let count = below.max(get(&probes.passed) + get(&probes.failed));
    page.sample(
        &format!("{name}_bucket"),
        &format!("{{protocol=\"{protocol}\",le=\"+Inf\"}}"),
        count,
    );
    #[allow(clippy::cast_precision_loss)] // a sum for graphs
    let sum = get(&probes.microseconds) as f64 / 1e6;
    page.sample(
        &format!("{name}_sum"),
        &format!("{{protocol=\"{protocol}\"}}"),
        sum,
    );
    page.sample(
        &format!("{name}_count"),
        &format!("{{protocol=\"{protocol}\"}}"),
        count,
    );
}
