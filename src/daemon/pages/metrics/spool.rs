//! The spool, and the downtimes that stand in it.

use super::{DaemonState, Exposition, SPOOL_TROUBLE};
use crate::daemon::spool_watch::SpoolSeen;
use crate::ledger::overview::DowntimeRow;
use crate::names::ALL;

/// Most downtimes that are told one by one; `hacheck_downtimes` counts all.
const DOWNTIMES_MAX: usize = 1000;

pub(super) fn add(page: &mut Exposition, state: &DaemonState) {
    let gate = &state.gate;
    let readable = gate.trouble_within(SPOOL_TROUBLE).is_none();
    page.gauge(
        "hacheck_spool_readable",
        "0 while the spool cannot be read and states are held.",
        u8::from(readable),
    );
    page.counter(
        "hacheck_spool_errors_total",
        "Reads of the spool that failed.",
        gate.errors(),
    );
    downtimes(page, &state.spool_watch.seen());
}

fn downtimes(page: &mut Exposition, seen: &SpoolSeen) {
    count(page, seen);
    // Each is a series of its own, and whoever may write to the spool makes up their names.
    let told = &seen.downtimes[..seen.downtimes.len().min(DOWNTIMES_MAX)];
    created(page, told);
    expires(page, told);
}

fn count(page: &mut Exposition, seen: &SpoolSeen) {
    // Unknown is no number: 0 would say that nothing is down.
    if let Some(downtimes) = seen.count() {
        page.gauge(
            "hacheck_downtimes",
            "Downtimes in force in the spool.",
            downtimes,
        );
    }

    let is_down = seen.downtimes.iter().any(|row| row.name == ALL);
    page.gauge(
        "hacheck_host_down",
        "1 while the whole host is down (hadown all).",
        u8::from(is_down),
    );
}

fn created(page: &mut Exposition, downtimes: &[DowntimeRow]) {
    let metric = "hacheck_downtime_created_timestamp_seconds";
    page.metric(metric, "gauge", "When a downtime began.");
    times(page, metric, downtimes, |row| row.since);
}

fn expires(page: &mut Exposition, downtimes: &[DowntimeRow]) {
    let metric = "hacheck_downtime_expires_timestamp_seconds";
    let help = "When a downtime ends by itself, if it does.";
    page.metric(metric, "gauge", help);
    times(page, metric, downtimes, |row| row.until);
}

fn times(
    page: &mut Exposition,
    metric: &str,
    downtimes: &[DowntimeRow],
    time: fn(&DowntimeRow) -> Option<f64>,
) {
    for row in downtimes {
        if let Some(time) = time(row) {
            page.sample(metric, &[("name", &row.name)], time);
        }
    }
}
