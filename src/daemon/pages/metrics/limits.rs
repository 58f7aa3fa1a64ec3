//! Every limit, with what it has become where the configuration leaves it open.

use super::{DaemonState, Exposition};
use crate::config;
use crate::daemon::room;
use crate::daemon::state::Live;

pub(super) fn add(page: &mut Exposition, state: &DaemonState) {
    page.metric(
        "hacheck_limit",
        "gauge",
        "The limits in force, in bytes, seconds or pieces.",
    );
    let live = state.live();
    for setting in config::settings() {
        let found = found(setting.name, state, &live);
        // A setting that is no number, or is left open, has no limit to show.
        if let Some(limit) = found.or(setting.limit(&live.config)) {
            page.sample("hacheck_limit", &[("name", setting.name)], limit);
        }
    }
}

/// What the daemon made of a limit that depends on the host.
#[allow(clippy::cast_precision_loss)] // numbers of connections and probes
fn found(name: &str, state: &DaemonState, live: &Live) -> Option<f64> {
    let found = match name {
        "max_connections" => state.connections.max(),
        "max_waiting" => room::waiting(&live.config),
        "max_clients" => live.context.probes.max(),
        _ => return None,
    };
    Some(found as f64)
}
