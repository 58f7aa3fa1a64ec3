//! The books of all open connections: how many there are, of whom, and which of them wait for a request.
//!
//! Rule: a new connection is never refused. When there are too many, of all or of one address, the one that has been
//! without a complete request for longest makes room, so that a flood of idle connections cannot blind the balancer;
//! where all wait for an answer, the one that has waited longest, so that pollers of hung services, who may be gone,
//! cannot either. Finding it takes no search, however many connections there are. One that brings no request at all
//! ends after its time limit.

mod books;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use books::{Books, Id, Is};
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
    /// Somebody looks after those that bring no request.
    swept: AtomicBool,
    /// Told when a connection ended or became idle.
    changed: Notify,
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
            swept: AtomicBool::new(false),
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
        if self.count().saturating_sub(books.leaving) < self.limits.connections
            || self.drop_one(&mut books, None)
        {
            return None;
        }
        let Some((id, waited)) = books.busy_longest() else {
            return Some(ANSWER_GRACE);
        };
        let grace = ANSWER_GRACE.checked_sub(waited).filter(|g| !g.is_zero());
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
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        start: impl FnOnce(Arc<Registered>) -> AbortHandle,
    ) {
        let mut books = self.books();
        if books.count_of(address) >= self.limits.per_address {
            self.drop_one(&mut books, Some(address));
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        books.enter(address, |id| {
            let registered = Arc::new(Registered {
                all: Arc::clone(self),
                id,
                overdue: Notify::new(),
            });
            let own = Arc::downgrade(&registered);
            (start(registered), own)
        });
    }

    /// Ends connections that bring no request in time, from now on until there is no listener any more. The books know
    /// which these are: timers of their own would cost each request more than all the rest of the books.
    pub(super) fn sweep(self: &Arc<Self>) {
        if !self.swept.swap(true, Ordering::Relaxed) {
            tokio::spawn(sweep(Arc::downgrade(self), self.limits.header_timeout));
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(all: Weak<Connections>, limit: Duration) {
    let every = (limit / 10).clamp(Duration::from_millis(10), Duration::from_secs(1));
    loop {
        tokio::time::sleep(every).await;
        let Some(all) = all.upgrade() else { return };
        // They are told outside the lock: the last one who holds such an end takes it off the books.
        let overdue = all.books().overdue(limit);
        overdue
            .iter()
            .for_each(|connection| connection.overdue.notify_one());
    }
}

/// A connection's own end of the books; takes it off them, however its task ends.
pub(crate) struct Registered {
    all: Arc<Connections>,
    id: Id,
    overdue: Notify,
}

impl Registered {
    /// A complete request is there: idle connections make room first.
    pub(crate) fn busy(&self, now: Instant) {
        self.all.books().put(self.id, Is::Busy, now);
    }

    /// Waits until no request came for the whole time limit. To be asked after the connection was: a request may be
    /// there that nobody has looked at yet, because its thread was busy or the whole process stopped.
    pub(super) async fn overdue(&self) {
        loop {
            self.overdue.notified().await;
            // The runtime looks for what has come, which after a stop of the process it has not done yet.
            tokio::task::yield_now().await;
            if self
                .all
                .books()
                .is_overdue(self.id, self.all.limits.header_timeout)
            {
                return;
            }
        }
    }

    /// It was answered.
    pub(super) fn idle(&self) {
        self.all.books().put(self.id, Is::Idle, Instant::now());
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
