//! How often a poller polls, measured.
//!
//! Balancers change their interval with their view (HAProxy's `inter`, `fastinter`, `downinter`), so each view has a
//! measure of its own, and the longest counts. Of the last gaps it is the longest too: several balancers behind one
//! address look like one with uneven gaps, and to take a live one for silent is worse than to wait for a dead one.

use std::time::Duration;

use smallvec::SmallVec;

use super::View;

/// Gaps that are kept for each view.
const KEPT: usize = 3;

/// A busy host delays polls by more than shorter intervals, in seconds.
const SHORTEST: f64 = 0.2;

/// The last gaps between polls, for each view that there was: mostly one.
#[derive(Debug, Default, Clone)]
pub(super) struct Gaps(SmallVec<[Recent; 1]>);

#[derive(Debug, Clone, Copy)]
struct Recent {
    kind: GapKind,
    seconds: [f32; KEPT],
    count: u8,
    next: u8,
}

/// Views with intervals of their own.
#[derive(Debug, Clone, Copy, PartialEq)]
enum GapKind {
    Changing,
    Up,
    Down,
    Other,
}

impl Gaps {
    /// Notes a gap that ended with a poll of this view.
    pub(super) fn add(&mut self, view: Option<View>, words: Option<&str>, gap: Duration) {
        let kind = GapKind::of(view, words.unwrap_or_default());
        let seconds = gap.as_secs_f32();
        match self.0.iter_mut().find(|recent| recent.kind == kind) {
            Some(recent) => recent.add(seconds),
            None => self.0.push(Recent::first(kind, seconds)),
        }
    }

    /// The poller's interval in seconds; `None` while it polled only once.
    pub(super) fn interval(&self) -> Option<f64> {
        let longest = self.0.iter().filter_map(Recent::longest).reduce(f32::max)?;
        Some(f64::from(longest).max(SHORTEST))
    }
}

impl GapKind {
    fn of(view: Option<View>, words: &str) -> Self {
        match view {
            // HAProxy says `UP 1/3` or `DOWN 1/2` while it makes up its mind, and polls at `fastinter`.
            Some(_) if words.contains('/') => Self::Changing,
            Some(View::Up) => Self::Up,
            Some(View::Down) => Self::Down,
            Some(View::NoLb) | None => Self::Other,
        }
    }
}

impl Recent {
    fn first(kind: GapKind, seconds: f32) -> Self {
        Self {
            kind,
            seconds: [seconds, 0.0, 0.0],
            count: 1,
            next: 1,
        }
    }

    fn add(&mut self, seconds: f32) {
        self.seconds[usize::from(self.next)] = seconds;
        self.next = (self.next + 1) % 3;
        self.count = (self.count + 1).min(3);
    }

    fn longest(&self) -> Option<f32> {
        let kept = &self.seconds[..usize::from(self.count)];
        kept.iter().copied().reduce(f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(gaps: &[(View, &str, u64)]) -> Option<f64> {
        let mut all = Gaps::default();
        gaps.iter().for_each(|(view, words, s)| {
            all.add(Some(*view), Some(words), Duration::from_secs(*s));
        });
        all.interval()
    }

    #[test]
    fn the_longest_interval_of_all_views_counts() {
        let up = (View::Up, "UP", 2);
        assert_eq!(interval(&[]), None);
        assert_eq!(
            interval(&[
                up,
                up,
                (View::Up, "UP 1/3", 1),
                (View::Down, "DOWN", 30),
                up
            ]),
            Some(30.0)
        );
    }

    #[test]
    fn a_break_is_forgotten_after_three_polls() {
        let up = |s| (View::Up, "UP", s);
        assert_eq!(interval(&[up(2), up(600), up(2), up(2)]), Some(600.0));
        assert_eq!(interval(&[up(2), up(600), up(2), up(2), up(2)]), Some(2.0));
    }

    #[test]
    fn two_balancers_that_look_like_one_are_not_taken_for_silent() {
        let up = |s| (View::Up, "UP", s);
        assert_eq!(interval(&[up(0), up(9), up(0), up(9), up(0)]), Some(9.0));
        assert_eq!(interval(&[up(0), up(0)]), Some(SHORTEST));
    }
}
