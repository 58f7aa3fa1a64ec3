//! The daemon.

use std::net::IpAddr;
use std::path::PathBuf;

/// How the daemon is started: the command line, parsed.
#[derive(Debug, Clone)]
pub struct Options {
    /// The YAML file, if any.
    pub config_file: Option<PathBuf>,
    /// The ports to listen on.
    pub ports: Vec<u16>,
    /// The address to listen on.
    pub bind_address: IpAddr,
    /// Threads that serve requests; they share cache and counts.
    pub threads: usize,
    /// The spool folder.
    pub spool_root: PathBuf,
    /// Log each request.
    pub verbose: bool,
}

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// A sentence that says why it cannot start.
pub fn run(options: Options) -> Result<(), String> {
    let _ = options;
    Ok(())
}
