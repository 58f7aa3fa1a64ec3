//! Who polls, how often, what it sees and what it was told. A pure data structure: time is passed in, as time since the
//! daemon's start.
//!
//! Rule: what is remembered is bounded. Pollers that came once share what pollers that came again leave free, and push
//! out each other only, so that made-up headers cannot push out a real load balancer.

mod entry;
mod gaps;
mod instance;
mod poll;
mod row;
mod settings;
pub mod stats;

use std::collections::VecDeque;
use std::time::Duration;

use crate::hashed::Hashed;
use entry::{Entries, Slot};
pub use entry::{Entry, asks};
pub use instance::Instance;
pub use poll::{Answer, Ask, Asked, Asks, Poll, Stated, Who};
pub use row::{Page, Root, Row, Told, View};
pub use settings::Settings;

/// Counts for the metrics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Pollers that poll, by view: up, down, no new traffic, unknown.
    pub polling: [usize; 4],
    /// Pollers that stopped.
    pub silent: usize,
    /// Pollers that were forgotten for want of room.
    pub forgotten: u64,
}

/// The memory of pollers.
pub struct Ledger {
    limit: usize,
    /// By hash: what is looked up for each poll lies in one place. Two pollers of one hash, which hardly ever meet, push
    /// out each other.
    entries: Entries,
    /// Those that came once, the oldest first; those among them that came again since are passed over.
    newcomers: VecDeque<Slot>,
    /// Those that came again, with their polls when they were looked at last: who has not polled since makes room first.
    regulars: VecDeque<(Slot, u64)>,
    /// Pollers that were ever remembered.
    count: u64,
    forgotten: u64,
}

impl Ledger {
    /// Remembers at most this many pollers.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(2),
            entries: Entries::default(),
            newcomers: VecDeque::new(),
            regulars: VecDeque::new(),
            count: 0,
            forgotten: 0,
        }
    }

    /// Notes a poll; its answer follows.
    pub fn polled(&mut self, now: Duration, who: &Hashed<Who>, poll: Poll<'_>) {
        let Some(entry) = self.known(who) else {
            self.make_room();
            self.count += 1;
            let entry = Entry::new(self.count, who.clone(), now, poll);
            self.newcomers.push_back(entry.slot());
            self.forgotten += u64::from(self.entries.insert(who.number(), entry).is_some());
            return;
        };
        entry.polled(now, poll);
        if entry.polls == 2 {
            let slot = entry.slot();
            self.promote(slot);
        }
    }

    /// Notes the answer to a poll that was noted before.
    pub fn answered(&mut self, now: Duration, who: &Hashed<Who>, answer: Answer) {
        if let Some(entry) = self.known(who) {
            entry.answered(now, answer);
        }
    }

    fn known(&mut self, who: &Hashed<Who>) -> Option<&mut Entry> {
        self.entries
            .get_mut(&who.number())
            .filter(|entry| entry.who == *who)
    }

    /// Copies of the pollers that a filter lets through, to be looked at when the ledger is free again.
    #[must_use]
    pub fn entries(&self, wanted: impl Fn(&Who) -> bool) -> Vec<Entry> {
        self.entries
            .values()
            .filter(|entry| wanted(&entry.who))
            .cloned()
            .collect()
    }

    /// Counts.
    #[must_use]
    pub fn figures(&self, now: Duration) -> Figures {
        let mut figures = Figures {
            forgotten: self.forgotten,
            ..Figures::default()
        };
        for entry in self.entries.values() {
            if entry.is_polling(now) {
                figures.polling[entry.stated.view.map_or(3, View::index)] += 1;
            } else {
                figures.silent += 1;
            }
        }
        figures
    }

    /// Forgets who has been silent for long.
    pub fn prune(&mut self, now: Duration) {
        self.entries.retain(|_, entry| !entry.is_gone(now));
        self.newcomers
            .retain(|slot| slot.entry(&self.entries).is_some());
        self.regulars
            .retain(|(slot, _)| slot.entry(&self.entries).is_some());
    }

    /// Most that came again; the rest is for newcomers.
    fn regulars_max(&self) -> usize {
        self.limit - (self.limit / 8).max(1)
    }

    fn make_room(&mut self) {
        while self.entries.len() >= self.limit {
            // There always is one: those that came again never take all the room.
            let Some(oldest) = self.newcomers.pop_front() else {
                return;
            };
            if oldest
                .entry(&self.entries)
                .is_some_and(|entry| entry.polls == 1)
            {
                self.entries.remove(&oldest.hash);
                self.forgotten += 1;
            }
        }
        if self.newcomers.len() > 2 * self.limit {
            self.newcomers.retain(|slot| {
                slot.entry(&self.entries)
                    .is_some_and(|entry| entry.polls == 1)
            });
        }
    }

    /// Moves a poller that came again to those that newcomers cannot push out. One of those makes room if need be; each
    /// is looked at again only after it polled, so that this takes no search.
    fn promote(&mut self, slot: Slot) {
        while self.regulars.len() >= self.regulars_max() {
            let Some((oldest, seen)) = self.regulars.pop_front() else {
                break;
            };
            match oldest.entry(&self.entries).map(|entry| entry.polls) {
                Some(polls) if polls > seen => self.regulars.push_back((oldest, polls)),
                Some(_) => {
                    self.entries.remove(&oldest.hash);
                    self.forgotten += 1;
                }
                None => {}
            }
        }
        self.regulars.push_back((slot, 2));
    }
}

#[cfg(test)]
mod tests;
