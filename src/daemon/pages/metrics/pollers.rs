//! Who polls, what the balancers see, and what is remembered of it.

use super::Exposition;
use crate::ledger::overview::{CheckRow, PollingRow, ServiceRow};
use crate::ledger::{LedgerFigures, PollerFigures};

pub(super) fn add(page: &mut Exposition, known: &LedgerFigures, services: &[ServiceRow]) {
    let checks: Vec<&CheckRow> = services.iter().flat_map(|s| &s.checks).collect();
    counts(page, known.pollers);
    balancers(page, &checks);
    remembered(page, known);
}

fn balancers(page: &mut Exposition, checks: &[&CheckRow]) {
    add_sessions(page, checks);
    page.gauge(
        "hacheck_pollers_disagreeing",
        "Load balancers that see a check otherwise than most do.",
        checks.iter().map(|check| disagreeing(check)).sum::<usize>(),
    );
    if let Some(last) = last_poll(checks) {
        page.gauge(
            "hacheck_last_poll_timestamp_seconds",
            "When a load balancer polled last.",
            last,
        );
    }
}

fn add_sessions(page: &mut Exposition, checks: &[&CheckRow]) {
    page.metric(
        "hacheck_sessions",
        "gauge",
        "Sessions that balancers have with servers of this host, in rotation and out of it.",
    );
    for (rotation, sessions) in ["in", "out"].iter().zip(sessions(checks)) {
        page.sample("hacheck_sessions", &[("rotation", rotation)], sessions);
    }
}

fn remembered(page: &mut Exposition, known: &LedgerFigures) {
    page.gauge(
        "hacheck_failing_checks",
        "Checks whose last result fails; those that are down by hand are none.",
        known.failing_checks,
    );
    page.gauge("hacheck_services", "Services remembered.", known.services);
    page.counter(
        "hacheck_services_forgotten_total",
        "Services forgotten for want of room.",
        known.services_forgotten,
    );
}

fn counts(page: &mut Exposition, figures: PollerFigures) {
    page.metric(
        "hacheck_pollers",
        "gauge",
        "Load balancers that poll, by their view of the server.",
    );
    let views = ["up", "down", "nolb", "unknown"];
    for (view, count) in views.into_iter().zip(figures.polling) {
        page.sample("hacheck_pollers", &[("view", view)], count);
    }

    page.gauge(
        "hacheck_pollers_silent",
        "Load balancers that stopped polling.",
        figures.silent,
    );
    page.counter(
        "hacheck_pollers_forgotten_total",
        "Pollers forgotten for want of room.",
        figures.forgotten,
    );
}

/// Sessions on servers that get new traffic, and on those that get none.
fn sessions(checks: &[&CheckRow]) -> [u64; 2] {
    let mut sessions = [0, 0];
    for poller in checks.iter().flat_map(|check| polling(check)) {
        // Who does not say how it sees the server may still send it traffic, so it counts as in.
        let place = usize::from(poller.out == Some(true));
        sessions[place] += u64::from(poller.sessions.unwrap_or(0));
    }

    sessions
}

/// Of those that say what they see, the fewer.
fn disagreeing(check: &CheckRow) -> usize {
    // Half and half is as many as it can be; who is right, nobody can tell here.
    let count = |out| polling(check).filter(|p| p.out == Some(out)).count();
    count(true).min(count(false))
}

fn last_poll(checks: &[&CheckRow]) -> Option<f64> {
    let pollers = checks.iter().flat_map(|check| &check.pollers);
    pollers.map(|poller| poller.polled).reduce(f64::max)
}

fn polling(check: &CheckRow) -> impl Iterator<Item = &PollingRow> {
    check.pollers.iter().filter(|poller| poller.polling)
}
