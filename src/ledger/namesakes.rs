//! Two processes that poll under one name: a HAProxy beside another one on the same host, with the same `node`.
//!
//! Rule: while a server is told nothing but failing answers, one process counts down to DOWN and stays there. Another
//! count, or traffic after DOWN, is another process (or one that was started again meanwhile).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::View;

/// How long two processes that were seen are presumed to be there.
const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// What the polls of one name say.
#[derive(Debug, Default, Clone)]
pub(super) struct Views {
    /// The `3` of `UP 2/3`: how many failures that process counts.
    fall: Option<u32>,
    was_down: bool,
    /// Two were seen since the answers fail.
    are_two: bool,
    /// When it was last seen that there are two.
    two_at: Option<Duration>,
    /// Polls that say that traffic is sent, while the answers fail.
    sending: Side,
    /// Polls that say that none is sent, while the answers pass.
    resting: Side,
}

/// Polls of one kind.
#[derive(Debug, Default, Clone, Copy)]
struct Side {
    at: Option<Duration>,
    /// The longest time between two of them.
    gap: Duration,
}

impl Side {
    /// Notes a poll; gaps count while `is_late`, when those of one process alone would have ended.
    fn note(&mut self, now: Duration, is_late: bool) {
        self.gap = match self.at {
            Some(before) if is_late => self.gap.max(now.saturating_sub(before)),
            None if is_late => self.gap,
            // So far one process alone would poll so, too.
            _ => Duration::ZERO,
        };
        self.at = Some(now);
    }

    fn row(self) -> Polls {
        Polls {
            last: self.at.unwrap_or_default().as_secs_f64(),
            gap: self.gap.as_secs_f64(),
        }
    }
}

/// Two processes under one name, as `/pollers` tells of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Namesakes {
    /// Polls that said that traffic is sent.
    pub sending: Polls,
    /// Polls that said that none is.
    pub resting: Polls,
}

/// The polls of one kind, in seconds since the daemon's start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Polls {
    /// The last of them.
    pub last: f64,
    /// The longest time between two, since the answers changed.
    pub gap: f64,
}

impl Views {
    /// Notes what a poll says; whether the last answer before it failed.
    pub(super) fn note(&mut self, now: Duration, view: View, words: &str, has_failed: bool) {
        if !has_failed {
            self.begin_again();
        }

        match view {
            View::Up => {
                if has_failed {
                    self.note_traffic(now, fall(words));
                }
                self.sending.note(now, has_failed);
            }
            View::Down => {
                self.was_down |= has_failed;
                self.resting.note(now, !has_failed);
            }
            // Both of two processes may say it, and of neither it shows what it makes of the answers.
            View::NoLb => {}
        }
    }

    /// The answers pass.
    fn begin_again(&mut self) {
        // It was one process that was started again, and has counted alone since.
        if self.was_down && !self.are_two {
            self.two_at = None;
        }

        (self.fall, self.was_down, self.are_two) = (None, false, false);
    }

    fn note_traffic(&mut self, now: Duration, fall: Option<u32>) {
        let is_other_count = match (self.fall, fall) {
            (Some(before), Some(fall)) => before != fall,
            _ => false,
        };

        // A process that went DOWN sends no traffic again while the answers fail.
        if is_other_count || self.was_down {
            self.are_two = true;
            self.two_at = Some(now);
        }

        self.fall = fall.or(self.fall);
    }

    /// Two processes, where there are two.
    pub(super) fn namesakes(&self, now: Duration) -> Option<Namesakes> {
        let is_known = now.saturating_sub(self.two_at?) < KNOWN_FOR;
        is_known.then_some(Namesakes {
            sending: self.sending.row(),
            resting: self.resting.row(),
        })
    }
}

/// The `3` of `UP 2/3`.
fn fall(words: &str) -> Option<u32> {
    let (_, fall) = words.split_once('/')?;
    fall.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether two processes are seen after polls with these words, a second after each other. The answers fail from the
    /// first `!` on.
    fn sees_two(words: &[&str]) -> bool {
        let mut views = Views::default();
        let mut has_failed = false;
        let mut now = Duration::from_secs(100);
        for words in words {
            if *words == "!" || *words == "ok" {
                has_failed = *words == "!";
                continue;
            }
            now += Duration::from_secs(1);
            let view = match words.starts_with("UP") {
                true => View::Up,
                false => View::Down,
            };
            views.note(now, view, words, has_failed);
        }
        views.namesakes(now).is_some()
    }

    #[test]
    fn another_count_or_traffic_after_down_shows_another_process() {
        for (words, two) in [
            (&["UP", "!", "UP 2/3", "UP 1/3", "DOWN", "DOWN"][..], false),
            (&["UP", "!", "UP 1/2", "UP 5/6", "DOWN", "UP 4/6"], true),
            (&["UP", "!", "DOWN", "UP 5/6"], true),
            (&["UP", "!", "DOWN", "UP"], true),
            // One that was started again, which the next downtime shows.
            (
                &[
                    "UP", "!", "DOWN", "UP 1/3", "DOWN", "ok", "UP", "!", "UP 2/3", "DOWN", "ok",
                    "UP",
                ],
                false,
            ),
            // Its administrator changed `fall` meanwhile.
            (&["!", "UP 1/2", "DOWN", "ok", "UP", "!", "UP 5/6"], false),
            (&["!", "DOWN", "ok", "DOWN 1/2", "UP", "!", "UP 1/2"], false),
        ] {
            assert_eq!(sees_two(words), two, "{words:?}");
        }
    }
}
