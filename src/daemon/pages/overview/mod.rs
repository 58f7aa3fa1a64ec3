//! `/overview`: the state of this host, for its page, `hacheck top` and the fleet; `/downtimes`.
//!
//! Rule: what a stranger may make up is bounded: services, checks of a service, pollers of a check. Those that somebody
//! polls steadily come first, and among them the worst.

mod rows;

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use self::rows::RowMaker;
use super::DaemonState;
use crate::daemon::spool_watch::SpoolSeen;
use crate::group::{CheckSummary, GroupState};
use crate::http::reply::{self, Reply};
use crate::ledger::overview::{
    BalancerRow, ConnectionsRow, DowntimeRow, FORM, GroupCheckRow, GroupRow, Overview, Rotation,
    ServiceRow, SpoolRow, Summary,
};
use crate::ledger::{HostEvent, Moment, PollerRecord};
use crate::names::ALL;
use crate::names::sort::{sort_by, sort_by_key};

/// Most services.
const SERVICES_MAX: usize = 200;

/// Most balancers in the list of all.
const BALANCERS_MAX: usize = 100;

/// `/overview[?service=SERVICE]…`.
pub(super) fn page(state: &DaemonState, query: Option<&str>) -> Reply {
    reply::json_page(&overview(state, query), &state.memory)
}

/// `/downtimes`: all that are in force.
pub(super) fn downtimes(state: &DaemonState, _: Option<&str>) -> Reply {
    let seen = state.spool_watch.seen();
    reply::json(&serde_json::json!({"downtimes": seen.downtimes}))
}

/// The state of this host.
pub(super) fn overview(state: &DaemonState, query: Option<&str>) -> Overview {
    let wanted = super::asked_services(query);
    let live = state.live();
    let seen = state.spool_watch.seen();
    let now = state.moment(Instant::now());
    let copy = HostCopy::take(state, &wanted, now);
    let rows = RowMaker {
        now,
        live: &live,
        downtimes: &seen.downtimes,
    };

    let mut services = rows.services(&copy.records);
    // Before `unasked`, whose rows nobody polls.
    let balancers = balancers(&services);
    services.extend(unasked(&seen.downtimes, &services, &wanted));
    sort_by(&mut services, |a, b| order(a).cmp(&order(b)));
    // Before any are left out: those count too.
    let verdict = Summary::of(&services, is_host_down(&seen));
    let left_out = limit(&mut services);
    Overview {
        page: FORM,
        now: now.unix,
        host: live.host.short.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        daemon: state.id.clone(),
        started: state.started_unix,
        verdict,
        spool: spool(state, &seen),
        downtimes: seen.downtimes.clone(),
        services,
        balancers,
        groups: groups(state),
        changes: copy.changes,
        connections: connections(state),
        pollers_forgotten: copy.forgotten,
        left_out,
    }
}

/// What the page needs of the ledger, copied so that polls do not wait while the page is built.
struct HostCopy {
    records: Vec<PollerRecord>,
    changes: Vec<HostEvent>,
    forgotten: u64,
}

impl HostCopy {
    fn take(state: &DaemonState, wanted: &[String], now: Moment) -> Self {
        // One lock for all three, so that they tell of the same moment.
        let ledger = &mut *state.ledger();
        let pollers = &mut ledger.pollers;
        pollers.prune(now.since_start);
        Self {
            records: pollers.records(|poller| is_wanted(wanted, poller.service.as_str())),
            changes: ledger.events.told(),
            forgotten: pollers.figures(now.since_start).forgotten,
        }
    }
}

fn is_host_down(seen: &SpoolSeen) -> bool {
    seen.downtimes.iter().any(|row| row.name == ALL)
}

/// The services that pollers ask for, in no order; what polls from outside `pollers_from` has no say.
pub(in crate::daemon) fn services(state: &DaemonState) -> Vec<ServiceRow> {
    let mut records = state.ledger().pollers.records(|_| true);
    records.retain(|record| !record.stated.outside);
    let rows = RowMaker {
        now: state.moment(Instant::now()),
        live: &state.live(),
        downtimes: &state.spool_watch.seen().downtimes,
    };
    rows.services(&records)
}

