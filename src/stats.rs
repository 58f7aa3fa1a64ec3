//! Who asked for what lately, and what was answered.
//!
//! Rule: what is remembered is bounded. When there is no room, a service that was asked for once gives way before one
//! that came again, so that made-up names cannot push out real ones.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

/// Most instances of one service whose changes are noticed.
const INSTANCES_MAX: usize = 64;

/// The last answer for a service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Last {
    /// Its status code.
    pub code: u16,
    /// Who got it.
    pub remote_ip: IpAddr,
    /// When, in seconds of unix time.
    pub ts: f64,
}

/// A service as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its name.
    pub name: Arc<str>,
    /// When it was asked for last, in seconds of unix time.
    pub at: f64,
    /// The last answer; `None` while the first check runs.
    pub last: Option<Last>,
    /// Requests by address.
    pub counts: Vec<(IpAddr, u64)>,
}

/// The memory.
pub struct Stats {
    inner: Mutex<Inner>,
}

struct Inner {
    limit: usize,
    /// Most poller addresses that are counted for one service.
    addresses: usize,
    services: HashMap<Arc<str>, Service>,
    /// The order of eviction, by second chance.
    order: VecDeque<Arc<str>>,
    evictions: u64,
}

struct Service {
    seen: f64,
    came_again: bool,
    last: Option<Last>,
    counts: Few<(IpAddr, u64)>,
    /// Whether each instance passed last; named by protocol, host and port.
    passed: Few<(Arc<str>, bool)>,
}

/// A list that mostly has one element, which lies in the list itself: what is far apart in memory takes time to find.
type Few<T> = SmallVec<[T; 1]>;

impl Stats {
    /// Remembers at most this many services, and for each at most this many addresses of pollers.
    #[must_use]
    pub fn new(limit: usize, addresses: usize) -> Self {
        let (limit, addresses) = (limit.max(1), addresses.max(1));
        let inner = Inner { limit, addresses, services: HashMap::new(), order: VecDeque::new(), evictions: 0 };
        Self { inner: Mutex::new(inner) }
    }

    /// Notes that somebody asks; times are seconds of unix time.
    pub fn asked(&self, service: &Arc<str>, from: IpAddr, now: f64) {
        let mut inner = self.lock();
        let most = inner.addresses;
        if let Some(known) = inner.services.get_mut(service) {
            known.came_again = true;
            known.asked(now, from, most);
            return;
        }
        inner.make_room();
        inner.order.push_back(Arc::clone(service));
        let mut new = Service { seen: now, came_again: false, last: None, counts: Few::new(), passed: Few::new() };
        new.asked(now, from, most);
        inner.services.insert(Arc::clone(service), new);
    }

    /// Notes the answer, whom it was for, and when. Gives `Some(passes)` when it is the first for this instance, or another than the one before.
    pub fn answered(
        &self,
        service: &str,
        instance: &Arc<str>,
        (remote_ip, ts): (IpAddr, f64),
        code: u16,
        passes: bool,
    ) -> Option<bool> {
        let last = Last { code, remote_ip, ts };
        let mut inner = self.lock();
        let entry = inner.services.get_mut(service)?;
        entry.last = Some(last);
        match entry.passed.iter_mut().find(|(name, _)| name == instance) {
            Some((_, before)) if *before == passes => None,
            Some((_, before)) => {
                *before = passes;
                Some(passes)
            }
            None => {
                if entry.passed.len() >= INSTANCES_MAX {
                    entry.passed.remove(0);
                }
                entry.passed.push((Arc::clone(instance), passes));
                Some(passes)
            }
        }
    }

    /// Everything that is remembered, by name.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Seen> {
        let mut all: Vec<Seen> = {
            let inner = self.lock();
            let seen = |(name, s): (&Arc<str>, &Service)| Seen {
                name: Arc::clone(name),
                at: s.seen,
                last: s.last,
                counts: s.counts.to_vec(),
            };
            inner.services.iter().map(seen).collect()
        };
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Services remembered, instances that failed last, and services forgotten for want of room.
    #[must_use]
    pub fn figures(&self) -> (usize, usize, u64) {
        let inner = self.lock();
        let failing = inner.services.values().flat_map(|s| &s.passed).filter(|(_, passed)| !passed).count();
        (inner.services.len(), failing, inner.evictions)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// Counts a request; at most so many addresses are counted.
    fn asked(&mut self, now: f64, from: IpAddr, most: usize) {
        self.seen = now;
        if let Some((_, count)) = self.counts.iter_mut().find(|(ip, _)| *ip == from) {
            *count += 1;
            return;
        }
        if self.counts.len() >= most {
            let least = self.counts.iter().enumerate().min_by_key(|(_, (_, n))| *n).map_or(0, |(i, _)| i);
            self.counts.swap_remove(least);
        }
        self.counts.push((from, 1));
    }
}

impl Inner {
    fn make_room(&mut self) {
        while self.services.len() >= self.limit {
            let Some(name) = self.order.pop_front() else { return };
            match self.services.get_mut(&name) {
                Some(service) if service.came_again => {
                    service.came_again = false;
                    self.order.push_back(name);
                }
                _ => {
                    self.services.remove(&name);
                    self.evictions += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLLER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn names_that_came_once_do_not_push_out_one_that_came_again() {
        let stats = Stats::new(100, 8);
        for i in 0..10_000 {
            stats.asked(&"real".into(), POLLER, 1.0);
            stats.asked(&format!("junk{i}").into(), POLLER, 1.0);
        }
        let names = stats.snapshot();
        assert_eq!(names.len(), 100);
        assert!(names.iter().any(|s| &*s.name == "real" && s.counts == [(POLLER, 10_000)]));
    }

    #[test]
    fn only_a_change_of_an_instance_is_told() {
        let stats = Stats::new(10, 8);
        stats.asked(&"web".into(), POLLER, 1.0);
        let answer = |instance: &str, code| stats.answered("web", &instance.into(), (POLLER, 2.0), code, code == 200);
        assert_eq!(answer("http 80", 200), Some(true));
        assert_eq!(answer("http 81", 503), Some(false));
        assert_eq!(answer("http 80", 200), None);
        assert_eq!(answer("http 80", 503), Some(false));
    }

    #[test]
    fn addresses_of_pollers_are_bounded() {
        let stats = Stats::new(10, 8);
        for i in 0..1000u32 {
            stats.asked(&"web".into(), std::net::Ipv4Addr::from_bits(i).into(), 1.0);
        }
        assert_eq!(stats.snapshot()[0].counts.len(), 8);
    }
}
