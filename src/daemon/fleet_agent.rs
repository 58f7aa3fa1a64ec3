//! The thread of the fleet's agent, and what it asks the daemon.
//!
//! Rule: no poller waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fleet::Fleet;
use super::pages;
use super::state::DaemonState;
use crate::fleet::Report;
use crate::fleet::agent::{Agent, HostView};
use crate::ledger::overview::{DowntimeRow, PollingRow, ServiceRow};
use crate::names::{ALL, Key};
use crate::os::cause::cause_text;

/// Most services that are told.
const SERVICES_MAX: usize = 500;

/// Puts into force what the disk says, and starts the agent's thread.
pub(super) fn start(state: &Arc<DaemonState>) {
    let Some(fleet) = &state.fleet else {
        return;
    };

    let view = Arc::new(DaemonView(Arc::clone(state)));
    let (gate, figures) = (Arc::clone(&fleet.gate), Arc::clone(&fleet.figures));
    let agent = Agent::new(fleet.settings.clone(), gate, view, figures);
    let thread = std::thread::Builder::new().name("fleet".into());
    if let Err(e) = thread.spawn(move || run(agent)) {
        let cause = cause_text(e);
        log::error!("cannot start the thread of the fleet: {cause}; what was ordered is held");
    }
}

fn run(agent: Agent) {
    match super::runtime() {
        Ok(runtime) => runtime.block_on(agent.run()),
        Err(e) => log::error!("fleet: {e}; what was ordered is held"),
    }
}

/// What the agent asks.
struct DaemonView(Arc<DaemonState>);

impl HostView for DaemonView {
    fn address(&self) -> (String, u16) {
        let live = self.0.live();
        let address = live.own.by_own_name().map(|address| address.to_string());
        let fleet = self.0.fleet.as_ref();
        let port = fleet.map_or(0, Fleet::port);
        (address.unwrap_or_default(), port)
    }

    fn services(&self) -> Vec<String> {
        let services = pages::services(&self.0);
        let steady = services.into_iter().filter(ServiceRow::is_steady);
        let mut names: Vec<String> = steady.map(|service| service.name).collect();
        names.sort();
        names.dedup();
        names.truncate(SERVICES_MAX);
        names
    }

    fn downtimes(&self) -> BTreeMap<Key, Report> {
        let mut reports = BTreeMap::new();
        self.0.look_at_spool();
        let seen = self.0.spool_watch.seen();
        // The page of services is costly, and mostly nothing is down.
        if seen.downtimes.is_empty() {
            return reports;
        }

        let services = pages::services(&self.0);
        // This host's own ones stand before those of the fleet.
        for row in &seen.downtimes {
            if let Ok(key) = Key::parse(&row.name) {
                reports.entry(key).or_insert_with(|| report(row, &services));
            }
        }

        reports
    }
}

fn report(row: &DowntimeRow, services: &[ServiceRow]) -> Report {
    let pollers = pollers_of(row, services);
    // Only those that poll still: nobody waits for the others.
    let acted = pollers.iter().filter(|poller| poller.acted == Some(true));
    // No sum where none of them tells its sessions: 0 would mean drained.
    let sessions = pollers.iter().filter_map(|poller| poller.sessions);
    Report {
        since: row.since,
        until: row.until,
        reason: row.reason.clone(),
        by: row.author().unwrap_or_default().to_owned(),
        origin: row.origin.clone().unwrap_or_else(|| "local".to_owned()),
        order: row.order.clone().unwrap_or_default(),
        pollers: pollers.len() as u64,
        acted: acted.count() as u64,
        sessions: sessions.map(u64::from).reduce(|a, b| a + b),
        ..Report::default()
    }
}

/// Who polls something that a downtime takes down.
fn pollers_of<'a>(row: &DowntimeRow, services: &'a [ServiceRow]) -> Vec<&'a PollingRow> {
    let mut pollers = Vec::new();
    for check in services.iter().flat_map(|service| &service.checks) {
        // `all` takes everything down, and is no name of a check.
        if row.name == ALL || check.names.contains(&row.name) {
            pollers.extend(check.pollers.iter().filter(|poller| poller.polling));
        }
    }

    pollers
}
