//! The pid file, which is a lock: it is ours while we hold it with flock(2), whatever it says.

use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::cli::failure::{Failure, failed};
use crate::os::cause::cause_text;
use crate::os::files::{OwnFile, read_and_write};

/// Most of a pid file that is shown, in bytes.
const SHOWN_MAX: u64 = 32;

/// A pid file that is ours.
pub(super) struct PidFile {
    path: PathBuf,
    file: File,
    is_new: bool,
}

impl PidFile {
    /// Takes the file; one that nobody holds any more is taken over. `user` is who will go on with it.
    pub(super) fn take(path: &Path, user: Option<u32>) -> Result<Self, Failure> {
        loop {
            let opened = read_and_write(path, user);
            let OwnFile { file, is_new } = opened.map_err(|e| cannot_take(path, e))?;
            lock(&file, path)?;
            // The one before may have removed the file between our opening and our lock.
            if is_at(&file, path) {
                let path = path.to_owned();
                return Ok(Self { path, file, is_new });
            }
        }
    }

    /// Gives the file to another user, who will have to remove it; only a new one, since an old one may be anybody's.
    pub(super) fn give_to(&self, uid: u32, gid: u32) {
        if self.is_new {
            // Where it fails the file stays behind, without a lock: it does no harm.
            let _ = std::os::unix::fs::fchown(&self.file, Some(uid), Some(gid));
        }
    }

    /// Writes this process's number.
    pub(super) fn write(&mut self) -> Result<(), Failure> {
        self.replace(&format!("{}\n", std::process::id()))
            .map_err(|e| {
                let (path, cause) = (self.path.display(), cause_text(e));
                failed!("cannot write the pid file {path}: {cause}")
            })
    }

    fn replace(&mut self, text: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Where the folder is not ours the file stays, empty.
        if fs::remove_file(&self.path).is_err() {
            let _ = self.file.set_len(0);
        }
    }
}

fn lock(file: &File, path: &Path) -> Result<(), Failure> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(is_held(path, file)),
        Err(TryLockError::Error(e)) => Err(cannot_take(path, cause_text(e))),
    }
}

/// Whether a file still is the one of that name.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

fn is_held(path: &Path, mut file: &File) -> Failure {
    let mut pid = String::new();
    // Whatever cannot be read is not shown.
    let _ = (&mut file).take(SHOWN_MAX).read_to_string(&mut pid);
    failed!(
        "heartbeat is already running with pid {} ({} is locked)",
        pid.trim(),
        path.display()
    )
}

fn cannot_take(path: &Path, e: impl Display) -> Failure {
    failed!(
        "cannot take the pid file {}: {}; see pidfile in [general]",
        path.display(),
        e
    )
}
