//! What is remembered of one poller.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::gaps::Gaps;
use super::poll::{Answer, Ask, Asked, Asks, Poll, Stated, Who, remembered, same_ask};
use super::row::{self, Row, Told};
use crate::hashed::{Given, Hashed};

/// How long a silent poller is remembered.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// Pollers by their hash.
pub(super) type Entries = HashMap<u64, Entry, Given>;

/// A poller, with what is remembered of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Who it is.
    pub who: Hashed<Who>,
    /// No other one has this number, also not the same poller after it was forgotten.
    number: u64,
    /// The host as the poller wrote it.
    pub typed: Option<Box<str>>,
    pub(super) stated: Stated,
    ask: Option<Arc<Ask>>,
    asks_spool: bool,
    pub(super) polls: u64,
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

/// Where the entry of a certain poller is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) hash: u64,
    number: u64,
}

impl Slot {
    /// The entry, unless it was forgotten.
    pub(super) fn entry(self, entries: &Entries) -> Option<&Entry> {
        entries
            .get(&self.hash)
            .filter(|entry| entry.number == self.number)
    }
}

impl Entry {
    pub(super) fn new(
        number: u64,
        who: Hashed<Who>,
        now: Duration,
        Poll {
            stated,
            typed,
            asked,
        }: Poll<'_>,
    ) -> Self {
        Self {
            who,
            number,
            typed: typed.map(Into::into),
            stated: stated.clone(),
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

    pub(super) fn slot(&self) -> Slot {
        Slot {
            hash: self.who.number(),
            number: self.number,
        }
    }

    pub(super) fn polled(
        &mut self,
        now: Duration,
        Poll {
            stated,
            typed,
            asked,
        }: Poll<'_>,
    ) {
        self.gaps.add(
            stated.view,
            stated.words.as_deref(),
            now.saturating_sub(self.polled_at),
        );
        self.stated = stated.clone();
        self.polls += 1;
        self.polled_at = now;
        self.after_closed = self.told.is_some_and(|told| told != Told::Up);
        if self.typed.as_deref() != typed {
            self.typed = typed.map(Into::into);
        }
        if !same_ask(self.ask.as_deref(), asked.check()) {
            self.ask = remembered(asked.check());
        }
        self.asks_spool = matches!(asked, Asked::Spool);
    }

    pub(super) fn answered(&mut self, now: Duration, Answer { told, code }: Answer) {
        self.run = if self.told == Some(told) {
            self.run + 1
        } else {
            1
        };
        self.told = Some(told);
        self.code = code;
        self.told_at = now;
    }

    /// The poller as `/pollers` tells of it, with the names of the spool entries that can take its check down, besides
    /// `all`.
    #[must_use]
    pub fn row(&self, names: Vec<String>) -> Row {
        let who = &self.who;
        Row {
            service: who.service.as_str().to_owned(),
            check: who.check.to_string(),
            names,
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

    /// Whether it was silent for so long that it is to be forgotten.
    pub(super) fn is_gone(&self, now: Duration) -> bool {
        let limit = self
            .gaps
            .interval()
            .map_or(0.0, |i| i * 3.0)
            .max(FORGET_AFTER.as_secs_f64());
        now.saturating_sub(self.polled_at).as_secs_f64() > limit
    }

    pub(super) fn is_polling(&self, now: Duration) -> bool {
        row::is_polling(
            self.gaps.interval(),
            self.who.server.is_some(),
            self.polled_at.as_secs_f64(),
            now.as_secs_f64(),
        )
    }
}

/// The different checks of pollers, as far as they still poll.
#[must_use]
pub fn asks<'a>(entries: impl IntoIterator<Item = &'a Entry>, now: Duration) -> Asks {
    let mut found = Asks::default();
    for entry in entries {
        if !entry.is_polling(now) || row::is_person(entry.stated.by_hand, entry.polls) {
            continue;
        }
        match &entry.ask {
            Some(ask) => {
                let same =
                    |known: &Arc<Ask>| same_ask(Some(known), Some((ask.protocol, &ask.target)));
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
