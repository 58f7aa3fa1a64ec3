//! What a command of the fleet is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::failure::{Failure, usage};
use crate::cli::output::entries::OutputFormat;
use crate::cli::wait::acted::Goal;
use crate::fleet::settings::DEFAULT_FILE;
use crate::fleet::{HOST_TAG, Relation, Selector};
use crate::names::Key;
use crate::spool::Mark;

/// Names the file of the fleet, where no option does.
const FILE_VARIABLE: &str = "HACHECK_FLEET_FILE";

/// A command line with `--fleet` that makes sense.
#[derive(Debug)]
pub(crate) struct FleetRequest {
    pub(crate) file: FleetFile,
    /// Which hosts are meant.
    pub(crate) selector: Selector,
    pub(crate) keys: Vec<Key>,
    pub(crate) reason: Option<String>,
    /// When a new downtime ends, in seconds of unix time.
    pub(crate) expiration: Option<f64>,
    pub(crate) mark: Option<Mark>,
    pub(crate) if_up: bool,
    pub(crate) force: bool,
    /// What to wait for besides the hosts.
    pub(crate) wait: Option<Goal>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) format: OutputFormat,
}

/// The file of the fleet, and whether somebody named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FleetFile {
    pub(crate) path: PathBuf,
    pub(crate) is_named: bool,
}

impl FleetFile {
    /// The one that the option names, else the environment, else the usual one.
    pub(crate) fn of(option: Option<&str>) -> Self {
        let named = match option {
            Some(path) => Some(PathBuf::from(path)),
            None => std::env::var_os(FILE_VARIABLE).map(PathBuf::from),
        };
        let named = named.filter(|path| !path.as_os_str().is_empty());
        Self {
            is_named: named.is_some(),
            path: named.unwrap_or_else(|| DEFAULT_FILE.into()),
        }
    }

    /// Whether this host is in no fleet: nobody named a file, and the usual one certainly is not there.
    pub(crate) fn is_none(&self) -> bool {
        !self.is_named && matches!(self.path.try_exists(), Ok(false))
    }
}

/// The hosts that `--where` and `--hosts` mean: all of them must hold.
pub(crate) fn selector(conditions: &[String], hosts: &[String]) -> Result<Selector, Failure> {
    let mut texts = conditions.to_vec();
    if !hosts.is_empty() {
        let is = Relation::Is.sign();
        texts.push(format!("{HOST_TAG}{is}{}", hosts.join(",")));
    }
    let selector = Selector::parse_all(texts.iter().map(String::as_str));
    selector.map_err(|e| usage!("--where: {e}"))
}
