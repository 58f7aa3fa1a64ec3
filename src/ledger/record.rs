//! What is remembered of one poller, and what it asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::gaps::Gaps;
use super::history::{PollAnswer, SharedHistory};
use super::namesakes::Views;
use super::pace::Paces;
use super::row::{self, PollerRow, Told};
use super::share::{EvictionOrder, Regard};
use super::{Expectation, Poller, Stated};
use crate::probe::Check;

/// How long a silent poller is remembered.
pub(super) const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// Longest path and headers of a check that are remembered, in bytes.
const CHECK_MAX: usize = 1024;

/// The records by their pollers.
pub(super) type Records = HashMap<Arc<Poller>, PollerRecord, foldhash::fast::RandomState>;

/// What is remembered of one poller.
#[derive(Debug, Clone)]
pub struct PollerRecord {
    /// Who it is.
    pub poller: Arc<Poller>,
    /// When it makes room for others.
    pub(super) turn: EvictionOrder,
    /// Its polls when it got that turn.
    pub(super) polls_in_line: u64,
    /// What it said last.
    pub stated: Stated,
    /// What is known of it beforehand.
    pub(super) expected: Expectation,
    /// The check that it asks for, unless that is too long, refused, or the spool alone.
    check: Option<Check>,
    pub(super) polls: u64,
    polled_at: Duration,
    gaps: Gaps,
    /// Whether it polls steadily.
    paces: Paces,
    told: Option<Told>,
    code: u16,
    told_at: Duration,
    /// Equal answers in a row.
    run: u64,
    /// The last poll came after an answer other than "up".
    after_closed: bool,
    /// Its sessions with the server when it was told other than "up" first.
    sessions_at_close: Option<u32>,
    /// It was seen to have sessions, with this server or its backend.
    has_had_sessions: bool,
    /// What its polls say while the answers fail.
    views: Views,
    /// What is remembered of the check, shared with all that poll it.
    pub history: SharedHistory,
}

impl PollerRecord {
    pub(super) fn new(
        poller: Arc<Poller>,
        now: Duration,
        stated: &Stated,
        check: Option<&Check>,
        history: SharedHistory,
    ) -> Self {
        Self {
            poller,
            turn: (Regard::Once, 0),
            polls_in_line: 0,
            stated: stated.clone(),
            expected: Expectation::default(),
            check: check.filter(|c| is_short(c)).cloned(),
            polls: 1,
            polled_at: now,
            gaps: Gaps::default(),
            paces: Paces::default(),
            told: None,
            code: 0,
            told_at: now,
            run: 0,
            after_closed: false,
            sessions_at_close: None,
            has_had_sessions: has_sessions(stated),
            views: Views::default(),
            history,
        }
    }

    /// Notes the pace of a question; whether the poller is established by it.
    pub(super) fn note_pace(&mut self, question: u64, now: Duration) -> bool {
        // From outside nobody is established, however steadily they poll.
        !self.stated.outside && self.paces.note(question, now)
    }

    /// What it has shown so far.
    pub(super) fn regard(&self, now: Duration) -> Regard {
        if self.paces.is_established(now) {
            Regard::Established
        } else if self.polls > 1 {
            Regard::Again
        } else {
            Regard::Once
        }
    }

    pub(super) fn asked(&mut self, now: Duration, stated: &Stated, check: Option<&Check>) {
        let gap = now.saturating_sub(self.polled_at);
        // By the view that it polls with: the gap behind it was of that view's interval.
        self.gaps.add(stated.view, stated.words.as_deref(), gap);
        self.stated = stated.clone();
        self.polls += 1;
        self.polled_at = now;
        self.after_closed = self.told.is_some_and(|told| told != Told::Up);
        self.has_had_sessions |= has_sessions(stated);
        self.note_view(now);
        // The last one: a query string may change with each poll.
        self.check = check.filter(|c| is_short(c)).cloned();
    }

    fn note_view(&mut self, now: Duration) {
        // By the answer before this poll: that is what its view can be of.
        let has_failed = self.told.is_some_and(|told| !told.passes());
        if let (Some(view), Some(words)) = (self.stated.view, &self.stated.words) {
            self.views.note(now, view, words, has_failed);
        }
    }

    pub(super) fn answered(&mut self, now: Duration, answer: &PollAnswer<'_>) {
        let told = answer.told;
        self.note_sessions(told);
        if self.told == Some(told) {
            self.run += 1;
        } else {
            self.run = 1;
        }

        self.told = Some(told);
        self.code = answer.code;
        self.told_at = now;
    }

    /// Keeps the sessions that it had when it was told other than "up" first: what a drain is measured by.
    fn note_sessions(&mut self, told: Told) {
        let was_closed = self.told.is_some_and(|before| before != Told::Up);
        if told == Told::Up {
            self.sessions_at_close = None;
        } else if !was_closed {
            // Only the first time: later ones are what is left of them.
            self.sessions_at_close = self.stated.sessions.map(|[own, _]| own);
        }
    }

