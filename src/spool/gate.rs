//! The daemon's view of the spool: is this service let through, and if not, why not.
//!
//! Rule: what cannot be read keeps the state that was read last; a key that was never read is up. So a spool that
//! vanishes, loses its permissions or breaks never lets a host back into traffic.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::names::Names;
use super::{ALL, Downtime, Spool, SpoolError, cause_text, read};

/// How often the same trouble is logged at the most.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Longest reason that is remembered for a key while the spool is readable, in bytes.
const REMEMBERED_REASON: usize = 1 << 17;

/// A downtime that closes the gate.
#[derive(Debug, Clone)]
pub struct Closed {
    /// What the answer names: `all` or the service.
    pub name: Box<str>,
    /// The downtime.
    pub downtime: Arc<Downtime>,
    /// The entry cannot be read now; this is what it said last.
    pub held: bool,
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

impl Gate {
    /// Opens the gate's spool: the folder is made if it is missing.
    ///
    /// # Errors
    /// When the folder can neither be made nor listed: a daemon must not start blind.
    pub fn open(spool: Spool) -> Result<Self, SpoolError> {
        spool.create_root()?;
        let fail = |e| SpoolError::new("read spool folder", spool.root(), e);
        fs::read_dir(spool.root()).map_err(fail)?;
        let names = Names::default();
        names.look_at(spool.root()).map_err(fail)?;
        spool.sweep();
        Ok(Self {
            spool,
            names,
            last_down: Mutex::default(),
            any_down: AtomicBool::new(false),
            trouble: Mutex::default(),
            errors: AtomicU64::new(0),
        })
    }

    /// The spool behind the gate.
    #[must_use]
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// The first downtime in force among `all` and the given keys, in their order.
    pub fn ask<'a>(&self, service: &str, names: impl IntoIterator<Item = &'a str>) -> Option<Closed> {
        self.ask_for(service, names, &|_| true)
    }

    /// The first downtime in force among `all` and the given keys that is wanted, in their order.
    pub fn ask_for<'a>(
        &self,
        service: &str,
        names: impl IntoIterator<Item = &'a str>,
        wanted: &dyn Fn(&Downtime) -> bool,
    ) -> Option<Closed> {
        let certain = self.names.certain(self.spool.root());
        let closed = |name: &str, (downtime, held)| {
            let shown = if name == ALL { ALL } else { service };
            Closed { name: shown.into(), downtime, held }
        };
        let mut absent = Vec::new();
        let found = std::iter::once(ALL).chain(names).find_map(|name| {
            if certain.as_ref().is_some_and(|certain| !certain.contains(name)) {
                self.forget(&[name]);
                return None;
            }
            self.entry(name, &mut absent).filter(|(downtime, _)| wanted(downtime)).map(|found| closed(name, found))
        });
        if absent.is_empty() {
            return found;
        }
        // Entries were missing: is it they, or the whole root?
        match self.names.look_at(self.spool.root()) {
            Ok(()) => {
                self.forget(&absent);
                found
            }
            Err(e) => {
                self.note(&format!("spool folder {}: {}", self.spool.root().display(), cause_text(&e)));
                let held = |name: &&str| {
                    self.remembered(name).filter(|d| wanted(d)).map(|downtime| closed(name, (downtime, true)))
                };
                absent.iter().find_map(held).or(found)
            }
        }
    }

    /// The downtime of one entry, and whether it is held; `None` is up, or missing, which is noted in `absent`.
    fn entry<'a>(&self, name: &'a str, absent: &mut Vec<&'a str>) -> Option<(Arc<Downtime>, bool)> {
        match read::entry(self.spool.root(), name) {
            Ok(None) => {
                absent.push(name);
                None
            }
            Ok(Some(downtime)) if downtime.is_over(SystemTime::now()) => {
                self.forget(&[name]);
                self.spool.remove_expired(name);
                None
            }
            Ok(Some(downtime)) => Some((self.remember(name, downtime), false)),
            Err(e) => {
                let what = self.spool.root().join(name);
                self.note(&format!("spool entry {}: {}", what.display(), cause_text(&e)));
                self.remembered(name).map(|downtime| (downtime, true))
            }
        }
    }

    fn remember(&self, name: &str, mut downtime: Downtime) -> Arc<Downtime> {
        let mut last = self.last_down();
        if let Some(known) = last.get(name)
            && **known == downtime
        {
            return Arc::clone(known);
        }
        self.any_down.store(true, Ordering::Release);
        if downtime.reason.len() <= REMEMBERED_REASON {
            let downtime = Arc::new(downtime);
            last.insert(name.into(), Arc::clone(&downtime));
            return downtime;
        }
        let whole = Arc::new(downtime.clone());
        downtime.reason = downtime.reason.chars().take(REMEMBERED_REASON / 4).collect();
        last.insert(name.into(), Arc::new(downtime));
        whole
    }

    fn remembered(&self, name: &str) -> Option<Arc<Downtime>> {
        let now = SystemTime::now();
        self.last_down().get(name).filter(|d| !d.is_over(now)).cloned()
    }

    fn forget(&self, names: &[&str]) {
        // Mostly nothing is down, and then there is nothing to lock for.
        if !self.any_down.load(Ordering::Acquire) {
            return;
        }
        let mut last = self.last_down();
        for name in names {
            last.remove(*name);
        }
        self.any_down.store(!last.is_empty(), Ordering::Release);
    }

    /// Counts a trouble; logs it when it is new or was last logged a minute ago.
    fn note(&self, text: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut trouble = self.trouble();
        let quiet = |(t, at): &(String, Instant)| {
            t == text && now.duration_since(*at) < LOG_EVERY || now.duration_since(*at) < Duration::from_secs(1)
        };
        if !trouble.logged.as_ref().is_some_and(quiet) {
            trouble.logged = Some((text.to_owned(), now));
            log::error!("{text}; every service keeps the state read last");
        }
        trouble.last = Some((text.to_owned(), now));
    }

    /// How often an entry or the root could not be read.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// The last trouble with the spool, if it came within the last `within`.
    pub fn trouble_within(&self, within: Duration) -> Option<String> {
        self.trouble().last.as_ref().filter(|(_, at)| at.elapsed() < within).map(|(text, _)| text.clone())
    }

    fn last_down(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Downtime>>> {
        self.last_down.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
