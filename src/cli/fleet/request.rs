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
        match named(option) {
            Some(path) => Self {
                path,
                is_named: true,
            },
            None => Self {
                path: DEFAULT_FILE.into(),
                is_named: false,
            },
        }
    }

    /// Whether this host is in no fleet: nobody named a file, and the usual one certainly is not there.
    pub(crate) fn is_none(&self) -> bool {
        // A file that may be there, but cannot be looked at, is an error of its own when it is read.
        !self.is_named && matches!(self.path.try_exists(), Ok(false))
    }
}

fn named(option: Option<&str>) -> Option<PathBuf> {
    let path = match option {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(std::env::var_os(FILE_VARIABLE)?),
    };

    // An empty name is that of an unset variable in a script.
    let is_empty = path.as_os_str().is_empty();
    (!is_empty).then_some(path)
}

/// The hosts that `--where` and `--hosts` mean: all of them must hold.
pub(crate) fn selector(conditions: &[String], hosts: &[String]) -> Result<Selector, Failure> {
    let mut texts: Vec<&str> = conditions.iter().map(String::as_str).collect();
    let own = host_condition(hosts);
    texts.extend(own.as_deref());
    match Selector::parse_all(texts) {
        Ok(selector) => Ok(selector),
        Err(e) => Err(usage!("--where: {e}")),
    }
}

/// `--hosts a,b` is `--where host=a,b`.
fn host_condition(hosts: &[String]) -> Option<String> {
    if hosts.is_empty() {
        return None;
    }

    // So that one parser and one sentence are there for both.
    let is = Relation::Is.sign();
    let names = hosts.join(",");
    Some(format!("{HOST_TAG}{is}{names}"))
}
