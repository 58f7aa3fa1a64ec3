//! What is remembered of one check, however many pollers ask for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::questions::Questions;
use super::{EventKind, HostEvent, Hour, MinuteFlag};
use crate::ledger::{AskedCheck, Moment, News, Poller, Told};
use crate::names::ServiceName;
use crate::probe::{Check, Outcome, ProbeRun};

/// Most of a result that is remembered, in characters.
const TEXT_MAX: usize = 300;

/// From so many checks on, those that nobody polls any more are looked for now and then.
const FEW: usize = 64;

/// A failure that is over, or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastFail {
    /// When.
    pub at: f64,
    /// How.
    pub text: String,
}

/// The history of one check.
#[derive(Debug)]
pub struct CheckHistory {
    /// What pollers were told last; where they ask different questions, the worst of it.
    pub told: Option<Told>,
    /// Since when, in seconds of unix time.
    pub since: f64,
    /// The last status code.
    pub code: u16,
    /// The last result in short.
    pub text: Box<str>,
    /// The probe that found it.
    pub probe: Option<ProbeRun>,
    /// When it failed last, and how.
    pub last_fail: Option<LastFail>,
    /// When the failures began that no result that passes has ended yet.
    failing_since: Option<f64>,
    /// What they are answered, question by question.
    questions: Questions,
    /// The last hour.
    pub hour: Hour,
}

impl CheckHistory {
    /// Nothing is known yet.
    fn new(minute: u32) -> Self {
        Self {
            told: None,
            since: 0.0,
            code: 0,
            text: "".into(),
            probe: None,
            last_fail: None,
            failing_since: None,
            questions: Questions::default(),
            hour: Hour::new(minute),
        }
    }

    /// Notes an answer; gives what changes with it.
    fn note(&mut self, at: Moment, question: u64, answer: &PollAnswer<'_>) -> NotedChange {
        let worst = self.questions.note(at.since_start, question, answer.told);
        self.hour.note(minute(at.since_start), worst.into());
        let before = self.told.replace(worst);
        // By what is told, and not by what changes within it: another cause is no new state.
        if before != Some(worst) {
            self.since = at.unix;
        }

        // What fails is shown until it passes, though another question is answered well meanwhile.
        if worst == answer.told {
            self.code = answer.code;
            self.note_result(answer.outcome);
        }

        NotedChange {
            is_other: before.map(Told::passes) != Some(worst.passes()),
            turn: self.turn(at.unix, worst),
        }
    }

    /// Whether the check began to fail, or passes again.
    fn turn(&mut self, now: f64, told: Told) -> Option<Turn> {
        match told {
            Told::Fail => self.fails(now),
            Told::Up => self.passes(now),
            // Whether it fails meanwhile is not known.
            Told::Down | Told::Drain => None,
        }
    }

    fn passes(&mut self, now: f64) -> Option<Turn> {
        // A check that never failed has not turned.
        let since = self.failing_since.take()?;
        Some(Turn::Pass(now - since))
    }

    /// Puts a result into words, once for each probe.
    fn note_result(&mut self, outcome: Option<&Outcome>) {
        let Some(outcome) = outcome else { return };
        // Most answers are of a stored result, which was put into words when it was new.
        if self.probe.is_some() && self.probe == outcome.run {
            return;
        }

        self.probe = outcome.run;
        self.text = shown(outcome);
    }

    fn fails(&mut self, now: f64) -> Option<Turn> {
        self.last_fail = Some(LastFail {
            at: now,
            text: self.text.to_string(),
        });
        // It fails on: a downtime in between ended no failure.
        if self.failing_since.is_some() {
            return None;
        }

        self.failing_since = Some(now);
        Some(Turn::Fail)
    }
}

/// Code, cause and body, as far as they are shown.
fn shown(outcome: &Outcome) -> Box<str> {
    outcome.in_short(TEXT_MAX).into()
}

/// The minute of a moment on the ledger's clock.
#[must_use]
pub fn minute(since_start: Duration) -> u32 {
    // 8,000 years.
    u32::try_from(since_start.as_secs() / 60).unwrap_or(u32::MAX)
}

