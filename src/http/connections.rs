//! All open connections of pollers, and which of them is evicted when there are too many.
//!
//! Rule: a new connection is never refused. If there are too many, of all or of one address, the one that has been idle
//! for longest is evicted, so that a flood of idle connections cannot keep the balancer out. If all of them wait for
//! answers, the one that has waited for longest is evicted, so that pollers of hung services, who may be gone, cannot
//! either. Finding it takes the same time however many connections there are.

mod header_timeout;
mod slow_readers;
mod table;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use table::{Id, State, Table};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::HttpSettings;
use super::foreign::{FIRST, Foreign, ForeignCounts};
use super::memory::MemoryBudget;
use crate::os::cause::cause_text;
use crate::os::logging::Seldom;

/// How long a request is left to be answered although a new connection needs room. Pollers give up after a second or
/// two. That cannot be seen: they look like those that close their sending side behind the request.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// How often failed TLS handshakes are logged.
static HANDSHAKES: Seldom = Seldom::new();

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
        if staying < self.max || self.evict_idle(&mut table, None) {
            return Room::Soon;
        }
        let Some((id, waited)) = table.busy_longest() else {
            return Room::After(ANSWER_GRACE);
        };
        if waited < ANSWER_GRACE {
            return Room::After(ANSWER_GRACE - waited);
        }
        table.evict(id);
        self.dropped.fetch_add(1, Ordering::Relaxed);
        Room::Soon
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
        table.evict(id);
        self.dropped.fetch_add(1, Ordering::Relaxed);
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
        let open = OpenConnection {
            connections: Arc::clone(self),
            id: table.next_id(),
            overdue: Arc::clone(&overdue),
            requests: AtomicU64::new(0),
            asked: AtomicUsize::new(0),
            is_unread: AtomicBool::new(false),
            is_established: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            is_http2: AtomicBool::new(false),
            first: OnceLock::new(),
            address,
        };
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

/// An open connection, as its task holds it. It leaves the table when this is dropped, however the task ends.
pub(crate) struct OpenConnection {
    connections: Arc<Connections>,
    id: Id,
    /// Notified when it seems to be idle for too long.
    overdue: Arc<Notify>,
    /// Requests so far.
    requests: AtomicU64,
    /// Requests that are being answered.
    asked: AtomicUsize,
    /// An answer is not read.
    is_unread: AtomicBool,
    /// Its last request was one of an established poller.
    is_established: AtomicBool,
    /// A part of the next request has come.
    has_begun: AtomicBool,
    /// Its requests are told apart by HTTP/2, so that not each byte is a part of one.
    is_http2: AtomicBool,
    /// How it begins; zeros stand for what has not come.
    first: OnceLock<[u8; FIRST]>,
    /// Where it came from.
    address: IpAddr,
}

impl OpenConnection {
    /// The settings of the listeners.
    pub(super) fn settings(&self) -> &HttpSettings {
        &self.connections.settings
    }

    /// The budget for what is held for pollers.
    pub(super) fn memory(&self) -> &Arc<MemoryBudget> {
        &self.connections.memory
    }

    /// Requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether a request is being answered, or an answer is not read yet.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.state(), State::Busy | State::Unread)
    }

    /// A complete request is there: idle connections are evicted before this one, until it is answered, which is when
    /// the result is dropped.
    pub(crate) fn busy(self: &Arc<Self>, now: Instant) -> RequestInFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.has_begun.store(false, Ordering::Relaxed);
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.enter_state(now);
        RequestInFlight(Arc::clone(self))
    }

    /// Its requests come by HTTP/2.
    pub(super) fn speaks_http2(&self) {
        self.is_http2.store(true, Ordering::Relaxed);
    }

    /// A part of a request has come between two of them: the rest has as long as that of a first one.
    pub(super) fn begins_request(&self) {
        let is_between = self.state() == State::Kept && !self.is_http2.load(Ordering::Relaxed);
        if is_between {
            self.has_begun.store(true, Ordering::Relaxed);
            self.enter_state(Instant::now());
        }
    }

    /// Notes whether its last request was one of an established poller.
    pub(super) fn note_established(&self, is_established: bool) {
        self.is_established.store(is_established, Ordering::Relaxed);
    }

    /// Whether it was.
    pub(super) fn is_established(&self) -> bool {
        self.is_established.load(Ordering::Relaxed)
    }

    /// The answer waits for the poller to read.
    pub(super) fn waits_for_reader(&self) {
        self.is_unread.store(true, Ordering::Relaxed);
        self.enter_state(Instant::now());
    }

    /// The poller has read everything.
    pub(super) fn was_read(&self) {
        self.is_unread.store(false, Ordering::Relaxed);
        self.enter_state(Instant::now());
    }

    /// Notes the first bytes; all later ones are none.
    pub(super) fn begins_with(&self, bytes: &[u8]) {
        if bytes.is_empty() || self.first.get().is_some() {
            return;
        }
        let mut first = [0; FIRST];
        let length = bytes.len().min(FIRST);
        first[..length].copy_from_slice(&bytes[..length]);
        let _ = self.first.set(first);
    }

    /// What its first bytes are, if any came.
    pub(super) fn spoke(&self) -> Option<Foreign> {
        self.first.get().map(|first| Foreign::of(first))
    }

    /// Counts it as one that is closed because the address that it tells may not ask.
    pub(super) fn turn_away(&self) {
        self.connections.turn_away();
    }

    /// Counts it as one that does not speak what its port does.
    pub(crate) fn is_foreign(&self, kind: Foreign) {
        self.connections.foreign.add(kind, self.address);
    }

    /// Counts a TLS handshake that failed. Who sent nothing has only looked whether somebody listens.
    pub(super) fn failed_handshake(&self, e: &io::Error) {
        let from = self.address;
        match self.spoke() {
            None => {}
            Some(Foreign::Tls) => {
                let failed = &self.connections.failed_handshakes;
                failed.fetch_add(1, Ordering::Relaxed);
                if let Some(times) = HANDSHAKES.now() {
                    log::warn!(
                        "the TLS handshake of {from} failed: {}{times}",
                        cause_text(e)
                    );
                }
            }
            Some(kind) => self.is_foreign(kind),
        }
    }

    /// Only the connection's own tasks change it.
    fn state(&self) -> State {
        if self.is_unread.load(Ordering::Relaxed) {
            State::Unread
        } else if self.asked.load(Ordering::Relaxed) > 0 {
            State::Busy
        } else if self.requests() > 0 && !self.has_begun.load(Ordering::Relaxed) {
            State::Kept
        } else {
            State::Idle
        }
    }

    fn enter_state(&self, now: Instant) {
        let state = self.state();
        self.connections.table().set(self.id, state, now);
        if matches!(state, State::Idle | State::Kept) {
            self.connections.changed.notify_waiters();
        }
    }
}

/// A request that is being answered. Over HTTP/2 a connection has several, and any of them may be given up.
#[must_use]
pub(crate) struct RequestInFlight(Arc<OpenConnection>);

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, Ordering::Relaxed);
        self.0.enter_state(Instant::now());
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.table().remove(self.id);
        self.connections.count.fetch_sub(1, Ordering::Relaxed);
        self.connections.changed.notify_waiters();
    }
}

/// A listener that accepts.
pub(super) struct Accepting(Arc<Connections>);

impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.listeners.fetch_sub(1, Ordering::Release);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
