//! The books of all open connections: how many there are, of whom, and which of them wait for a request.
//!
//! Rule: a new connection is never refused. When there are too many, of all or of one address, the one that has been
//! without a complete request for longest makes room, so that a flood of idle connections cannot blind the balancer;
//! where all wait for an answer, the one that has waited longest, so that pollers of hung services, who may be gone,
//! cannot either. Finding it takes no search, however many connections there are.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// How long a request is left to be answered although a new connection needs room. Pollers give up after a second or
/// two, which cannot be seen: they look like those that close their sending side behind the request.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// What pollers may use of the daemon.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once of one address.
    pub per_address: usize,
    /// How long a request head may take, and the time between two requests.
    pub header_timeout: Duration,
    /// How long an answer may stay unread.
    pub write_timeout: Duration,
    /// Bytes of a request head that always fit.
    pub head: usize,
    /// Most headers of a request.
    pub headers: usize,
}

/// The connections of all listeners.
pub struct Connections {
    limits: Limits,
    books: Mutex<Books>,
    count: AtomicUsize,
    dropped: AtomicU64,
    dropped_for_address: AtomicU64,
    turned_away: AtomicU64,
    /// Listeners that may still bring connections.
    accepting: AtomicUsize,
    /// Told when a connection ended or became idle.
    changed: Notify,
}

#[derive(Default)]
struct Books {
    next: u64,
    open: HashMap<u64, Connection>,
    /// Connections without a complete request, the one that is idle longest first: since when, in order, and which.
    idle: BTreeMap<u64, u64>,
    /// Connections whose request is being answered, the one that waits longest first: which, and since when.
    busy: BTreeMap<u64, (u64, Instant)>,
    addresses: HashMap<IpAddr, Address>,
    /// Connections that were told to make room and have not ended yet.
    leaving: usize,
}

struct Connection {
    address: IpAddr,
    task: AbortHandle,
    /// Where it stands among the idle ones, or the busy ones.
    idle: Option<u64>,
    busy: Option<u64>,
    leaving: bool,
}

#[derive(Default)]
struct Address {
    /// Connections that are open and not leaving.
    count: usize,
    idle: BTreeMap<u64, u64>,
}

impl Connections {
    /// No connections yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            books: Mutex::default(),
            count: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            dropped_for_address: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            accepting: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Connections that are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Connections that had to make room for newer ones.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Those of them that made room for others of the same address.
    #[must_use]
    pub fn dropped_for_address(&self) -> u64 {
        self.dropped_for_address.load(Ordering::Relaxed)
    }

