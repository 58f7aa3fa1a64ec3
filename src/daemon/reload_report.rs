//! What came of reloads, in a file of the service manager's `RuntimeDirectory=`: SIGHUP itself tells nobody. `hacheck
//! reload` reads it.
//!
//! Rule: the number of a reload grows when it begins, so whoever reads before and after a signal knows whose end it sees.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::reload::Reloaded;
use crate::os::cause::cause_text;

/// The file's name.
const NAME: &str = "reload.json";

/// The folder, unless the service manager names another.
const FOLDER: &str = "/run/hacheck";

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReloadReport {
    /// The daemon.
    pub(crate) pid: u32,
    /// How many reloads have begun.
    pub(crate) begun: u64,
    /// How many have ended.
    pub(crate) ended: u64,
    /// The last one put a new configuration in force.
    pub(crate) is_new: bool,
    /// What is not as the file wants it.
    pub(crate) faults: Vec<String>,
    /// What the operator may not expect.
    pub(crate) notes: Vec<String>,
}

impl ReloadReport {
    /// Where it is.
    pub(crate) fn path() -> PathBuf {
        folder().unwrap_or_else(|| FOLDER.into()).join(NAME)
    }

    /// The report of a daemon, where it has written one.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        let text = fs::read(Self::path()).ok()?;
        let report: Self = serde_json::from_slice(&text).ok()?;
        // Another daemon may have left it.
        (report.pid == pid).then_some(report)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.begun > self.ended
    }
}

/// The first folder of `RUNTIME_DIRECTORY` (systemd.exec(5)).
fn folder() -> Option<PathBuf> {
    let folders = std::env::var_os("RUNTIME_DIRECTORY")?;
    let first = std::env::split_paths(&folders).next()?;
    first.is_absolute().then_some(first)
}

/// The daemon's side: the file, where a service manager gave a folder for it.
pub(super) struct ReportFile {
    path: Option<PathBuf>,
    report: ReloadReport,
}

impl ReportFile {
    pub(super) fn open() -> Self {
        let file = Self {
            path: folder().map(|folder| folder.join(NAME)),
            report: ReloadReport {
                pid: std::process::id(),
                ..ReloadReport::default()
            },
        };

        file.write();
        file
    }

    pub(super) fn begins(&mut self) {
        self.report.begun += 1;
        self.write();
    }

    pub(super) fn ends(&mut self, reloaded: Reloaded) {
        // One at a time, so the one that ends is the one that began last.
        self.report.ended = self.report.begun;
        self.report.is_new = reloaded.is_new;
        self.report.faults = reloaded.faults;
        self.report.notes = reloaded.notes;
        self.write();
    }

    fn write(&self) {
        let Some(path) = &self.path else {
            return;
        };

        if let Err(e) = replace(path, &self.report) {
            log::warn!(
                "cannot write {}: {}; hacheck reload cannot tell what came of a reload",
                path.display(),
                cause_text(e)
            );
        }
    }
}

/// Writes it beside and renames it, so that nobody reads a part of it.
fn replace(path: &Path, report: &ReloadReport) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = create(&beside)?;
    file.write_all(&serde_json::to_vec(report)?)?;
    fs::rename(&beside, path)
}

fn create(path: &Path) -> io::Result<File> {
    // What a daemon that was killed left. It is not written into, as it may be a link by now.
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }

    // A fault may quote the configuration, which others may not read.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}
