//! Who may connect, and who may say for whom a connection was made.

use std::net::IpAddr;

use super::state::DaemonState;
use crate::net::Network;
use crate::os::logging::Seldom;

/// How often connections of strangers are logged.
static STRANGERS: Seldom = Seldom::new();

impl DaemonState {
    /// Whether an address may ask; that it may not is logged, though not each time.
    pub(super) fn admits(&self, poller: IpAddr) -> bool {
        let live = self.live();
        let admitted = Network::any_contains(&live.config.daemon.allow_from, poller);
        if !admitted {
            log_stranger(poller);
        }

        admitted
    }

    /// Whether connections from an address may tell for whom they were made.
    pub(super) fn takes_proxy_header(&self, peer: IpAddr) -> bool {
        let live = self.live();
        Network::any_contains(&live.config.daemon.proxy_protocol_from, peer)
    }
}

fn log_stranger(address: IpAddr) {
    // Whoever is refused could else fill the log.
    if let Some(times) = STRANGERS.now() {
        log::warn!("dropped a connection of {address}, which is outside allow_from{times}");
    }
}
