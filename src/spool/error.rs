//! What goes wrong with the spool, as a sentence with its remedy.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group};

use crate::os::cause::cause_text;

/// Why the spool could not be read or changed.
#[derive(Debug)]
pub struct SpoolError {
    pub(super) doing: &'static str,
    pub(super) path: PathBuf,
    pub(super) cause: io::Error,
}

impl SpoolError {
    pub(super) fn new(doing: &'static str, path: impl Into<PathBuf>, cause: io::Error) -> Self {
        Self {
            doing,
            path: path.into(),
            cause,
        }
    }

    /// The kind of the underlying I/O error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.cause.kind()
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = cause_text(&self.cause);
        write!(f, "cannot {} {}: {cause}", self.doing, self.path.display())?;
        match self.remedy() {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SpoolError {}

impl SpoolError {
    fn remedy(&self) -> Option<String> {
        let remedy = match self.cause.kind() {
            ErrorKind::PermissionDenied => return Some(self.remedy_of_denial()),
            ErrorKind::NotFound => "create the folder above it, or give another --spool-root",
            // Files are replaced whole, so a write that failed has changed nothing.
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "what was there is unchanged; make room and try again"
            }
            ErrorKind::NotADirectory => {
                "give another --spool-root, or move the file away that is in its place"
            }
            ErrorKind::ReadOnlyFilesystem => {
                "remount the file system writable, or give another --spool-root"
            }
            ErrorKind::IsADirectory => "it is not a downtime: move it away by hand",
            _ => return None,
        };
        Some(remedy.to_owned())
    }

    fn remedy_of_denial(&self) -> String {
        match self.doing {
            "create spool folder" => "run as root, or give another --spool-root".to_owned(),
            "read" | "list" | "read spool folder" => {
                "run as root, or as a user who may read the spool folder".to_owned()
            }
            _ => match self.path.parent().and_then(writers) {
                Some(group) => format!("run as root, or as a member of the group {group}"),
                None => "run as root, or as a user who may write to the spool folder".to_owned(),
            },
        }
    }
}

/// The group whose members may write to a folder, where there is one.
fn writers(folder: &Path) -> Option<String> {
    let folder = fs::metadata(folder).ok()?;
    let group_may_write = folder.mode() & 0o020 != 0;
    if !group_may_write {
        return None;
    }

    // A group without a name, or a directory service that fails: the other remedy holds too.
    let group = Group::from_gid(Gid::from_raw(folder.gid())).ok()??;
    Some(group.name)
}