    /// The poller as `/pollers` tells of it, with the names of the spool entries that can take its check down, besides
    /// `all`.
    #[must_use]
    pub fn row(&self, names: Vec<String>) -> PollerRow {
        let who = &self.poller;
        PollerRow {
            service: who.service.as_str().to_owned(),
            check: who.check.to_string(),
            variant: who.check.variant().to_owned(),
            names,
            address: who.address,
            node: who.node.as_deref().map(str::to_owned),
            server: who.server.as_deref().map(str::to_owned),
            user_agent: who.user_agent.as_deref().map(str::to_owned),
            interval: self.usual_interval(),
            expected: self.expected,
            by_hand: self.stated.by_hand,
            polls: self.polls,
            outside: self.stated.outside,
            established: self.paces.is_established(self.polled_at),
            rhythm: Some(self.paces.has_rhythm(self.polled_at)),
            has_had_sessions: self.has_had_sessions,
            namesakes: self.views.namesakes(self.polled_at),
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

    /// Its interval in seconds as its polls show it, once it polled twice.
    pub(super) fn interval(&self) -> Option<f64> {
        self.gaps.interval()
    }

    /// The same, and not less than the configuration says.
    fn usual_interval(&self) -> Option<f64> {
        let measured = self.gaps.interval()?;
        let least = self.expected.least_interval.unwrap_or_default();
        Some(measured.max(least))
    }

    /// Whether a person looked, rather than a balancer polled.
    #[must_use]
    pub(crate) fn is_person(&self) -> bool {
        let is_established = self.paces.is_established(self.polled_at);
        row::is_person(self.stated.by_hand, is_established)
    }

    /// Whether nobody ever waits for it, and what it asks does not matter: a monitor, or what polls from elsewhere.
    #[must_use]
    pub(crate) fn is_disregarded(&self) -> bool {
        self.stated.outside || self.expected.counts == Some(false)
    }

    /// Its polls so far.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// The check that it asks for, unless that is too long, refused, or the spool alone.
    #[must_use]
    pub fn check(&self) -> Option<&Check> {
        self.check.as_ref()
    }

    /// Its sessions with the server when it was told other than "up" first.
    #[must_use]
    pub fn sessions_at_close(&self) -> Option<u32> {
        self.sessions_at_close
    }

    /// Whether it was silent for so long that it is to be forgotten.
    pub(super) fn is_gone(&self, now: Duration) -> bool {
        let silence = now.saturating_sub(self.polled_at).as_secs_f64();
        // Somebody may poll once in a day.
        let own_limit = self.usual_interval().unwrap_or_default() * 3.0;
        silence > own_limit.max(FORGET_AFTER.as_secs_f64())
    }

    pub(super) fn is_polling(&self, now: Duration) -> bool {
        let presumed = row::presumed_interval(self.poller.server.is_some(), self.expected);
        row::is_polling(
            self.usual_interval().unwrap_or(presumed),
            self.polled_at.as_secs_f64(),
            now.as_secs_f64(),
        )
    }
}

/// Whether a balancer says that there are sessions. Of a backend that another one tracks HAProxy says 0 for ever.
fn has_sessions(stated: &Stated) -> bool {
    matches!(stated.sessions, Some(counts) if counts != [0, 0])
}

/// Whether a check is short enough to be remembered.
fn is_short(check: &Check) -> bool {
    let headers = check.target.headers.iter();
    let headers: usize = headers.map(|(n, v)| n.as_str().len() + v.len()).sum();
    check.target.path.len() + headers <= CHECK_MAX
}

/// What pollers ask.
#[derive(Debug, Default)]
pub struct PolledChecks {
    /// The different checks.
    pub checks: Vec<Check>,
    /// Pollers that ask for downtimes only.
    pub spool_only: usize,
    /// Pollers whose checks are unknown: too long to be remembered, or refused.
    pub unknown: usize,
}

/// The different checks of pollers, as far as they still poll.
#[must_use]
pub(crate) fn polled_checks<'a>(
    records: impl IntoIterator<Item = &'a PollerRecord>,
    now: Duration,
) -> PolledChecks {
    let mut found = PolledChecks::default();
    for record in records {
        // Nobody waits for these, so what they ask need not pass either.
        if !record.is_polling(now) || record.is_person() || record.is_disregarded() {
            continue;
        }
        found.add(record);
    }

    found
}

impl PolledChecks {
    fn add(&mut self, record: &PollerRecord) {
        match &record.check {
            Some(check) => self.add_check(check),
            None if record.poller.check.is_spool() => self.spool_only += 1,
            None => self.unknown += 1,
        }
    }

    fn add_check(&mut self, check: &Check) {
        if !self.checks.iter().any(|known| is_same(known, check)) {
            self.checks.push(check.clone());
        }
    }
}

/// Whether two checks ask the same of the same target.
fn is_same(one: &Check, other: &Check) -> bool {
    let (a, b) = (&one.target, &other.target);
    let is_same_protocol = one.protocol.name == other.protocol.name;
    // For most protocols the service is a name in the path, and decides nothing.
    let is_same_service = !one.protocol.keyed_by_service || a.service == b.service;
    let is_same_place = a.port == b.port && a.host == b.host;
    let is_same_request = a.path == b.path && a.headers == b.headers;
    is_same_protocol && is_same_service && is_same_place && is_same_request
}
