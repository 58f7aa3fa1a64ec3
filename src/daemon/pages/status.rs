//! `/status`: the keys of the replaced tools, and what an operator asks at night.

use serde_json::{Map, Value, json};

use super::{DaemonState, SPOOL_TROUBLE};
use crate::group::{EndedAction, GroupState};
use crate::http::reply::{self, Reply};
use crate::os::logging;

/// The page.
pub(super) fn page(state: &DaemonState, _: Option<&str>) -> Reply {
    let live = state.live();
    let counts = state.checker.cache().counts();
    let (entries, bytes) = state.checker.cache().size();
    let known = state.ledger().figures(state.now());
    let gate = &state.gate;
    let seen = state.spool_watch.seen();
    let trouble = gate.trouble_within(SPOOL_TROUBLE);
    reply::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime": state.started.elapsed().as_secs_f64(),
        "outbound_request_queue_size": live.context.probes.waiting(),
        "cache": {
            "expirations": counts.expirations,
            "sets": counts.sets,
            "gets": counts.gets,
            "hits": counts.hits,
            "misses": counts.misses,
        },
        "cache_size": {"entries": entries, "bytes": bytes, "evictions": counts.evictions},
        "spool": {
            "root": gate.spool().root().to_string_lossy(),
            "readable": trouble.is_none(),
            "error": trouble,
            "errors": gate.errors(),
            "downtimes": seen.count(),
            "odd_ends": seen.odd_ends,
        },
        "services": {
            "known": known.services,
            "failing_checks": known.failing_checks,
            "forgotten": known.services_forgotten,
        },
        "groups": groups(state),
        "probes_running": live.context.probes.running(),
        "connections": {
            "open": state.connections.count(),
            "max": state.connections.max(),
            "dropped": state.connections.dropped(),
        },
        "log_lines_dropped": logging::dropped(),
    }))
}

/// The groups of the configuration by name, as far as they were checked.
pub(super) fn groups(state: &DaemonState) -> Map<String, Value> {
    let live = state.live();
    let mut groups = Map::new();
    for name in live.config.groups.keys() {
        let known = state.checker.groups().get(name);
        groups.insert(name.clone(), group(&known));
    }
    groups
}

fn group(known: &GroupState) -> Value {
    let up = known.up.map(|up| if up { "up" } else { "down" });
    json!({
        "state": up,
        "changed": known.changed,
        "checked": known.checked,
        "summary": known.summary,
        "last_action": known.action.as_ref().map(action),
    })
}

fn action(ended: &EndedAction) -> Value {
    json!({
        "command": ended.command,
        "ts": ended.at,
        "end": ended.end,
        "good": ended.good,
    })
}
