//! The answers to a check, by what its pollers ask: query strings and headers of one path are different questions, and
//! what they are answered may differ for as long as they are asked.
//!
//! Rule: bounded, and a question that comes no more is soon of no account: it may be one that changes with each poll.

use std::time::Duration;

use smallvec::SmallVec;

use crate::ledger::Told;

/// Most questions of one check; the one that was asked longest ago makes room.
const QUESTIONS_MAX: usize = 16;

/// A question that was not asked for so many of its intervals counts no more, as with pollers.
const INTERVALS: u32 = 3;

/// The interval of a question that was asked once, or of several pollers in turn.
const PRESUMED: Duration = Duration::from_secs(5);

/// The questions: mostly one.
#[derive(Debug, Default)]
pub(super) struct Questions(SmallVec<[Question; 1]>);

#[derive(Debug)]
struct Question {
    hash: u64,
    fails: bool,
    asked: Duration,
    interval: Duration,
}

impl Questions {
    /// Notes an answer; gives what the check as a whole is told.
    pub(super) fn note(&mut self, now: Duration, hash: u64, told: Told) -> Told {
        let question = self.asked(now, hash);
        match told {
            // Hides for a while what its probe would find.
            Told::Down => return Told::Down,
            Told::Fail => question.fails = true,
            Told::Up | Told::Drain => question.fails = false,
        }

        // A question that fails is answered so itself.
        if self.0.iter().any(|q| q.fails && q.counts(now)) {
            Told::Fail
        } else {
            told
        }
    }

    fn asked(&mut self, now: Duration, hash: u64) -> &mut Question {
        let place = match self.0.iter().position(|known| known.hash == hash) {
            Some(place) => {
                self.0[place].ask_again(now);
                place
            }
            None => self.add(now, hash),
        };
        &mut self.0[place]
    }

    /// Adds a question; gives its place.
    fn add(&mut self, now: Duration, hash: u64) -> usize {
        if self.0.len() >= QUESTIONS_MAX {
            self.remove_oldest();
        }

        self.0.push(Question {
            hash,
            // Until its answer comes, which is noted next.
            fails: false,
            asked: now,
            interval: PRESUMED,
        });
        self.0.len() - 1
    }

    fn remove_oldest(&mut self) {
        let oldest = self.0.iter().enumerate().min_by_key(|(_, q)| q.asked);
        if let Some((place, _)) = oldest {
            self.0.swap_remove(place);
        }
    }
}

impl Question {
    fn ask_again(&mut self, now: Duration) {
        // Several pollers may ask it in turn, and then the gaps are shorter than any interval.
        self.interval = now.saturating_sub(self.asked).max(PRESUMED);
        self.asked = now;
    }

    /// Whether it is to be expected again.
    fn counts(&self, now: Duration) -> bool {
        now.saturating_sub(self.asked) <= self.interval * INTERVALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_check_fails_while_one_of_its_questions_does() {
        let mut questions = Questions::default();
        let mut note = |second, hash, told| questions.note(at(second), hash, told);
        assert_eq!(note(0, 1, Told::Up), Told::Up);
        assert_eq!(note(1, 2, Told::Fail), Told::Fail);
        assert_eq!(note(2, 1, Told::Up), Told::Fail);
        assert_eq!(note(3, 2, Told::Down), Told::Down);
        assert_eq!(note(4, 1, Told::Up), Told::Fail);
        assert_eq!(note(5, 2, Told::Up), Told::Up);
    }

    #[test]
    fn a_question_that_is_asked_no_more_is_of_no_account() {
        let mut questions = Questions::default();
        let mut note = |second, hash, told| questions.note(at(second), hash, told);
        assert_eq!(note(0, 1, Told::Fail), Told::Fail);
        assert_eq!(note(30, 1, Told::Fail), Told::Fail);
        assert_eq!(note(120, 2, Told::Up), Told::Fail);
        assert_eq!(note(121, 2, Told::Up), Told::Up);
    }

    #[test]
    fn questions_that_change_with_each_poll_are_bounded_and_pass_soon() {
        let mut questions = Questions::default();
        for second in 0..1000 {
            assert_eq!(questions.note(at(second), second, Told::Fail), Told::Fail);
        }
        let mut passes = (1000..1020).map(|s| (s, questions.note(at(s), s, Told::Up)));
        assert_eq!(
            passes.find(|(_, told)| *told == Told::Up),
            Some((1015, Told::Up))
        );
        assert_eq!(questions.0.len(), QUESTIONS_MAX);
    }
}
