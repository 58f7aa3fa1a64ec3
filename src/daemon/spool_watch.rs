//! What stands in the spool, for the pages: the folder is looked at when it changed, and notices what came and went.
//!
//! Rule: never on a thread that serves, as a file system may hang. Checks do not go by this: the gate reads for itself.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use crate::ledger::history::{EventKind, HostEvent};
use crate::ledger::overview::{self, DowntimeRow};
use crate::names::text::shown;
use crate::os::users;
use crate::spool::{Downtime, Gate, Key, Listing, unix_now};

/// How long a spool that could not be read counts as unreadable after the last failure.
pub(super) const SPOOL_TROUBLE: Duration = Duration::from_secs(10);

/// Most of a reason that is shown, in characters.
const REASON_MAX: usize = 500;

/// Most of a user's name that is shown, in characters.
const NAME_MAX: usize = 100;

/// How long the folder's own time of change is believed: a file may be written over in place.
const BELIEVED: Duration = Duration::from_secs(10);

/// How long a change that was logged is known, in seconds: the next look sees it.
const LOGGED_FOR: f64 = 5.0;

/// Two changes within so many seconds may look like one, where times of files are coarse.
const SETTLED: f64 = 2.5;

/// Most odd ends that are kept.
const ODD_ENDS_MAX: usize = 100;

/// What stood in the spool when it was looked at last.
#[derive(Debug, Default)]
pub(super) struct SpoolSeen {
    /// The downtimes in force, by name.
    pub(super) downtimes: Vec<DowntimeRow>,
    /// What is odd about the ends of some, each with the name of its entry.
    pub(super) odd_ends: Vec<String>,
    /// The folder can be listed.
    pub(super) is_listed: bool,
    /// The folder could ever be listed.
    was_listed: bool,
    /// Why it cannot be read, and since when.
    pub(super) trouble: Option<SpoolTrouble>,
}

impl SpoolSeen {
    /// How many downtimes are in force; `None` while that is not known.
    pub(super) fn count(&self) -> Option<usize> {
        self.is_listed.then_some(self.downtimes.len())
    }

    /// What is seen after another look, which may have failed.
    fn next(&self, part: SpoolPart, trouble: Option<SpoolTrouble>) -> Self {
        Self {
            is_listed: part.is_listed,
            was_listed: self.was_listed || part.is_listed,
            downtimes: part.downtimes,
            odd_ends: part.odd_ends,
            trouble,
        }
    }

    /// What stood in this host's own spool, and in the fleet's.
    fn parts(&self) -> (SpoolPart, SpoolPart) {
        let rows = self.downtimes.iter().cloned();
        let (ordered, own) = rows.partition(|row| row.origin.is_some());
        let part = |downtimes, odd_ends| SpoolPart {
            is_listed: self.is_listed,
            downtimes,
            odd_ends,
        };
        (part(own, self.odd_ends.clone()), part(ordered, Vec::new()))
    }
}

/// A spool that cannot be read.
#[derive(Debug, Clone)]
pub(super) struct SpoolTrouble {
    pub(super) text: String,
    /// In seconds of unix time.
    pub(super) since: f64,
}

/// The looks at the spool.
#[derive(Default)]
pub(super) struct SpoolWatch {
    seen: Mutex<Arc<SpoolSeen>>,
    last: Mutex<Looks>,
    /// Changes that this daemon made lately, and logged.
    logged: Mutex<Vec<HostEvent>>,
}

/// The last look at this host's own spool, and at the fleet's.
#[derive(Debug, Default)]
struct Looks {
    own: Option<FolderLook>,
    fleet: Option<FolderLook>,
}

impl Looks {
    /// What stands in both spools now.
    fn look(&mut self, gate: &Gate, before: &SpoolSeen) -> SpoolPart {
        let (own, ordered) = before.parts();
        let mut all = own.looked(gate, &mut self.own).of_host();
        if let Some(fleet) = gate.fleet() {
            all.add(ordered.looked(fleet, &mut self.fleet).of_fleet());
        }

        all
    }
}

/// A look, by which the next one knows whether anything can have changed.
#[derive(Debug, Clone, Copy)]
struct FolderLook {
    stamp: FolderStamp,
    at: Instant,
    unix: f64,
}

impl SpoolWatch {
    /// What was seen last.
    pub(super) fn seen(&self) -> Arc<SpoolSeen> {
        Arc::clone(&self.lock_seen())
    }

