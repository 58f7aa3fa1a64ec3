//! Who polls, how often, what it sees and what it was told. A pure data structure: time is passed in, as time since the
//! daemon's start.
//!
//! Rule: what is remembered is bounded. Pollers that came once share what pollers that came again leave free, and push
//! out each other only, so that made-up headers cannot push out a real load balancer.

mod gaps;
mod poll;
mod row;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::hashed::Given;
use gaps::Gaps;
pub use poll::{Ask, Asked, Asks, Basis, Entries, Stated, Who};
use poll::{remembered, same_ask};
pub use row::{Page, Root, Row, Told, View};

/// How long a silent poller is remembered.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

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

struct Entry {
    /// The spool entries that can take it down, besides `all`.
    names: Box<[Box<str>]>,
    basis: Basis,
    stated: Stated,
    ask: Option<Arc<Ask>>,
    asks_spool: bool,
    polls: u64,
    polled_at: Duration,
    gaps: Gaps,
    told: Option<Told>,
    code: u16,
    told_at: Duration,
    /// Equal answers in a row.
    run: u64,
    /// The last poll came after an answer other than "up".
    after_closed: bool,
}

/// The memory of pollers.
pub struct Ledger {
    limit: usize,
    entries: HashMap<Arc<Who>, Entry, Given>,
    /// Those that came once, the oldest first; those among them that came again since are passed over.
    newcomers: VecDeque<Arc<Who>>,
    /// Those that came again, with their polls when they were looked at last: who has not polled since makes room first.
    regulars: VecDeque<(Arc<Who>, u64)>,
    forgotten: u64,
}

impl Ledger {
    /// Remembers at most this many pollers.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(2),
            entries: HashMap::default(),
            newcomers: VecDeque::new(),
            regulars: VecDeque::new(),
            forgotten: 0,
        }
    }

    /// Notes a poll, as it arrives.
    pub fn polled(&mut self, now: Duration, who: &Who, stated: Stated, entries: &Entries<'_>, asked: Asked<'_>) {
        let Some(entry) = self.entries.get_mut(who) else {
            self.make_room();
            let who = Arc::new(who.clone());
            self.newcomers.push_back(Arc::clone(&who));
            self.entries.insert(who, Entry::new(now, stated, entries, asked));
            return;
        };
        entry.gaps.add(stated.view, stated.words.as_deref(), now.saturating_sub(entry.polled_at));
        entry.stated = stated;
        entry.polls += 1;
        entry.polled_at = now;
        entry.after_closed = entry.told.is_some_and(|told| told != Told::Up);
        if entry.basis != *entries.basis {
            entry.names = boxed((entries.names)());
            entry.basis = entries.basis.clone();
        }
        if !same_ask(entry.ask.as_deref(), asked.check()) {
            entry.ask = remembered(asked.check());
        }
        entry.asks_spool = matches!(asked, Asked::Spool);
        if entry.polls == 2 {
            self.promote(who);
        }
    }

    /// Notes the answer to a poll.
    pub fn answered(&mut self, now: Duration, who: &Who, told: Told, code: u16) {
        let Some(entry) = self.entries.get_mut(who) else { return };
        entry.run = if entry.told == Some(told) { entry.run + 1 } else { 1 };
        entry.told = Some(told);
        entry.code = code;
        entry.told_at = now;
    }

    /// The pollers that a filter lets through, by name.
    #[must_use]
    pub fn rows(&self, wanted: impl Fn(&str, &[Box<str>]) -> bool) -> Vec<Row> {
        let chosen = self.entries.iter().filter(|(who, entry)| wanted(&who.service, &entry.names));
        let mut rows: Vec<Row> = chosen.map(|(who, entry)| entry.row(who)).collect();
        rows.sort_by(|a, b| a.order().cmp(&b.order()));
        rows
    }

    /// The different checks of the pollers that a filter lets through, as far as they still poll.
    #[must_use]
    pub fn asks(&self, now: Duration, wanted: impl Fn(&str, &[Box<str>]) -> bool) -> Asks {
        let mut found = Asks::default();
        for (who, entry) in &self.entries {
            let counts = entry.is_polling(who, now) && !row::is_person(entry.stated.by_hand, entry.polls);
            if !counts || !wanted(&who.service, &entry.names) {
                continue;
            }
            match &entry.ask {
                Some(ask) => {
                    let same = |known: &Arc<Ask>| same_ask(Some(known), Some((ask.protocol, &ask.target)));
                    if !found.checks.iter().any(same) {
                        found.checks.push(Arc::clone(ask));
                    }
                }
                None if entry.asks_spool => found.spool_only += 1,
                None => found.unknown += 1,
            }
        }
        found
    }

    /// Counts.
    #[must_use]
    pub fn figures(&self, now: Duration) -> Figures {
        let mut figures = Figures { forgotten: self.forgotten, ..Figures::default() };
        for (who, entry) in &self.entries {
            if entry.is_polling(who, now) {
                figures.polling[entry.stated.view.map_or(3, View::index)] += 1;
            } else {
                figures.silent += 1;
            }
        }
        figures
    }

    /// Forgets who has been silent for long.
    pub fn prune(&mut self, now: Duration) {
        let silent = |entry: &Entry| {
            let limit = entry.gaps.interval().map_or(0.0, |i| i * 3.0).max(FORGET_AFTER.as_secs_f64());
            now.saturating_sub(entry.polled_at).as_secs_f64() > limit
        };
        self.entries.retain(|_, entry| !silent(entry));
        self.newcomers.retain(|who| self.entries.contains_key(who));
        self.regulars.retain(|(who, _)| self.entries.contains_key(who));
    }

    /// Most that came again; the rest is for newcomers.
    fn regulars_max(&self) -> usize {
        self.limit - (self.limit / 8).max(1)
    }

    fn make_room(&mut self) {
        while self.entries.len() >= self.limit {
            // There always is one: those that came again never take all the room.
            let Some(oldest) = self.newcomers.pop_front() else { return };
            let known = self.entries.get_key_value(&oldest);
            if known.is_some_and(|(who, entry)| Arc::ptr_eq(who, &oldest) && entry.polls == 1) {
                self.entries.remove(&oldest);
                self.forgotten += 1;
            }
        }
        if self.newcomers.len() > 2 * self.limit {
            self.newcomers.retain(|who| self.entries.get(who).is_some_and(|entry| entry.polls == 1));
        }
    }

    /// Moves a poller that came again to those that newcomers cannot push out. One of those makes room if need be; each
    /// is looked at again only after it polled, so that this takes no search.
    fn promote(&mut self, who: &Who) {
        while self.regulars.len() >= self.regulars_max() {
            let Some((oldest, seen)) = self.regulars.pop_front() else { break };
            match self.entries.get(&oldest).map(|entry| entry.polls) {
                Some(polls) if polls > seen => self.regulars.push_back((oldest, polls)),
                known => {
                    self.entries.remove(&oldest);
                    self.forgotten += u64::from(known.is_some());
                }
            }
        }
        if let Some((who, entry)) = self.entries.get_key_value(who) {
            self.regulars.push_back((Arc::clone(who), entry.polls));
        }
    }
}

