//! Who polls, how often, what it sees and what it was told.
//!
//! Rule: pollers that came once share what pollers that came again leave free, and push out each other only, so that
//! made-up headers cannot push out a real load balancer.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use super::history::{Histories, PollAnswer};
use super::record::{RecordSlot, Records};
use super::{Moment, News, Poller, PollerRecord, Stated, View};
use crate::probe::Check;

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
    records: Records,
    histories: Histories,
    /// Those that came once, the oldest first; those among them that came again since are passed over.
    newcomers: VecDeque<RecordSlot>,
    /// Those that came again, with their polls when they were looked at last: who has not polled since is evicted first.
    regulars: VecDeque<(RecordSlot, u64)>,
    /// Pollers that were ever remembered.
    count: u64,
    forgotten: u64,
}

impl Pollers {
    /// Remembers at most this many pollers.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(2),
            records: Records::default(),
            histories: Histories::default(),
            newcomers: VecDeque::new(),
            regulars: VecDeque::new(),
            count: 0,
            forgotten: 0,
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
            record.paces.note(question, now);
            self.add(record);
            return false;
        };
        record.asked(now, stated, check);
        let is_established = record.paces.note(question, now);
        if record.polls == 2 {
            let slot = record.slot();
            self.promote(slot);
        }
        is_established
    }

    fn add(&mut self, mut record: PollerRecord) {
        self.make_room();
        self.count += 1;
        record.number = self.count;
        self.newcomers.push_back(record.slot());
        self.records.insert(Arc::clone(&record.poller), record);
    }

    /// Notes the answer to a poll that was noted before; gives what is news of it.
    pub fn answered(&mut self, at: Moment, poller: &Poller, answer: &PollAnswer<'_>) -> News {
        let hasher = self.records.hasher().clone();
        let Some(record) = self.records.get_mut(poller) else {
            return News::default();
        };
        record.answered(at.since_start, answer);
        let question = question(&hasher, answer.check);
        record.history.note(at, poller, question, answer)
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
                figures.polling[record.stated.view.map_or(3, View::index)] += 1;
            } else {
                figures.silent += 1;
            }
        }
        figures
    }

    /// Forgets who has been silent for long.
    pub fn prune(&mut self, now: Duration) {
        self.records.retain(|_, record| !record.is_gone(now));
        self.newcomers
            .retain(|slot| slot.record(&self.records).is_some());
        self.regulars
            .retain(|(slot, _)| slot.record(&self.records).is_some());
    }

    /// Most that came again; the rest is for newcomers.
    fn regulars_max(&self) -> usize {
        self.limit - (self.limit / 8).max(1)
    }

    fn make_room(&mut self) {
        while self.records.len() >= self.limit {
            // There always is one: those that came again never take all the room.
            let Some(oldest) = self.newcomers.pop_front() else {
                return;
            };
            if oldest
                .record(&self.records)
                .is_some_and(|record| record.polls == 1)
            {
                self.records.remove(&oldest.poller);
                self.forgotten += 1;
            }
        }
        if self.newcomers.len() > 2 * self.limit {
            self.newcomers.retain(|slot| {
                slot.record(&self.records)
                    .is_some_and(|record| record.polls == 1)
            });
        }
    }

    /// Moves a poller that came again to those that newcomers cannot push out. One of those makes room if need be; each
    /// is looked at again only after it polled, so that this takes no search.
    fn promote(&mut self, slot: RecordSlot) {
        while self.regulars.len() >= self.regulars_max() {
            let Some((oldest, seen)) = self.regulars.pop_front() else {
                break;
            };
            match oldest.record(&self.records).map(|record| record.polls) {
                Some(polls) if polls > seen => self.regulars.push_back((oldest, polls)),
                Some(_) => {
                    self.records.remove(&oldest.poller);
                    self.forgotten += 1;
                }
                None => {}
            }
        }
        self.regulars.push_back((slot, 2));
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
