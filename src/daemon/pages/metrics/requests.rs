//! Requests: what they were answered, and after how long.

use super::{Exposition, get, histogram};
use crate::daemon::counters::Counters;

const DURATION: &str = "hacheck_request_duration_seconds";

pub(super) fn add(page: &mut Exposition, counters: &Counters) {
    answers(page, counters);
    page.metric(
        DURATION,
        "histogram",
        "Time from a request's head to its answer.",
    );
    histogram::add(page, DURATION, &[], &counters.answered_in);
    checks(page, counters);
    spool_changes(page, counters);
}

fn answers(page: &mut Exposition, counters: &Counters) {
    page.metric(
        "hacheck_requests_total",
        "counter",
        "HTTP requests answered, by class of status.",
    );
    // The first is of no class: see `Counters::answered`.
    for (class, count) in (1..=5).zip(&counters.classes[1..]) {
        let code = format!("{class}xx");
        page.sample("hacheck_requests_total", &[("code", &code)], get(count));
    }
}

fn checks(page: &mut Exposition, counters: &Counters) {
    page.counter(
        "hacheck_checks_down_total",
        "Checks answered from a downtime.",
        get(&counters.down),
    );
    page.counter(
        "hacheck_checks_refused_total",
        "Checks refused before a probe.",
        get(&counters.refused),
    );
}

fn spool_changes(page: &mut Exposition, counters: &Counters) {
    page.counter(
        "hacheck_spool_changes_total",
        "Spool changes by POST.",
        get(&counters.spool_changes),
    );
    page.counter(
        "hacheck_spool_changes_refused_total",
        "Spool changes by POST that were not permitted.",
        get(&counters.spool_changes_refused),
    );
}
