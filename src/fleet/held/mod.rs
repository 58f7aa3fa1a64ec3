//! What this host holds of the orders: a downtime for each key, written to the fleet's spool.
//!
//! Rules: nothing here is lifted by absence. A key comes up by a newer order of its register, by its end, by a waiver, or
//! because this host's tags no longer fit. What cannot be written is held in memory, what cannot be removed stays down, and
//! both are told.

mod known;
mod merge;
mod waivers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::known::Known;
use self::waivers::Waivers;
use super::engine::Pair;
use super::{Order, OrderState, Paths, Selector, WaivedOrder};
use crate::names::Key;
use crate::spool::{ALL, Downtime, Gate, Spool, unix_now};

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
    /// The registers that the engine has now.
    in_engine: BTreeSet<String>,
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
            known: read_known(gate.spool()),
            gate,
            is_changed: false,
            waivers: Waivers::new(),
            written: BTreeMap::new(),
            in_engine: BTreeSet::new(),
            unknown: BTreeMap::new(),
            unwritten: BTreeMap::new(),
            unsaved: None,
        };
        held.read_entries();
        held.read_waivers();
        held.forget_others();
        held.apply_all();
        held
    }

    /// The entries tell what they were made of, whatever became of the other file.
    fn read_entries(&mut self) {
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

    /// All orders are read again: what the engine does not have is not in it.
    pub fn begin_whole(&mut self) {
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
        if !selector.selects(&self.host, &self.tags) {
            return None;
        }
        let register = super::register(&key, &selector);
        match Order::read(&key, &selector, &pair.value) {
            Ok(order) => self.take(register, order).then_some(key),
            Err(e) => {
                self.cannot_read(register, e.to_string());
                None
            }
        }
    }

    fn cannot_read(&mut self, register: String, cause: String) {
        let before = self.unknown.get(&register);
        if before != Some(&cause) {
            log::error!("fleet: cannot read the order {register}: {cause}; what is held is held");
        }
        self.unknown.insert(register, cause);
    }

    fn take(&mut self, register: String, order: Order) -> bool {
        self.unknown.remove(&register);
        self.in_engine.insert(register);
        let told = told(&order);
        let is_news = self.known.take(order);
        if is_news {
            log::info!("{told}");
        }
        self.is_changed |= is_news;
        is_news
    }

    /// The engine no longer has a register; what it ordered is held.
    pub fn lost(&mut self, paths: &Paths, path: &[u8]) {
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
        // Before anybody is told so, or a crash in between would make this host wait once more.
        self.save();
        self.gate.let_go(ALL);
        if let Some(key) = Key::parse(ALL)
            .ok()
            .filter(|all| self.unwritten.contains_key(all))
        {
            self.apply(&key);
        }
    }

    /// Notes a later revision.
    pub fn seen(&mut self, revision: i64) {
        self.known.revision = self.known.revision.max(revision);
    }

    /// Puts all orders into force.
    pub fn apply_all(&mut self) {
        let orders = self.known.orders.values().map(|order| order.key.clone());
        let entries = self.written.keys().cloned();
        let keys: BTreeSet<Key> = orders.chain(entries).collect();
        for key in keys {
            self.apply(&key);
        }
        self.save();
    }

    /// Puts the orders of a key into force.
    pub fn apply(&mut self, key: &Key) {
        let holding = self.holding(key);
        let ids: Vec<String> = holding.iter().map(|order| order.id.clone()).collect();
        let is_done = self.written.get(key).is_some_and(|written| *written == ids);
        if is_done && !self.unwritten.contains_key(key) {
            return;
        }
        match merge::downtime(&holding) {
            Some(downtime) => self.take_down(key, ids, downtime),
            None => self.lift(key),
        }
    }

    fn take_down(&mut self, key: &Key, ids: Vec<String>, downtime: Downtime) {
        match self.gate.spool().down(key, downtime.clone()) {
            Ok(_) => {
                self.gate.let_go(&key.file_name());
                self.unwritten.remove(key);
            }
            Err(e) => {
                self.gate.hold_in_memory(&key.file_name(), downtime);
                self.cannot_write(key, format!("{e}; it is held in memory"));
            }
        }
        self.written.insert(key.clone(), ids);
    }

    fn lift(&mut self, key: &Key) {
        self.gate.let_go(&key.file_name());
        // What stands there without an order is not ours to remove.
        let is_ours = self.written.get(key).is_some_and(|ids| !ids.is_empty());
        if !is_ours {
            return;
        }
        match self.gate.spool().up(key) {
            Ok(_) => {
                self.unwritten.remove(key);
                self.written.remove(key);
            }
            Err(e) => self.cannot_write(key, format!("{e}; {key} stays down")),
        }
    }

    fn cannot_write(&mut self, key: &Key, cause: String) {
        if self.unwritten.get(key) != Some(&cause) {
            log::error!("fleet: {cause}");
        }
        self.unwritten.insert(key.clone(), cause);
    }

    /// The orders that hold a key down now.
    fn holding(&self, key: &Key) -> Vec<&Order> {
        let orders = self.known.orders.values().filter(|order| order.key == *key);
        let now = unix_now();
        let holding = orders.filter(|order| order.holds(now));
        holding
            .filter(|order| !waivers::waives(&self.waivers, order))
            .collect()
    }

    /// Looks for what changes without the engine: waivers that somebody wrote, orders that have ended. Tries again what
    /// could not be written.
    pub fn look(&mut self) {
        if self.read_waivers() {
            self.apply_all();
        }
        let entries: Vec<Key> = self.written.keys().cloned().collect();
        for key in entries {
            self.apply(&key);
        }
        self.save();
    }

    /// Writes what is known, where it has changed.
    pub fn save(&mut self) {
        if !self.is_changed {
            return;
        }
        let json = serde_json::to_vec(&self.known).unwrap_or_default();
        match self.gate.spool().replace_beside(known::FILE, &json) {
            Ok(()) => {
                self.is_changed = false;
                self.unsaved = None;
            }
            Err(e) => self.unsaved = Some(e.to_string()),
        }
    }

    /// The orders that hold something down, by register and stamp.
    #[must_use]
    pub fn held(&self) -> BTreeMap<String, u64> {
        let held = self
            .in_force()
            .filter(|o| !waivers::waives(&self.waivers, o));
        held.map(|order| (order.register(), order.at)).collect()
    }

    /// The orders that would hold something down, but for waivers.
    #[must_use]
    pub fn waived(&self) -> BTreeMap<String, WaivedOrder> {
        let mut waived = BTreeMap::new();
        for order in self.in_force() {
            let register = order.register();
            match self.waivers.get(&register) {
                Some(waiver) if waiver.order == order.id => {
                    waived.insert(register, waiver.clone());
                }
                _ => {}
            }
        }
        waived
    }

    fn in_force(&self) -> impl Iterator<Item = &Order> {
        let now = unix_now();
        let orders = self.known.orders.values();
        orders.filter(move |order| order.holds(now))
    }

    /// The orders that are held although the engine does not have them.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let registers = self.held().into_keys();
        registers
            .filter(|register| !self.in_engine.contains(register))
            .collect()
    }

    /// How many registers cannot be read.
    #[must_use]
    pub fn unknown(&self) -> usize {
        self.unknown.len()
    }

    /// The most hosts that an order in force is for.
    #[must_use]
    pub fn most_hosts(&self) -> u64 {
        let hosts = self.in_force().map(|order| order.hosts);
        hosts.max().unwrap_or_default()
    }

    /// What an operator should know.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (register, cause) in &self.unknown {
            problems.push(format!("cannot read the order {register}: {cause}"));
        }
        problems.extend(self.unwritten.values().cloned());
        problems.extend(self.unsaved.iter().cloned());
        problems
    }
}

/// What is known from before. A file that cannot be read is as good as none.
fn read_known(spool: &Spool) -> Known {
    let content = match spool.read_beside(known::FILE) {
        Ok(content) => content.unwrap_or_default(),
        Err(e) => {
            log::warn!("{e}; the entries beside it tell what is held");
            return Known::default();
        }
    };
    serde_json::from_slice(&content).unwrap_or_default()
}

/// The line of the log: the host's own record of who ordered what.
fn told(order: &Order) -> String {
    let Order { id, by, from, .. } = order;
    let what = match order.state {
        OrderState::Down => "down",
        OrderState::Up => "up",
    };
    let reason = crate::names::text::one_line(&order.reason);
    let by = crate::names::text::one_line(&format!("{by}@{from}"));
    let on = shown_selector(&order.selector);
    format!(
        "fleet order {id} by {by}: {} {what} on {on}: {reason}",
        order.key
    )
}

fn shown_selector(selector: &Selector) -> String {
    match selector.is_every_host() {
        true => "every host".to_owned(),
        false => selector.to_string(),
    }
}

#[cfg(test)]
mod tests;
