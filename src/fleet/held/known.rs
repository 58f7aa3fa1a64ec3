//! What a host remembers of the engine from one start to the next: the last order of each register that is for it, lifts
//! too, and where in the engine's history it was.
//!
//! Rule: losing it costs nothing that the entries of the spool do not tell again, but for lifts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fleet::{Order, Version};
use crate::spool::Spool;

/// The file beside the entries.
pub(super) const FILE: &str = "orders";

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Known {
    pub(super) v: Version,
    /// The engine, by its cluster's id; 0 before the first one.
    pub(super) cluster: u64,
    /// Its revision when it was read last.
    pub(super) revision: i64,
    /// The boot of this host in which that was.
    pub(super) boot: String,
    /// The last order of each register.
    pub(super) orders: BTreeMap<String, Order>,
}

impl Known {
    /// Reads what is known from before. A file that cannot be read is as good as none.
    pub(super) fn read(spool: &Spool) -> Self {
        let content = match spool.read_beside(FILE) {
            Ok(content) => content.unwrap_or_default(),
            Err(e) => {
                log::warn!("{e}; the entries beside it tell what is held");
                return Self::default();
            }
        };
        // One of another version is no reason not to start: the orders that hold stand in the entries, too.
        serde_json::from_slice(&content).unwrap_or_default()
    }

    /// Takes an order, if it is newer than that of its register; whether it is.
    pub(super) fn take(&mut self, order: Order) -> bool {
        let register = order.register();
        // An older one comes from an engine that was restored from a backup, and from a watch that begins again.
        let is_newer = match self.orders.get(&register) {
            Some(known) => order.is_newer_than(known),
            None => true,
        };

        if is_newer {
            self.orders.insert(register, order);
        }

        is_newer
    }
}
