//! Probes: how many, what they found, how long they took, who waits for them.

use super::{DaemonState, Exposition, get, histogram};
use crate::daemon::counters::ProbeCounters;
use crate::probe::{PROTOCOLS, Protocol};

const DURATION: &str = "hacheck_probe_duration_seconds";

pub(super) fn add(page: &mut Exposition, state: &DaemonState) {
    counts(page, &state.counters.probes);
    durations(page, &state.counters.probes);
    in_progress(page, state);
}

fn in_progress(page: &mut Exposition, state: &DaemonState) {
    let live = state.live();
    page.gauge(
        "hacheck_probes_running",
        "Probes that run now.",
        live.context.probes.running(),
    );
    page.gauge(
        "hacheck_probes_waiting",
        "Probes that wait for a slot (max_clients, max_probes_per_target, max_runs_per_command).",
        live.context.probes.waiting(),
    );
    page.gauge(
        "hacheck_requests_waiting",
        "Requests of pollers that are not established, and that wait for a probe (max_waiting).",
        state.checker.waiting(),
    );
}

fn counts(page: &mut Exposition, probes: &[ProbeCounters]) {
    page.metric(
        "hacheck_probes_total",
        "counter",
        "Probes run, by protocol and result.",
    );
    // All protocols, probed or not: a series that begins with its first failure has no rate to alert on.
    for (protocol, probes) in PROTOCOLS.iter().zip(probes) {
        results(page, protocol, probes);
    }
}

fn durations(page: &mut Exposition, probes: &[ProbeCounters]) {
    page.metric(DURATION, "histogram", "Time that probes took.");
    for (protocol, probes) in PROTOCOLS.iter().zip(probes) {
        let labels = [("protocol", protocol.name)];
        histogram::add(page, DURATION, &labels, &probes.took);
    }
}

fn results(page: &mut Exposition, protocol: &Protocol, probes: &ProbeCounters) {
    for (result, counter) in [("pass", &probes.passed), ("fail", &probes.failed)] {
        let labels = [("protocol", protocol.name), ("result", result)];
        page.sample("hacheck_probes_total", &labels, get(counter));
    }
}
