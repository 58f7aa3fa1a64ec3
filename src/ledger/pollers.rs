//! Who polls, how often, what it sees and what it was told.
//!
//! Rule: one address has a sixteenth of the room at most, and established pollers make room for nobody, so that made-up
//! pollers cannot push out a real load balancer. See [`Share`].

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::history::{Histories, PollAnswer};
use super::record::{FORGET_AFTER, Records};
use super::share::{Regard, Share};
use super::{Moment, News, Poller, PollerRecord, PollerRules, Stated, View};
use crate::probe::Check;

/// Room for so few pollers of one address there always is.
const FEW: usize = 16;

/// Counts for the metrics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PollerFigures {
    /// Pollers that poll, by view: up, down, no new traffic, unknown.
    pub polling: [usize; 4],
    /// Pollers that stopped.
    pub silent: usize,
    /// Pollers that were forgotten for want of room.
    pub forgotten: u64,
}

/// The pollers that are remembered.
pub struct Pollers {
    limit: usize,
    rules: PollerRules,
    records: Records,
    histories: Histories,
    /// The order in which they make room.
    all: Share,
    addresses: HashMap<IpAddr, Share, RandomState>,
    /// Turns that were ever given.
    turns: u64,
    forgotten: u64,
    forgotten_at: Option<Duration>,
}

