//! The order in which pollers make room for others: of all of them, and of each address.
//!
//! Rule: established pollers make room for nobody. Of the others an eighth is for those that came once, so that a new
//! balancer gets in and made-up pollers push out each other; whoever came first goes first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Poller;

/// What a poller has shown so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Regard {
    /// It came once.
    Once,
    /// It came again.
    Again,
    /// It polls at a steady pace.
    Established,
}

/// The place of a poller in the order.
pub(super) type EvictionOrder = (Regard, u64);

/// Pollers in that order.
#[derive(Debug, Default)]
pub(super) struct Share {
    order: BTreeMap<EvictionOrder, Arc<Poller>>,
    /// How many came once.
    once: usize,
}

impl Share {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn insert(&mut self, turn: EvictionOrder, poller: Arc<Poller>) {
        self.once += usize::from(turn.0 == Regard::Once);
        self.order.insert(turn, poller);
    }

    pub(super) fn remove(&mut self, turn: EvictionOrder) {
        if self.order.remove(&turn).is_some() {
            self.once -= usize::from(turn.0 == Regard::Once);
        }
    }

    /// Who makes room where there is room for so many; nobody where all are established.
    pub(super) fn next(&self, limit: usize) -> Option<&Arc<Poller>> {
        let once = self.first(Regard::Once);
        let again = self.first(Regard::Again);
        match self.once > limit / 8 {
            // Beyond their eighth those that came once push out each other.
            true => once.or(again),
            // Within it they stay until they can come again, or no new balancer would ever get in.
            false => again.or(once),
        }
    }

    fn first(&self, regard: Regard) -> Option<&Arc<Poller>> {
        let mut these = self.order.range((regard, 0)..=(regard, u64::MAX));
        these.next().map(|(_, poller)| poller)
    }
}
