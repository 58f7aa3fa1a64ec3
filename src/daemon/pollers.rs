//! `/pollers` and `/pollers/health`: what `halist --pollers`, `hadown --wait` and `haroll` learn from the daemon.

use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::state::State;
use crate::check::Lookup;
use crate::http::reply::{self, Reply};
use crate::ledger::{Ask, Page, Root};
use crate::spool::{ALL, phrase};

/// Most checks that are run for one request: more a service hardly has.
const CHECKS_MAX: usize = 64;

/// `/pollers[?service=SERVICE]…`: who polls these services or instances; without a service, or for `all`, everyone.
pub fn page(state: &State, query: Option<&str>) -> Reply {
    let wanted = Wanted::parse(query);
    let now = state.now();
    let (pollers, forgotten) = {
        let mut ledger = state.ledger();
        ledger.prune(now);
        (ledger.rows(|service, names| wanted.takes(service, names)), ledger.figures(now).forgotten)
    };
    let root = state.checker.gate().spool().root();
    let id = std::fs::metadata(root).ok().map(|m| [m.dev(), m.ino()]);
    let page = Page {
        now: now.as_secs_f64(),
        daemon: state.id.clone(),
        spool: Root { path: root.to_string_lossy().into_owned(), id },
        agent_weights: state.live().config.agent_weights,
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
    let mut asks = state.ledger().asks(state.now(), |service, names| wanted.takes(service, names));
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

async fn checked(state: &State, ask: &Ask, context: &Arc<crate::probe::Context>) -> Value {
    let target = &ask.target;
    let outcome = match Lookup::new(ask.protocol, Arc::clone(target), &context.config) {
        Ok(lookup) => state.checker.probe(&lookup, true, context, Instant::now()).wait().await,
        Err(refused) => Arc::new(refused),
    };
    let start = &outcome.body[..outcome.body.len().min(400)];
    json!({
        "check": format!("{} {}:{}{}", ask.protocol.name, target.host, target.port, target.path),
        "passes": outcome.passes(),
        "code": outcome.status.as_u16(),
        "text": phrase(&String::from_utf8_lossy(start)),
    })
}

/// The services and instances that a query names.
struct Wanted(Vec<String>);

impl Wanted {
    fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.filter(|(name, _)| name == "service").map(|(_, value)| value.into_owned()).collect())
    }

    fn takes(&self, service: &str, names: &[Box<str>]) -> bool {
        let named = |wanted: &String| wanted == ALL || wanted == service || names.iter().any(|n| **n == **wanted);
        self.0.is_empty() || self.0.iter().any(named)
    }
}
