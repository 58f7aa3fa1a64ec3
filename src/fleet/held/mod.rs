//! What this host holds of the orders: a downtime for each key, written to the fleet's spool.
//!
//! Rules: nothing here is lifted by absence. A key comes up by a newer order of its register, by its end, by a waiver, or
//! because this host's tags no longer fit. What cannot be written is held in memory, what cannot be removed stays down, and
//! both are told.

mod known;
mod merge;
mod told;
mod waivers;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::known::Known;
use self::waivers::Waivers;
use super::engine::Pair;
use super::{Order, Paths, Selector};
use crate::names::Key;
use crate::spool::{ALL, Downtime, Gate};

pub use merge::order_of;
pub use waivers::waive;

/// What answers to a poll before the first orders are read, where `boot_wait` is set.
const WAITING: &str = "waiting for the fleet";

/// What this host holds.
pub struct Held {
    host: String,
    tags: BTreeMap<String, String>,
    gate: Arc<Gate>,
    known: Known,
    /// [`Known`] differs from its file.
    is_changed: bool,
    waivers: Waivers,
    /// What each entry was written of, by ids.
    written: BTreeMap<Key, Vec<String>>,
    /// The registers that the engine has now, also those that cannot be read.
    in_engine: BTreeSet<String>,
    /// They were all read once. No file tells them, so the first reading of a process is of all.
    knows_engine: bool,
    /// Registers that cannot be read, with the cause.
    unknown: BTreeMap<String, String>,
    /// Keys whose entry could not be written or removed, with the cause.
    unwritten: BTreeMap<Key, String>,
    /// Why what is known could not be written.
    unsaved: Option<String>,
}

impl Held {
    /// Reads what this host held before. What no longer is for its tags is lifted.
    #[must_use]
    pub fn load(host: &str, tags: &BTreeMap<String, String>, gate: Arc<Gate>) -> Self {
        let mut held = Self {
            host: host.to_owned(),
            tags: tags.clone(),
            known: Known::read(gate.spool()),
            gate,
            is_changed: false,
            waivers: Waivers::new(),
            written: BTreeMap::new(),
            in_engine: BTreeSet::new(),
            knows_engine: false,
            unknown: BTreeMap::new(),
            unwritten: BTreeMap::new(),
            unsaved: None,
        };

        // Beside the file: what holds this host down must outlive the loss of either.
        held.read_entries();
        // Before anything is written, or an order that was waived would take the host down for a moment.
        held.read_waivers();
        held.forget_others();
        held.apply_all();
        held
    }

    /// The entries tell what they were made of, whatever became of the other file.
    fn read_entries(&mut self) {
        // A folder that cannot be read is the gate's to tell.
        let Some(listing) = self.gate.list() else {
            return;
        };

        for (key, downtime) in listing.downtimes {
            let orders = merge::orders(&key, &downtime);
            let ids = orders.iter().map(|order| order.id.clone()).collect();
            self.written.insert(key, ids);
            for order in orders {
                self.is_changed |= self.known.take(order);
            }
        }
    }

    /// The host's tags may be others than when the orders came.
    fn forget_others(&mut self) {
        let (host, tags) = (&self.host, &self.tags);
        let orders = &mut self.known.orders;
        let before = orders.len();
        orders.retain(|_, order| order.selector.selects(host, tags));
        self.is_changed |= orders.len() != before;
    }

    /// Reads the waivers again; whether they are others now.
    fn read_waivers(&mut self) -> bool {
        match waivers::read(self.gate.spool()) {
            Ok(waivers) if waivers != self.waivers => {
                self.waivers = waivers;
                true
            }
            Ok(_) => false,
            Err(e) => {
                log::warn!("{e}; the waivers that were read last count");
                false
            }
        }
    }

    /// Whether this host was booted since it knew the orders last.
    #[must_use]
    pub fn is_new_boot(&self, boot: &str) -> bool {
        self.known.boot != boot
    }

