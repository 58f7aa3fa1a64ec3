//! `/pollers` and `/pollers/health`: what `halist --pollers`, `hadown --wait` and `haroll` learn from the daemon.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{DaemonState, entries};
use crate::daemon::state::Live;
use crate::daemon::this_host::ThisHost;
use crate::http::phrase::reason_phrase;
use crate::http::reply::{self, Reply};
use crate::ledger::{self, Poller, PollerRecord, PollerRow, PollersPage, SpoolRoot};
use crate::probe::{Asker, Check};
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
    let (records, forgotten, forgotten_lately) = {
        let pollers = &mut state.ledger().pollers;
        pollers.prune(now);
        let records = pollers.records(|poller| wanted.may_take(poller));
        let forgotten = pollers.figures(now).forgotten;
        (records, forgotten, pollers.forgotten_lately(now))
    };
    let row = |record: &PollerRecord| Some(record.row(wanted.names(record, live.this_host())?));
    let mut pollers: Vec<PollerRow> = records.iter().filter_map(row).collect();
    pollers.sort_by(|a, b| a.order().cmp(&b.order()));
    let page = PollersPage {
        now: now.as_secs_f64(),
        daemon: state.id.clone(),
        spool: spool_root(state),
        agent_weights: live.config.daemon.agent_weights,
        pollers,
        forgotten,
        forgotten_lately,
        entries: wanted.entries(state),
    };
    reply::json(&page)
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
    let wanted = ServiceFilter::parse(query);
    let live = state.live();
    let mut records = state.ledger().pollers.records(|p| wanted.may_take(p));
    records.retain(|record| wanted.names(record, live.this_host()).is_some());
    let mut polled = ledger::polled_checks(&records, state.now());
    polled.unknown += polled.checks.len().saturating_sub(CHECKS_MAX);
    polled.checks.truncate(CHECKS_MAX);
    // What steady pollers ask, for an operator of this host.
    let asker = Asker::Established(from);
    let run = |check| tokio::spawn(checked(Arc::clone(state), check, Arc::clone(&live), asker));
    let running: Vec<_> = polled.checks.into_iter().map(run).collect();
    let mut checks = Vec::new();
    for check in running {
        checks.extend(check.await);
    }
    reply::json(
        &json!({"checks": checks, "spool_only": polled.spool_only, "unknown": polled.unknown}),
    )
}

async fn checked(state: Arc<DaemonState>, check: Check, live: Arc<Live>, asker: Asker) -> Value {
    let checker = state.checker.fresh();
    let outcome = checker.outcome(&check, &live.context, asker).await;
    let outcome = outcome.unwrap_or_else(Arc::new);
    let Check { protocol, target } = check;
    let start = &outcome.body[..outcome.body.len().min(SHOWN_MAX)];
    json!({
        "check": format!("{} {}:{}{}", protocol.name, target.host, target.port, target.path),
        "passes": outcome.passes(),
        "code": outcome.status.as_u16(),
        "text": reason_phrase(&String::from_utf8_lossy(start)),
    })
}

/// The services and instances that a query names.
struct ServiceFilter(Vec<String>);

impl ServiceFilter {
    fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let services = pairs.filter(|(name, _)| name == "service");
        Self(services.map(|(_, value)| value.into_owned()).collect())
    }

    /// Whether a poller may be meant: names of instances begin with the service's.
    fn may_take(&self, poller: &Poller) -> bool {
        let service = poller.service.as_str();
        let is = |wanted: &String| wanted == ALL || wanted.split(':').next() == Some(service);
        self.0.is_empty() || self.0.iter().any(is)
    }

    /// What is wanted as spool entries. A stranger may ask for many names, and each costs a look at a file.
    fn entries(&self, state: &DaemonState) -> BTreeMap<String, EntrySeen> {
        let keys = self.0.iter().filter_map(|name| Key::parse(name).ok());
        let mut entries = BTreeMap::new();
        for key in keys.take(ENTRIES_MAX) {
            let name = key.file_name();
            let seen = state.gate.seen(&name);
            entries.insert(name, seen);
        }
        entries
    }

    /// The spool entries that can take a poller's check down, if it polls what is wanted.
    fn names(&self, record: &PollerRecord, this_host: ThisHost<'_>) -> Option<Vec<String>> {
        let names = entries::names(&record.poller, &record.stated, this_host, false);
        let is = |wanted: &String| wanted == ALL || names.contains(wanted);
        (self.0.is_empty() || self.0.iter().any(is)).then_some(names)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
