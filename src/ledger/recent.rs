//! The services that were asked for lately, by whom, and what was answered.
//!
//! Rule: what is remembered is bounded. When there is no room, a service that was asked for once gives way before one
//! that came again, so that made-up names cannot push out real ones.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::Poller;
use crate::spool::ServiceName;

/// Most addresses that are counted over all services; then each service keeps as many as it has, and new ones get one.
const COUNTED_MAX: usize = 250_000;

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
    /// Addresses that are counted, over all services.
    counted: usize,
    evictions: u64,
}

/// What is remembered of one service.
#[derive(Default)]
struct ServiceRecord {
    seen: f64,
    came_again: bool,
    last: Option<LastAnswer>,
    counts: Few<(IpAddr, u64)>,
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
            counted: 0,
            evictions: 0,
        }
    }

    /// Notes that a poller asks; the answer follows.
    pub fn asked(&mut self, now: f64, poller: &Poller) {
        let most = match self.counted < COUNTED_MAX {
            true => self.addresses,
            false => 1,
        };

        let Some(known) = self.services.get_mut(&poller.service) else {
            self.add(now, poller, most);
            return;
        };

        known.came_again = true;
        // Before and after, as a new address may have taken the place of another one.
        self.counted -= known.counts.len();
        known.asked(now, poller.address, most);
        self.counted += known.counts.len();
    }

    fn add(&mut self, now: f64, poller: &Poller, most: usize) {
        self.make_room();
        self.order.push_back(poller.service.clone());
        let mut new = ServiceRecord::default();
        new.asked(now, poller.address, most);
        self.counted += 1;
        self.services.insert(poller.service.clone(), new);
    }

    /// Notes an answer.
    pub fn answered(&mut self, now: f64, poller: &Poller, code: u16) {
        // The service may have been evicted while its check ran.
        if let Some(service) = self.services.get_mut(&poller.service) {
            service.last = Some(LastAnswer {
                code,
                remote_ip: poller.address,
                ts: now,
            });
        }
    }

    /// A part of what is remembered, so that nobody has to look at all of it in one go: `most` services from a number on.
    #[must_use]
    pub fn part(&self, from: usize, most: usize) -> Vec<SeenService> {
        let names = self.order.iter().skip(from).take(most);
        let known = names.filter_map(|name| Some((name, self.services.get(name)?)));
        known.map(|(name, known)| known.shown(name)).collect()
    }

    /// Services remembered, and services forgotten for want of room.
    #[must_use]
    pub fn figures(&self) -> (usize, u64) {
        (self.services.len(), self.evictions)
    }

    fn make_room(&mut self) {
        while self.services.len() >= self.limit {
            let Some(name) = self.order.pop_front() else {
                return;
            };
            self.keep_or_evict(name);
        }
    }

    /// Gives a service that came again one more chance, and evicts another one.
    fn keep_or_evict(&mut self, name: ServiceName) {
        match self.services.get_mut(&name) {
            Some(service) if service.came_again => {
                service.came_again = false;
                self.order.push_back(name);
            }
            _ => {
                let gone = self.services.remove(&name).unwrap_or_default();
                self.counted -= gone.counts.len();
                self.evictions += 1;
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

        // The one that asked least, as a balancer's count is soon above that of whoever looks once.
        if self.counts.len() >= most {
            self.remove_least();
        }

        self.counts.push((from, 1));
    }

    /// Forgets the address that asked least.
    fn remove_least(&mut self) {
        let counts = self.counts.iter().enumerate();
        let least = counts.min_by_key(|(_, (_, count))| *count);
        if let Some((place, _)) = least {
            self.counts.swap_remove(place);
        }
    }

    fn shown(&self, name: &ServiceName) -> SeenService {
        SeenService {
            name: name.clone(),
            at: self.seen,
            last: self.last,
            counts: self.counts.to_vec(),
        }
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
            user_agent: None,
        }
    }

    #[test]
    fn names_that_came_once_do_not_push_out_one_that_came_again() {
        let mut recent = RecentServices::new(100, 8);
        for i in 0..10_000 {
            recent.asked(1.0, &poller("real", 80, 1));
            recent.asked(1.0, &poller(&format!("junk{i}"), 80, 1));
        }
        let seen = recent.part(0, 1000);
        assert_eq!(seen.len(), 100);
        let counts = [(std::net::Ipv4Addr::from_bits(1).into(), 10_000)];
        let is_real = |s: &SeenService| s.name.as_str() == "real" && s.counts == counts;
        assert!(seen.iter().any(is_real), "{seen:?}");
        assert_eq!(recent.figures(), (100, 10_001 - 100));
    }

    #[test]
    fn addresses_over_all_services_are_bounded() {
        let mut recent = RecentServices::new(2000, 256);
        for service in 0..2000 {
            let name = format!("s{service}");
            for address in 0..200 {
                recent.asked(1.0, &poller(&name, 80, address));
            }
        }
        let all = recent.part(0, 2000);
        let counted: usize = all.iter().map(|service| service.counts.len()).sum();
        assert_eq!(all.len(), 2000);
        assert!(counted <= COUNTED_MAX + 2000, "{counted}");
        assert_eq!(recent.counted, counted);
        // Evicted ones make room for others.
        for service in 0..4000 {
            recent.asked(1.0, &poller(&format!("t{service}"), 80, 1));
        }
        let all = recent.part(0, 2000);
        let counted: usize = all.iter().map(|service| service.counts.len()).sum();
        assert_eq!(recent.counted, counted);
    }

    #[test]
    fn addresses_of_pollers_are_bounded() {
        let mut recent = RecentServices::new(10, 8);
        for address in 0..1000 {
            recent.asked(1.0, &poller("web", 80, address));
        }
        assert_eq!(recent.part(0, 1)[0].counts.len(), 8);
    }
}
