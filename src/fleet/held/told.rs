//! What this host tells of the orders: to the engine, in metrics and pages, and in its log.

use std::collections::BTreeMap;

use super::Held;
use crate::fleet::{Order, Selector, WaivedOrder};
use crate::names::text::one_line;
use crate::spool::unix_now;

impl Held {
    /// The orders that hold something down, by register and stamp.
    #[must_use]
    pub fn held(&self) -> BTreeMap<String, u64> {
        let mut held = BTreeMap::new();
        for order in self.obeyed() {
            held.insert(order.register(), order.at);
        }

        held
    }

    /// The orders that would hold something down, but for waivers.
    #[must_use]
    pub fn waived(&self) -> BTreeMap<String, WaivedOrder> {
        let mut waived = BTreeMap::new();
        for order in self.in_force() {
            if let Some(waiver) = order.waiver(&self.waivers) {
                waived.insert(order.register(), waiver.clone());
            }
        }

        waived
    }

    /// The orders in force that no waiver is for.
    pub(super) fn obeyed(&self) -> impl Iterator<Item = &Order> {
        let orders = self.in_force();
        orders.filter(|order| order.waiver(&self.waivers).is_none())
    }

    fn in_force(&self) -> impl Iterator<Item = &Order> {
        // Orders end by this host's own clock: a host that cannot reach the engine must come up in time, too.
        let now = unix_now();
        let orders = self.known.orders.values();
        orders.filter(move |order| order.holds(now))
    }

    /// The orders that are held although the engine does not have them.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for register in self.held().into_keys() {
            if !self.in_engine.contains(&register) {
                missing.push(register);
            }
        }

        missing
    }

    /// How many registers cannot be read.
    #[must_use]
    pub fn unknown(&self) -> usize {
        self.unknown.len()
    }

    /// The most hosts that an order in force is for.
    #[must_use]
    pub fn most_hosts(&self) -> u64 {
        // By the largest order: its hosts all report the same at the same time.
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

/// The line of the log: the host's own record of who ordered what.
pub(super) fn line(order: &Order) -> String {
    let Order { id, key, by, .. } = order;
    let what = order.state.as_str();
    let reason = one_line(&order.reason);
    let by = one_line(&format!("{by}@{}", order.from));
    let on = shown_selector(&order.selector);
    format!("fleet order {id} by {by}: {key} {what} on {on}: {reason}")
}

fn shown_selector(selector: &Selector) -> String {
    match selector.is_every_host() {
        true => "every host".to_owned(),
        false => selector.to_string(),
    }
}
