//! Which entries the spool folder holds, without asking for each of them: the daemon's fast way to know that nothing
//! is down.
//!
//! Rule: a name is called missing only when that is certain: the folder is the very one that was listed, and it has
//! not changed since. A folder that changed a moment ago is not trusted, because two changes within one tick of the
//! file system's clock look like one.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use foldhash::fast::RandomState;
use nix::fcntl::OFlag;

use super::ALL;
use super::downtime::unix_seconds;
use super::read::FolderId;
use super::spellings::usual_spelling;

/// How long a folder must have been unchanged before its listing is trusted; some ticks of a kernel's coarse clock.
const SETTLED: f64 = 0.05;

/// The same for file systems whose times are whole seconds, or two.
const SETTLED_COARSE: f64 = 3.0;

/// A folder that changes all the time is listed for at most this part of the time: one in ten.
const REST: u32 = 10;

/// How long a folder that is held open is asked instead of its path. It tells of all changes of its own at once, also
/// that it was moved or removed; this bounds how late another folder in its place is noticed, if one above it was moved.
const HELD: Duration = Duration::from_millis(50);

/// Most names that are kept. A folder with more is asked for each entry.
const NAMES_MAX: usize = 1_000_000;

/// How the folder is held open: without the right to list it, which its owner may take away.
const FOLDER: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY);

/// The names of the last trusted listing.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: RwLock<KnownNames>,
    /// Device and inode of the folder, once seen.
    folder: Mutex<Option<FolderId>>,
}

#[derive(Debug, Default)]
struct KnownNames {
    listed: Option<Listed>,
    next: Option<Instant>,
}

#[derive(Debug)]
struct Listed {
    /// The folder, held open: to ask it takes half the time of asking its path.
    folder: File,
    stamp: Stamp,
    names: Arc<EntryNames>,
    since: Instant,
    /// When the path was asked last, in milliseconds after `since`.
    asked: AtomicU64,
}

impl Listed {
    /// Whether the folder is the same still, and unchanged.
    fn holds(&self, root: &Path, now: Instant) -> bool {
        let now = millis(now.saturating_duration_since(self.since));
        let age = now.saturating_sub(self.asked.load(Ordering::Relaxed));
        if age < millis(HELD) {
            return self.is_unchanged(self.folder.metadata());
        }

        let holds = self.is_unchanged(fs::metadata(root));
        if holds {
            // Several threads may store here: whichever is last, the path was asked about then.
            self.asked.store(now, Ordering::Relaxed);
        }

        holds
    }

