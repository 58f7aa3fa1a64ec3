//! Who asked for what lately, and what was answered.
//!
//! Rule: what is remembered is bounded. When there is no room, a service that was asked for once gives way before one
//! that came again, so that made-up names cannot push out real ones.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use smallvec::SmallVec;

use crate::hashed::{Given, Hashed};
use crate::spool::ServiceName;

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

/// An answer for one instance of a service.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// The instance's number.
    pub instance: u64,
    /// Its status code; 0 where there is none.
    pub code: u16,
    /// Whether the check passes.
    pub passes: bool,
}

/// A service as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its name.
    pub name: ServiceName,
    /// When it was asked for last, in seconds of unix time.
    pub at: f64,
    /// The last answer; `None` while the first check runs.
    pub last: Option<Last>,
    /// Requests by address.
    pub counts: Vec<(IpAddr, u64)>,
}

/// The memory. A pure data structure: times are passed in, as seconds of unix time.
pub struct Stats {
    limit: usize,
    /// Most poller addresses that are counted for one service.
    addresses: usize,
    services: HashMap<Hashed<ServiceName>, Service, Given>,
    /// The order of eviction, by second chance.
    order: VecDeque<Hashed<ServiceName>>,
    evictions: u64,
}

/// What is remembered of one service.
#[derive(Default)]
struct Service {
    seen: f64,
    came_again: bool,
    last: Option<Last>,
    counts: Few<(IpAddr, u64)>,
    /// Whether each instance passed last, by its number.
    passed: Few<(u64, bool)>,
}

/// A list that mostly has one element, which lies in the list itself: what is far apart in memory takes time to find.
type Few<T> = SmallVec<[T; 1]>;

impl Stats {
    /// Remembers at most this many services, and for each at most this many addresses of pollers.
    #[must_use]
    pub fn new(limit: usize, addresses: usize) -> Self {
        let (limit, addresses) = (limit.max(1), addresses.max(1));
        Self {
            limit,
            addresses,
            services: HashMap::default(),
            order: VecDeque::new(),
            evictions: 0,
        }
    }

    /// Notes that somebody asks; the answer follows.
    pub fn asked(&mut self, service: &Hashed<ServiceName>, from: IpAddr, now: f64) {
        let most = self.addresses;
        if let Some(known) = self.services.get_mut(service) {
            known.came_again = true;
            known.asked(now, from, most);
            return;
        }
        self.make_room();
        self.order.push_back(service.clone());
        let mut new = Service::default();
        new.asked(now, from, most);
        self.services.insert(service.clone(), new);
    }

    /// Notes an answer. Gives whether the instance passes when that is news: the first answer, or another than the one
    /// before.
    pub fn answered(
        &mut self,
        service: &Hashed<ServiceName>,
        from: IpAddr,
        now: f64,
        answer: Answer,
    ) -> Option<bool> {
        self.services.get_mut(service)?.answered(from, now, answer)
    }

    /// Everything that is remembered, in no order.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Seen> {
        let seen = |(name, s): (&Hashed<ServiceName>, &Service)| Seen {
            name: (**name).clone(),
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

impl Service {
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

    fn answered(
        &mut self,
        from: IpAddr,
        now: f64,
        Answer {
            instance,
            code,
            passes,
        }: Answer,
    ) -> Option<bool> {
        self.last = Some(Last {
            code,
            remote_ip: from,
            ts: now,
        });
        match self
            .passed
            .iter_mut()
            .find(|(number, _)| *number == instance)
        {
            Some((_, before)) if *before == passes => None,
            Some((_, before)) => {
                *before = passes;
                Some(passes)
            }
            None => {
                if self.passed.len() >= INSTANCES_MAX {
                    self.passed.remove(0);
                }
                self.passed.push((instance, passes));
                Some(passes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLLER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn name(text: &str) -> Hashed<ServiceName> {
        Hashed::new(ServiceName::parse(text).unwrap())
    }

    #[test]
    fn names_that_came_once_do_not_push_out_one_that_came_again() {
        let mut stats = Stats::new(100, 8);
        for i in 0..10_000 {
            stats.asked(&name("real"), POLLER, 1.0);
            stats.asked(&name(&format!("junk{i}")), POLLER, 1.0);
        }
        let names = stats.snapshot();
        assert_eq!(names.len(), 100);
        assert!(
            names
                .iter()
                .any(|s| s.name.as_str() == "real" && s.counts == [(POLLER, 10_000)])
        );
        assert_eq!(stats.figures(), (100, 0, 10_001 - 100));
    }

    #[test]
    fn only_a_change_of_an_instance_is_told() {
        let mut stats = Stats::new(10, 8);
        stats.asked(&name("web"), POLLER, 1.0);
        let mut answer = |instance, code| {
            stats.answered(
                &name("web"),
                POLLER,
                2.0,
                Answer {
                    instance,
                    code,
                    passes: code == 200,
                },
            )
        };
        assert_eq!(answer(80, 200), Some(true));
        assert_eq!(answer(81, 503), Some(false));
        assert_eq!(answer(80, 200), None);
        assert_eq!(answer(80, 503), Some(false));
        assert_eq!(
            stats
                .snapshot()
                .iter()
                .find(|s| s.name.as_str() == "web")
                .unwrap()
                .last
                .map(|l| (l.code, l.ts)),
            Some((503, 2.0))
        );
        assert_eq!(stats.figures(), (1, 2, 0));
    }

    #[test]
    fn addresses_of_pollers_are_bounded() {
        let mut stats = Stats::new(10, 8);
        for i in 0..1000u32 {
            stats.asked(&name("web"), std::net::Ipv4Addr::from_bits(i).into(), 1.0);
        }
        assert_eq!(stats.snapshot()[0].counts.len(), 8);
    }
}