    /// Looks again, unless somebody is looking; gives what changed since.
    pub(super) fn look(&self, gate: &Gate) -> Vec<HostEvent> {
        // Held to the end, so that each change is noticed once.
        let mut last = match self.last.try_lock() {
            Ok(last) => last,
            Err(TryLockError::Poisoned(last)) => last.into_inner(),
            // Whoever looks may hang with the file system, and is not waited for.
            Err(TryLockError::WouldBlock) => return Vec::new(),
        };

        let before = self.seen();
        let all = last.look(gate, &before);
        let now = unix_now();
        let trouble = trouble(gate, &before, now);
        let seen = before.next(all, trouble);
        let events = events(&before, &seen, now);
        // Not locked while the folder is read: pages are built from the look before meanwhile.
        *self.lock_seen() = Arc::new(seen);
        events
    }

    /// Notes a change that is logged already.
    pub(super) fn is_logged(&self, event: HostEvent) {
        self.logged_lately(event.at).push(event);
    }

    /// Whether a change that was seen is one of those.
    pub(super) fn was_logged(&self, seen: &HostEvent) -> bool {
        let mut logged = self.logged_lately(seen.at);
        let known = logged.iter().position(|other| is_same(other, seen));
        // Taken out: the same change once more is another one.
        known.map(|at| logged.swap_remove(at)).is_some()
    }

    /// The changes that were logged shortly before a time; older ones are forgotten.
    fn logged_lately(&self, now: f64) -> MutexGuard<'_, Vec<HostEvent>> {
        let mut logged = self.lock_logged();
        logged.retain(|event| now - event.at < LOGGED_FOR);
        logged
    }

    fn lock_logged(&self) -> MutexGuard<'_, Vec<HostEvent>> {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_seen(&self) -> MutexGuard<'_, Arc<SpoolSeen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is seen of a lifted downtime does not tell who lifted it.
fn is_same(logged: &HostEvent, seen: &HostEvent) -> bool {
    let is_by_same = seen.kind == EventKind::Lifted || seen.by == logged.by;
    (logged.kind, &logged.service) == (seen.kind, &seen.service) && is_by_same
}

impl FolderLook {
    /// The folder as it is now; `None` when it is not there.
    fn now(gate: &Gate) -> Option<Self> {
        let folder = fs::metadata(gate.spool().root()).ok()?;
        Some(Self {
            stamp: FolderStamp::of(&folder),
            at: Instant::now(),
            unix: unix_now(),
        })
    }

    /// Whether what was seen then must still be so.
    fn still_holds(&self, now: &Self, seen: &SpoolPart) -> bool {
        let mut ends = seen.downtimes.iter().filter_map(|row| row.until);
        let is_same = self.stamp == now.stamp;
        // A change right after that look may have left the time of the folder as it was.
        let was_settled = self.stamp.changed < self.unix - SETTLED;
        let is_believed = now.at.duration_since(self.at) < BELIEVED;
        // A downtime that ends by its time changes no folder.
        let has_ended = ends.any(|end| end <= now.unix);
        is_same && was_settled && is_believed && !has_ended
    }
}

/// What changes with every change of a folder.
#[derive(Debug, Clone, Copy, PartialEq)]
struct FolderStamp {
    device: u64,
    inode: u64,
    /// The last change, in seconds of unix time.
    changed: f64,
}

impl FolderStamp {
    fn of(folder: &Metadata) -> Self {
        #[allow(clippy::cast_precision_loss)] // to the microsecond for centuries
        let seconds = |whole: i64, nanos: i64| whole as f64 + nanos as f64 / 1e9;
        let modified = seconds(folder.mtime(), folder.mtime_nsec());
        let changed = seconds(folder.ctime(), folder.ctime_nsec());
        Self {
            device: folder.dev(),
            inode: folder.ino(),
            changed: modified.max(changed),
        }
    }
}

/// What stands in one of the spools.
#[derive(Debug)]
struct SpoolPart {
    is_listed: bool,
    downtimes: Vec<DowntimeRow>,
    odd_ends: Vec<String>,
}

impl SpoolPart {
    /// After another look. It is listed only where it may be other than before, and holds what it was where it cannot be:
    /// as the gate does.
    fn looked(self, gate: &Gate, last: &mut Option<FolderLook>) -> Self {
        // Before the folder is listed: what changes while it is shows at the next look.
        let look = FolderLook::now(gate);
        if let (Some(last), Some(look)) = (&last, &look)
            && last.still_holds(look, &self)
            && !gate.holds_in_memory()
        {
            return Self {
                is_listed: true,
                ..self
            };
        }

        let listed = self.list(gate);
        // What was not seen is looked at again the next time.
        *last = if listed.is_some() { look } else { None };
        listed.unwrap_or_else(|| self.held())
    }

