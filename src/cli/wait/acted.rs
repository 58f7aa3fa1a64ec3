//! Whether a load balancer has acted on a change. Pure.
//!
//! Rule: an answer that was given is not yet one that was processed. A balancer that tells its view
//! has acted when a *later* poll says so; one that does not must have been told often enough.

use crate::cli::output::pollers::{age, has_no_weight, told};
use crate::ledger::{PollerRow, Polls, Told, View};

/// How often a balancer that does not tell its view must have been told unless more is known of it: HAProxy's default
/// `fall`.
const POLLS: u64 = 3;

/// How long a balancer may take for an answer, in seconds: after the last failure that it counts it is DOWN.
const ANSWER_TAKEN: f64 = 1.0;

/// A process under a name that two have has acted when no poll said otherwise for so many times the longest gap between
/// such polls.
const GAPS: f64 = 2.0;

/// The status that tells a downtime as usual; a soft one is told by 404.
const HARD: u16 = 503;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// No new traffic.
    Out,
    /// No new traffic, and the sessions have ended.
    Drained,
    /// Traffic again.
    Up,
}

/// When a balancer has acted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) goal: Goal,
    /// Equal answers after which any balancer that does not tell its view has acted; `None` goes by what is known of it.
    pub(crate) polls: Option<u64>,
    /// A time on the daemon's clock after the change: older answers do not count. Infinite until
    /// that time is known.
    pub(crate) since: f64,
    /// The daemon also tells weights, so that "up" needs one.
    pub(crate) weights: bool,
    /// How long sessions that are unknown are given, in seconds.
    pub(crate) grace: f64,
    /// When all balancers had acted, on the daemon's clock. Infinite until then.
    pub(crate) acted_at: f64,
}

/// How far a balancer is, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has acted.
    Done(String),
    /// It has not, and why.
    Waiting(String),
}

impl Standing {
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Done(text) | Self::Waiting(text) => text,
        }
    }
}

impl Rules {
    pub(crate) fn new(goal: Goal, polls: Option<u64>) -> Self {
        Self {
            goal,
            polls,
            since: f64::INFINITY,
            weights: false,
            grace: 0.0,
            acted_at: f64::INFINITY,
        }
    }

    /// Whether a poller sends no new traffic any more, whatever its sessions.
    pub(crate) fn has_acted(&self, row: &PollerRow, now: f64) -> bool {
        self.in_or_out(row, now).is_done()
    }

    /// Judges a poller at a time of the daemon's clock.
    pub(crate) fn judge(&self, row: &PollerRow, now: f64) -> Standing {
        let standing = match self.goal {
            Goal::Drained => self.drained(row, now),
            Goal::Out | Goal::Up => self.in_or_out(row, now),
        };

        match standing {
            Standing::Waiting(why) if !row.is_polling(now) => {
                let silence = age(now - row.polled_at);
                Standing::Waiting(format!("silent for {silence}, before that: {why}"))
            }
            standing => standing,
        }
    }

    /// New traffic alone, whatever the sessions.
    fn in_or_out(&self, row: &PollerRow, now: f64) -> Standing {
        match self.goal {
            Goal::Out | Goal::Drained => self.out(row, now),
            Goal::Up => self.up(row, now),
        }
    }

    fn out(&self, row: &PollerRow, now: f64) -> Standing {
        let standing = self.out_by_last_poll(row, now);
        match row.namesakes {
            Some(two) if standing.is_done() => both(two.sending, "UP", row, now, &standing),
            _ => standing,
        }
    }

    fn out_by_last_poll(&self, row: &PollerRow, now: f64) -> Standing {
        match self.told_since(row) {
            None => not_asked(row),
            Some(Told::Down) if goes_down(row, now) => going_down(row),
            Some(Told::Drain) if hides_draining(row) => {
                Standing::Waiting("does not say whether it drains (no send-state)".to_owned())
            }
            Some(Told::Down | Told::Drain) => self.seen_out(row),
            Some(Told::Up | Told::Fail) => {
                let told = told(row);
                Standing::Waiting(format!("was told {told}, not that it is down"))
            }
        }
    }