    fn is_unchanged(&self, now: io::Result<Metadata>) -> bool {
        now.is_ok_and(|folder| Stamp::of(&folder) == self.stamp)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The names in a folder.
#[derive(Debug, Default)]
pub(super) struct EntryNames {
    names: HashSet<Box<str>, RandomState>,
    /// Names that spell their host otherwise than checks ask for it, by the name that they ask for.
    spellings: HashMap<Box<str>, Vec<Box<str>>, RandomState>,
    /// The services of entries for single instances.
    services: HashSet<Box<str>, RandomState>,
    all: bool,
}

impl EntryNames {
    /// Whether there is an entry of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether any entry can take this service down, or an instance of it.
    pub(super) fn concerns(&self, service: &str) -> bool {
        self.all || self.names.contains(service) || self.services.contains(service)
    }

    /// The names that mean the same as one that checks ask for.
    pub(super) fn spellings(&self, name: &str) -> &[Box<str>] {
        match self.spellings.get(name) {
            Some(names) => names,
            None => &[],
        }
    }

    fn add(&mut self, name: String) {
        if let Some(usual) = usual_spelling(&name) {
            let names = self.spellings.entry(usual.into_boxed_str()).or_default();
            names.push(name.as_str().into());
        }

        self.add_service_of(&name);
        self.all |= name == ALL;
        self.names.insert(name.into_boxed_str());
    }

    fn add_service_of(&mut self, name: &str) {
        let Some((service, _)) = name.split_once(':') else {
            return;
        };

        // Asked first, as a service with many instances would allocate for each of them.
        if !self.services.contains(service) {
            self.services.insert(service.into());
        }
    }
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

    /// Which folder it is of.
    fn folder(&self) -> FolderId {
        (self.device, self.inode)
    }

    /// Whether the last change is long enough ago that a further one would show. A clock that was set back makes the
    /// last change seem to lie ahead: not settled.
    fn is_settled(&self, now: SystemTime) -> bool {
        let now = unix_seconds(now);
        is_long_ago(self.modified, now) && is_long_ago(self.changed, now)
    }
}

fn is_long_ago((seconds, nanos): (i64, i64), now: f64) -> bool {
    // A time without a fraction is one of a file system that knows no fractions.
    let wait = if nanos == 0 { SETTLED_COARSE } else { SETTLED };
    #[allow(clippy::cast_precision_loss)] // to a microsecond, which is enough
    let at = seconds as f64 + nanos as f64 / 1e9;
    now - at > wait
}

impl Names {
    /// Notes which folder the path names now, by device and inode; warns when it has become another one.
    pub(super) fn met(&self, root: &Path, now: FolderId) {
        let mut folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        let before = folder.replace(now);
        if before.is_some_and(|before| before != now) {
            let root = root.display();
            log::warn!("spool folder {root} was replaced by another one, which counts now");
        }
    }

    /// Closes the folder that is held, unless it is the one of the path still.
    fn let_go(&self, now: Option<Stamp>) {
        let now = now.map(|stamp| stamp.folder());
        // A handle that stays open would keep a file system from being unmounted. Whoever has the lock now lists the
        // folder anew, and a later poll comes here again: nothing is waited for.
        if let Ok(mut known) = self.known.try_write() {
            let listed = &mut known.listed;
            listed.take_if(|held| Some(held.stamp.folder()) != now);
        }
    }

    /// The names of the last listing, whether or not they still hold.
    pub(super) fn last(&self) -> Option<Arc<EntryNames>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let listed = known.listed.as_ref()?;
        Some(Arc::clone(&listed.names))
    }

    /// All names in the folder, if they are certain; else each entry is to be asked for.
    pub(super) fn certain(&self, root: &Path, now: Instant) -> Option<Arc<EntryNames>> {
        match self.known(root, now) {
            NamesKnown::Names(names) => Some(names),
            NamesKnown::TooSoon => None,
            NamesKnown::Nothing => self.list(root),
        }
    }

    fn known(&self, root: &Path, now: Instant) -> NamesKnown {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match &known.listed {
            Some(listed) if listed.holds(root, now) => NamesKnown::Names(Arc::clone(&listed.names)),
            _ if known.next.is_some_and(|next| now < next) => NamesKnown::TooSoon,
            _ => NamesKnown::Nothing,
        }
    }

    /// Lists the folder, if its names will be certain.
    fn list(&self, root: &Path) -> Option<Arc<EntryNames>> {
        // Before the path is looked up, so that `HELD` is counted from no later moment.
        let since = Instant::now();
        let Ok((folder, stamp)) = open_stamped(root) else {
            self.let_go(None);
            return None;
        };

        self.let_go(Some(stamp));
        if !stamp.is_settled(SystemTime::now()) {
            return None;
        }

        self.met(root, stamp.folder());
        // One thread lists; the others ask for each entry meanwhile.
        let mut known = self.known.try_write().ok()?;
        let names = known.list(root, stamp)?;
        known.listed = Some(Listed {
            folder,
            stamp,
            names: Arc::clone(&names),
            since,
            asked: AtomicU64::new(0),
        });
        Some(names)
    }
}

/// What is known before the folder is listed.
enum NamesKnown {
    /// The names, for certain.
    Names(Arc<EntryNames>),
    /// It was listed a moment ago.
    TooSoon,
    Nothing,
}

impl KnownNames {
    /// The names in the folder, unless it changed meanwhile.
    fn list(&mut self, root: &Path, stamp: Stamp) -> Option<Arc<EntryNames>> {
        let start = Instant::now();
        let listing = list(root);
        // At least a millisecond, or a small folder that changes all the time would be listed with every poll.
        let took = start.elapsed().max(Duration::from_millis(1));
        self.next = Some(Instant::now() + took * REST);
        // readdir(3) leaves open whether it shows what is added or removed meanwhile, so the stamp must be the same
        // before and after.
        let is_unchanged = fs::metadata(root).is_ok_and(|now| Stamp::of(&now) == stamp);
        let names = listing.ok().flatten()?;
        is_unchanged.then(|| Arc::new(names))
    }
}

/// Opens a folder, to be held.
fn open_stamped(root: &Path) -> io::Result<(File, Stamp)> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(FOLDER.bits());
    let folder = options.open(root)?;
    let stamp = Stamp::of(&folder.metadata()?);
    Ok((folder, stamp))
}

/// The names in a folder; `None` when they are too many. A name that is not UTF-8 belongs to no service.
fn list(root: &Path) -> io::Result<Option<EntryNames>> {
    let mut listing = EntryNames::default();
    for entry in fs::read_dir(root)? {
        if listing.names.len() >= NAMES_MAX {
            return Ok(None);
        }
        if let Ok(name) = entry?.file_name().into_string() {
            listing.add(name);
        }
    }

    Ok(Some(listing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_changed_a_moment_ago_is_not_trusted() {
        let at = |seconds: f64| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds);
        let stamp = |nanos| Stamp {
            device: 1,
            inode: 2,
            modified: (1000, nanos),
            changed: (1000, nanos),
        };
        assert!(
            !stamp(500_000_000).is_settled(at(1000.51))
                && stamp(500_000_000).is_settled(at(1000.6))
        );
        assert!(
            !stamp(0).is_settled(at(1002.0)) && stamp(0).is_settled(at(1003.5)),
            "whole seconds are coarse"
        );
        assert!(
            !stamp(500_000_000).is_settled(at(900.0)),
            "the clock was set back"
        );
    }
}
