//! Which connections are open, of which address, and in which order they became idle or busy.
//!
//! Rule: no operation takes longer when there are more connections. They lie in a slab and are linked into lists.

mod list;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use slab::Slab;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use self::list::{Links, List, address_links, links};

/// The index of a connection in the slab. It is used again when the connection has ended.
pub(super) type Id = usize;

/// The table of connections.
#[derive(Default)]
pub(super) struct Table {
    rows: Slab<Row>,
    /// Connections without a complete request.
    idle: List,
    /// Connections between two requests.
    kept: List,
    /// Connections whose request is being answered.
    busy: List,
    /// Connections whose answer is not read.
    unread: List,
    addresses: Slab<Address>,
    by_address: HashMap<IpAddr, usize, RandomState>,
    /// How many were evicted and have not ended yet.
    leaving: usize,
}

/// An open connection.
struct Row {
    /// The index of its address.
    address: usize,
    task: AbortHandle,
    /// Notified when it seems to be idle for too long.
    overdue: Arc<Notify>,
    state: State,
    /// Since when it is in its state.
    since: Instant,
    /// In the list of all connections in its state.
    links: Links,
    /// In the list of its address's idle and kept connections.
    address_links: Links,
}

impl Row {
    fn new(address: usize, task: AbortHandle, overdue: Arc<Notify>) -> Self {
        Self {
            address,
            task,
            overdue,
            state: State::Idle,
            since: Instant::now(),
            links: Links::default(),
            address_links: Links::default(),
        }
    }

    /// Whether it stands in the list of its address too.
    fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle | State::Kept)
    }
}

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It has sent no complete request yet, or a part of the next one.
    Idle,
    /// It has sent nothing since its last answer.
    Kept,
    /// Its request is being answered.
    Busy,
    /// Its answer waits to be read.
    Unread,
    /// It was evicted.
    Leaving,
}

/// How long connections may be without a complete request.
#[derive(Debug, Clone, Copy)]
pub(super) struct IdleLimits {
    /// Before the first one, and once a part of one has come.
    pub(super) idle: Duration,
    /// Between two of them.
    pub(super) kept: Duration,
}

/// An address with open connections.
struct Address {
    address: IpAddr,
    /// Connections that are not leaving.
    count: usize,
    /// The idle and kept ones.
    idle: List,
}

impl Address {
    fn new(address: IpAddr) -> Self {
        Self {
            address,
            count: 0,
            idle: List::default(),
        }
    }
}

impl Table {
    /// How many were evicted and have not ended yet.
    pub(super) fn leaving(&self) -> usize {
        self.leaving
    }

    /// Connections of an address that are not leaving.
    pub(super) fn count_of(&self, address: IpAddr) -> usize {
        match self.by_address.get(&address) {
            Some(index) => self.addresses[*index].count,
            None => 0,
        }
    }

    /// The id of the connection that is entered next.
    pub(super) fn next_id(&self) -> Id {
        self.rows.vacant_key()
    }

    /// Enters a connection as an idle one.
    pub(super) fn enter(&mut self, address: IpAddr, task: AbortHandle, overdue: Arc<Notify>) {
        let address = self.address(address);
        self.addresses[address].count += 1;
        let id = self.rows.insert(Row::new(address, task, overdue));
        self.link(id);
    }

    /// Makes a connection the newest of those in a state, unless it was evicted. An unread answer stays as old as it is.
    pub(super) fn set(&mut self, id: Id, state: State, now: Instant) {
        match (self.rows[id].state, state) {
            // An aborted task runs until its next `.await`, and may report a request meanwhile.
            (State::Leaving, _) => return,
            // Further requests on the connection do not make an unread answer younger.
            (State::Unread, State::Unread) => return,
            _ => {}
        }

        self.unlink(id);
        self.rows[id].state = state;
        self.rows[id].since = now;
        self.link(id);
    }

    /// The connection that is idle longest, of all or of one address.
    pub(super) fn idle_longest(&self, of: Option<IpAddr>) -> Option<Id> {
        let Some(address) = of else {
            return self.oldest([self.idle.first, self.kept.first]);
        };

        let index = self.by_address.get(&address)?;
        self.addresses[*index].idle.first
    }

    /// Whether an address has more than one idle or kept connection.
    pub(super) fn has_several_idle(&self, address: IpAddr) -> bool {
        let Some(index) = self.by_address.get(&address) else {
            return false;
        };

        let idle = &self.addresses[*index].idle;
        // In an empty list and in a list of one both ends are the same.
        idle.first != idle.last
    }

    /// The connection that is busy longest, or whose answer is unread longest, and for how long.
    pub(super) fn busy_longest(&self) -> Option<(Id, Duration)> {
        let id = self.oldest([self.busy.first, self.unread.first])?;
        Some(self.with_age(id))
    }

