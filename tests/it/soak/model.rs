//! What the spool said, key by key, and which answers that allows: a checker that puts downtimes and answers in one order.
//!
//! Every key has one writer, so its changes are a list; each took effect at one moment between its begin and its end. An
//! answer fits if there is a moment between question and answer at which the spool said so. A change that an answer has
//! shown is settled from then on: nobody may see the state before it again.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::support::client::Response;

/// Longer than any run.
const FAR: Duration = Duration::from_secs(86_400);

/// How far the clock of expirations may drift from the monotonic one within a downtime.
const DRIFT: Duration = Duration::from_millis(20);

/// One change: from when to when it may have taken effect, and the state it left.
#[derive(Debug, Clone, Copy)]
struct Change {
    begun: Instant,
    done: Instant,
    /// The number in the downtime's reason; `None` is up.
    down: Option<usize>,
}

/// All keys of a spool and their changes. A key's first entry is the state at the start.
pub struct Model {
    keys: Vec<(String, Mutex<Vec<Change>>)>,
}

/// Which changes of one key an answer may show: their places, and what they left.
type Possible = Vec<(usize, Option<usize>)>;

/// A change that is being made.
#[must_use]
pub struct Begun {
    key: usize,
    at: usize,
}

/// When something was asked and answered.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub asked: Instant,
    pub answered: Instant,
}

impl Model {
    /// Everything is up.
    pub fn new(keys: Vec<String>) -> Self {
        let now = Instant::now();
        let up = || {
            Mutex::new(vec![Change {
                begun: now,
                done: now,
                down: None,
            }])
        };
        Self {
            keys: keys.into_iter().map(|k| (k, up())).collect(),
        }
    }

    pub fn name(&self, key: usize) -> &str {
        &self.keys[key].0
    }

    /// To be called before the spool is changed: from now on the change may be seen. A downtime may end by itself.
    pub fn begin(&self, key: usize, down: Option<usize>, ends: Option<Instant>) -> Begun {
        let mut changes = self.keys[key].1.lock().unwrap();
        let begun = Instant::now();
        changes.push(Change {
            begun,
            done: begun + FAR,
            down,
        });
        let at = changes.len() - 1;
        if let Some(ends) = ends {
            changes.push(Change {
                begun: ends - DRIFT,
                done: ends + DRIFT,
                down: None,
            });
        }
        Begun { key, at }
    }

    /// To be called when the command that makes the change has ended: from now on nothing older may be seen.
    pub fn finish(&self, change: &Begun) {
        self.settle(change.key, change.at, Instant::now());
    }

    fn settle(&self, key: usize, at: usize, when: Instant) {
        let done = &mut self.keys[key].1.lock().unwrap()[at].done;
        *done = (*done).min(when);
    }

    /// The change that was settled when the question came, and each that was begun before the answer.
    fn possible(&self, key: usize, span: Span) -> Possible {
        let changes = self.keys[key].1.lock().unwrap();
        let settled = changes
            .iter()
            .rposition(|c| c.done <= span.asked)
            .expect("the start is always settled");
        let later = changes.iter().enumerate().skip(settled);
        later
            .filter(|(_, c)| c.begun <= span.answered)
            .map(|(at, c)| (at, c.down))
            .collect()
    }

    /// Checks an answer about a service whose spool entries are these, in the order in which they are asked: the first
    /// one that is down is told, and only when all are up may the answer be 200.
    pub fn judge(
        &self,
        service: &str,
        keys: &[usize],
        span: Span,
        answer: &Response,
    ) -> Result<(), String> {
        let possible: Vec<Possible> = keys.iter().map(|k| self.possible(*k, span)).collect();
        for (key, states) in keys.iter().zip(&possible) {
            let told = |n: usize| {
                let shown = if self.name(*key) == "all" {
                    "all"
                } else {
                    service
                };
                answer.status == 503
                    && answer
                        .body
                        .starts_with(&format!("Service {shown} in down state since "))
                    && answer
                        .body
                        .ends_with(&format!(": reason {n} of {}", self.name(*key)))
            };
            if let Some((at, _)) = states.iter().find(|(_, down)| down.is_some_and(told)) {
                self.settle(*key, *at, span.answered);
                return Ok(());
            }
            let mut ups = states.iter().filter(|(_, down)| down.is_none());
            match (ups.next(), ups.next()) {
                (None, _) => break,
                (Some((at, _)), None) if answer.status == 200 => {
                    self.settle(*key, *at, span.answered);
                }
                _ => {}
            }
        }
        let all_may_be_up = possible
            .iter()
            .all(|states| states.iter().any(|(_, down)| down.is_none()));
        if answer.status == 200 && all_may_be_up {
            return Ok(());
        }
        let states: Vec<_> = keys.iter().map(|k| self.name(*k)).zip(possible).collect();
        Err(format!(
            "{service}: by the spool {states:?} was possible, the answer was {answer:?}"
        ))
    }
}

mod tests {
    use super::*;

