//! The daemon's view of the spool: is this service let through, and if not, why not.
//!
//! Rule: what cannot be read keeps the state that was read last; an entry that is there and was never read is down.
//! So a spool that vanishes, loses its permissions or breaks never lets a host back into traffic.

mod closed;
mod in_memory;
mod last_down;
mod trouble;

use std::cell::OnceCell;
use std::fs;
use std::io;
use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::listing::{EntryNames, Names};
use super::read::{FolderId, Root};
use super::{ALL, Downtime, Key, Listing, Spool, SpoolError, cause_text};
pub use closed::{Closed, GateAsker};
use closed::{DowntimeRank, stronger};
use in_memory::InMemory;
use last_down::LastDown;
use trouble::Trouble;

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

/// The spool as the daemon asks it.
pub struct Gate {
    spool: Spool,
    names: Names,
    last_down: LastDown,
    in_memory: InMemory,
    trouble: Trouble,
    /// The gate of the fleet's spool, which is asked too.
    fleet: Option<Arc<Gate>>,
}

/// Opens a folder, and tells which one it is.
fn open_identified(folder: &Path) -> io::Result<(Root<'_>, FolderId)> {
    let root = Root::open(folder)?;
    let identity = root.identity()?;
    Ok((root, identity))
}

/// Which folder it is; an error when it cannot be listed.
fn identity_of_listable(folder: &Path) -> io::Result<FolderId> {
    // `Root::open` needs no right to list the folder, so this asks for it.
    fs::read_dir(folder)?;
    let (_, identity) = open_identified(folder)?;
    Ok(identity)
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
            last_down: LastDown::default(),
            in_memory: InMemory::default(),
            trouble: Trouble::default(),
            fleet: None,
        }
    }

    /// The same, asking the gate of the fleet's spool too.
    #[must_use]
    pub fn with_fleet(self, fleet: Arc<Self>) -> Self {
        Self {
            fleet: Some(fleet),
            ..self
        }
    }

    /// The gate of the fleet's spool.
    #[must_use]
    pub fn fleet(&self) -> Option<&Self> {
        self.fleet.as_deref()
    }

    /// Takes an entry down without a file, where none can be written.
    pub fn hold_in_memory(&self, name: &str, downtime: Downtime) {
        self.in_memory.hold(name, downtime);
    }

    /// Whether there are downtimes without a file.
    pub fn holds_in_memory(&self) -> bool {
        self.in_memory.any()
    }

    /// Ends what [`Gate::hold_in_memory`] began.
    pub fn let_go(&self, name: &str) {
        self.in_memory.let_go(name);
    }

    /// The spool behind the gate.
    #[must_use]
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// The downtime that counts among those of `all` and of the entries of a service, which are its own and those of its
    /// instances: one that is told as usual before a soft one, a soft one before one that weights tell, where they do, and
    /// that before one for agents, where a check asks; among equals the first in their order, this host's own before the
    /// fleet's.
    pub fn closed(
        &self,
        service: &str,
        entries: &dyn Fn() -> Vec<String>,
        asker: GateAsker,
        now: Instant,
    ) -> Option<Closed> {
        let own = self.closed_here(service, entries, asker, now);
        let Some(fleet) = &self.fleet else {
            return own;
        };

        match own {
            Some(own) if own.rank(asker) == DowntimeRank::Usual => Some(own),
            weaker => match fleet.closed_here(service, entries, asker, now) {
                Some(ordered) => Some(stronger(weaker, ordered, asker)),
                None => weaker,
            },
        }
    }

    /// What counts of this spool alone.
    fn closed_here(
        &self,
        service: &str,
        entries: &dyn Fn() -> Vec<String>,
        asker: GateAsker,
        now: Instant,
    ) -> Option<Closed> {
        let certain = self.names.certain(self.spool.root(), now);
        // Mostly nothing is down, and then there is nothing to open, and nothing to forget.
        let is_unconcerned = certain.as_ref().is_some_and(|l| !l.concerns(service));
        if is_unconcerned && !self.last_down.any() && !self.in_memory.any() {
            return None;
        }

        let entries = self.with_spellings(entries(), certain.as_deref());
        self.strongest(&entries, certain.as_deref(), asker)
    }

    /// The downtime that counts among those of `all` and of some entries.
    fn strongest(
        &self,
        entries: &[String],
        certain: Option<&EntryNames>,
        asker: GateAsker,
    ) -> Option<Closed> {
        // One folder for all entries, opened when the first of them must be read: a folder that takes its place
        // meanwhile counts from the next question on.
        let root = OnceCell::new();
        let mut strongest: Option<Closed> = None;
        for name in iter::once(ALL).chain(entries.iter().map(String::as_str)) {
            let on_disk = if certain.is_some_and(|listing| !listing.has(name)) {
                self.last_down.forget(name);
                None
            } else {
                let root = root.get_or_init(|| self.open_root());
                self.ask(root, name)
            };
            let Some(closed) = on_disk.or_else(|| self.in_memory.closed(name)) else {
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
        let last = match certain {
            Some(_) => None,
            None => self.names.last(),
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
            None => (self.last_down.remembered(name)?, true),
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
        let names = self.names_of(name);
        match names.iter().find_map(|name| self.ask(&root, name)) {
            None => EntrySeen::Up,
            Some(closed) if closed.held => EntrySeen::Unreadable,
            Some(_) => EntrySeen::Down,
        }
    }

    fn names_of(&self, name: &str) -> Vec<String> {
        match Key::parse(name) {
            Ok(key) => self.spool.names_of(&key),
            // A file of an odd name: its own content is all there is to tell.
            Err(_) => vec![name.to_owned()],
        }
    }

    /// The whole spool; `None` while it cannot be listed.
    pub fn list(&self) -> Option<Listing> {
        match self.spool.list() {
            Ok(mut listing) => {
                self.in_memory.add_to(&mut listing);
                Some(listing)
            }
            Err(e) => {
                self.note_root(&e.cause);
                None
            }
        }
    }

    /// The root, unless it is gone.
    fn open_root(&self) -> Option<Root<'_>> {
        let opened = open_identified(self.spool.root());
        match opened {
            Ok((root, identity)) => {
                self.names.met(self.spool.root(), identity);
                Some(root)
            }
            Err(e) => {
                self.note_root(&e);
                None
            }
        }
    }

    /// The downtime of one entry, and whether it is held; `None` is up.
    fn entry(&self, root: &Root<'_>, name: &str) -> Option<(Arc<Downtime>, bool)> {
        match root.entry(name) {
            Ok(None) => {
                self.last_down.forget(name);
                None
            }
            Ok(Some(downtime)) if downtime.is_over(SystemTime::now()) => {
                self.last_down.forget(name);
                // It counts no longer; that its file goes too is tidiness, and keeps listings short.
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
        if let Some(known) = self.last_down.remembered(name) {
            return Some(known);
        }

        // Somebody wrote it, and perhaps to take the service down.
        let is_there = root.has(name);
        is_there.then(|| Arc::new(Downtime::unreadable(name)))
    }

    fn remember(&self, name: &str, downtime: Downtime) -> Arc<Downtime> {
        let read = self.last_down.remember(name, downtime);
        // Once for each change of the entry, and not with each poll.
        if let Some(what) = &read.downtime.odd_end
            && read.is_new
        {
            let path = self.spool.root().join(name);
            log::warn!("spool entry {}: {what}", path.display());
        }

        read.downtime
    }

    fn note_root(&self, e: &io::Error) {
        let (folder, cause) = (self.spool.root().display(), cause_text(e));
        self.trouble
            .note(&format!("spool folder {folder}: {cause}"));
    }

    fn note_entry(&self, name: &str, e: &io::Error) {
        let path = self.spool.root().join(name);
        let (path, cause) = (path.display(), cause_text(e));
        self.trouble.note(&format!("spool entry {path}: {cause}"));
    }

    /// How often an entry or the root could not be read.
    pub fn errors(&self) -> u64 {
        self.trouble.count()
    }

    /// The last trouble with the spool, if it came within the last `within`.
    pub fn trouble_within(&self, within: Duration) -> Option<String> {
        self.trouble.within(within)
    }
}
