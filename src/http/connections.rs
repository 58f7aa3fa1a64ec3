//! All open connections of pollers, and which of them is evicted when there are too many.
//!
//! Rule: a new connection is never refused. If there are too many, of all or of one address, the one that has been idle
//! for longest is evicted, so that a flood of idle connections cannot keep the balancer out. If all of them wait for
//! answers, the one that has waited for longest is evicted, so that pollers of hung services, who may be gone, cannot
//! either. Finding it takes the same time however many connections there are.

mod header_timeout;
mod open;
mod slow_readers;
mod table;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

pub(crate) use self::open::{OpenConnection, RequestInFlight};
use self::table::{Id, Table};
use super::HttpSettings;
use super::foreign::{Foreign, ForeignCounts};
use super::memory::MemoryBudget;

/// How long a request is left to be answered although a new connection needs room. Pollers give up after a second or
/// two. That cannot be seen: they look like those that close their sending side behind the request.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// The connections of all listeners.
pub(crate) struct Connections {
    /// Most connections at once.
    max: usize,
    settings: HttpSettings,
    /// For what is held for their pollers.
    memory: Arc<MemoryBudget>,
    table: Mutex<Table>,
    count: AtomicUsize,
    dropped: AtomicU64,
    dropped_for_address: AtomicU64,
    turned_away: AtomicU64,
    foreign: ForeignCounts,
    failed_handshakes: AtomicU64,
    /// Listeners that still accept.
    listeners: AtomicUsize,
    /// Whether the tasks run that enforce the limits.
    enforced: AtomicBool,
    /// Notified when a connection ends or becomes idle, and when a listener stops.
    changed: Notify,
}

impl Connections {
    /// No connections yet, and at most `max` at once.
    #[must_use]
    pub(crate) fn new(max: usize, settings: HttpSettings, memory: Arc<MemoryBudget>) -> Self {
        Self {
            max,
            settings,
            memory,
            table: Mutex::default(),
            count: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            dropped_for_address: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            foreign: ForeignCounts::default(),
            failed_handshakes: AtomicU64::new(0),
            listeners: AtomicUsize::new(0),
            enforced: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// Most connections at once.
    #[must_use]
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// Connections that are open.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Connections that were evicted.
    #[must_use]
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Those of them that were evicted for newer ones of the same address.
    #[must_use]
    pub(crate) fn dropped_for_address(&self) -> u64 {
        self.dropped_for_address.load(Ordering::Relaxed)
    }

    /// Connections that were closed unread, because their address may not ask.
    #[must_use]
    pub(crate) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// Connections that spoke what their port does not.
    #[must_use]
    pub(crate) fn foreign(&self, kind: Foreign) -> u64 {
        self.foreign.get(kind)
    }

    /// TLS handshakes that failed, but for those that were none.
    #[must_use]
    pub(crate) fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.load(Ordering::Relaxed)
    }

    /// Counts a connection that was closed unread.
    pub(super) fn turn_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until all listeners have stopped and all connections are closed.
    pub(crate) async fn drained(&self) {
        loop {
            // Created before the check, so that a connection that ends between check and wait is noticed.
            let changed = self.changed.notified();
            // In this order: a listener enters its last connection before it stops.
            if self.listeners.load(Ordering::Acquire) == 0 && self.count() == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Counts a listener that accepts, until the result is dropped.
    pub(super) fn accepting(self: &Arc<Self>) -> Accepting {
        self.listeners.fetch_add(1, Ordering::Relaxed);
        Accepting(Arc::clone(self))
    }

    /// Waits until one more may be open, evicting one if need be.
    pub(super) async fn room(&self) {
        loop {
            let changed = self.changed.notified();
            if self.count() < self.max {
                return;
            }
            // The request of a connection that was accepted a moment ago may be there already: it is not to be taken
            // for idle.
            tokio::task::yield_now().await;
            match self.make_room() {
                Room::Soon => changed.await,
                // Elapsed or changed: look again in both cases.
                Room::After(grace) => drop(tokio::time::timeout(grace, changed).await),
            }
        }
    }

    /// Evicts a connection, unless enough of them are leaving already.
    fn make_room(&self) -> Room {
        let mut table = self.table();
        let staying = self.count().saturating_sub(table.leaving());
        // Evicted connections end at their next `.await`; until then they need not be replaced by further evictions.
        if staying < self.max || self.evict_idle(&mut table, None) {
            return Room::Soon;
        }

        self.evict_busy(&mut table)
    }

    /// Evicts the connection that waits longest for its answer, or for its reader.
    fn evict_busy(&self, table: &mut Table) -> Room {
        let Some((id, waited)) = table.busy_longest() else {
            return Room::After(ANSWER_GRACE);
        };

        if waited < ANSWER_GRACE {
            return Room::After(ANSWER_GRACE - waited);
        }

        self.evict(table, id);
        Room::Soon
    }

    fn evict(&self, table: &mut Table, id: Id) {
        table.evict(id);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Evicts the connection that is idle longest, to free its file descriptor.
    pub(super) fn shed(&self) {
        self.evict_idle(&mut self.table(), None);
    }

    /// Evicts the connection that is idle longest, of all or of one address. Says whether there was one.
    fn evict_idle(&self, table: &mut Table, of: Option<IpAddr>) -> bool {
        let Some(id) = table.idle_longest(of) else {
            return false;
        };

        self.evict(table, id);
        if of.is_some() {
            self.dropped_for_address.fetch_add(1, Ordering::Relaxed);
        }

        true
    }

    /// Enters a connection and starts its task. The table stays locked meanwhile, so that a connection that ends at once
    /// is removed after it was entered.
    pub(super) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        start: impl FnOnce(Arc<OpenConnection>) -> AbortHandle,
    ) {
        let mut table = self.table();
        let is_over = table.count_of(address) >= self.settings.max_connections_per_address;
        // The only idle one may be a balancer's that came a moment ago, and its request is on its way. It is spared as those
        // are that wait for answers.
        if is_over && table.has_several_idle(address) {
            self.evict_idle(&mut table, Some(address));
        }

        self.count.fetch_add(1, Ordering::Relaxed);
        let overdue = Arc::new(Notify::new());
        let all = Arc::clone(self);
        let open = OpenConnection::new(all, table.next_id(), address, Arc::clone(&overdue));
        let task = start(Arc::new(open));
        table.enter(address, task, overdue);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When there may be room for a new connection.
enum Room {
    /// When one of those that were evicted has ended.
    Soon,
    /// When one that waits for its answer may be evicted, unless one ends before.
    After(Duration),
}

/// A listener that accepts.
pub(super) struct Accepting(Arc<Connections>);

impl Drop for Accepting {
    fn drop(&mut self) {
        // Pairs with the Acquire in `drained`: who sees this listener gone also sees its connections.
        self.0.listeners.fetch_sub(1, Ordering::Release);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
