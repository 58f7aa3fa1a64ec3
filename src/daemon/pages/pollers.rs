//! `/pollers` and `/pollers/health`: what `halist --pollers`, `hadown --wait` and `haroll` learn from the daemon.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{DaemonState, entries};
use crate::daemon::state::Live;
use crate::daemon::this_host::ThisHost;
use crate::http::phrase::reason_phrase;
use crate::http::reply::{self, Reply};
use crate::ledger::{self, PolledChecks, Poller, PollerRecord, PollerRow, PollersPage, SpoolRoot};
use crate::names::sort::sort_by;
use crate::probe::{Asker, Check, Outcome};
use crate::spool::{ALL, EntrySeen, Key};

/// Most checks that are run for one request: more a service hardly has.
const CHECKS_MAX: usize = 64;

/// Most spool entries that are looked at for one request.
const ENTRIES_MAX: usize = 64;

/// Most of an outcome's body that is shown, in bytes.
const SHOWN_MAX: usize = 400;

/// `/pollers[?service=SERVICE]…`: who polls these services or instances; without a service, or for `all`, everyone.
pub(super) fn page(state: &DaemonState, query: Option<&str>) -> Reply {
    let wanted = ServiceFilter::parse(query);
    let live = state.live();
    let now = state.now();
    let copy = PollersCopy::take(state, &wanted, now);
    let page = PollersPage {
        now: now.as_secs_f64(),
        daemon: state.id.clone(),
        spool: spool_root(state),
        agent_weights: live.config.daemon.agent_weights,
        pollers: rows(&copy.records, &wanted, &live),
        forgotten: copy.forgotten,
        forgotten_lately: copy.forgotten_lately,
        // Reads files, so it is asked when the ledger is not locked any more.
        entries: wanted.entries(state),
    };
    reply::json(&page)
}

/// What the page needs of the ledger, copied so that polls do not wait while the page is built.
struct PollersCopy {
    records: Vec<PollerRecord>,
    forgotten: u64,
    forgotten_lately: u64,
}

impl PollersCopy {
    fn take(state: &DaemonState, wanted: &ServiceFilter, now: Duration) -> Self {
        let pollers = &mut state.ledger().pollers;
        // Only pages do it: a poll does not go through all pollers.
        pollers.prune(now);
        Self {
            records: pollers.records(|poller| wanted.may_take(poller)),
            forgotten: pollers.figures(now).forgotten,
            forgotten_lately: pollers.forgotten_lately(now),
        }
    }
}

fn rows(records: &[PollerRecord], wanted: &ServiceFilter, live: &Live) -> Vec<PollerRow> {
    let mut rows = Vec::new();
    for record in records {
        if let Some(names) = wanted.names(record, live.this_host()) {
            rows.push(record.row(names));
        }
    }

    sort_by(&mut rows, |a, b| a.order().cmp(&b.order()));
    rows
}

fn spool_root(state: &DaemonState) -> SpoolRoot {
    let root = state.gate.spool().root();
    let metadata = std::fs::metadata(root).ok();
    SpoolRoot {
        path: root.to_string_lossy().into_owned(),
        id: metadata.map(|m| [m.dev(), m.ino()]),
    }
}

/// `/pollers/health?service=SERVICE…`: each check as the pollers ask it, run now, whatever the spool says. For callers
/// on this host: it is the one way around a downtime.
pub(super) async fn health(state: &Arc<DaemonState>, query: Option<&str>, from: IpAddr) -> Reply {
    if !from.is_loopback() {
        return reply::text(StatusCode::FORBIDDEN, "only for callers on this host");
    }

    let live = state.live();
    let polled = polled(state, &ServiceFilter::parse(query), &live);
    // What steady pollers ask, for an operator of this host.
    let asker = Asker::Established(from);
    let checks = run_all(state, &live, polled.checks, asker).await;
    reply::json(
        &json!({"checks": checks, "spool_only": polled.spool_only, "unknown": polled.unknown}),
    )
}

/// The checks that are polled of what is wanted; what is too many to be run counts as unknown.
fn polled(state: &DaemonState, wanted: &ServiceFilter, live: &Live) -> PolledChecks {
    let mut records = state.ledger().pollers.records(|p| wanted.may_take(p));
    records.retain(|record| wanted.names(record, live.this_host()).is_some());
    let mut polled = ledger::polled_checks(&records, state.now());
    // What is not run is unknown: nobody may take it for passing.
    polled.unknown += polled.checks.len().saturating_sub(CHECKS_MAX);
    polled.checks.truncate(CHECKS_MAX);
    polled
}

