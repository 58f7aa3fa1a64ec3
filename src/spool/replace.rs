//! Writing to the spool: the lock around read-modify-write, and the atomic replacement of a file.
//!
//! Rule: a reader sees the old content or the new, never a part, whatever kills the writer. The lock is taken on the
//! root folder itself, so that no lock file exists that another user could not open.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, OpenOptions, Permissions, TryLockError};
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
            // flock(2) takes no deadline, so the lock is tried for again and again.
            std::thread::sleep(Duration::from_millis(1));
        }

        // Once, and not with each downtime until the lock is free.
        if !is_stuck.swap(true, Ordering::Relaxed) {
            warn_of_stuck_lock(root);
        }

        Ok(Self::without_lock(root))
    }

    /// Two of these write to files of their own, and the rename of the later one counts.
    fn without_lock(root: &'a Path) -> Self {
        Self {
            root,
            temp: unique_temp(root),
            lock: None,
        }
    }

    /// Takes the lock if it is free.
    pub(super) fn begin_now(root: &'a Path) -> io::Result<Option<Self>> {
        let folder = File::open(root)?;
        match folder.try_lock() {
            Ok(()) => Ok(Some(Self {
                root,
                temp: locked_temp(root),
                lock: Some(folder),
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// Removes the temporary files of writers that were killed while they wrote without the lock.
    pub(super) fn sweep(&self) {
        if self.lock.is_none() {
            return;
        }

        let Ok(folder) = fs::read_dir(self.root) else {
            return;
        };

        for entry in folder.flatten() {
            let is_temp = starts_with(&entry.file_name(), LOCKED_TEMP);
            if is_temp && is_stale(&entry) {
                // What stays does no harm.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Replaces a file of the root: temporary file beside it, fsync, rename, fsync of the folder. Everybody may read it
    /// whatever the umask, or a daemon of another user would not see the downtime of an operator with umask 077.
    pub(super) fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        if let Err(e) = self.write_and_rename(name, content) {
            // The first error is the one to report.
            let _ = fs::remove_file(&self.temp);
            return Err(e);
        }

        // Without this a power failure could bring the old entry back: the rename is in the folder, not in the file.
        sync_folder(self.root)
    }

    fn write_and_rename(&self, name: &str, content: &[u8]) -> io::Result<()> {
        write_new(&self.temp, content)?;
        fs::rename(&self.temp, self.root.join(name))
    }

    /// Removes a file of the root; `false` when there is none.
    pub(super) fn remove(&self, name: &str) -> io::Result<bool> {
        match fs::remove_file(self.root.join(name)) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            removed => removed?,
        }

        sync_folder(self.root)?;
        Ok(true)
    }
}

fn warn_of_stuck_lock(root: &Path) {
    log::warn!(
        "another process has held the lock of {} for over 2 s; writing without it until it is free",
        root.display()
    );
}

/// The temporary file of the writer that holds the lock, cleared of what a killed one left.
fn locked_temp(root: &Path) -> PathBuf {
    let temp = root.join(LOCKED_TEMP);
    match fs::remove_file(&temp) {
        // Another user's may be there to stay, in a folder with the sticky bit.
        Err(e) if e.kind() != ErrorKind::NotFound => unique_temp(root),
        // Mostly there is none.
        _ => temp,
    }
}

fn starts_with(name: &OsStr, text: &str) -> bool {
    name.as_encoded_bytes().starts_with(text.as_bytes())
}

/// Whether a temporary file is so old that its writer cannot be at work still.
fn is_stale(entry: &DirEntry) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    // A time ahead of the clock has no age: the file may be a new one.
    match modified.map(|time| time.elapsed()) {
        Ok(Ok(age)) => age > STALE,
        _ => false,
    }
}

fn unique_temp(root: &Path) -> PathBuf {
    // Containers that share a spool have the same process ids; they hardly have the same nanosecond.
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.unwrap_or_default().as_nanos();
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let pid = std::process::id();
    root.join(format!("{LOCKED_TEMP}-{pid}-{count}-{nanos}"))
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    // `create_new` follows no link that somebody has put in the place of the file (O_EXCL).
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    // Not at creation, where the umask would take bits away.
    file.set_permissions(Permissions::from_mode(ENTRY))?;
    file.write_all(content)?;
    // Before the rename: or after a power failure the name could stand for an empty file.
    file.sync_all()
}

fn sync_folder(root: &Path) -> io::Result<()> {
    File::open(root)?.sync_all()
}
