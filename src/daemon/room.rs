//! How much there is room for: what the settings say or, where they leave it open, what the limit of open files allows.

use std::sync::Arc;

use crate::config::Config;
use crate::group::CheckContext;
use crate::http::memory::MemoryBudget;
use crate::http::tls::{TlsServer, TlsServerError};
use crate::net::LocalAddresses;
use crate::os::file_limit::half_of_files;
use crate::probe::{Capacity, Context, TlsError};

/// Connections of pollers at once: `max_connections`, or what the limit of open files allows.
pub(crate) fn connections(config: &Config) -> usize {
    let most = config.http.max_connections.unwrap_or_else(half_of_files);
    most.max(1)
}

/// Requests that may wait for a probe: `max_waiting`, or half of the connections.
pub(crate) fn waiting(config: &Config) -> usize {
    let most = config.check.max_waiting;
    most.unwrap_or_else(|| connections(config) / 2).max(1)
}

/// Files of MySQL probes besides their connections: each of the 128 that run at once has a runtime of its own, of four.
const MYSQL_FILES: usize = 512;

/// Probes that can run at once, as far as the limit of open files allows.
fn probes(config: &Config) -> usize {
    let most = half_of_files();
    // Never less than half of it, or a small limit would leave nothing to the other protocols.
    if config.probe.mysql_username.is_some() {
        most.saturating_sub(MYSQL_FILES).max(most / 2)
    } else {
        most
    }
}

/// Memory for what is held for others, and for stored results, which have their places in it too.
pub(super) fn memory_limit(config: &Config) -> usize {
    let most = config.http.memory_limit;
    most.saturating_add(config.check.cache_bytes)
}

/// The memory budget of a configuration.
pub(crate) fn memory(config: &Config) -> Arc<MemoryBudget> {
    MemoryBudget::new(memory_limit(config))
}

/// What listeners with TLS need, where a certificate and a key are named.
///
/// # Errors
/// When one of the files cannot be used.
pub(super) fn tls_server(config: &Config) -> Result<Option<Arc<TlsServer>>, TlsServerError> {
    let Some(files) = config.daemon.tls_files() else {
        return Ok(None);
    };

    let server = TlsServer::load(&files, config.http.http2)?;
    Ok(Some(Arc::new(server)))
}

/// What checks need under a configuration.
///
/// # Errors
/// When the certificates that it names cannot be read.
pub(crate) fn check_context(
    config: &Config,
    local: Arc<LocalAddresses>,
    memory: Arc<MemoryBudget>,
) -> Result<CheckContext, TlsError> {
    let room = Capacity {
        probes: probes(config),
        waiting: waiting(config),
        memory,
    };

    Ok(CheckContext {
        probes: Context::new(config.probe.clone(), room, local)?,
        groups: config.groups.clone(),
    })
}
