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
        match self.cause.kind() {
            ErrorKind::PermissionDenied => match self.doing {
                "create spool folder" => write!(f, "; run as root, or give another --spool-root"),
                "read" | "list" | "read spool folder" => {
                    write!(
                        f,
                        "; run as root, or as a user who may read the spool folder"
                    )
                }
                _ => match self.path.parent().and_then(writers) {
                    Some(group) => write!(f, "; run as root, or as a member of the group {group}"),
                    None => write!(
                        f,
                        "; run as root, or as a user who may write to the spool folder"
                    ),
                },
            },
            ErrorKind::NotFound => write!(
                f,
                "; create the folder above it, or give another --spool-root"
            ),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                write!(f, "; what was there is unchanged; make room and try again")
            }
            ErrorKind::NotADirectory => {
                write!(
                    f,
                    "; give another --spool-root, or move the file away that is in its place"
                )
            }
            ErrorKind::ReadOnlyFilesystem => {
                write!(
                    f,
                    "; remount the file system writable, or give another --spool-root"
                )
            }
            ErrorKind::IsADirectory => write!(f, "; it is not a downtime: move it away by hand"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for SpoolError {}

/// The group whose members may write to a folder, where there is one.
fn writers(folder: &Path) -> Option<String> {
    let folder = fs::metadata(folder)
        .ok()
        .filter(|m| m.mode() & 0o020 != 0)?;
    Group::from_gid(Gid::from_raw(folder.gid()))
        .ok()
        .flatten()
        .map(|group| group.name)
}