fn is_wanted(wanted: &[String], service: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|name| name == service)
}

/// Downtimes that no check is taken down by: `hadown wbe`.
fn unasked(
    downtimes: &[DowntimeRow],
    services: &[ServiceRow],
    wanted: &[String],
) -> Vec<ServiceRow> {
    let asked = asked_names(services);
    let mut unasked = Vec::new();
    for row in downtimes {
        // `all` takes down whatever is asked for, and has its place above all services.
        let is_meant = row.name != ALL && is_wanted(wanted, &row.service);
        if is_meant && !asked.contains(&row.name) {
            unasked.push(silent(row));
        }
    }

    unasked
}

/// The spool entries that take some check down.
fn asked_names(services: &[ServiceRow]) -> HashSet<&String> {
    let checks = services.iter().flat_map(|service| &service.checks);
    checks.flat_map(|check| &check.names).collect()
}

fn silent(row: &DowntimeRow) -> ServiceRow {
    ServiceRow {
        name: row.name.clone(),
        state: Rotation::Silent,
        checks: Vec::new(),
    }
}

fn order(service: &ServiceRow) -> (Rotation, &str) {
    (service.state, &service.name)
}

/// Leaves out services when there are too many: those first that nobody polls steadily, then those that are well. Gives
/// how many.
fn limit(services: &mut Vec<ServiceRow>) -> usize {
    let left_out = services.len().saturating_sub(SERVICES_MAX);
    if left_out > 0 {
        // A stable sort: among those that are polled steadily the worst stay in front.
        sort_by_key(services, |service| !service.is_steady());
        services.truncate(SERVICES_MAX);
        sort_by(services, |a, b| order(a).cmp(&order(b)));
    }

    left_out
}

/// Who polls, whatever they ask for: those that still do first.
fn balancers(services: &[ServiceRow]) -> Vec<BalancerRow> {
    let mut rows: Vec<BalancerRow> = by_name(services).into_values().collect();
    sort_by_key(&mut rows, |row| !row.polling);
    rows.truncate(BALANCERS_MAX);
    rows
}

fn by_name(services: &[ServiceRow]) -> BTreeMap<String, BalancerRow> {
    let mut known: BTreeMap<String, BalancerRow> = BTreeMap::new();
    for poller in services.iter().flat_map(ServiceRow::pollers) {
        let name = poller.name();
        let row = known.entry(name.clone());
        row.or_insert_with(|| BalancerRow::new(name)).add(poller);
    }

    known
}

fn spool(state: &DaemonState, seen: &SpoolSeen) -> SpoolRow {
    let trouble = seen.trouble.as_ref();
    SpoolRow {
        root: state.gate.spool().root().to_string_lossy().into_owned(),
        readable: trouble.is_none(),
        error: trouble.map(|trouble| trouble.text.clone()),
        since: trouble.map(|trouble| trouble.since),
    }
}

fn groups(state: &DaemonState) -> BTreeMap<String, GroupRow> {
    let live = state.live();
    let names = live.config.groups.keys();
    names
        .map(|name| (name.clone(), group(state, name)))
        .collect()
}

fn group(state: &DaemonState, name: &str) -> GroupRow {
    group_row(state.checker.groups().get(name))
}

fn group_row(known: GroupState) -> GroupRow {
    let state = known.up.map(|up| if up { "up" } else { "down" });
    GroupRow {
        state: state.map(str::to_owned),
        changed: known.changed,
        checked: known.checked,
        summary: known.checked.map(|_| known.summary),
        checks: known.checks.into_iter().map(group_check).collect(),
    }
}

fn group_check(check: CheckSummary) -> GroupCheckRow {
    GroupCheckRow {
        text: check.text,
        passes: check.passes,
        said: check.said,
        took: check.took.as_secs_f64(),
    }
}

fn connections(state: &DaemonState) -> ConnectionsRow {
    ConnectionsRow {
        open: state.connections.count(),
        max: state.connections.max(),
        dropped: state.connections.dropped(),
    }
}
