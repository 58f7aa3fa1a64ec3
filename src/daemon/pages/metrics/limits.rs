//! Every limit, with what it has become where the configuration leaves it open.

use super::{DaemonState, Exposition};
use crate::config;
use crate::daemon::room;

pub(super) fn add(page: &mut Exposition, state: &DaemonState) {
    let live = state.live();
    page.metric(
        "hacheck_limit",
        "gauge",
        "The limits in force, in bytes, seconds or pieces.",
    );
    for setting in config::settings() {
        let configured = setting.limit(&live.config);
        #[allow(clippy::cast_precision_loss)] // numbers of connections and probes
        let value = match setting.name {
            "max_connections" => Some(state.connections.max() as f64),
            "max_waiting" => Some(room::waiting(&live.config) as f64),
            "max_clients" => Some(live.context.probes.max() as f64),
            _ => configured,
        };
        if let Some(value) = value {
            page.sample("hacheck_limit", &[("name", setting.name)], value);
        }
    }
}