impl Entry {
    fn new(now: Duration, stated: Stated, entries: &Entries<'_>, asked: Asked<'_>) -> Self {
        Self {
            names: boxed((entries.names)()),
            basis: entries.basis.clone(),
            stated,
            ask: remembered(asked.check()),
            asks_spool: matches!(asked, Asked::Spool),
            polls: 1,
            polled_at: now,
            gaps: Gaps::default(),
            told: None,
            code: 0,
            told_at: now,
            run: 0,
            after_closed: false,
        }
    }

    fn row(&self, who: &Who) -> Row {
        Row {
            service: who.service.to_string(),
            check: who.check.to_string(),
            names: self.names.iter().map(ToString::to_string).collect(),
            address: who.address,
            node: who.node.as_deref().map(str::to_owned),
            server: who.server.as_deref().map(str::to_owned),
            interval: self.gaps.interval(),
            by_hand: self.stated.by_hand,
            polls: self.polls,
            polled_at: self.polled_at.as_secs_f64(),
            view: self.stated.view,
            state: self.stated.words.as_deref().map(str::to_owned),
            sessions: self.stated.sessions,
            weight: self.stated.weight,
            told: self.told,
            code: self.code,
            told_at: self.told_at.as_secs_f64(),
            run: self.run,
            after_closed: self.after_closed,
        }
    }

    fn is_polling(&self, who: &Who, now: Duration) -> bool {
        row::is_polling(self.gaps.interval(), who.server.is_some(), self.polled_at.as_secs_f64(), now.as_secs_f64())
    }
}

fn boxed(names: Vec<String>) -> Box<[Box<str>]> {
    names.into_iter().map(String::into_boxed_str).collect()
}

#[cfg(test)]
mod tests;
