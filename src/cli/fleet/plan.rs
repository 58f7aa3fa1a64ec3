//! What a command is to write, from what was read: which orders, and what the operator should know.
//!
//! Rule: pure; the same snapshot gives the same plan, but for ids. Only what was planned from what is compared is written.

mod down;
mod lift;
mod standing;

pub(super) use self::down::down;
pub(super) use self::lift::{Rest, rest, up};
pub(super) use self::standing::{HostsStanding, scope, standing};
use crate::fleet::{
    AT_CREDIBLE, Order, OrderState, Selector, Snapshot, next_at, now_micros, register,
};
use crate::names::Key;

/// Most orders of one transaction: etcd takes 128 operations, and each order has a line of the log.
pub(super) const ORDERS_MAX: usize = 60;

/// Who orders.
#[derive(Debug, Clone)]
pub(super) struct Author {
    /// The user, as the command line says.
    pub(super) by: String,
    /// The host of the command line.
    pub(super) from: String,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) orders: Vec<Order>,
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// Whether there is an order for a key.
    pub(super) fn lifts(&self, key: &Key) -> bool {
        self.orders.iter().any(|order| order.key == *key)
    }
}

fn new_order(
    snapshot: &Snapshot,
    key: &Key,
    selector: &Selector,
    state: OrderState,
    author: &Author,
) -> Order {
    let at = new_stamp(snapshot, &register(key, selector));
    let mut order = Order::new(at, state, key.clone(), selector.clone());
    order.by.clone_from(&author.by);
    order.from.clone_from(&author.from);
    order
}

/// A stamp that is newer than every other one of a register.
fn new_stamp(snapshot: &Snapshot, register: &str) -> u64 {
    // The clock of another operator may be ahead. By its own clock alone, a lift that comes later would then be older than
    // the order that it lifts, and every host would pass over it.
    let mut stamps = Vec::new();
    if let Some(order) = snapshot.orders.get(register) {
        stamps.push(order.at);
    }

    // The engine may have been restored from a backup: hosts still hold what it has forgotten.
    for host in snapshot.hosts.values() {
        let held = host.held.get(register).copied();
        stamps.extend(held.filter(|at| *at < AT_CREDIBLE));
    }

    next_at(now_micros(), stamps)
}

fn count(hosts: usize) -> u64 {
    u64::try_from(hosts).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
