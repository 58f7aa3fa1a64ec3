//! The services that were asked for lately, by whom, and what was answered.
//!
//! Rule: what is remembered is bounded. When there is no room, a service that was asked for once gives way before one
//! that came again, so that made-up names cannot push out real ones.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::{Poller, Told};
use crate::spool::ServiceName;

/// Most instances of one service whose changes are noticed.
const INSTANCES_MAX: usize = 64;

/// The last answer for a service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastAnswer {
    /// Its status code; 0 where there is none.
    pub code: u16,
    /// Who got it.
    pub remote_ip: IpAddr,
    /// When, in seconds of unix time.
    pub ts: f64,
}

/// A service as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenService {
    /// Its name.
    pub name: ServiceName,
    /// When it was asked for last, in seconds of unix time.
    pub at: f64,
    /// The last answer; `None` while the first check runs.
    pub last: Option<LastAnswer>,
    /// Requests by address.
    pub counts: Vec<(IpAddr, u64)>,
}

/// The services that are remembered. Times are seconds of unix time.
pub struct RecentServices {
    limit: usize,
    /// Most poller addresses that are counted for one service.
    addresses: usize,
    services: HashMap<ServiceName, ServiceRecord, RandomState>,
    /// The order of eviction, by second chance.
    order: VecDeque<ServiceName>,
    evictions: u64,
}

/// What is remembered of one service.
#[derive(Default)]
struct ServiceRecord {
    seen: f64,
    came_again: bool,
    last: Option<LastAnswer>,
    counts: Few<(IpAddr, u64)>,
    /// Whether each instance passed last, by its hash.
    passed: Few<(u64, bool)>,
}

/// A list that mostly has one element, which lies in the list itself.
type Few<T> = SmallVec<[T; 1]>;

impl RecentServices {
    /// Remembers at most this many services, and for each at most this many addresses of pollers.
    #[must_use]
    pub fn new(limit: usize, addresses: usize) -> Self {
        Self {
            limit: limit.max(1),
            addresses: addresses.max(1),
            services: HashMap::default(),
            order: VecDeque::new(),
            evictions: 0,
        }
    }

    /// Notes that a poller asks; the answer follows.
    pub fn asked(&mut self, now: f64, poller: &Poller) {
        let most = self.addresses;
        if let Some(known) = self.services.get_mut(&poller.service) {
            known.came_again = true;
            known.asked(now, poller.address, most);
            return;
        }
        self.make_room();
        self.order.push_back(poller.service.clone());
        let mut new = ServiceRecord::default();
        new.asked(now, poller.address, most);
        self.services.insert(poller.service.clone(), new);
    }

    /// Notes an answer. Gives whether it is news: the first answer for this instance, or one that passes where the one
    /// before did not, or the other way round.
    pub fn answered(&mut self, now: f64, poller: &Poller, told: Told, code: u16) -> bool {
        let instance = self.services.hasher().hash_one(&poller.check);
        let Some(service) = self.services.get_mut(&poller.service) else {
            return false;
        };
        service.last = Some(LastAnswer {
            code,
            remote_ip: poller.address,
            ts: now,
        });
        service.passes_now(instance, told.passes())
    }

    /// Everything that is remembered, in no order.
    #[must_use]
    pub fn snapshot(&self) -> Vec<SeenService> {
        let seen = |(name, s): (&ServiceName, &ServiceRecord)| SeenService {
            name: name.clone(),
            at: s.seen,
            last: s.last,
            counts: s.counts.to_vec(),
        };
        self.services.iter().map(seen).collect()
    }

    /// Services remembered, instances that failed last, and services forgotten for want of room.
    #[must_use]
    pub fn figures(&self) -> (usize, usize, u64) {
        let failing = self
            .services
            .values()
            .flat_map(|s| &s.passed)
            .filter(|(_, passed)| !passed)
            .count();
        (self.services.len(), failing, self.evictions)
    }

    fn make_room(&mut self) {
        while self.services.len() >= self.limit {
            let Some(name) = self.order.pop_front() else {
                return;
            };
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

impl ServiceRecord {
    /// Counts a request; at most so many addresses are counted.
    fn asked(&mut self, now: f64, from: IpAddr, most: usize) {
        self.seen = now;
        if let Some((_, count)) = self.counts.iter_mut().find(|(ip, _)| *ip == from) {
            *count += 1;
            return;
        }
        if self.counts.len() >= most {
            let least = self
                .counts
                .iter()
                .enumerate()
                .min_by_key(|(_, (_, n))| *n)
                .map_or(0, |(i, _)| i);
            self.counts.swap_remove(least);
        }
        self.counts.push((from, 1));
    }

    /// Notes whether an instance passes; whether that is news.
    fn passes_now(&mut self, instance: u64, passes: bool) -> bool {
        let known = self.passed.iter_mut().find(|(i, _)| *i == instance);
        if let Some((_, before)) = known {
            return std::mem::replace(before, passes) != passes;
        }
        if self.passed.len() >= INSTANCES_MAX {
            self.passed.remove(0);
        }
        self.passed.push((instance, passes));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AskedCheck, Face};
    use super::*;
    use crate::net::Host;

    fn poller(service: &str, port: u16, address: u32) -> Poller {
        let place = Some((Host::Local, port));
        Poller {
            service: ServiceName::parse(service).unwrap(),
            check: AskedCheck::new(Face::Http, Some("http"), None, None, place),
            address: std::net::Ipv4Addr::from_bits(address).into(),
            node: None,
            server: None,
        }
    }

    #[test]
    fn names_that_came_once_do_not_push_out_one_that_came_again() {
        let mut recent = RecentServices::new(100, 8);
        for i in 0..10_000 {
            recent.asked(1.0, &poller("real", 80, 1));
            recent.asked(1.0, &poller(&format!("junk{i}"), 80, 1));
        }
        let seen = recent.snapshot();
        assert_eq!(seen.len(), 100);
        let counts = [(std::net::Ipv4Addr::from_bits(1).into(), 10_000)];
        let is_real = |s: &SeenService| s.name.as_str() == "real" && s.counts == counts;
        assert!(seen.iter().any(is_real), "{seen:?}");
        assert_eq!(recent.figures(), (100, 0, 10_001 - 100));
    }

    #[test]
    fn only_a_change_of_an_instance_is_news() {
        let mut recent = RecentServices::new(10, 8);
        recent.asked(1.0, &poller("web", 80, 1));
        let mut is_news = |port, told| recent.answered(2.0, &poller("web", port, 1), told, 503);
        assert!(is_news(80, Told::Up), "the first answer");
        assert!(is_news(81, Told::Fail), "the first of another instance");
        assert!(!is_news(80, Told::Drain));
        assert!(is_news(80, Told::Down));
        assert!(!is_news(80, Told::Fail));
        let last = recent.snapshot()[0].last.unwrap();
        assert_eq!((last.code, last.ts), (503, 2.0));
        assert_eq!(recent.figures(), (1, 2, 0));
    }

    #[test]
    fn addresses_of_pollers_are_bounded() {
        let mut recent = RecentServices::new(10, 8);
        for address in 0..1000 {
            recent.asked(1.0, &poller("web", 80, address));
        }
        assert_eq!(recent.snapshot()[0].counts.len(), 8);
    }
}
