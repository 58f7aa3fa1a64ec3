//! The daemon's view of the spool: is this service let through, and if not, why not.
//!
//! Rule: what cannot be read keeps the state that was read last; an entry that is there and was never read is down.
//! So a spool that vanishes, loses its permissions or breaks never lets a host back into traffic.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::iter;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::listing::{EntryNames, Names};
use super::read::{FolderId, Root};
use super::{ALL, Downtime, Key, Listing, Mark, Spool, SpoolError, cause_text};

/// How often the same trouble is logged at the most.
const LOG_EVERY: Duration = Duration::from_secs(60);

const SECOND: Duration = Duration::from_secs(1);

/// Longest reason that is remembered for a key while the spool is readable, in bytes.
const REMEMBERED_REASON: usize = 1 << 17;

/// A downtime that closes the gate.
#[derive(Debug, Clone)]
pub struct Closed {
    /// The name of its entry.
    pub entry: Box<str>,
    /// The downtime.
    pub downtime: Arc<Downtime>,
    /// The entry cannot be read now; this is what it said last.
    pub held: bool,
}

impl Closed {
    /// What the answer names: `all` or the service, without host and port of an instance.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self.entry.split_once(':') {
            Some((service, _)) => service,
            None => &self.entry,
        }
    }

    /// Whether the one who asks is told nothing of it but, as an agent, a weight.
    #[must_use]
    pub fn lets_pass(&self, asker: GateAsker) -> bool {
        match self.downtime.mark() {
            Some(Mark::Drain) => asker.weights,
            Some(Mark::AgentOnly) => !asker.agent,
            Some(Mark::Soft) | None => false,
        }
    }

    fn rank(&self, asker: GateAsker) -> DowntimeRank {
        match self.downtime.mark() {
            Some(Mark::AgentOnly) if !asker.agent => DowntimeRank::Untold,
            Some(Mark::Drain) if asker.weights => DowntimeRank::Drain,
            Some(Mark::Soft) => DowntimeRank::Soft,
            Some(Mark::Drain | Mark::AgentOnly) | None => DowntimeRank::Usual,
        }
    }
}

/// Who asks the gate, as far as that decides which downtime counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateAsker {
    /// The daemon tells agents weights.
    pub weights: bool,
    /// It is an agent that asks, and no check.
    pub agent: bool,
}

/// What an entry is for a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntrySeen {
    /// There is none, or it is over.
    Up,
    /// A downtime.
    Down,
    /// It cannot be read, and so holds what it was.
    Unreadable,
}

/// Which of several downtimes counts: the last of these. A weaker one must not hide a stronger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum DowntimeRank {
    /// Agents are told of it, and it is a check that asks.
    Untold,
    /// It is told by the weights of the agent protocol.
    Drain,
    /// It is told by 404.
    Soft,
    /// It is told by 503.
    Usual,
}

/// The spool as the daemon asks it.
pub struct Gate {
    spool: Spool,
    names: Names,
    /// The downtime last read for each key that was down then. Bounded by the files that the spool has held.
    last_down: Mutex<HashMap<Box<str>, Arc<Downtime>>>,
    any_down: AtomicBool,
    trouble: Mutex<Trouble>,
    errors: AtomicU64,
}

#[derive(Default)]
struct Trouble {
    last: Option<(String, Instant)>,
    logged: Option<(String, Instant)>,
}

impl Trouble {
    /// The same is logged once a minute, and whatever it is at most once a second: each entry may fail in words of its
    /// own, and each poll asks for some.
    fn is_to_be_logged(&self, text: &str, now: Instant) -> bool {
        let Some((logged, at)) = &self.logged else {
            return true;
        };
        let least = if logged == text { LOG_EVERY } else { SECOND };
        now.duration_since(*at) >= least
    }
}

/// Opens a folder, and tells which one it is.
fn open_identified(folder: &Path) -> io::Result<(Root<'_>, FolderId)> {
    let root = Root::open(folder)?;
    let identity = root.identity()?;
    Ok((root, identity))
}

/// Which folder it is; an error when it cannot be listed.
fn identity_of_listable(folder: &Path) -> io::Result<FolderId> {
    fs::read_dir(folder)?;
    let (_, identity) = open_identified(folder)?;
    Ok(identity)
}

