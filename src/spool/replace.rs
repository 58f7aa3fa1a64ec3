//! Writing to the spool: the lock around read-modify-write, and the atomic replacement of a file.
//!
//! Rule: a reader sees the old content or the new, never a part, whatever kills the writer. The lock is taken on the
//! root folder itself, so that no lock file exists that another user could not open.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a writer waits for the lock before it goes on without: the rename is atomic anyway.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The temporary file of whoever holds the lock. One name for all, so that the next writer clears what a killed one
/// left without having to list the folder.
const LOCKED_TEMP: &str = "~hacheck";

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// The right to change the spool: an exclusive flock(2) on the root folder, or, after two seconds of waiting for a
/// writer that hangs, none.
pub(super) struct Writer<'a> {
    root: &'a Path,
    temp: PathBuf,
    _lock: Option<File>,
}

impl<'a> Writer<'a> {
    /// Waits for the lock, then goes on with or without it; what a killed writer left is swept only with it.
    pub(super) fn begin(root: &'a Path) -> io::Result<Self> {
        let start = Instant::now();
        while start.elapsed() < LOCK_WAIT {
            if let Some(writer) = Self::begin_now(root)? {
                return Ok(writer);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        log::warn!("another process has held the lock of {} for over 2 s; writing without it", root.display());
        let unique = format!("{LOCKED_TEMP}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        Ok(Self { root, temp: root.join(unique), _lock: None })
    }

    /// Takes the lock if it is free.
    pub(super) fn begin_now(root: &'a Path) -> io::Result<Option<Self>> {
        let folder = File::open(root)?;
        match folder.try_lock() {
            Ok(()) => {
                let temp = root.join(LOCKED_TEMP);
                // Mostly there is none; where it cannot be removed, creating it says why.
                let _ = fs::remove_file(&temp);
                Ok(Some(Self { root, temp, _lock: Some(folder) }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// Replaces a file of the root: temporary file beside it, fsync, rename, fsync of the folder. Mode 0666 less the
    /// umask.
    pub(super) fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let written = write_new(&self.temp, content).and_then(|()| fs::rename(&self.temp, self.root.join(name)));
        if let Err(e) = written {
            // The first error is the one to report.
            let _ = fs::remove_file(&self.temp);
            return Err(e);
        }
        sync_folder(self.root)
    }

    /// Removes a file of the root; `false` when there is none.
    pub(super) fn remove(&self, name: &str) -> io::Result<bool> {
        match fs::remove_file(self.root.join(name)) {
            Ok(()) => sync_folder(self.root).map(|()| true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn sync_folder(root: &Path) -> io::Result<()> {
    File::open(root)?.sync_all()
}