    const ALL: usize = 0;
    const WEB: usize = 1;
    const INSTANCE: usize = 2;

    fn model() -> Model {
        Model::new(["all", "web", "web:80"].map(str::to_owned).to_vec())
    }

    fn change(model: &Model, key: usize, down: Option<usize>) {
        let begun = model.begin(key, down, None);
        model.finish(&begun);
    }

    fn up() -> Response {
        Response {
            status: 200,
            body: "fine".into(),
            ..Response::default()
        }
    }

    fn down(name: &str, reason: &str) -> Response {
        let body = format!("Service {name} in down state since 1000.000000: {reason}");
        Response {
            status: 503,
            body,
            ..Response::default()
        }
    }

    /// Asks now, and is answered at once.
    fn judge(model: &Model, answer: &Response) -> Result<(), String> {
        let now = Instant::now();
        model.judge(
            "web",
            &[ALL, WEB, INSTANCE],
            Span {
                asked: now,
                answered: now,
            },
            answer,
        )
    }

    #[track_caller]
    fn is_caught(model: &Model, answer: &Response) {
        assert!(judge(model, answer).is_err(), "not caught: {answer:?}");
    }

    #[test]
    fn what_the_spool_says_is_let_through() {
        let model = model();
        judge(&model, &up()).unwrap();
        change(&model, INSTANCE, Some(1));
        judge(&model, &down("web", "reason 1 of web:80")).unwrap();
        change(&model, WEB, Some(2));
        judge(&model, &down("web", "reason 2 of web")).unwrap();
        change(&model, ALL, Some(3));
        judge(&model, &down("all", "reason 3 of all")).unwrap();
        for key in [ALL, WEB, INSTANCE] {
            change(&model, key, None);
        }
        judge(&model, &up()).unwrap();
    }

    #[test]
    fn every_planted_fault_is_caught() {
        let model = model();
        is_caught(&model, &down("web", "reason 1 of web"));
        for key in [ALL, WEB, INSTANCE] {
            change(&model, key, Some(1));
            is_caught(&model, &up());
            change(&model, key, None);
            is_caught(&model, &down("web", "reason 1 of web"));
        }
        change(&model, WEB, Some(1));
        change(&model, WEB, Some(2));
        change(&model, INSTANCE, Some(3));
        for (what, answer) in [
            ("up in a downtime", up()),
            ("a stale reason", down("web", "reason 1 of web")),
            ("a reason that nobody gave", down("web", "reason 22 of web")),
            (
                "the instance before its service",
                down("web", "reason 3 of web:80"),
            ),
            ("another service's downtime", down("web", "reason 2 of db")),
            ("another name", down("all", "reason 2 of web")),
            ("no reason", down("web", "")),
            (
                "a failed check in place of a downtime",
                Response {
                    status: 503,
                    ..up()
                },
            ),
            (
                "the right words with the wrong status",
                Response {
                    status: 200,
                    ..down("web", "reason 2 of web")
                },
            ),
        ] {
            assert!(judge(&model, &answer).is_err(), "not caught: {what}");
        }
        change(&model, ALL, Some(4));
        is_caught(&model, &down("web", "reason 2 of web"));
    }

    #[test]
    fn while_a_change_is_made_both_states_may_be_seen_but_never_back_again() {
        let model = model();
        let begun = model.begin(WEB, Some(1), None);
        judge(&model, &up()).unwrap();
        judge(&model, &down("web", "reason 1 of web")).unwrap();
        is_caught(&model, &up());
        model.finish(&begun);
        let begun = model.begin(WEB, None, None);
        judge(&model, &down("web", "reason 1 of web")).unwrap();
        judge(&model, &up()).unwrap();
        is_caught(&model, &down("web", "reason 1 of web"));
        model.finish(&begun);
        judge(&model, &up()).unwrap();
    }

    #[test]
    fn an_answer_that_was_long_on_its_way_may_show_what_was_before() {
        let model = model();
        let asked = Instant::now();
        change(&model, WEB, Some(1));
        let span = Span {
            asked,
            answered: Instant::now(),
        };
        model
            .judge("web", &[ALL, WEB, INSTANCE], span, &up())
            .unwrap();
        is_caught(&model, &up());
    }

    #[test]
    fn a_downtime_that_ends_by_itself_is_neither_left_early_nor_kept() {
        let model = model();
        let ends = Instant::now() + Duration::from_secs(60);
        let begun = model.begin(WEB, Some(1), Some(ends));
        model.finish(&begun);
        let at = |moment: Instant, answer: &Response| {
            model.judge(
                "web",
                &[ALL, WEB, INSTANCE],
                Span {
                    asked: moment,
                    answered: moment,
                },
                answer,
            )
        };
        let (before, after) = (ends - Duration::from_secs(1), ends + Duration::from_secs(1));
        at(before, &down("web", "reason 1 of web")).unwrap();
        assert!(at(before, &up()).is_err());
        assert!(at(after, &down("web", "reason 1 of web")).is_err());
        at(after, &up()).unwrap();
    }
}
