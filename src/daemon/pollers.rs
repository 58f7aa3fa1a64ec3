//! `/pollers` and `/pollers/health`: what `halist --pollers`, `hadown --wait` and `haroll` learn from the daemon.

use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::entries;
use super::state::State;
use super::target::Own;
use crate::check::Lookup;
use crate::group::CheckContext;
use crate::http::phrase::reason_phrase;
use crate::http::reply::{self, Reply};
use crate::ledger::{self, Ask, Entry, Page, Root, Row, Who};
use crate::spool::ALL;

/// Most checks that are run for one request: more a service hardly has.
const CHECKS_MAX: usize = 64;

/// `/pollers[?service=SERVICE]…`: who polls these services or instances; without a service, or for `all`, everyone.
pub fn page(state: &State, query: Option<&str>) -> Reply {
    let wanted = Wanted::parse(query);
    let now = state.now();
    let (entries, forgotten) = {
        let ledger = &mut state.memory().ledger;
        ledger.prune(now);
        (
            ledger.entries(|who| wanted.may_take(who)),
            ledger.figures(now).forgotten,
        )
    };
    let row = |entry: &Entry| Some(entry.row(wanted.names(entry, &*state.own)?));
    let mut pollers: Vec<Row> = entries.iter().filter_map(row).collect();
    pollers.sort_by(|a, b| a.order().cmp(&b.order()));
    let root = state.checker.gate().spool().root();
    let id = std::fs::metadata(root).ok().map(|m| [m.dev(), m.ino()]);
    let page = Page {
        now: now.as_secs_f64(),
        daemon: state.id.clone(),
        spool: Root {
            path: root.to_string_lossy().into_owned(),
            id,
        },
        agent_weights: state.live().config.daemon.agent_weights,
        pollers,
        forgotten,
    };
    // Texts and numbers always fit into JSON.
    reply::json(&serde_json::to_value(page).unwrap_or_default())
}

/// `/pollers/health?service=SERVICE…`: each check as the pollers ask it, run now, whatever the spool says. For callers
/// on this host: it is the one way around a downtime.
pub async fn health(state: &Arc<State>, query: Option<&str>, from: IpAddr) -> Reply {
    if !from.is_loopback() {
        return reply::text(StatusCode::FORBIDDEN, "only for callers on this host");
    }
    let wanted = Wanted::parse(query);
    let entries = state.memory().ledger.entries(|who| wanted.may_take(who));
    let mut asks = ledger::asks(
        entries
            .iter()
            .filter(|e| wanted.names(e, &*state.own).is_some()),
        state.now(),
    );
    asks.unknown += asks.checks.len().saturating_sub(CHECKS_MAX);
    asks.checks.truncate(CHECKS_MAX);
    let live = state.live();
    let running: Vec<_> = asks
        .checks
        .into_iter()
        .map(|ask| {
            let (state, live) = (Arc::clone(state), Arc::clone(&live));
            tokio::spawn(async move { checked(&state, &ask, &live.context).await })
        })
        .collect();
    let mut checks = Vec::new();
    for check in running {
        checks.extend(check.await);
    }
    reply::json(&json!({"checks": checks, "spool_only": asks.spool_only, "unknown": asks.unknown}))
}

async fn checked(state: &State, ask: &Ask, context: &Arc<CheckContext>) -> Value {
    let target = &ask.target;
    let outcome = match Lookup::new(ask.protocol, Arc::clone(target), &context.probes.settings) {
        Ok(lookup) => state.checker.probe(&lookup, true, context).await,
        Err(refused) => Arc::new(refused),
    };
    let start = &outcome.body[..outcome.body.len().min(400)];
    json!({
        "check": format!("{} {}:{}{}", ask.protocol.name, target.host, target.port, target.path),
        "passes": outcome.passes(),
        "code": outcome.status.as_u16(),
        "text": reason_phrase(&String::from_utf8_lossy(start)),
    })
}

/// The services and instances that a query names.
struct Wanted(Vec<String>);

impl Wanted {
    fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(
            pairs
                .filter(|(name, _)| name == "service")
                .map(|(_, value)| value.into_owned())
                .collect(),
        )
    }

    /// Whether a poller may be meant: names of instances begin with the service's.
    fn may_take(&self, who: &Who) -> bool {
        let is = |wanted: &String| {
            wanted == ALL || wanted.split(':').next() == Some(who.service.as_str())
        };
        self.0.is_empty() || self.0.iter().any(is)
    }

    /// The spool entries that can take a poller's check down, if it polls what is wanted.
    fn names(&self, entry: &Entry, own: &dyn Own) -> Option<Vec<String>> {
        let names = entries::names(
            &entry.who.service,
            entry.who.check.place.as_ref(),
            entry.typed.as_deref(),
            own,
        );
        let is = |wanted: &String| wanted == ALL || names.contains(wanted);
        (self.0.is_empty() || self.0.iter().any(is)).then_some(names)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hashed::Hashed;
    use crate::ledger::{Asked, Instance, Ledger, Poll, Stated};
    use crate::net::Host;
    use crate::os::sys::LocalAddresses;
    use crate::spool::ServiceName;

    #[test]
    fn pollers_are_found_by_service_and_by_each_name_of_an_instance() {
        let mut ledger = Ledger::new(10);
        let place = Some((Host::Address([10, 9, 9, 9].into()), 80));
        let who = Hashed::new(Who {
            service: Hashed::new(ServiceName::parse("web").unwrap()),
            check: Hashed::new(Instance::new("", "tcp", None, place)),
            address: [10, 0, 0, 1].into(),
            node: None,
            server: None,
        });
        let poll = Poll {
            stated: &Stated::default(),
            typed: Some("10.9.9.9"),
            asked: Asked::Spool,
        };
        ledger.polled(Duration::ZERO, &who, poll);
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
            let wanted = Wanted::parse(query);
            let entries = ledger.entries(|who| wanted.may_take(who));
            let taken = entries
                .iter()
                .filter(|e| wanted.names(e, &LocalAddresses::default()).is_some())
                .count();
            assert_eq!(taken == 1, found, "{query:?}");
        }
    }
}