    fn oldest(&self, firsts: [Option<Id>; 2]) -> Option<Id> {
        let firsts = firsts.into_iter().flatten();
        firsts.min_by_key(|id| self.rows[*id].since)
    }

    /// The connection whose answer is unread longest, and for how long.
    pub(super) fn unread_longest(&self) -> Option<(Id, Duration)> {
        self.unread.first.map(|id| self.with_age(id))
    }

    fn with_age(&self, id: Id) -> (Id, Duration) {
        (id, self.rows[id].since.elapsed())
    }

    /// Whether a connection has been idle or kept for longer than the limit of that.
    pub(super) fn is_overdue(&self, id: Id, limits: IdleLimits) -> bool {
        let row = &self.rows[id];
        let limit = match row.state {
            State::Idle => limits.idle,
            State::Kept => limits.kept,
            State::Busy | State::Unread | State::Leaving => return false,
        };
        row.since.elapsed() > limit
    }

    /// Notifies all connections that are overdue.
    pub(super) fn notify_overdue(&self, limits: IdleLimits) {
        self.notify_overdue_from(self.idle.first, limits);
        self.notify_overdue_from(self.kept.first, limits);
    }

    fn notify_overdue_from(&self, first: Option<Id>, limits: IdleLimits) {
        let mut next = first;
        while let Some(id) = next
            && self.is_overdue(id, limits)
        {
            let row = &self.rows[id];
            // Not evicted here: a request may have arrived unread, so the connection's own task looks first.
            row.overdue.notify_one();
            next = row.links.after;
        }
    }

    /// Ends a connection's task.
    pub(super) fn evict(&mut self, id: Id) {
        // Unlinked before the state changes, because the state tells which lists it is in.
        self.unlink(id);
        let row = &mut self.rows[id];
        row.state = State::Leaving;
        row.task.abort();
        // Its row stays until the task has ended: only then are its descriptor and its memory free.
        let address = row.address;
        self.leaving += 1;
        self.subtract_from(address);
    }

    /// Removes a connection that has ended.
    pub(super) fn remove(&mut self, id: Id) {
        self.unlink(id);
        let row = self.rows.remove(id);
        match row.state {
            // The count of its address was lowered when it was evicted.
            State::Leaving => self.leaving -= 1,
            State::Idle | State::Kept | State::Busy | State::Unread => {
                self.subtract_from(row.address);
            }
        }
    }

    /// The index of an address, which is entered if it is new.
    fn address(&mut self, address: IpAddr) -> usize {
        let entry = self.by_address.entry(address);
        let new = || self.addresses.insert(Address::new(address));
        *entry.or_insert_with(new)
    }

    fn subtract_from(&mut self, index: usize) {
        let address = &mut self.addresses[index];
        address.count -= 1;
        // Removed, or the table would grow with every address that ever connected.
        if address.count == 0 {
            let address = self.addresses.remove(index).address;
            self.by_address.remove(&address);
        }
    }

    fn link(&mut self, id: Id) {
        let row = &self.rows[id];
        if row.is_idle() {
            let of_address = &mut self.addresses[row.address].idle;
            of_address.push(&mut self.rows, address_links, id);
        }

        if let Some((list, rows)) = self.list_of(id) {
            list.push(rows, links, id);
        }
    }

    fn unlink(&mut self, id: Id) {
        let row = &self.rows[id];
        if row.is_idle() {
            let of_address = &mut self.addresses[row.address].idle;
            of_address.remove(&mut self.rows, address_links, id);
        }

        if let Some((list, rows)) = self.list_of(id) {
            list.remove(rows, links, id);
        }
    }

    /// The list of all connections in the state of one; those that leave are in none.
    fn list_of(&mut self, id: Id) -> Option<(&mut List, &mut Slab<Row>)> {
        let list = match self.rows[id].state {
            State::Leaving => return None,
            State::Busy => &mut self.busy,
            State::Unread => &mut self.unread,
            State::Idle => &mut self.idle,
            State::Kept => &mut self.kept,
        };
        Some((list, &mut self.rows))
    }
}

#[cfg(test)]
impl Table {
    /// The connections that are not leaving.
    pub(super) fn staying(&self) -> Vec<Id> {
        let staying = self.rows.iter().filter(|(_, r)| r.state != State::Leaving);
        staying.map(|(id, _)| id).collect()
    }

    pub(super) fn abort_all(&self) {
        self.rows.iter().for_each(|(_, row)| row.task.abort());
    }

    pub(super) fn is_empty(&self) -> bool {
        let no_address = self.addresses.is_empty() && self.by_address.is_empty();
        self.rows.is_empty() && self.has_empty_lists() && no_address && self.leaving == 0
    }

    fn has_empty_lists(&self) -> bool {
        let lists = [&self.idle, &self.kept, &self.busy, &self.unread];
        lists.iter().all(|l| (l.first, l.last) == (None, None))
    }
}