impl From<Told> for MinuteFlag {
    fn from(told: Told) -> Self {
        match told {
            Told::Up => Self::Up,
            Told::Fail => Self::Fail,
            Told::Down | Told::Drain => Self::Down,
        }
    }
}

/// An answer to a poll.
#[derive(Debug, Clone, Copy)]
pub struct PollAnswer<'a> {
    /// In a word.
    pub told: Told,
    /// The status code; 0 where there is none.
    pub code: u16,
    /// What was asked besides the spool.
    pub check: Option<&'a Check>,
    /// What a probe found, or why there was none.
    pub outcome: Option<&'a Outcome>,
}

/// What an answer changed.
#[derive(Debug, Clone, Copy, PartialEq)]
struct NotedChange {
    /// It is the first, or one that passes where the one before did not, or the other way round.
    is_other: bool,
    turn: Option<Turn>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Turn {
    Fail,
    /// After so many seconds.
    Pass(f64),
}

/// A history that all pollers of a check share, and that goes with the last of them.
#[derive(Debug, Clone)]
pub struct SharedHistory(Arc<Mutex<CheckHistory>>);

impl SharedHistory {
    /// The history.
    pub fn lock(&self) -> MutexGuard<'_, CheckHistory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the answer to a question, and gives what is news of it.
    pub(in crate::ledger) fn note(
        &self,
        at: Moment,
        poller: &Poller,
        question: u64,
        answer: &PollAnswer<'_>,
    ) -> News {
        let mut history = self.lock();
        let change = history.note(at, question, answer);
        let turned = |turn| event(at.unix, poller, turn, &history);
        News {
            event: change.turn.map(turned),
            is_other: change.is_other,
            pollers: self.pollers(),
        }
    }

    /// Those that share it.
    fn pollers(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

fn event(now: f64, poller: &Poller, turn: Turn, history: &CheckHistory) -> HostEvent {
    let event = HostEvent {
        service: Some(poller.service.to_string()),
        check: Some(poller.check.to_string()),
        ..HostEvent::new(now, EventKind::Pass)
    };

    match turn {
        Turn::Fail => HostEvent {
            kind: EventKind::Fail,
            text: Some(history.text.to_string()),
            ..event
        },
        Turn::Pass(after) => HostEvent {
            after: Some(after),
            ..event
        },
    }
}

/// What a history is found by.
type HistoryKey = (ServiceName, AskedCheck);

/// A history as long as some poller holds it.
type WeakHistory = Weak<Mutex<CheckHistory>>;

/// The histories that some poller holds.
#[derive(Debug, Default)]
pub struct Histories {
    known: HashMap<HistoryKey, WeakHistory, foldhash::fast::RandomState>,
}

impl Histories {
    /// The history of the check that a poller asks for.
    pub fn of(&mut self, poller: &Poller, now: Duration) -> SharedHistory {
        let key = (poller.service.clone(), poller.check.clone());
        if let Some(known) = self.known.get(&key).and_then(Weak::upgrade) {
            return SharedHistory(known);
        }

        // Before it grows: made-up checks come and go with their pollers.
        self.sweep_when_full();
        let history = Arc::new(Mutex::new(CheckHistory::new(minute(now))));
        self.known.insert(key, Arc::downgrade(&history));
        SharedHistory(history)
    }

    /// Forgets those that nobody holds, where the map would grow else: so seldom that it costs next to nothing.
    fn sweep_when_full(&mut self) {
        if self.known.len() >= FEW && self.known.len() == self.known.capacity() {
            self.known.retain(|_, history| history.strong_count() > 0);
        }
    }

    /// Checks whose last result fails.
    pub fn failing(&self) -> usize {
        let held = self.known.values().filter_map(Weak::upgrade);
        let histories = held.map(SharedHistory);
        let failing = histories.filter(|history| history.lock().told == Some(Told::Fail));
        failing.count()
    }
}

#[cfg(test)]
mod tests;
