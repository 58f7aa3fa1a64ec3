//! `/status`: the keys of the replaced tools, and what an operator asks at night.

use serde_json::{Map, Value, json};

use super::{DaemonState, SPOOL_TROUBLE};
use crate::check::cache::CacheCounts;
use crate::daemon::fleet::Fleet;
use crate::group::{EndedAction, GroupState};
use crate::http::reply::{self, Reply};
use crate::os::logging;

pub(super) fn page(state: &DaemonState, _: Option<&str>) -> Reply {
    let probes = &state.live().context.probes;
    let counts = state.checker.cache().counts();
    let mut page = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime": state.started.elapsed().as_secs_f64(),
        "outbound_request_queue_size": probes.waiting(),
        "cache": cache(counts),
        "cache_size": cache_size(state, counts),
        "spool": spool(state),
        "services": services(state),
        "groups": groups(state),
        "probes_running": probes.running(),
        "connections": connections(state),
        "log_lines_dropped": logging::dropped(),
    });
    if let Some(fleet) = &state.fleet {
        page["fleet"] = self::fleet(fleet);
    }

    reply::json(&page)
}

/// This host in its fleet.
fn fleet(fleet: &Fleet) -> Value {
    let figures = fleet.figures.now();
    json!({
        "name": fleet.settings.fleet,
        "host": fleet.settings.host_name(),
        "connected": figures.connected,
        "last_sync": figures.last_sync,
        "orders_held": figures.held,
        "orders_waived": figures.waived,
        "orders_missing": figures.missing,
        "problems": figures.problems,
    })
}

/// The keys of the replaced tools, and no others.
fn cache(counts: CacheCounts) -> Value {
    json!({
        "expirations": counts.expirations,
        "sets": counts.sets,
        "gets": counts.gets,
        "hits": counts.hits,
        "misses": counts.misses,
    })
}

fn cache_size(state: &DaemonState, counts: CacheCounts) -> Value {
    let (entries, bytes) = state.checker.cache().size();
    json!({"entries": entries, "bytes": bytes, "evictions": counts.evictions})
}

fn spool(state: &DaemonState) -> Value {
    let gate = &state.gate;
    let seen = state.spool_watch.seen();
    // The gate's own word: a check may have met trouble since the folder was looked at.
    let trouble = gate.trouble_within(SPOOL_TROUBLE);
    json!({
        "root": gate.spool().root().to_string_lossy(),
        "readable": trouble.is_none(),
        "error": trouble,
        "errors": gate.errors(),
        "downtimes": seen.count(),
        "odd_ends": seen.odd_ends,
    })
}

fn services(state: &DaemonState) -> Value {
    // One lock for all figures, so that they fit each other.
    let known = state.ledger().figures(state.now());
    json!({
        "known": known.services,
        "failing_checks": known.failing_checks,
        "forgotten": known.services_forgotten,
    })
}

fn connections(state: &DaemonState) -> Value {
    let connections = &state.connections;
    json!({
        "open": connections.count(),
        "max": connections.max(),
        "dropped": connections.dropped(),
    })
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
