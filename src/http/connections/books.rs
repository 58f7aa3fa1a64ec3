//! Which connections are open, of whom, and in which order they became idle or busy.
//!
//! Rule: no step takes longer when there are more of them: connections lie in a slab and hang in lists through it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::task::AbortHandle;

use super::Registered;

/// The place of a connection in the slab; another one may have it later.
pub(super) type Id = usize;

/// The books.
#[derive(Default)]
pub(super) struct Books {
    pub(super) open: Slab<Connection>,
    /// Connections without a complete request, the one that is idle longest first.
    idle: List,
    /// Connections whose request is being answered, the one that waits longest first.
    busy: List,
    addresses: Slab<Address>,
    by_address: HashMap<IpAddr, usize>,
    /// Connections that were told to end and have not ended yet.
    pub(super) leaving: usize,
}

/// An open connection.
pub(super) struct Connection {
    /// The place of its address.
    address: usize,
    pub(super) task: AbortHandle,
    own: Weak<Registered>,
    pub(super) is: Is,
    /// Since when it is idle or busy.
    since: Instant,
    /// Among all that are idle or busy, and among the idle ones of its address.
    links: [Links; 2],
}

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// It has sent no complete request, or none since its last answer.
    Idle,
    /// Its request is being answered.
    Busy,
    /// It was told to end.
    Leaving,
}

struct Address {
    address: IpAddr,
    /// Connections that are open and not leaving.
    count: usize,
    idle: List,
}

impl Books {
    /// Connections of an address that are open and not leaving.
    pub(super) fn count_of(&self, address: IpAddr) -> usize {
        self.by_address
            .get(&address)
            .map_or(0, |at| self.addresses[*at].count)
    }

    /// Enters a connection, as an idle one. `start` is told its place, and gives its task and its own end.
    pub(super) fn enter(
        &mut self,
        address: IpAddr,
        start: impl FnOnce(Id) -> (AbortHandle, Weak<Registered>),
    ) {
        let addresses = &mut self.addresses;
        let new = || {
            addresses.insert(Address {
                address,
                count: 0,
                idle: List::default(),
            })
        };
        let address = *self.by_address.entry(address).or_insert_with(new);
        self.addresses[address].count += 1;
        let (task, own) = start(self.open.vacant_key());
        let links = Default::default();
        let id = self.open.insert(Connection {
            address,
            task,
            own,
            is: Is::Leaving,
            since: Instant::now(),
            links,
        });
        self.hang(id, Is::Idle);
    }

    /// Puts a connection at the end of the idle ones, or the busy ones.
    pub(super) fn put(&mut self, id: Id, is: Is, now: Instant) {
        if self.open[id].is != Is::Leaving {
            self.take_down(id);
            self.open[id].since = now;
            self.hang(id, is);
        }
    }

    /// Tells the connection that is idle longest, of all or of one address, to end. Whether there was one.
    pub(super) fn dismiss(&mut self, of: Option<IpAddr>) -> bool {
        let idle = match of {
            None => Some(&self.idle),
            Some(address) => self
                .by_address
                .get(&address)
                .map(|at| &self.addresses[*at].idle),
        };
        let longest = idle.and_then(|list| list.first);
        longest.inspect(|id| self.send_away(*id)).is_some()
    }

    /// Whether a connection has been idle for longer.
    pub(super) fn is_overdue(&self, id: Id, limit: Duration) -> bool {
        self.open[id].is == Is::Idle && self.open[id].since.elapsed() > limit
    }

    /// All that have been idle for longer.
    pub(super) fn overdue(&self, limit: Duration) -> Vec<Arc<Registered>> {
        let after = |id: &Id| self.open[*id].links[0].after;
        let idle = std::iter::successors(self.idle.first, after);
        idle.take_while(|id| self.is_overdue(*id, limit))
            .filter_map(|id| self.open[id].own.upgrade())
            .collect()
    }

    /// The busy connection that waits longest, and for how long.
    pub(super) fn busy_longest(&self) -> Option<(Id, Duration)> {
        self.busy
            .first
            .map(|id| (id, self.open[id].since.elapsed()))
    }

    /// Tells a connection to end.
    pub(super) fn send_away(&mut self, id: Id) {
        self.take_down(id);
        let connection = &mut self.open[id];
        connection.is = Is::Leaving;
        connection.task.abort();
        let address = connection.address;
        self.leaving += 1;
        self.forget_one(address);
    }

    /// Takes a connection that ended off the books.
    pub(super) fn remove(&mut self, id: Id) {
        self.take_down(id);
        let connection = self.open.remove(id);
        match connection.is {
            Is::Leaving => self.leaving -= 1,
            Is::Idle | Is::Busy => self.forget_one(connection.address),
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let lists = [&self.idle, &self.busy];
        self.open.is_empty()
            && lists
                .iter()
                .all(|list| (list.first, list.last) == (None, None))
            && self.addresses.is_empty()
            && self.by_address.is_empty()
    }

    fn hang(&mut self, id: Id, is: Is) {
        self.open[id].is = is;
        match is {
            Is::Leaving => {}
            Is::Busy => self.busy.push::<0>(&mut self.open, id),
            Is::Idle => {
                self.idle.push::<0>(&mut self.open, id);
                self.addresses[self.open[id].address]
                    .idle
                    .push::<1>(&mut self.open, id);
            }
        }
    }

    fn take_down(&mut self, id: Id) {
        match self.open[id].is {
            Is::Leaving => {}
            Is::Busy => self.busy.take::<0>(&mut self.open, id),
            Is::Idle => {
                self.idle.take::<0>(&mut self.open, id);
                self.addresses[self.open[id].address]
                    .idle
                    .take::<1>(&mut self.open, id);
            }
        }
    }

    fn forget_one(&mut self, at: usize) {
        let address = &mut self.addresses[at];
        address.count -= 1;
        if address.count == 0 {
            let address = self.addresses.remove(at).address;
            self.by_address.remove(&address);
        }
    }
}

/// A list of connections, the oldest first. It is made of the connections' own links: those of number `L`.
#[derive(Default)]
struct List {
    first: Option<Id>,
    last: Option<Id>,
}

#[derive(Default, Clone, Copy)]
struct Links {
    before: Option<Id>,
    after: Option<Id>,
}

impl List {
    fn push<const L: usize>(&mut self, all: &mut Slab<Connection>, id: Id) {
        all[id].links[L] = Links {
            before: self.last,
            after: None,
        };
        match self.last {
            Some(last) => all[last].links[L].after = Some(id),
            None => self.first = Some(id),
        }
        self.last = Some(id);
    }

    fn take<const L: usize>(&mut self, all: &mut Slab<Connection>, id: Id) {
        let Links { before, after } = std::mem::take(&mut all[id].links[L]);
        match before {
            Some(before) => all[before].links[L].after = after,
            None => self.first = after,
        }
        match after {
            Some(after) => all[after].links[L].before = before,
            None => self.last = before,
        }
    }
}
