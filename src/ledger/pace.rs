//! Which pollers are established: those that asked one and the same question five times at a steady pace.
//!
//! Rule: only what comes again and again in the same words counts, so that neither a burst nor made-up questions of an
//! address that polls steadily besides are taken for a balancer's.

use std::time::Duration;

use smallvec::SmallVec;

/// So many polls at a steady pace make a poller established.
const ENOUGH: u8 = 5;

/// Polls that follow each other faster are a burst, of which one counts.
const BURST: Duration = Duration::from_millis(200);

/// A gap that is so many times longer than all before it is no steady pace.
const UNEVEN: u32 = 3;

/// So many polls at even gaps show a rhythm.
const RHYTHM: u8 = 3;

/// Gaps of which the longest is at most so many times the shortest are even.
const EVEN: u32 = 2;

/// How long an established poller stays so without a poll: a balancer that is restarted comes back as what it was.
const STAYS: Duration = Duration::from_secs(600);

/// Most questions of one poller that are told apart.
const QUESTIONS_MAX: usize = 4;

/// The pace of one question. Times are since the daemon's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Polls in a row at a steady pace, as far as they matter.
    polls: u8,
    at: Duration,
    /// The longest gap between those polls, and the shortest.
    longest: Duration,
    shortest: Duration,
}

impl Pace {
    /// The first poll.
    fn first(now: Duration) -> Self {
        Self {
            polls: 1,
            at: now,
            longest: Duration::ZERO,
            shortest: Duration::MAX,
        }
    }

    fn note(&mut self, now: Duration) {
        let gap = now.saturating_sub(self.at);
        // Not even the time: a burst must not shorten the gap that is measured next.
        if gap < BURST {
            return;
        }

        // One that is established stays so: a balancer under load may be late once.
        let is_uneven = self.polls > 1 && gap > self.longest * UNEVEN;
        if is_uneven && !self.is_established(now) {
            // The poll before and this one may be the first of another pace.
            *self = Self::first(self.at);
        }

        self.polls = (self.polls + 1).min(ENOUGH);
        self.longest = self.longest.max(gap);
        self.shortest = self.shortest.min(gap);
        self.at = now;
    }

    /// Whether the few polls so far were at even gaps.
    fn has_rhythm(&self) -> bool {
        self.polls >= RHYTHM && self.longest <= self.shortest.saturating_mul(EVEN)
    }

    fn is_established(&self, now: Duration) -> bool {
        let silence = now.saturating_sub(self.at);
        // By its own pace, too: one may poll each hour.
        self.polls >= ENOUGH && silence <= STAYS.max(self.longest * UNEVEN)
    }
}

/// The paces of a poller's questions, by a hash of each: of a balancer mostly one.
#[derive(Debug, Default, Clone)]
pub(super) struct Paces(SmallVec<[(u64, Pace); 1]>);

impl Paces {
    /// Notes a poll; whether its poller is established by this question.
    pub(super) fn note(&mut self, question: u64, now: Duration) -> bool {
        let known = self.0.iter_mut().find(|(known, _)| *known == question);
        let Some((_, pace)) = known else {
            self.add(question, now);
            return false;
        };

        pace.note(now);
        pace.is_established(now)
    }

    /// Whether it is established by any of its questions.
    pub(super) fn is_established(&self, now: Duration) -> bool {
        self.0.iter().any(|(_, pace)| pace.is_established(now))
    }

    /// Whether it polls in a rhythm: nobody who looks now and then does.
    pub(super) fn has_rhythm(&self, now: Duration) -> bool {
        let mut paces = self.0.iter();
        paces.any(|(_, pace)| pace.has_rhythm() || pace.is_established(now))
    }

    /// A new question takes the place of the one that came least often, but never that of an established one.
    fn add(&mut self, question: u64, now: Duration) {
        let new = (question, Pace::first(now));
        if self.0.len() < QUESTIONS_MAX {
            self.0.push(new);
            return;
        }

        // With all of them established the new one is passed over: balancers ask one question, seldom two.
        let others = self.0.iter_mut().filter(|(_, p)| !p.is_established(now));
        if let Some(least) = others.min_by_key(|(_, p)| p.polls) {
            *least = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each poll, so many seconds after the one before, is one of an established poller.
    fn established(gaps: &[f64]) -> String {
        let mut paces = Paces::default();
        let mut now = Duration::from_secs(1000);
        let mut all = String::new();
        for gap in gaps {
            now += Duration::from_secs_f64(*gap);
            all.push(if paces.note(7, now) { '+' } else { '.' });
        }
        all
    }

    #[test]
    fn five_polls_at_a_steady_pace_make_a_poller_established() {
        for (what, gaps, expected) in [
            ("a balancer", &[0.0, 2.0, 2.1, 1.9, 2.0, 2.0][..], "....++"),
            ("a slow one", &[0.0, 60.0, 60.0, 60.0, 60.0], "....+"),
            ("one that came twice", &[0.0, 2.0], ".."),
            ("a burst", &[0.0, 0.001, 0.001, 0.1, 0.001, 0.001], "......"),
            (
                "two that look like one",
                &[0.0, 0.3, 1.7, 0.3, 1.7, 0.3, 1.7],
                ".....++",
            ),
            (
                "requests by chance",
                &[0.0, 1.0, 9.0, 1.0, 40.0, 1.0, 200.0],
                ".......",
            ),
            (
                "a pause before the fifth",
                &[0.0, 2.0, 2.0, 2.0, 60.0, 2.0, 2.0, 2.0],
                ".......+",
            ),
            (
                "a restart of one that is established",
                &[0.0, 2.0, 2.0, 2.0, 2.0, 300.0],
                "....++",
            ),
            (
                "a long absence",
                &[0.0, 2.0, 2.0, 2.0, 2.0, 3000.0, 2.0],
                "....+..",
            ),
        ] {
            assert_eq!(established(gaps), expected, "{what}");
        }
    }

    #[test]
    fn three_polls_at_even_gaps_are_a_rhythm_and_others_only_once_they_are_established() {
        for (what, gaps, rhythm) in [
            ("two looks", &[0.0, 2.0][..], false),
            ("a balancer", &[0.0, 2.0, 2.1], true),
            ("one that missed a poll", &[0.0, 30.0, 60.0], true),
            ("looks by chance", &[0.0, 40.0, 3.0], false),
            ("others", &[0.0, 3.0, 40.0], false),
            ("a burst", &[0.0, 0.01, 0.01, 0.01], false),
            ("two that look like one", &[0.0, 0.3, 1.7, 0.3], false),
            (
                "the same, established",
                &[0.0, 0.3, 1.7, 0.3, 1.7, 0.3],
                true,
            ),
        ] {
            let mut paces = Paces::default();
            let mut now = Duration::from_secs(1000);
            for gap in gaps {
                now += Duration::from_secs_f64(*gap);
                paces.note(7, now);
            }
            assert_eq!(paces.has_rhythm(now), rhythm, "{what}");
        }
    }

    #[test]
    fn made_up_questions_are_not_established_by_a_steady_one_and_do_not_push_it_out() {
        let mut paces = Paces::default();
        for second in 0..100 {
            let now = Duration::from_secs(second);
            assert_eq!(paces.note(1, now), second >= 4, "{second}");
            assert!(!paces.note(1000 + second, now));
            assert!(paces.0.len() <= QUESTIONS_MAX);
        }
        assert!(paces.is_established(Duration::from_secs(500)));
        assert!(!paces.is_established(Duration::from_secs(800)));
    }
}
