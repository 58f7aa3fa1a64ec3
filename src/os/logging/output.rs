//! Where the log goes: standard output, standard error, or a file that may be renamed.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{LogError, LogPath};
use crate::os::files::append;
use crate::os::systemd;

/// Where lines are written to.
pub(super) enum LogOutput {
    Stdout,
    Stderr,
    File { path: PathBuf, file: File },
}

impl LogOutput {
    pub(super) fn open(path: &LogPath) -> Result<Self, LogError> {
        match path {
            LogPath::Stdout => Ok(Self::Stdout),
            LogPath::Stderr => Ok(Self::Stderr),
            LogPath::File(path) => Self::open_file(path.clone()),
        }
    }

    fn open_file(path: PathBuf) -> Result<Self, LogError> {
        match append(&path) {
            Ok(file) => Ok(Self::File { path, file }),
            Err(e) => Err(LogError::File(path, e)),
        }
    }

    pub(super) fn is_journal(&self) -> bool {
        match self {
            Self::Stdout => systemd::is_journal(io::stdout()),
            Self::Stderr => systemd::is_journal(io::stderr()),
            Self::File { .. } => false,
        }
    }

    /// Writes a line.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => io::stdout().write_all(line),
            Self::Stderr => io::stderr().write_all(line),
            Self::File { path, file } => {
                // Costs two system calls for each line, and spares logrotate a signal or `copytruncate`.
                reopen_if_moved(path, file);
                file.write_all(line)
            }
        }
    }
}

fn reopen_if_moved(path: &Path, file: &mut File) {
    // Where it cannot be opened, lines go to the file that was renamed, rather than nowhere.
    if was_moved(path, file)
        && let Ok(new) = append(path)
    {
        *file = new;
    }
}

/// Whether the path names another file now, or none.
fn was_moved(path: &Path, file: &File) -> bool {
    match (path.metadata(), file.metadata()) {
        (Ok(there), Ok(here)) => (there.dev(), there.ino()) != (here.dev(), here.ino()),
        // There is no file of this name any more: it is made anew.
        _ => true,
    }
}