/// The one that counts; of two equal ones the first.
fn stronger(before: Option<Closed>, new: Closed, asker: GateAsker) -> Closed {
    match before {
        Some(before) if before.rank(asker) >= new.rank(asker) => before,
        _ => new,
    }
}

/// The downtime with so much of its reason as is remembered.
fn bounded(downtime: &Arc<Downtime>) -> Arc<Downtime> {
    if downtime.reason.len() <= REMEMBERED_REASON {
        return Arc::clone(downtime);
    }
    let beginning = downtime.reason.chars().take(REMEMBERED_REASON / 4);
    Arc::new(Downtime {
        reason: beginning.collect(),
        ..Downtime::clone(downtime)
    })
}

impl Gate {
    /// Opens the gate's spool: the folder is made if it is missing.
    ///
    /// # Errors
    /// When the folder can neither be made nor listed: a daemon must not start blind.
    pub fn open(spool: Spool) -> Result<Self, SpoolError> {
        spool.create_root()?;
        let identity = identity_of_listable(spool.root());
        let identity =
            identity.map_err(|e| SpoolError::new("read spool folder", spool.root(), e))?;
        spool.sweep();
        let gate = Self::new(spool);
        gate.names.met(gate.spool.root(), identity);
        Ok(gate)
    }

    /// A gate for a look at a spool that may not be there: nothing is made, and nothing read yet.
    #[must_use]
    pub fn new(spool: Spool) -> Self {
        Self {
            spool,
            names: Names::default(),
            last_down: Mutex::default(),
            any_down: AtomicBool::new(false),
            trouble: Mutex::default(),
            errors: AtomicU64::new(0),
        }
    }

    /// The spool behind the gate.
    #[must_use]
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// The downtime that counts among those of `all` and of the entries of a service, which are its own and those of its
    /// instances: one that is told as usual before a soft one, a soft one before one that weights tell, where they do, and
    /// that before one for agents, where a check asks; among equals the first in their order.
    pub fn closed(
        &self,
        service: &str,
        entries: &dyn Fn() -> Vec<String>,
        asker: GateAsker,
        now: Instant,
    ) -> Option<Closed> {
        let certain = self.names.certain(self.spool.root(), now);
        // Mostly nothing is down, and then there is nothing to open, and nothing to forget.
        if !self.any_down() && certain.as_ref().is_some_and(|l| !l.concerns(service)) {
            return None;
        }
        let root = OnceCell::new();
        let entries = self.with_spellings(entries(), certain.as_deref());
        let names = iter::once(ALL).chain(entries.iter().map(String::as_str));
        let mut strongest: Option<Closed> = None;
        for name in names {
            if certain.as_ref().is_some_and(|listing| !listing.has(name)) {
                self.forget(name);
                continue;
            }
            let root = root.get_or_init(|| self.open_root());
            let Some(closed) = self.ask(root, name) else {
                continue;
            };
            // None is stronger, so no further file needs to be read.
            if closed.rank(asker) == DowntimeRank::Usual {
                return Some(closed);
            }
            strongest = Some(stronger(strongest, closed, asker));
        }
        strongest
    }

    /// The names of entries, each followed by those that spell its host otherwise. Where the folder has just changed,
    /// they are those of the listing before.
    fn with_spellings(&self, names: Vec<String>, certain: Option<&EntryNames>) -> Vec<String> {
        let last = if certain.is_none() {
            self.names.last()
        } else {
            None
        };
        let Some(listing) = certain.or(last.as_deref()) else {
            return names;
        };
        let mut all = Vec::with_capacity(names.len());
        for name in names {
            let others = listing.spellings(&name).iter().map(ToString::to_string);
            let others: Vec<String> = others.collect();
            all.push(name);
            all.extend(others);
        }
        all
    }

    /// The downtime of one entry; without the root, what the entry said last.
    fn ask(&self, root: &Option<Root<'_>>, name: &str) -> Option<Closed> {
        let (downtime, held) = match root {
            Some(root) => self.entry(root, name)?,
            None => (self.remembered(name)?, true),
        };
        Some(Closed {
            entry: name.into(),
            downtime,
            held,
        })
    }

    /// What one entry is for this daemon now, however its host is spelled.
    pub fn seen(&self, name: &str) -> EntrySeen {
        let root = self.open_root();
        let names = match Key::parse(name) {
            Ok(key) => self.spool.names_of(&key),
            Err(_) => vec![name.to_owned()],
        };
        match names.iter().find_map(|name| self.ask(&root, name)) {
            None => EntrySeen::Up,
            Some(closed) if closed.held => EntrySeen::Unreadable,
            Some(_) => EntrySeen::Down,
        }
    }

