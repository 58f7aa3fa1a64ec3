//! The settings that only the daemon itself uses: who may connect, who may change the spool from afar, where it listens.

use std::path::PathBuf;
use std::time::Duration;

use crate::net::Network;
use crate::os::sys::FileLimit;
use crate::settings::Reader;

/// The settings that only the daemon itself uses.
#[derive(Debug, Clone, PartialEq)]
pub struct DaemonSettings {
    /// `allow_from`: the networks that pollers may connect from.
    pub allow_from: Vec<Network>,
    /// `allow_remote_spool_changes`: whether `POST /spool/…` works.
    pub allow_remote_spool_changes: bool,
    /// `remote_spool_from`: the networks that `POST /spool/…` may come from.
    pub remote_spool_from: Vec<Network>,
    /// `remote_spool_tokens`: files with the bearer tokens for `POST /spool/…`; with none it needs no token.
    pub remote_spool_tokens: Vec<PathBuf>,
    /// `max_request_body`: most bytes of a form.
    pub max_request_body: usize,
    /// `listen_unix`: the unix socket to listen on, besides the ports.
    pub listen_unix: Option<PathBuf>,
    /// `listen_unix_mode`: the permissions of that socket.
    pub listen_unix_mode: u32,
    /// `agent_ports`: ports on which HAProxy's agent-check is answered.
    pub agent_ports: Vec<u16>,
    /// `agent_weights`: agents are told weights too, so that `hadown --drain` works; hacheck then owns the weight.
    pub agent_weights: bool,
    /// `envoy_immediate_fail`: down answers tell Envoy to act at once, without its unhealthy threshold.
    pub envoy_immediate_fail: bool,
    /// `shutdown_timeout`: how long running requests may take to end after SIGTERM.
    pub shutdown_timeout: Duration,
    /// `rlimit_nofile`: the soft limit of open files.
    pub rlimit_nofile: Option<FileLimit>,
}

impl Default for DaemonSettings {
    fn default() -> Self {
        Self {
            allow_from: Network::any(),
            allow_remote_spool_changes: false,
            remote_spool_from: Network::any(),
            remote_spool_tokens: Vec::new(),
            max_request_body: 2 << 20,
            listen_unix: None,
            listen_unix_mode: 0o660,
            agent_ports: Vec::new(),
            agent_weights: false,
            envoy_immediate_fail: false,
            shutdown_timeout: Duration::from_secs(1),
            rlimit_nofile: None,
        }
    }
}

/// `max` or a number of files. Below 64 the daemon could not serve at all; the kernel ends at 2^31.
pub fn read_file_limit(reader: &Reader<'_>) -> Option<FileLimit> {
    const MOST: u64 = 1 << 31;
    if reader.word().as_deref() == Some("max") {
        return Some(FileLimit::Max);
    }
    reader
        .whole_or(64, MOST, " or 'max'")
        .map(FileLimit::Number)
}
