//! Putting orders into force: the entries of the fleet's spool, and the file of what is known.
//!
//! Rule: what cannot be written is held in memory, what cannot be removed stays down; both are told, and tried again.

use std::collections::BTreeSet;

use super::{Held, known, merge};
use crate::fleet::Order;
use crate::names::Key;
use crate::spool::Downtime;

impl Held {
    /// Puts all orders into force.
    pub fn apply_all(&mut self) {
        for key in self.keys() {
            self.apply(&key);
        }

        self.save();
    }

    /// The keys of all orders, and of all entries: an entry without an order is one to lift.
    fn keys(&self) -> BTreeSet<Key> {
        let mut keys = BTreeSet::new();
        for order in self.known.orders.values() {
            keys.insert(order.key.clone());
        }

        keys.extend(self.written.keys().cloned());
        keys
    }

    /// Puts the orders of a key into force.
    pub fn apply(&mut self, key: &Key) {
        let holding = self.holding(key);
        let ids: Vec<String> = holding.iter().map(|order| order.id.clone()).collect();
        // Most looks change nothing, and must not write to the disk each second.
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
            // A disk that is full or read-only is no reason to stay in rotation.
            Err(e) => {
                self.gate.hold_in_memory(&key.file_name(), downtime);
                self.cannot_write(key, format!("{e}; it is held in memory"));
            }
        }

        // Also where it is in memory only: `unwritten` has it tried again.
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
        let orders = self.obeyed().filter(|order| order.key == *key);
        orders.collect()
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

        // Orders with texts as keys: these always have a JSON.
        let json = serde_json::to_vec(&self.known).unwrap_or_default();
        match self.gate.spool().replace_beside(known::FILE, &json) {
            Ok(()) => {
                self.is_changed = false;
                self.unsaved = None;
            }
            Err(e) => self.unsaved = Some(e.to_string()),
        }
    }
}
