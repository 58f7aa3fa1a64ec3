//! The daemon: its version, its configuration, its connections, its log.

use std::sync::atomic::Ordering;

use super::{DaemonState, Exposition, get};
use crate::daemon::counters::Counters;
use crate::http::connections::Connections;
use crate::http::foreign::Foreign;
use crate::os::logging;

pub(super) fn add(page: &mut Exposition, state: &DaemonState) {
    version(page);
    page.gauge(
        "hacheck_uptime_seconds",
        "Time since the start.",
        state.started.elapsed().as_secs_f64(),
    );
    reloads(page, &state.counters);
    open_connections(page, &state.connections);
    closed_connections(page, &state.connections);
    foreign_connections(page, &state.connections);
    page.counter(
        "hacheck_pages_built_total",
        "Pages built that requests share: /recent, /status/count, /overview.",
        state.pages.built(),
    );
    page.counter(
        "hacheck_log_lines_dropped_total",
        "Log lines dropped.",
        logging::dropped(),
    );
}

fn version(page: &mut Exposition) {
    // A gauge that is always 1, as Prometheus has no texts: the version is its label.
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    page.metric("hacheck_build_info", "gauge", "The version that runs.");
    page.sample("hacheck_build_info", &version, 1);
}

fn reloads(page: &mut Exposition, counters: &Counters) {
    let failed = counters.reload_failed.load(Ordering::Relaxed);
    page.gauge(
        "hacheck_config_last_reload_successful",
        "0 while the configuration file is at fault and an older one is in force.",
        u8::from(!failed),
    );
    page.gauge(
        "hacheck_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was read.",
        get(&counters.config_read_at),
    );
}

fn open_connections(page: &mut Exposition, connections: &Connections) {
    page.gauge(
        "hacheck_connections",
        "Open connections of pollers.",
        connections.count(),
    );
    page.gauge(
        "hacheck_connections_max",
        "The most that may be open.",
        connections.max(),
    );
}

fn closed_connections(page: &mut Exposition, connections: &Connections) {
    page.counter(
        "hacheck_connections_dropped_total",
        "Connections evicted to make room for others.",
        connections.dropped(),
    );
    page.counter(
        "hacheck_connections_dropped_for_address_total",
        "Connections evicted to make room for others of the same address.",
        connections.dropped_for_address(),
    );
    page.counter(
        "hacheck_connections_refused_total",
        "Connections from outside allow_from.",
        connections.turned_away(),
    );
    page.counter(
        "hacheck_tls_handshakes_failed_total",
        "TLS handshakes of pollers that failed.",
        connections.failed_handshakes(),
    );
}

fn foreign_connections(page: &mut Exposition, connections: &Connections) {
    page.metric(
        "hacheck_connections_foreign_total",
        "counter",
        "Connections that did not speak what their port does, by what they spoke.",
    );
    // Also those that were never met: a counter is to begin with 0.
    for kind in Foreign::ALL {
        let labels = [("kind", kind.name())];
        let name = "hacheck_connections_foreign_total";
        page.sample(name, &labels, connections.foreign(kind));
    }
}
