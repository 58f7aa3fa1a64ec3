//! The spool: one file per downtime in a folder that daemon and command line share.
//!
//! Files are named by [`Key`] and hold a [`Downtime`]; they are interchangeable with those of Yelp's hacheck, so that
//! a host can be switched over, or back, with downtimes in force. [`Spool`] reads and writes them; [`Gate`] is the
//! daemon's view, which never lets an unreadable spool look like "up".
//!
//! Rule: files are replaced, never written in place; every change happens under the lock after reading anew.

mod beside;
mod downtime;
mod error;
mod gate;
mod listing;
mod network;
mod owned;
mod read;
mod replace;
mod spellings;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use crate::names::TEMP_MARK;
use crate::names::leftovers::is_leftover;
pub use crate::names::{ALL, Key, NameError, ServiceName, fits_url, parse_port};
use crate::os::cause::cause_text;
pub use downtime::{Downtime, Mark, REASON_MAX, unix_now, unix_seconds};
pub use error::SpoolError;
pub use gate::{Closed, EntrySeen, Gate, GateAsker};
pub use network::network_file_system;
use replace::Writer;

/// Where the spool lies unless told otherwise.
pub const DEFAULT_ROOT: &str = "/var/spool/hacheck";

/// A spool folder.
#[derive(Debug, Clone)]
pub struct Spool {
    root: PathBuf,
    /// Its lock was waited for in vain, and has not been free since.
    lock_is_stuck: Arc<AtomicBool>,
}

/// What [`Spool::list`] found.
#[derive(Debug, Default)]
pub struct Listing {
    /// The downtimes in force, by file name.
    pub downtimes: Vec<(Key, Downtime)>,
    /// Entries that are no downtime, each with the cause: odd names, folders, files that cannot be read.
    pub odd: Vec<(String, String)>,
}

impl Listing {
    fn add(&mut self, name: &OsStr, listed: Result<Option<(Key, Downtime)>, String>) {
        match listed {
            Ok(found) => self.downtimes.extend(found),
            Err(why) => self.odd.push((name.to_string_lossy().into_owned(), why)),
        }
    }
}

