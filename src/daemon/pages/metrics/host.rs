//! The state of each service that is polled steadily, and how often states changed.
//!
//! Rule: whoever may poll can make up a service. So only those get a label that are polled again and again, those that
//! were polled most first, and no more of them than `metrics_services`.

use super::Exposition;
use crate::config::Config;
use crate::ledger::history::EventKind;
use crate::ledger::overview::{Rotation, ServiceRow};
use crate::names::sort::{sort_by, sort_by_key};

const STATE: &str = "hacheck_service_state";
const CHANGES: &str = "hacheck_state_changes_total";

pub(super) fn add(
    page: &mut Exposition,
    config: &Config,
    services: &[ServiceRow],
    changes: &[(EventKind, u64)],
) {
    page.metric(
        STATE,
        "gauge",
        "1 for the state that a service is in, as /overview has it (metrics_services).",
    );
    for service in steadiest(services, config.daemon.metrics_services) {
        states(page, service);
    }

    page.metric(
        CHANGES,
        "counter",
        "Changes on this host, by kind, as /overview lists them.",
    );
    for (kind, count) in changes {
        page.sample(CHANGES, &[("kind", kind.word())], count);
    }
}

/// A sample for each state: 1 for the one that a service is in.
fn states(page: &mut Exposition, service: &ServiceRow) {
    for state in Rotation::WORST_FIRST {
        let labels = [("service", service.name.as_str()), ("state", state.word())];
        page.sample(STATE, &labels, u8::from(state == service.state));
    }
}

/// The services that are polled steadily, by name.
fn steadiest(services: &[ServiceRow], most: usize) -> Vec<&ServiceRow> {
    let steady = services.iter().filter(|service| service.is_steady());
    let mut steady: Vec<&ServiceRow> = steady.collect();
    sort_by_key(&mut steady, |service| std::cmp::Reverse(service.polls()));
    steady.truncate(most);
    // By name again, so that two scrapes have the same order.
    sort_by(&mut steady, |a, b| a.name.cmp(&b.name));
    steady
}
