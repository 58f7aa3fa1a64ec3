//! How much is logged: lines in a second, and lines that would come very often.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a line that would come very often may come.
const SELDOM: Duration = Duration::from_secs(10);

const SECOND: Duration = Duration::from_secs(1);

/// The log's lines in a second, bounded.
pub(super) struct Rate(Mutex<Window>);

struct Window {
    limit: usize,
    since: Option<Instant>,
    lines: usize,
    left_out: u64,
}

impl Rate {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Window {
            limit: usize::MAX,
            since: None,
            lines: 0,
            left_out: 0,
        }))
    }

    /// Changes the limit.
    pub(super) fn set(&self, limit: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).limit = limit;
    }

    /// A line comes: `None` when there have been too many in this second, else how many were left out before it.
    pub(super) fn line(&self) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.begin_anew_after_a_second();
        window.line()
    }
}

impl Window {
    fn begin_anew_after_a_second(&mut self) {
        let is_over = self.since.is_none_or(|since| since.elapsed() >= SECOND);
        if is_over {
            self.since = Some(Instant::now());
            self.lines = 0;
        }
    }

    fn line(&mut self) -> Option<u64> {
        // Counted; the next line that is let through reports it.
        if self.lines >= self.limit {
            self.left_out += 1;
            return None;
        }

        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// Something that may happen very often, and is to be logged at most once in ten seconds.
pub struct Seldom(Mutex<(Option<Instant>, u64)>);

impl Seldom {
    /// Nothing has happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new((None, 0)))
    }

    /// It happens. Gives what to put behind the line, when it is time for one: how often it was left out.
    pub fn now(&self) -> Option<Times> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0.is_some_and(|last| last.elapsed() < SELDOM) {
            known.1 += 1;
            return None;
        }

        let times = Times(known.1);
        *known = (Some(Instant::now()), 0);
        Some(times)
    }
}

impl Default for Seldom {
    fn default() -> Self {
        Self::new()
    }
}

/// How often a line was left out; shows as nothing for 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times(u64);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            Ok(())
        } else {
            write!(f, " ({} times more since the last such line)", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_rate_are_left_out_and_counted() {
        let rate = Rate::new();
        rate.set(3);
        let lines: Vec<_> = (0..5).map(|_| rate.line()).collect();
        assert_eq!(lines, [Some(0), Some(0), Some(0), None, None]);
        rate.0.lock().unwrap().since =
            Some(Instant::now().checked_sub(Duration::from_secs(2)).unwrap());
        assert_eq!((rate.line(), rate.line()), (Some(2), Some(0)));
    }

    #[test]
    fn what_happens_often_is_told_once_with_its_number() {
        let seldom = Seldom::new();
        assert_eq!(seldom.now().map(|t| t.to_string()).as_deref(), Some(""));
        assert_eq!((seldom.now(), seldom.now()), (None, None));
        seldom.0.lock().unwrap().0 = None;
        assert_eq!(seldom.now(), Some(Times(2)));
    }
}
