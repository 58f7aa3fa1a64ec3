//! Two processes that poll under one name: a HAProxy beside another one on the same host, with the same `node`.
//!
//! Rule: while a server is told nothing but failing answers, one process counts down to DOWN and stays there. Another
//! count, or traffic after DOWN, is another process (or one that was started again meanwhile).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::View;

/// How long two processes that were seen are presumed to be there.
const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// What the polls of one name say while the answers fail.
#[derive(Debug, Default, Clone)]
pub(super) struct Views {
    /// The `3` of `UP 2/3`: how many failures that process counts.
    fall: Option<u32>,
    was_down: bool,
    /// When it was last seen that there are two.
    two_at: Option<Duration>,
    /// The last poll that said that it sends traffic.
    sending_at: Option<Duration>,
    /// The longest time between two such polls.
    sending_gap: Duration,
}

/// Two processes under one name, as `/pollers` tells of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Namesakes {
    /// When one of them last said that it sends traffic.
    pub sending_at: f64,
    /// The longest time between two polls that said so, in seconds.
    pub sending_gap: f64,
}

impl Views {
    /// Notes what a poll says; whether the last answer before it failed.
    pub(super) fn note(&mut self, now: Duration, view: View, words: &str, has_failed: bool) {
        if !has_failed {
            (self.fall, self.was_down) = (None, false);
        }
        match view {
            View::Down if has_failed => self.was_down = true,
            View::Up => {
                if has_failed {
                    self.note_traffic(now, fall(words));
                }
                self.note_sending(now, has_failed);
            }
            View::Down | View::NoLb => {}
        }
    }

    fn note_traffic(&mut self, now: Duration, fall: Option<u32>) {
        let is_other_count = match (self.fall, fall) {
            (Some(before), Some(fall)) => before != fall,
            _ => false,
        };
        if is_other_count || self.was_down {
            self.two_at = Some(now);
        }
        self.fall = fall.or(self.fall);
    }

    fn note_sending(&mut self, now: Duration, has_failed: bool) {
        let gap = match self.sending_at {
            Some(before) if has_failed => now.saturating_sub(before),
            _ => Duration::ZERO,
        };
        self.sending_gap = match has_failed {
            true => self.sending_gap.max(gap),
            false => Duration::ZERO,
        };
        self.sending_at = Some(now);
    }

    /// Two processes, where there are two.
    pub(super) fn namesakes(&self, now: Duration) -> Option<Namesakes> {
        let (two_at, sending_at) = (self.two_at?, self.sending_at?);
        let is_known = now.saturating_sub(two_at) < KNOWN_FOR;
        is_known.then_some(Namesakes {
            sending_at: sending_at.as_secs_f64(),
            sending_gap: self.sending_gap.as_secs_f64(),
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
            // Its administrator changed `fall` meanwhile.
            (&["!", "UP 1/2", "DOWN", "ok", "UP", "!", "UP 5/6"], false),
            (&["!", "DOWN", "ok", "DOWN 1/2", "UP", "!", "UP 1/2"], false),
        ] {
            assert_eq!(sees_two(words), two, "{words:?}");
        }
    }
}