impl Pollers {
    /// Remembers at most this many pollers, of which nothing but what is built in is known beforehand.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self::with(limit, PollerRules::default())
    }

    /// The same with rules.
    pub(super) fn with(limit: usize, rules: PollerRules) -> Self {
        Self {
            limit: limit.max(2),
            rules,
            records: Records::default(),
            histories: Histories::default(),
            all: Share::default(),
            addresses: HashMap::default(),
            turns: 0,
            forgotten: 0,
            forgotten_at: None,
        }
    }

    /// From now on these rules count.
    pub(crate) fn set_rules(&mut self, rules: &PollerRules) {
        // Most reloads change none, and there may be ten thousand records.
        if self.rules == *rules {
            return;
        }

        self.rules = rules.clone();
        for record in self.records.values_mut() {
            record.expected = rules.expectation(&record.poller);
        }
    }

    /// Notes a poll; its answer follows. Gives whether it is one of an established poller.
    pub fn asked(
        &mut self,
        now: Duration,
        poller: &Arc<Poller>,
        stated: &Stated,
        check: Option<&Check>,
    ) -> bool {
        let question = question(self.records.hasher(), check);
        let Some(record) = self.records.get_mut(&**poller) else {
            let history = self.histories.of(poller, now);
            let mut record = PollerRecord::new(Arc::clone(poller), now, stated, check, history);
            record.note_pace(question, now);
            self.add(record, now);
            // A pace takes several polls to show.
            return false;
        };

        record.asked(now, stated, check);
        let is_established = record.note_pace(question, now);
        // Only where that changes, as most polls change nothing and each new place costs two look-ups.
        if record.regard(now) != record.turn.0 {
            self.put_in_line(poller, now);
        }

        is_established
    }

    fn add(&mut self, mut record: PollerRecord, now: Duration) {
        let poller = Arc::clone(&record.poller);
        record.expected = self.rules.expectation(&poller);
        // One that finds no room is answered all the same; it is not remembered, and that is counted.
        if self.make_room(poller.address, now) {
            self.records.insert(Arc::clone(&poller), record);
            self.put_in_line(&poller, now);
        }
    }

    /// Gives a poller the last turn among those that are regarded like it.
    fn put_in_line(&mut self, poller: &Arc<Poller>, now: Duration) {
        let Some(record) = self.records.get_mut(&**poller) else {
            return;
        };

        let before = record.turn;
        self.turns += 1;
        let turn = (record.regard(now), self.turns);
        record.turn = turn;
        record.polls_in_line = record.polls;
        // Each poller stands in two orders: among all, and among those of its address.
        let of_address = self.addresses.entry(poller.address).or_default();
        for share in [&mut self.all, of_address] {
            share.remove(before);
            share.insert(turn, Arc::clone(poller));
        }
    }

    /// Notes the answer to a poll that was noted before; gives what is news of it.
    pub fn answered(&mut self, at: Moment, poller: &Poller, answer: &PollAnswer<'_>) -> News {
        let hasher = self.records.hasher().clone();
        // It may have made room while its check ran.
        let Some(record) = self.records.get_mut(poller) else {
            return News::default();
        };

        record.answered(at.since_start, answer);
        let question = question(&hasher, answer.check);
        record.history.note(at, poller, question, answer)
    }

    /// The interval of a poller in seconds, once it is known.
    #[must_use]
    pub fn interval(&self, poller: &Poller) -> Option<f64> {
        self.records.get(poller)?.interval()
    }

    /// Checks whose last result fails.
    #[must_use]
    pub fn failing(&self) -> usize {
        self.histories.failing()
    }

    /// Copies of the pollers that a filter lets through, to be looked at when the lock is free again.
    #[must_use]
    pub fn records(&self, wanted: impl Fn(&Poller) -> bool) -> Vec<PollerRecord> {
        let records = self.records.values();
        records.filter(|r| wanted(&r.poller)).cloned().collect()
    }

    /// Counts.
    #[must_use]
    pub fn figures(&self, now: Duration) -> PollerFigures {
        let mut figures = PollerFigures {
            forgotten: self.forgotten,
            ..PollerFigures::default()
        };

        for record in self.records.values() {
            if record.is_polling(now) {
                // The last place is for those that do not say what they see.
                let place = record.stated.view.map_or(3, View::index);
                figures.polling[place] += 1;
            } else {
                figures.silent += 1;
            }
        }

        figures
    }

    /// How many were forgotten for want of room, unless that is so long ago that those which still poll are known again.
    #[must_use]
    pub(crate) fn forgotten_lately(&self, now: Duration) -> u64 {
        let is_lately = |at| now.saturating_sub(at) < FORGET_AFTER;
        match self.forgotten_at.is_some_and(is_lately) {
            true => self.forgotten,
            false => 0,
        }
    }

    /// Forgets who has been silent for long.
    pub(crate) fn prune(&mut self, now: Duration) {
        for poller in self.changed(now) {
            let record = self.records.get(&*poller);
            match record.is_some_and(|record| record.is_gone(now)) {
                true => self.remove(&poller),
                // It is no longer established: from now on it makes room as others do.
                false => self.put_in_line(&poller, now),
            }
        }
    }

    /// Those that time has changed, though they did nothing.
    fn changed(&self, now: Duration) -> Vec<Arc<Poller>> {
        let records = self.records.values();
        let changed = records.filter(|r| r.is_gone(now) || r.regard(now) != r.turn.0);
        changed.map(|r| Arc::clone(&r.poller)).collect()
    }

    /// Most pollers of one address.
    fn limit_of_address(&self) -> usize {
        (self.limit / 16).max(FEW).min(self.limit)
    }

    /// Makes room for a poller of an address; gives whether there is any.
    fn make_room(&mut self, address: IpAddr, now: Duration) -> bool {
        while let Some(next) = self.next_to_go(address) {
            // All who are there are established, and make room for nobody.
            let Some(next) = next else {
                self.forgot_one(now);
                return false;
            };

            // A second chance; it ends, as each one that gets it loses it with that.
            if self.came_meanwhile(&next) {
                self.put_in_line(&next, now);
            } else {
                self.remove(&next);
                self.forgot_one(now);
            }
        }

        true
    }

    /// Whether a poller that had come again before has polled since it got its turn.
    fn came_meanwhile(&self, poller: &Poller) -> bool {
        match self.records.get(poller) {
            Some(record) => record.turn.0 == Regard::Again && record.polls > record.polls_in_line,
            None => false,
        }
    }

    /// Nothing where there is room; else who is to make room, if anybody.
    fn next_to_go(&self, address: IpAddr) -> Option<Option<Arc<Poller>>> {
        let most = self.limit_of_address();
        let of_address = self.addresses.get(&address);
        // First of its own address: who makes up pollers pushes out those that they made up.
        if let Some(full) = of_address.filter(|share| share.len() >= most) {
            return Some(full.next(most).cloned());
        }

        (self.all.len() >= self.limit).then(|| self.all.next(self.limit).cloned())
    }

    fn remove(&mut self, poller: &Poller) {
        let Some(record) = self.records.remove(poller) else {
            return;
        };

        self.all.remove(record.turn);
        if let Some(share) = self.addresses.get_mut(&poller.address) {
            share.remove(record.turn);
            // Addresses are what strangers bring: none stays that has no poller.
            if share.len() == 0 {
                self.addresses.remove(&poller.address);
            }
        }
    }

    fn forgot_one(&mut self, now: Duration) {
        self.forgotten += 1;
        self.forgotten_at = Some(now);
    }
}

/// What of a request reaches the target, as a number: path, query string and headers.
fn question(hasher: &impl BuildHasher, check: Option<&Check>) -> u64 {
    let mut hasher = hasher.build_hasher();
    if let Some(check) = check {
        (&check.target.path, &check.target.headers).hash(&mut hasher);
    }

    hasher.finish()
}

#[cfg(test)]
mod tests;
