//! Writing to the spool: the lock around read-modify-write, and the atomic replacement of a file.
//!
//! Rule: a reader sees the old content or the new, never a part, whatever kills the writer. The lock is taken on the
//! root folder itself, so that no lock file exists that another user could not open.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a writer waits for the lock before it goes on without: the rename is atomic anyway.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The temporary file of whoever holds the lock. One name for all, so that the next writer clears what a killed one
/// left without having to list the folder.
const LOCKED_TEMP: &str = "~hacheck";

/// Age from which the temporary file of a writer without the lock is a killed one's.
const STALE: Duration = Duration::from_secs(60);

/// The permissions of an entry: whoever may ask for a check is told what it says anyway.
const ENTRY: u32 = 0o644;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// The right to change the spool: an exclusive flock(2) on the root folder, or, after two seconds of waiting for a
/// writer that hangs, none.
pub(super) struct Writer<'a> {
    root: &'a Path,
    temp: PathBuf,
    lock: Option<File>,
}

impl<'a> Writer<'a> {
    /// Waits for the lock, then goes on with or without it; what a killed writer left is swept only with it. `is_stuck`
    /// remembers that it was waited for in vain: it is not waited for again before it was free once, since whoever may
    /// read the folder can hold it for ever.
    pub(super) fn begin(root: &'a Path, is_stuck: &AtomicBool) -> io::Result<Self> {
        let start = Instant::now();
        loop {
            if let Some(writer) = Self::begin_now(root)? {
                is_stuck.store(false, Ordering::Relaxed);
                return Ok(writer);
            }
            if is_stuck.load(Ordering::Relaxed) || start.elapsed() >= LOCK_WAIT {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if !is_stuck.swap(true, Ordering::Relaxed) {
            log::warn!(
                "another process has held the lock of {} for over 2 s; writing without it until it is free",
                root.display()
            );
        }
        Ok(Self {
            root,
            temp: unique_temp(root),
            lock: None,
        })
    }

    /// Takes the lock if it is free.
    pub(super) fn begin_now(root: &'a Path) -> io::Result<Option<Self>> {
        let folder = File::open(root)?;
        match folder.try_lock() {
            Ok(()) => {
                let temp = root.join(LOCKED_TEMP);
                // Mostly there is none. Another user's may be there to stay, in a folder with the sticky bit.
                let temp = match fs::remove_file(&temp) {
                    Err(e) if e.kind() != ErrorKind::NotFound => unique_temp(root),
                    _ => temp,
                };
                Ok(Some(Self {
                    root,
                    temp,
                    lock: Some(folder),
                }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// Removes the temporary files of writers that were killed while they wrote without the lock.
    pub(super) fn sweep(&self) {
        let Some(folder) = self
            .lock
            .as_ref()
            .and_then(|_| fs::read_dir(self.root).ok())
        else {
            return;
        };
        for entry in folder
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with(LOCKED_TEMP))
        {
            let age = entry
                .metadata()
                .and_then(|m| m.modified())
                .ok()
                .and_then(|t| t.elapsed().ok());
            if age.is_some_and(|a| a > STALE) {
                // What stays does no harm.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Replaces a file of the root: temporary file beside it, fsync, rename, fsync of the folder. Everybody may read it
    /// whatever the umask, or a daemon of another user would not see the downtime of an operator with umask 077.
    pub(super) fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let written = write_new(&self.temp, content)
            .and_then(|()| fs::rename(&self.temp, self.root.join(name)));
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

fn unique_temp(root: &Path) -> PathBuf {
    // Containers that share a spool have the same process ids; they hardly have the same nanosecond.
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos());
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    root.join(format!(
        "{LOCKED_TEMP}-{}-{count}-{nanos}",
        std::process::id()
    ))
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.set_permissions(Permissions::from_mode(ENTRY))?;
    file.write_all(content)?;
    file.sync_all()
}

fn sync_folder(root: &Path) -> io::Result<()> {
    File::open(root)?.sync_all()
}