    fn seen_out(&self, row: &PollerRow) -> Standing {
        match row.is_out() {
            Some(true) if is_soft_yet(row) => still(row),
            Some(true) if row.after_closed => Standing::Done(sees(row)),
            // It was out before it was told: its next poll says whether that is for this reason too.
            Some(true) => Standing::Waiting(format!("{}; its next poll counts", sees(row))),
            Some(false) => still(row),
            None => self.told_often(row),
        }
    }

    fn drained(&self, row: &PollerRow, now: f64) -> Standing {
        let text = match self.out(row, now) {
            Standing::Done(text) => text,
            waiting => return waiting,
        };

        match row.known_sessions() {
            // It is about to go DOWN, so what it told is from before that.
            Some(_) if row.is_out() == Some(false) => {
                Standing::Waiting(format!("{text}; its next poll tells of sessions"))
            }
            Some(left) => sessions_left(&text, left),
            None => self.given_grace(&text, row, now),
        }
    }

    /// Sessions that are not known are given their time.
    fn given_grace(&self, text: &str, row: &PollerRow, now: f64) -> Standing {
        let grace = self.grace;
        let why = why_unknown(row);
        // Without any, there is nothing to say of it.
        if grace <= 0.0 {
            return Standing::Done(format!("{text}; {why}"));
        }

        match now < self.acted_at + grace {
            true => Standing::Waiting(format!("{text}; {why}: they are given {grace} s (--grace)")),
            false => Standing::Done(format!(
                "{text}; {why}: they were given {grace} s (--grace)"
            )),
        }
    }

    fn up(&self, row: &PollerRow, now: f64) -> Standing {
        let standing = self.up_by_last_poll(row);
        match row.namesakes {
            Some(two) if standing.is_done() => both(two.resting, "DOWN", row, now, &standing),
            _ => standing,
        }
    }

    fn up_by_last_poll(&self, row: &PollerRow) -> Standing {
        let times = times(row);
        match self.told_since(row) {
            None => not_asked(row),
            Some(Told::Up) => self.seen_up(row),
            Some(Told::Fail) => Standing::Waiting(format!("the check fails: told {times}")),
            Some(Told::Down | Told::Drain) => {
                Standing::Waiting(format!("another downtime is in force: told {times}"))
            }
        }
    }

    fn seen_up(&self, row: &PollerRow) -> Standing {
        let needs_weight = self.weights && has_no_weight(row);
        match row.view {
            Some(View::Up) if !needs_weight => Standing::Done(sees(row)),
            Some(_) => still(row),
            None => self.told_often(row),
        }
    }

    /// The last answer, where it was given after the change.
    fn told_since(&self, row: &PollerRow) -> Option<Told> {
        // An answer that was given before says nothing of the change.
        row.told.filter(|_| row.told_at > self.since)
    }

    /// Of a balancer that does not tell its view, the answers are counted.
    fn told_often(&self, row: &PollerRow) -> Standing {
        let polls = self.polls_of(row);
        if row.run >= polls {
            Standing::Done(format!("told {} often enough", told(row)))
        } else {
            Standing::Waiting(format!("told {} of {polls} times", row.run))
        }
    }

    /// Polls that this balancer may need until it has acted, and is known to have.
    pub(super) fn polls_until_acted(&self, row: &PollerRow) -> u64 {
        match row.view {
            // A poll after the last answer says so.
            Some(_) => POLLS + 1,
            None => self.polls_of(row),
        }
    }

    /// Equal answers after which this balancer has acted.
    fn polls_of(&self, row: &PollerRow) -> u64 {
        // What the operator says of this one wait comes before what the configuration says.
        match self.polls {
            Some(polls) => polls,
            None => self.expected_polls(row).map_or(POLLS, u64::from),
        }
    }