    /// The whole spool; `None` while it cannot be listed.
    pub fn list(&self) -> Option<Listing> {
        let listed = self.spool.list().map_err(|e| self.note_root(&e.cause));
        listed.ok()
    }

    /// The root, unless it is gone.
    fn open_root(&self) -> Option<Root<'_>> {
        let opened = open_identified(self.spool.root());
        let (root, identity) = opened.map_err(|e| self.note_root(&e)).ok()?;
        self.names.met(self.spool.root(), identity);
        Some(root)
    }

    /// The downtime of one entry, and whether it is held; `None` is up.
    fn entry(&self, root: &Root<'_>, name: &str) -> Option<(Arc<Downtime>, bool)> {
        match root.entry(name) {
            Ok(None) => {
                self.forget(name);
                None
            }
            Ok(Some(downtime)) if downtime.is_over(SystemTime::now()) => {
                self.forget(name);
                self.spool.remove_expired(name);
                None
            }
            Ok(Some(downtime)) => Some((self.remember(name, downtime), false)),
            Err(e) => {
                self.note_entry(name, &e);
                Some((self.held(root, name)?, true))
            }
        }
    }

    /// What counts for an entry that cannot be read: what it said last, else that it is there.
    fn held(&self, root: &Root<'_>, name: &str) -> Option<Arc<Downtime>> {
        if let Some(known) = self.remembered(name) {
            return Some(known);
        }
        // Somebody wrote it, and perhaps to take the service down.
        let is_there = root.has(name);
        is_there.then(|| Arc::new(Downtime::unreadable(name)))
    }

    fn remember(&self, name: &str, downtime: Downtime) -> Arc<Downtime> {
        let mut last = self.last_down();
        if let Some(known) = last.get(name)
            && **known == downtime
        {
            return Arc::clone(known);
        }
        if let Some(what) = &downtime.odd_end {
            let path = self.spool.root().join(name);
            log::warn!("spool entry {}: {what}", path.display());
        }
        self.any_down.store(true, Ordering::Release);
        let whole = Arc::new(downtime);
        last.insert(name.into(), bounded(&whole));
        whole
    }

    fn remembered(&self, name: &str) -> Option<Arc<Downtime>> {
        let last = self.last_down();
        let known = last.get(name)?;
        // It may have ended while it could not be read.
        let is_over = known.is_over(SystemTime::now());
        (!is_over).then(|| Arc::clone(known))
    }

    fn forget(&self, name: &str) {
        // Mostly nothing is down, and then there is nothing to lock for.
        if !self.any_down() {
            return;
        }
        let mut last = self.last_down();
        last.remove(name);
        self.any_down.store(!last.is_empty(), Ordering::Release);
    }

    /// Whether the downtime of any key is remembered.
    fn any_down(&self) -> bool {
        self.any_down.load(Ordering::Acquire)
    }

    fn note_root(&self, e: &io::Error) {
        let (folder, cause) = (self.spool.root().display(), cause_text(e));
        self.note(&format!("spool folder {folder}: {cause}"));
    }

    fn note_entry(&self, name: &str, e: &io::Error) {
        let path = self.spool.root().join(name);
        let (path, cause) = (path.display(), cause_text(e));
        self.note(&format!("spool entry {path}: {cause}"));
    }

    /// Counts a trouble; logs it when it is new or was last logged a minute ago.
    fn note(&self, text: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut trouble = self.trouble();
        if trouble.is_to_be_logged(text, now) {
            trouble.logged = Some((text.to_owned(), now));
            log::error!(kind = "spool", text = text; "{text}; every service keeps the state read last");
        }
        trouble.last = Some((text.to_owned(), now));
    }

    /// How often an entry or the root could not be read.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// The last trouble with the spool, if it came within the last `within`.
    pub fn trouble_within(&self, within: Duration) -> Option<String> {
        let trouble = self.trouble();
        let (text, at) = trouble.last.as_ref()?;
        (at.elapsed() < within).then(|| text.clone())
    }

    fn last_down(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Downtime>>> {
        let last = self.last_down.lock();
        last.unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