    /// An entry that cannot be read is what it was.
    fn list(&self, gate: &Gate) -> Option<Self> {
        let listing = gate.list()?;
        let root = gate.spool().root();
        let mut rows = Vec::new();
        for (key, downtime) in &listing.downtimes {
            // Beside what the downtime says: of one that was made by `touch` this is all that tells who did it.
            let owner = users::owner(&root.join(key.file_name()));
            rows.push(row(key, downtime, owner));
        }

        for (name, _) in &listing.odd {
            // A name that never was a downtime here is none now.
            let known = self.downtimes.iter().find(|row| row.name == *name);
            rows.extend(known.map(as_held));
        }

        Some(Self {
            is_listed: true,
            downtimes: rows,
            odd_ends: odd_ends(&listing),
        })
    }

    fn held(self) -> Self {
        Self {
            is_listed: false,
            downtimes: self.downtimes.iter().map(as_held).collect(),
            ..self
        }
    }

    /// Whatever an entry of this host's own spool says of itself, no order wrote it.
    fn of_host(mut self) -> Self {
        for row in &mut self.downtimes {
            row.origin = None;
            row.order = None;
        }

        self
    }

    /// Whatever stands in the fleet's spool is the fleet's; its files are the daemon's own, which tells nothing.
    fn of_fleet(mut self) -> Self {
        for row in &mut self.downtimes {
            row.file_owner = None;
            row.origin.get_or_insert_with(|| "fleet".to_owned());
        }

        self
    }

    fn add(&mut self, other: Self) {
        self.is_listed &= other.is_listed;
        self.downtimes.extend(other.downtimes);
    }
}

fn odd_ends(listing: &Listing) -> Vec<String> {
    let mut ends = Vec::new();
    for (key, downtime) in &listing.downtimes {
        if let Some(what) = &downtime.odd_end {
            ends.push(shown(&format!("{key}: {what}"), REASON_MAX));
        }
        if ends.len() == ODD_ENDS_MAX {
            break;
        }
    }

    ends
}

fn row(key: &Key, downtime: &Downtime, owner: Option<String>) -> DowntimeRow {
    // Texts are made fit to be shown here, once for all pages: anybody may have written the file.
    DowntimeRow {
        name: key.file_name(),
        service: key.service_name().to_string(),
        host: key.host().map(str::to_owned),
        port: key.port(),
        reason: shown(&downtime.reason, REASON_MAX),
        by: downtime.by().map(|user| shown(user, NAME_MAX)),
        file_owner: owner,
        since: downtime.creation,
        until: downtime.expiration,
        mark: downtime.mark().map(|mark| mark.as_str().to_owned()),
        held: false,
        origin: downtime.origin().map(str::to_owned),
        order: order_id(downtime),
    }
}

/// The id of the order that gives it its reason; `None` where no order does.
fn order_id(downtime: &Downtime) -> Option<String> {
    let id = downtime.extra.get("order")?.get("id")?.as_str()?;
    Some(id.to_owned())
}

fn as_held(row: &DowntimeRow) -> DowntimeRow {
    DowntimeRow {
        held: true,
        ..row.clone()
    }
}

/// The trouble that there is now; it began when it was seen first.
fn trouble(gate: &Gate, before: &SpoolSeen, now: f64) -> Option<SpoolTrouble> {
    let text = gate.trouble_within(SPOOL_TROUBLE)?;
    let since = match &before.trouble {
        Some(known) => known.since,
        None => now,
    };
    Some(SpoolTrouble { text, since })
}

/// The event, if the spool can no longer be read, or can be again.
fn spool_event(before: &SpoolSeen, seen: &SpoolSeen, now: f64) -> Option<HostEvent> {
    let event = HostEvent::new(now, EventKind::Spool);
    match (&before.trouble, &seen.trouble) {
        (None, Some(trouble)) => Some(HostEvent {
            text: Some(shown(&trouble.text, REASON_MAX)),
            ..event
        }),
        (Some(trouble), None) => Some(HostEvent {
            after: Some(now - trouble.since),
            ..event
        }),
        // Other words for what goes on are no change.
        _ => None,
    }
}

fn events(before: &SpoolSeen, seen: &SpoolSeen, now: f64) -> Vec<HostEvent> {
    let mut events = Vec::new();
    events.extend(spool_event(before, seen, now));
    // What was down before the first look came before the start.
    if before.was_listed {
        events.extend(overview::changes(&before.downtimes, &seen.downtimes, now));
    }

    events
}
