//! The pid file, which is a lock: it is ours while we hold it with flock(2), whatever it says.

use crate::os::cause::cause_text;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A pid file that is ours.
pub(super) struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Takes the file; one that nobody holds any more is taken over.
    pub(super) fn take(path: &Path) -> Result<Self, String> {
        let fail = |e: &dyn std::fmt::Display| {
            format!(
                "cannot take the pid file {}: {}; see pidfile in [general]",
                path.display(),
                cause_text(e)
            )
        };
        loop {
            let open = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path);
            let file = open.map_err(|e| fail(&e))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    let _ = (&file).take(32).read_to_string(&mut text);
                    let pid = text.trim();
                    return Err(format!(
                        "heartbeat runs already, with pid {pid} ({} is locked)",
                        path.display()
                    ));
                }
                Err(TryLockError::Error(e)) => return Err(fail(&e)),
            }
            // The one before may have removed the file between our opening and our lock.
            let same = |a: fs::Metadata, b: fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
            if let (Ok(ours), Ok(there)) = (file.metadata(), fs::metadata(path))
                && same(ours, there)
            {
                return Ok(Self {
                    path: path.to_owned(),
                    file,
                });
            }
        }
    }

    /// Gives the file to another user, who will have to remove it.
    pub(super) fn give_to(&self, uid: u32, gid: u32) {
        // Where it fails the file stays behind, without a lock: it does no harm.
        let _ = std::os::unix::fs::fchown(&self.file, Some(uid), Some(gid));
    }

    /// Writes this process's number.
    pub(super) fn write(&mut self) -> Result<(), String> {
        let text = format!("{}\n", std::process::id());
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()));
        written.map_err(|e| {
            format!(
                "cannot write the pid file {}: {}",
                self.path.display(),
                cause_text(e)
            )
        })
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
