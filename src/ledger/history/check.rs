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
    fn note(&mut self, at: Moment, question: u64, answer: &PollAnswer<'_>) -> Change {
        let worst = self.questions.note(at.since_start, question, answer.told);
        self.hour.note(minute(at.since_start), worst.into());
        let before = self.told.replace(worst);
        if before != Some(worst) {
            self.since = at.unix;
        }
        // What fails is shown until it passes, though another question is answered well meanwhile.
        if worst == answer.told {
            self.code = answer.code;
            self.note_result(answer.outcome);
        }
        Change {
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
struct Change {
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
        }
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
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::ledger::Face;
    use crate::net::Host;

    fn poller(service: &str, path: &str) -> Poller {
        let place = Some((Host::Local, 80));
        Poller {
            service: ServiceName::parse(service).unwrap(),
            check: AskedCheck::new(Face::Http, Some("http"), None, Some(path), place),
            address: [10, 0, 0, 1].into(),
            node: None,
            server: None,
        }
    }

    fn at(seconds: u32) -> Moment {
        Moment {
            since_start: Duration::from_secs(seconds.into()),
            unix: f64::from(seconds),
        }
    }

    fn outcome(ended: u32, passes: bool) -> Outcome {
        let mut outcome = match passes {
            true => Outcome::healthy("fine"),
            false => Outcome::unavailable(format!("refused at {ended}")),
        };
        outcome.run = Some(ProbeRun {
            ended: UNIX_EPOCH + Duration::from_secs(ended.into()),
            took: Duration::ZERO,
        });
        outcome
    }

    fn answer(told: Told, outcome: Option<&Outcome>) -> PollAnswer<'_> {
        PollAnswer {
            told,
            code: 200,
            check: None,
            outcome,
        }
    }

    #[test]
    fn a_check_that_fails_and_passes_again_is_two_events() {
        let poller = poller("web", "/");
        let history = Histories::default().of(&poller, Duration::ZERO);
        let note = |second, told, result: Option<Outcome>| {
            let news = history.note(at(second), &poller, 0, &answer(told, result.as_ref()));
            let event = news.event?;
            Some((event.kind, event.text, event.after))
        };
        assert_eq!(note(0, Told::Up, Some(outcome(0, true))), None);
        let fails = note(10, Told::Fail, Some(outcome(10, false)));
        assert_eq!(
            fails,
            Some((EventKind::Fail, Some("503 refused at 10".into()), None))
        );
        assert_eq!(note(12, Told::Fail, Some(outcome(12, false))), None);
        // A downtime hides what it would have found.
        assert_eq!(note(14, Told::Down, None), None);
        assert_eq!(note(16, Told::Fail, Some(outcome(16, false))), None);
        let passes = note(30, Told::Up, Some(outcome(30, true)));
        assert_eq!(passes, Some((EventKind::Pass, None, Some(20.0))));
        let known = history.lock();
        assert_eq!((known.told, known.since), (Some(Told::Up), 30.0));
        assert_eq!(&*known.text, "200 fine");
        let last = known.last_fail.as_ref().unwrap();
        assert_eq!((last.at, last.text.as_str()), (16.0, "503 refused at 16"));
    }

    #[test]
    fn only_a_change_is_news() {
        let poller = poller("web", "/");
        let history = Histories::default().of(&poller, Duration::ZERO);
        let is_news = |second, question, told| {
            let answer = answer(told, None);
            let news = history.note(at(second), &poller, question, &answer);
            news.is_other
        };
        assert!(is_news(0, 1, Told::Up), "the first answer");
        assert!(!is_news(2, 1, Told::Drain));
        assert!(is_news(4, 1, Told::Down));
        assert!(!is_news(6, 1, Told::Fail));
        assert!(is_news(8, 1, Told::Up));
    }

    #[test]
    fn two_questions_of_one_check_do_not_flap_and_the_failure_is_shown() {
        let poller = poller("web", "/");
        let mut histories = Histories::default();
        let history = histories.of(&poller, Duration::ZERO);
        let mut events = Vec::new();
        for second in 0..50 {
            let passes = second % 2 == 0;
            let told = if passes { Told::Up } else { Told::Fail };
            let outcome = outcome(second, passes);
            let answer = answer(told, Some(&outcome));
            let news = history.note(at(second), &poller, u64::from(passes), &answer);
            events.extend(news.event.map(|event| event.kind));
        }
        let note_pass = |second| history.note(at(second), &poller, 1, &answer(Told::Up, None));
        assert!(note_pass(50).event.is_none());
        assert_eq!(&*history.lock().text, "503 refused at 49");
        assert_eq!(histories.failing(), 1);
        // Nobody asks any more what failed.
        let last = note_pass(70).event.map(|event| event.kind);
        assert_eq!(
            (events, last),
            (vec![EventKind::Fail], Some(EventKind::Pass))
        );
        assert_eq!(histories.failing(), 0);
    }

    #[test]
    fn a_downtime_is_no_failure() {
        let poller = poller("web", "/");
        let mut histories = Histories::default();
        let history = histories.of(&poller, Duration::ZERO);
        for (second, told, failing) in [
            (0, Told::Down, 0),
            (1, Told::Fail, 1),
            (2, Told::Down, 0),
            (3, Told::Fail, 1),
            (4, Told::Up, 0),
        ] {
            history.note(at(second), &poller, 0, &answer(told, None));
            assert_eq!(histories.failing(), failing, "{told:?}");
        }
        history.note(at(5), &poller, 0, &answer(Told::Fail, None));
        drop(history);
        assert_eq!(histories.failing(), 0, "forgotten");
    }

    #[test]
    fn pollers_of_one_check_share_its_history_and_two_paths_do_not() {
        let mut histories = Histories::default();
        let [one, same, other] =
            ["/a", "/a", "/b"].map(|path| histories.of(&poller("web", path), Duration::ZERO));
        assert!(Arc::ptr_eq(&one.0, &same.0));
        assert!(!Arc::ptr_eq(&one.0, &other.0));
    }

    #[test]
    fn histories_go_with_their_pollers() {
        let mut histories = Histories::default();
        for i in 0..10_000 {
            histories.of(&poller(&format!("junk{i}"), "/"), Duration::ZERO);
        }
        assert!(histories.known.len() < 1000, "{}", histories.known.len());
    }
}