    /// What the configuration says of this balancer.
    fn expected_polls(&self, row: &PollerRow) -> Option<u32> {
        match self.goal {
            Goal::Out | Goal::Drained => row.expected.polls_down,
            Goal::Up => row.expected.polls_up,
        }
    }
}

/// Whether it is DOWN by now, though it has not polled since to say so.
fn goes_down(row: &PollerRow, now: f64) -> bool {
    is_told_last_failure(row) && now >= row.told_at + ANSWER_TAKEN
}

fn going_down(row: &PollerRow) -> Standing {
    let (sees, told) = (sees(row), told(row));
    Standing::Done(format!("goes DOWN: {sees}, told {told}"))
}

/// Whether it may drain without a word: the agent sets the weight, and a check without send-state does not tell it.
fn hides_draining(row: &PollerRow) -> bool {
    row.is_out().is_none() && !row.is_agent()
}

/// Left behind by a soft downtime: it still serves old sessions.
fn is_soft_yet(row: &PollerRow) -> bool {
    row.view == Some(View::NoLb) && is_hard(row)
}

fn sessions_left(text: &str, left: u32) -> Standing {
    match left {
        0 => Standing::Done(format!("{text}, no sessions")),
        1 => Standing::Waiting(format!("{text}, 1 session left")),
        n => Standing::Waiting(format!("{text}, {n} sessions left")),
    }
}

/// Why nobody knows of its sessions.
fn why_unknown(row: &PollerRow) -> &'static str {
    match row.sessions {
        None => "its sessions are unknown (no send-state)",
        // Of a server that is tracked from another backend HAProxy says 0 for ever.
        Some(_) => "no sessions were ever seen there, so whether any are left is unknown",
    }
}

/// Whether the last answer was the last failure that HAProxy needs: `UP 1/3` is one before DOWN.
fn is_told_last_failure(row: &PollerRow) -> bool {
    let words = row.state.as_deref().unwrap_or_default();
    row.told == Some(Told::Down) && words.starts_with("UP 1/")
}

/// Of two processes under one name each must have acted: a poll tells of one of them only. These are the polls that
/// said the contrary.
fn both(contrary: Polls, word: &str, row: &PollerRow, now: f64, standing: &Standing) -> Standing {
    let text = standing.text();
    let advice = "two processes poll under this name (give each a node of its own)";
    // One that has not polled since the change shows no gap yet.
    let gap = contrary.gap.max(row.usual_interval());
    match now - contrary.last > GAPS * gap {
        true => Standing::Done(format!("{text}; {advice}")),
        false => Standing::Waiting(format!(
            "{text}; {advice}, and one of them said {word} lately"
        )),
    }
}

/// Whether it was told to send nothing, not even to old sessions.
fn is_hard(row: &PollerRow) -> bool {
    row.told == Some(Told::Down) && row.code == HARD
}

fn still(row: &PollerRow) -> Standing {
    Standing::Waiting(format!("still {}, told {}", sees(row), times(row)))
}

fn not_asked(row: &PollerRow) -> Standing {
    Standing::Waiting(match &row.state {
        Some(state) => format!("has not polled since the change, last saw {state}"),
        None => "has not polled since the change".to_owned(),
    })
}

/// `sees UP 1/3`, `sees UP with weight 0`.
fn sees(row: &PollerRow) -> String {
    let state = row.state.as_deref().unwrap_or("?");
    if has_no_weight(row) {
        format!("sees {state} with weight 0")
    } else {
        format!("sees {state}")
    }
}

/// `503 once`, `503 2 times`.
fn times(row: &PollerRow) -> String {
    let told = told(row);
    match row.run {
        1 => format!("{told} once"),
        n => format!("{told} {n} times"),
    }
}

#[cfg(test)]
mod tests;