/// What tells a folder from all others, whatever path leads to it: device and inode.
fn identity(folder: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(folder).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

impl Spool {
    /// A spool folder that need not exist.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            lock_is_stuck: Arc::default(),
        }
    }

    /// Whether a path leads to the same folder, by whatever links or mounts.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        let own = identity(&self.root);
        own.is_some() && own == identity(path)
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the folder with mode 0750 if it is missing; the folder above it must exist. Gives whether it was missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create_root(&self) -> Result<bool, SpoolError> {
        match fs::DirBuilder::new().mode(0o750).create(&self.root) {
            // Whatever is there: a file in its place fails with its own cause when it is used.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(SpoolError::new("create spool folder", &self.root, e)),
            Ok(()) => Ok(true),
        }
    }

    /// The downtime in force for this key, however its host is spelled, if any; an expired one is removed where that is possible.
    ///
    /// # Errors
    /// When the entry cannot be read: whether it is a downtime is then unknown.
    pub fn read(&self, key: &Key) -> Result<Option<Downtime>, SpoolError> {
        for name in self.names_of(key) {
            let found = self.read_named(&name)?;
            if found.is_some() {
                return Ok(found);
            }
        }

        Ok(None)
    }

    /// The downtime in force of one file.
    fn read_named(&self, name: &str) -> Result<Option<Downtime>, SpoolError> {
        match self.read_raw(name)? {
            Some(found) if found.is_over(SystemTime::now()) => {
                self.remove_expired(name);
                Ok(None)
            }
            found => Ok(found),
        }
    }

    fn read_raw(&self, name: &str) -> Result<Option<Downtime>, SpoolError> {
        let fail = |e| SpoolError::new("read", self.root.join(name), e);
        let root = match read::Root::open(&self.root) {
            // A host where nobody has ever taken anything down has no spool. The daemon's gate is stricter.
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            root => root.map_err(fail)?,
        };

        match root.entry(name) {
            // As a daemon says that starts now: it has no earlier state to keep.
            Err(_) if root.has(name) => Ok(Some(Downtime::unreadable(name))),
            found => found.map_err(fail),
        }
    }

    /// Writes a downtime. Where one is in force for the same reason, and the new one has no `creation`, the old one's
    /// `creation` stays, so that an operator can prolong a downtime and still see how long it has lasted.
    ///
    /// Returns the downtime that was in force before.
    ///
    /// # Errors
    /// When nothing was written; what was there is then unchanged.
    pub fn down(&self, key: &Key, new: Downtime) -> Result<Option<Downtime>, SpoolError> {
        self.write(key, new, true)
    }

    /// Writes a downtime where none is in force; else it returns the one that is, and changes nothing.
    ///
    /// # Errors
    /// When nothing was written.
    pub fn down_if_up(&self, key: &Key, new: Downtime) -> Result<Option<Downtime>, SpoolError> {
        self.write(key, new, false)
    }

    /// Replaces a downtime where a look under the lock allows it; gives whether it did.
    ///
    /// # Errors
    /// When nothing was written.
    pub fn take_over(
        &self,
        key: &Key,
        new: Downtime,
        may: &mut dyn FnMut() -> bool,
    ) -> Result<bool, SpoolError> {
        let writer = self.writer_for(key)?;
        if !may() {
            return Ok(false);
        }

        let before = self.in_force(&self.names_of(key)).unwrap_or_default();
        self.put(&writer, key, new, before.as_ref())?;
        Ok(true)
    }

    fn write(
        &self,
        key: &Key,
        new: Downtime,
        replace: bool,
    ) -> Result<Option<Downtime>, SpoolError> {
        // The lock before the first look: what is in force decides what is written.
        let writer = self.writer_for(key)?;
        let before = match self.in_force(&self.names_of(key)) {
            // An entry that cannot be read is replaced: down is what the operator wants.
            Err(_) if replace => None,
            found => found?,
        };

        if !replace && before.is_some() {
            return Ok(before);
        }

        self.put(&writer, key, new, before.as_ref())?;
        Ok(before)
    }

    fn writer_for(&self, key: &Key) -> Result<Writer<'_>, SpoolError> {
        let fail = |e| SpoolError::new("write", self.root.join(key.file_name()), e);
        self.writer().map_err(fail)
    }

    /// Writes a downtime in the place of what was in force.
    fn put(
        &self,
        writer: &Writer<'_>,
        key: &Key,
        mut new: Downtime,
        before: Option<&Downtime>,
    ) -> Result<(), SpoolError> {
        new.cut_reason();
        let name = key.file_name();
        let creation = creation(&new, before);
        let written = Downtime { creation, ..new }.to_json();
        let replaced = writer.replace(&name, written.as_bytes());
        replaced.map_err(|e| SpoolError::new("write", self.root.join(&name), e))?;
        // Last, so that the instance is down at every moment between.
        remove_others(writer, &self.names_of(key), &name);
        Ok(())
    }

    /// The first downtime in force of some files.
    fn in_force(&self, names: &[String]) -> Result<Option<Downtime>, SpoolError> {
        let now = SystemTime::now();
        for name in names {
            match self.read_raw(name)? {
                Some(found) if !found.is_over(now) => return Ok(Some(found)),
                _ => {}
            }
        }

        Ok(None)
    }

    /// Lifts a downtime, however its host is spelled; `false` when there was none.
    ///
    /// # Errors
    /// When it could not be removed.
    pub fn up(&self, key: &Key) -> Result<bool, SpoolError> {
        let name = key.file_name();
        let fail = |e| SpoolError::new("remove", self.root.join(&name), e);
        let writer = self.writer().map_err(fail)?;
        let mut was_down = false;
        // All of them, though one would answer the question: any that stays keeps the instance down.
        for name in self.names_of(key) {
            was_down |= writer.remove(&name).map_err(fail)?;
        }

        Ok(was_down)
    }

    fn writer(&self) -> io::Result<Writer<'_>> {
        Writer::begin(&self.root, &self.lock_is_stuck)
    }

    /// All downtimes in force, in the order of their names.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn list(&self) -> Result<Listing, SpoolError> {
        let names = file_names(&self.root);
        let names = names.map_err(|e| SpoolError::new("list", &self.root, e))?;
        let mut listing = Listing::default();
        for name in names {
            listing.add(&name, self.listed(&name));
        }

        Ok(listing)
    }

    /// One entry of the list, by its file name.
    fn listed(&self, name: &OsStr) -> Result<Option<(Key, Downtime)>, String> {
        let name = name.to_str().ok_or("its name is not UTF-8")?;
        let key = Key::parse(name).map_err(|e| e.to_string())?;
        let asked = key.file_name();
        if asked != name {
            // `web:080`, `web:127.0.0.1:80`: to read `web:80` instead would show another entry's state.
            return Err(format!("no check asks for this name; they ask for {asked}"));
        }

        match self.read_named(name) {
            Ok(found) => Ok(found.map(|downtime| (key, downtime))),
            Err(e) => Err(cause_text(&e.cause)),
        }
    }

    /// Clears what killed writers left behind. Nothing is waited for, and what cannot be cleared does no harm.
    fn sweep(&self) {
        if let Ok(Some(writer)) = Writer::begin_now(&self.root) {
            writer.sweep();
        }
    }

    /// Removes a downtime that is over: under the lock, after reading it anew, since it may just have been prolonged.
    /// Nothing is waited for, and a failure changes nothing: expired is up, whether the file goes or not.
    fn remove_expired(&self, name: &str) {
        if let Ok(Some(writer)) = Writer::begin_now(&self.root)
            && let Ok(Some(downtime)) = self.read_raw(name)
            && downtime.is_over(SystemTime::now())
        {
            let _ = writer.remove(name);
        }
    }
}

fn remove_others(writer: &Writer<'_>, names: &[String], written: &str) {
    for other in names.iter().filter(|other| *other != written) {
        // The new entry stands: one more that means the same does no harm.
        let _ = writer.remove(other);
    }
}

/// When a downtime began: as it says itself, else when the same one began that was in force before, else now.
fn creation(new: &Downtime, before: Option<&Downtime>) -> Option<f64> {
    if new.creation.is_some() {
        return new.creation;
    }

    let kept = match before {
        Some(old) if old.reason == new.reason => old.creation,
        _ => None,
    };
    Some(kept.unwrap_or_else(unix_now))
}

/// The names of the files in a folder that can be downtimes, sorted: neither temporary files of writers nor leftovers of
/// other tools.
fn file_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        // A name that is not UTF-8 stays in the list: `listed` reports it as odd.
        let text = name.to_string_lossy();
        if !text.contains(TEMP_MARK) && !is_leftover(&text) {
            names.push(name);
        }
    }

    // readdir(3) gives them in no order that people know.
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests;