/// Runs checks at once; gives the results in their order. One that panics has none.
async fn run_all(
    state: &Arc<DaemonState>,
    live: &Arc<Live>,
    checks: Vec<Check>,
    asker: Asker,
) -> Vec<Value> {
    let mut running = Vec::new();
    // All are begun before any is waited for, so together they take as long as the slowest.
    for check in checks {
        let checked = checked(Arc::clone(state), check, Arc::clone(live), asker);
        running.push(tokio::spawn(checked));
    }

    let mut results = Vec::new();
    for check in running {
        results.extend(check.await);
    }

    results
}

async fn checked(state: Arc<DaemonState>, check: Check, live: Arc<Live>, asker: Asker) -> Value {
    let checker = state.checker.fresh();
    let outcome = checker.outcome(&check, &live.context, asker).await;
    // A refusal is an answer too: it says why the check is not run.
    let outcome = outcome.unwrap_or_else(Arc::new);
    json!({
        "check": in_words(&check),
        "passes": outcome.passes(),
        "code": outcome.status.as_u16(),
        "text": beginning(&outcome),
    })
}

fn in_words(check: &Check) -> String {
    let Check { protocol, target } = check;
    format!(
        "{} {}:{}{}",
        protocol.name, target.host, target.port, target.path
    )
}

/// The beginning of what was found, in one line.
fn beginning(outcome: &Outcome) -> Option<String> {
    let start = &outcome.body[..outcome.body.len().min(SHOWN_MAX)];
    reason_phrase(&String::from_utf8_lossy(start))
}

/// The services and instances that a query names.
struct ServiceFilter(Vec<String>);

impl ServiceFilter {
    fn parse(query: Option<&str>) -> Self {
        Self(super::asked_services(query))
    }

    /// Whether a poller may be meant: names of instances begin with the service's.
    fn may_take(&self, poller: &Poller) -> bool {
        let service = poller.service.as_str();
        self.is_met(|wanted| wanted.split(':').next() == Some(service))
    }

    /// Whether everything is wanted, or a name for which this holds.
    fn is_met(&self, holds: impl Fn(&String) -> bool) -> bool {
        let mut names = self.0.iter();
        self.0.is_empty() || names.any(|name| name == ALL || holds(name))
    }

    /// What is wanted as spool entries. A stranger may ask for many names, and each costs a look at a file.
    fn entries(&self, state: &DaemonState) -> BTreeMap<String, EntrySeen> {
        let keys = self.0.iter().filter_map(|name| Key::parse(name).ok());
        let names = keys.take(ENTRIES_MAX).map(|key| key.file_name());
        names.map(|name| seen(state, name)).collect()
    }

    /// The spool entries that can take a poller's check down, if it polls what is wanted.
    fn names(&self, record: &PollerRecord, this_host: ThisHost<'_>) -> Option<Vec<String>> {
        let names = entries::names(&record.poller, &record.stated, this_host, false);
        let is_wanted = self.is_met(|wanted| names.contains(wanted));
        is_wanted.then_some(names)
    }
}

fn seen(state: &DaemonState, name: String) -> (String, EntrySeen) {
    let seen = state.gate.seen(&name);
    (name, seen)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::ledger::{AskedCheck, Face, Pollers, Stated};
    use crate::net::{Host, LocalAddresses};
    use crate::os::host_names::HostNames;
    use crate::spool::ServiceName;

    #[test]
    fn pollers_are_found_by_service_and_by_each_name_of_an_instance() {
        let mut pollers = Pollers::new(10);
        let place = Some((Host::Address([10, 9, 9, 9].into()), 80));
        let poller = Poller {
            service: ServiceName::parse("web").unwrap(),
            check: AskedCheck::new(Face::Http, Some("tcp"), None, None, place),
            address: [10, 0, 0, 1].into(),
            node: None,
            server: None,
            user_agent: None,
        };
        let stated = Stated {
            host: Some("10.9.9.9".into()),
            ..Stated::default()
        };
        pollers.asked(Duration::ZERO, &Arc::new(poller), &stated, None);
        let own = LocalAddresses::known(&[], None);
        let names = HostNames::of("", "", "");
        let this_host = ThisHost {
            addresses: &own,
            names: &names,
        };
        for (query, found) in [
            (None, true),
            (Some(""), true),
            (Some("service=all"), true),
            (Some("service=web"), true),
            (Some("service=mail&service=web"), true),
            (Some("service=web:10.9.9.9:80"), true),
            (Some("service=web:80"), false),
            (Some("service=web:10.9.9.9:81"), false),
            (Some("service=we"), false),
        ] {
            let wanted = ServiceFilter::parse(query);
            let mut records = pollers.records(|poller| wanted.may_take(poller));
            records.retain(|record| wanted.names(record, this_host).is_some());
            assert_eq!(records.len() == 1, found, "{query:?}");
        }
    }
}