    /// Answers that this host waits, until it knows the orders, or until that end in seconds of unix time.
    pub fn wait_until(&self, end: f64) {
        let waiting = Downtime {
            reason: WAITING.to_owned(),
            expiration: Some(end),
            ..Downtime::default()
        };
        self.gate.hold_in_memory(ALL, waiting);
    }

    /// Where in the engine's history this host is: cluster and revision.
    #[must_use]
    pub fn place(&self) -> (u64, i64) {
        (self.known.cluster, self.known.revision)
    }

    /// Where to read the engine's history on; `None` before all of it was read once.
    #[must_use]
    pub fn next_revision(&self) -> Option<i64> {
        self.knows_engine.then_some(self.known.revision + 1)
    }

    /// All orders are read again: what the engine does not have is not in it.
    pub fn begin_whole(&mut self) {
        // Neither is forgotten by a reading that fails: this one has come.
        self.in_engine.clear();
        self.unknown.clear();
    }

    /// Takes what the engine has of a register; the key that it is for, if that is news.
    pub fn learn(&mut self, paths: &Paths, pair: &Pair) -> Option<Key> {
        let Some((key, selector)) = paths.read_order(&pair.key) else {
            let path = String::from_utf8_lossy(&pair.key).into_owned();
            self.cannot_read(path, "its key is none of an order".to_owned());
            return None;
        };

        // Before the value is looked at: what is wrong with the orders of other hosts is their affair.
        if !selector.selects(&self.host, &self.tags) {
            return None;
        }

        let is_news = self.learn_order(&key, &selector, &pair.value);
        is_news.then_some(key)
    }

    fn learn_order(&mut self, key: &Key, selector: &Selector, value: &[u8]) -> bool {
        let register = super::register(key, selector);
        match Order::read(key, selector, value) {
            Ok(order) => self.take(register, order),
            // Neither taken for a lift nor for none: the order that was read last is held on.
            Err(e) => {
                self.in_engine.insert(register.clone());
                self.cannot_read(register, e.to_string());
                false
            }
        }
    }

    fn cannot_read(&mut self, register: String, cause: String) {
        // Once, as all orders are read again every few minutes.
        let before = self.unknown.get(&register);
        if before != Some(&cause) {
            log::error!("fleet: cannot read the order {register}: {cause}; what is held is held");
        }

        self.unknown.insert(register, cause);
    }

    fn take(&mut self, register: String, order: Order) -> bool {
        self.unknown.remove(&register);
        let is_news = self.known.take(order);
        if is_news && let Some(order) = self.known.orders.get(&register) {
            log::info!("{}", told::line(order));
        }

        self.in_engine.insert(register);
        self.is_changed |= is_news;
        is_news
    }

    /// The engine no longer has a register; what it ordered is held.
    pub fn lost(&mut self, paths: &Paths, path: &[u8]) {
        // Not lifted: keys go when somebody tidies up by hand, when a backup is restored, or when the engine is wiped.
        if let Some((key, selector)) = paths.read_order(path) {
            self.in_engine.remove(&super::register(&key, &selector));
        }
    }

    /// All that the engine has is known, as of a revision.
    pub fn synced(&mut self, cluster: u64, revision: i64, boot: &str) {
        let known = &mut self.known;
        // The revision alone is no reason to write the file: it changes with every report of every host.
        self.is_changed |= known.cluster != cluster || known.boot != boot;
        known.cluster = cluster;
        known.revision = revision;
        known.boot = boot.to_owned();
        self.knows_engine = true;
        // Before anybody is told so, or a crash in between would make this host wait once more.
        self.save();
        self.end_wait();
    }

    fn end_wait(&mut self) {
        self.gate.let_go(ALL);
        // The wait may have stood in the place of an order for everything that could not be written.
        let all = self.unwritten.keys().find(|key| key.file_name() == ALL);
        if let Some(all) = all.cloned() {
            self.apply(&all);
        }
    }

    /// Notes a later revision.
    pub fn seen(&mut self, revision: i64) {
        self.known.revision = self.known.revision.max(revision);
    }
}

#[cfg(test)]
mod tests;
