//! How much there is room for, where the configuration leaves it open: what the limit of open files allows.

use crate::config::Config;
use crate::os::sys::file_limit;

/// File descriptors that connections and probes leave to sockets, spool and log.
const FILE_RESERVE: u64 = 64;

/// Half of the files are for connections, and half for the probes beside them.
fn share_of_files() -> usize {
    let files = file_limit();
    let reserve = FILE_RESERVE.min(files / 2);
    usize::try_from((files - reserve) / 2)
        .unwrap_or(usize::MAX)
        .max(4)
}

/// Connections of pollers at once: `max_connections`, or what the limit of open files allows.
#[must_use]
pub fn connections(config: &Config) -> usize {
    config.max_connections.unwrap_or_else(share_of_files).max(1)
}

/// Requests that may wait for a probe: `max_waiting`, or half of the connections.
#[must_use]
pub fn waiting(config: &Config) -> usize {
    config
        .max_waiting
        .unwrap_or_else(|| connections(config) / 2)
        .max(1)
}

/// Probes at once: `max_clients`, as far as the limit of open files allows.
#[must_use]
pub fn probes(config: &Config) -> usize {
    config.max_clients.min(share_of_files())
}
