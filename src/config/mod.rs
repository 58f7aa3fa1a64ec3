//! The configuration: the settings of all rooms, from one file.
//!
//! Rule: a [`Config`] that exists can be used as it is; whatever could be wrong was reported while parsing. It only puts
//! together what the rooms define: none of them knows it but the daemon and the commands.

use crate::{check, group, http, ledger, probe};

/// The settings of all rooms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// How long results count, and how many are kept.
    pub check: check::CheckSettings,
    /// Probes: deadlines, places, what may be probed, logins.
    pub probe: probe::ProbeSettings,
    /// `groups`: named sets of checks.
    pub groups: group::Groups,
    /// What pollers may use of the listeners.
    pub http: http::HttpSettings,
    /// What is remembered of pollers and services.
    pub ledger: ledger::LedgerSettings,
    /// What only the daemon itself uses.
    pub daemon: DaemonSettings,
    /// The log.
    pub log: LogSettings,
}

mod daemon;
mod load;
mod logging;
mod logins;
mod named_files;
mod relations;
mod settings;
mod show;
#[cfg(test)]
mod tests;

pub use crate::settings::{Fault, Faults, Setting};
pub use daemon::DaemonSettings;
pub(crate) use load::examine;
pub use load::{Examined, Loaded, load, parse, reload};
pub use logging::LogSettings;
pub(crate) use settings::needs_restart;
pub use settings::settings;
pub(crate) use show::effective_of;
pub use show::{effective, reference_markdown};