    /// Connections that were closed unread, because their address may not ask.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// Counts a connection that was closed unread.
    pub fn turn_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until all listeners have stopped and all connections are closed.
    pub async fn drained(&self) {
        loop {
            let changed = self.changed.notified();
            // In this order: a listener enters its last connection before it goes.
            if self.accepting.load(Ordering::Acquire) == 0 && self.count() == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Waits until one more may be open, closing the one that is idle longest if need be.
    pub(crate) async fn room(&self) {
        loop {
            let changed = self.changed.notified();
            if self.count() < self.limits.connections {
                return;
            }
            // What was accepted a moment ago may have its request there already; it is not to be taken for idle.
            tokio::task::yield_now().await;
            match self.make_room() {
                None => changed.await,
                // Elapsed or changed: both are reasons to look again.
                Some(grace) => drop(tokio::time::timeout(grace, changed).await),
            }
        }
    }

    /// Those that are leaving already make room too. Says after what time to look again, when none can be told to go.
    fn make_room(&self) -> Option<Duration> {
        let mut books = self.books();
        if self.count().saturating_sub(books.leaving) < self.limits.connections || self.drop_one(&mut books, None) {
            return None;
        }
        let Some((id, since)) = books.busy.first_key_value().map(|(_, (id, since))| (*id, *since)) else {
            return Some(ANSWER_GRACE);
        };
        let grace = ANSWER_GRACE.checked_sub(since.elapsed()).filter(|g| !g.is_zero());
        if grace.is_none() {
            books.send_away(id);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        grace
    }

    /// Notes a listener that may still bring connections, until what is returned is dropped.
    pub(super) fn accepting(self: &Arc<Self>) -> Accepting {
        self.accepting.fetch_add(1, Ordering::Relaxed);
        Accepting(Arc::clone(self))
    }

    /// Closes the connection that is idle longest, for want of something else than connections.
    pub(super) fn shed(&self) {
        self.drop_one(&mut self.books(), None);
    }

    /// Whether there was one to drop.
    fn drop_one(&self, books: &mut Books, of: Option<IpAddr>) -> bool {
        let dismissed = books.dismiss(of);
        if dismissed {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            if of.is_some() {
                self.dropped_for_address.fetch_add(1, Ordering::Relaxed);
            }
        }
        dismissed
    }

    /// Enters a connection and starts its task. The lock is held over the start, so that a connection that ends at
    /// once is removed after it was entered.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr, start: impl FnOnce(Registered) -> AbortHandle) {
        let mut books = self.books();
        if books.addresses.get(&address).is_some_and(|a| a.count >= self.limits.per_address) {
            self.drop_one(&mut books, Some(address));
        }
        let id = books.next;
        books.next += 1;
        self.count.fetch_add(1, Ordering::Relaxed);
        let task = start(Registered { all: Arc::clone(self), id });
        books.open.insert(id, Connection { address, task, idle: None, busy: None, leaving: false });
        books.addresses.entry(address).or_default().count += 1;
        books.rest(id);
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// Puts a connection at the end of the idle ones.
    fn rest(&mut self, id: u64) {
        self.take_out(id);
        let since = self.next;
        let Some(connection) = self.open.get_mut(&id).filter(|c| !c.leaving) else { return };
        self.next += 1;
        connection.idle = Some(since);
        self.idle.insert(since, id);
        self.addresses.entry(connection.address).or_default().idle.insert(since, id);
    }

    /// Puts a connection at the end of the busy ones.
    fn work(&mut self, id: u64) {
        self.take_out(id);
        let since = self.next;
        let Some(connection) = self.open.get_mut(&id).filter(|c| !c.leaving) else { return };
        self.next += 1;
        connection.busy = Some(since);
        self.busy.insert(since, (id, Instant::now()));
    }

    /// Takes a connection from the idle or busy ones.
    fn take_out(&mut self, id: u64) {
        let Some(connection) = self.open.get_mut(&id) else { return };
        if let Some(since) = connection.busy.take() {
            self.busy.remove(&since);
        }
        if let Some(since) = connection.idle.take() {
            self.idle.remove(&since);
            if let Some(address) = self.addresses.get_mut(&connection.address) {
                address.idle.remove(&since);
            }
        }
    }

    /// Tells the connection that is idle longest, of all or of one address, to end. Whether there was one.
    fn dismiss(&mut self, of: Option<IpAddr>) -> bool {
        let idle = match of {
            None => Some(&self.idle),
            Some(address) => self.addresses.get(&address).map(|a| &a.idle),
        };
        let Some(id) = idle.and_then(BTreeMap::first_key_value).map(|(_, id)| *id) else { return false };
        self.send_away(id);
        true
    }

    /// Tells a connection to end.
    fn send_away(&mut self, id: u64) {
        self.take_out(id);
        let Some(connection) = self.open.get_mut(&id).filter(|c| !c.leaving) else { return };
        connection.leaving = true;
        connection.task.abort();
        let address = connection.address;
        self.leaving += 1;
        self.forget_one(address);
    }

    fn forget_one(&mut self, address: IpAddr) {
        if let Some(known) = self.addresses.get_mut(&address) {
            known.count -= 1;
            if known.count == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    fn remove(&mut self, id: u64) {
        self.take_out(id);
        let Some(connection) = self.open.remove(&id) else { return };
        if connection.leaving {
            self.leaving -= 1;
        } else {
            self.forget_one(connection.address);
        }
    }
}

/// A connection's own end of the books; takes it off them, however its task ends.
pub(crate) struct Registered {
    all: Arc<Connections>,
    id: u64,
}

impl Registered {
    /// A complete request is there: idle connections make room first.
    pub(crate) fn busy(&self) {
        self.all.books().work(self.id);
    }

    /// It was answered.
    pub(super) fn idle(&self) {
        self.all.books().rest(self.id);
        self.all.changed.notify_waiters();
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.all.books().remove(self.id);
        self.all.count.fetch_sub(1, Ordering::Relaxed);
        self.all.changed.notify_waiters();
    }
}

/// A listener that may still bring connections.
pub(super) struct Accepting(Arc<Connections>);

impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.accepting.fetch_sub(1, Ordering::Release);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
