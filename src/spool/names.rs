//! Which entries the spool folder holds, without asking for each of them: the daemon's fast way to know that nothing
//! is down.
//!
//! Rule: a name is called missing only when that is certain: the folder is the very one that was listed, and it has
//! not changed since. A folder that changed a moment ago is not trusted, because two changes within one tick of the
//! file system's clock look like one.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use super::downtime::unix_seconds;

/// How long a folder must have been unchanged before its listing is trusted; some ticks of a kernel's coarse clock.
const SETTLED: f64 = 0.05;

/// The same for file systems whose times are whole seconds, or two.
const SETTLED_COARSE: f64 = 3.0;

/// A folder that changes all the time is listed for at most this part of the time: one in ten.
const REST: u32 = 10;

/// Most names that are kept. A folder with more is asked for each entry.
const NAMES_MAX: usize = 1_000_000;

/// The names of the last trusted listing.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: RwLock<Known>,
    /// Device and inode of the folder, once seen.
    folder: Mutex<Option<(u64, u64)>>,
}

#[derive(Debug, Default)]
struct Known {
    listing: Option<(Stamp, Arc<HashSet<Box<str>>>)>,
    next: Option<Instant>,
}

/// What changes with every change of a folder.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stamp {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(folder: &Metadata) -> Self {
        Self {
            device: folder.dev(),
            inode: folder.ino(),
            modified: (folder.mtime(), folder.mtime_nsec()),
            changed: (folder.ctime(), folder.ctime_nsec()),
        }
    }

    /// Whether the last change is long enough ago that a further one would show. A clock that was set back makes the
    /// last change seem to lie ahead: not settled.
    fn is_settled(&self, now: SystemTime) -> bool {
        let now = unix_seconds(now);
        [self.modified, self.changed].iter().all(|(seconds, nanos)| {
            let wait = if *nanos == 0 { SETTLED_COARSE } else { SETTLED };
            #[allow(clippy::cast_precision_loss)] // to a microsecond, which is enough
            let at = *seconds as f64 + *nanos as f64 / 1e9;
            now - at > wait
        })
    }
}

impl Names {
    /// Notes which folder the path names now, by device and inode; warns when it has become another one.
    pub(super) fn met(&self, root: &Path, now: (u64, u64)) {
        let before = self.folder.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        if before.is_some_and(|before| before != now) {
            log::warn!("spool folder {} was replaced by another one, which counts now", root.display());
        }
    }

    /// All names in the folder, if they are certain; else each entry is to be asked for.
    pub(super) fn certain(&self, root: &Path) -> Option<Arc<HashSet<Box<str>>>> {
        let stamp = Stamp::of(&fs::metadata(root).ok()?);
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            match &known.listing {
                Some((listed, names)) if *listed == stamp => return Some(Arc::clone(names)),
                _ if known.next.is_some_and(|next| Instant::now() < next) => return None,
                _ => {}
            }
        }
        if !stamp.is_settled(SystemTime::now()) {
            return None;
        }
        self.met(root, (stamp.device, stamp.inode));
        // One thread lists; the others ask for each entry meanwhile.
        let mut known = self.known.try_write().ok()?;
        let start = Instant::now();
        let names = list(root);
        known.next = Some(Instant::now() + start.elapsed().max(Duration::from_millis(1)) * REST);
        let unchanged = fs::metadata(root).is_ok_and(|now| Stamp::of(&now) == stamp);
        let names = Arc::new(names.ok().flatten().filter(|_| unchanged)?);
        known.listing = Some((stamp, Arc::clone(&names)));
        Some(names)
    }
}

/// The names in a folder; `None` when they are too many. A name that is not UTF-8 belongs to no service.
fn list(root: &Path) -> io::Result<Option<HashSet<Box<str>>>> {
    let mut names = HashSet::new();
    for entry in fs::read_dir(root)? {
        if names.len() >= NAMES_MAX {
            return Ok(None);
        }
        if let Ok(name) = entry?.file_name().into_string() {
            names.insert(name.into_boxed_str());
        }
    }
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_changed_a_moment_ago_is_not_trusted() {
        let at = |seconds: f64| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds);
        let stamp = |nanos| Stamp { device: 1, inode: 2, modified: (1000, nanos), changed: (1000, nanos) };
        assert!(!stamp(500_000_000).is_settled(at(1000.51)) && stamp(500_000_000).is_settled(at(1000.6)));
        assert!(!stamp(0).is_settled(at(1002.0)) && stamp(0).is_settled(at(1003.5)), "whole seconds are coarse");
        assert!(!stamp(500_000_000).is_settled(at(900.0)), "the clock was set back");
    }
}
