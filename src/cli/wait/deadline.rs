//! How long a wait may take.

use std::time::{Duration, Instant};

/// How long a wait may take, and since when it does.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    begin: Instant,
    pub(super) limit: Duration,
}

impl Deadline {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            begin: Instant::now(),
            limit,
        }
    }

    pub(super) fn left(self) -> Duration {
        self.limit.saturating_sub(self.begin.elapsed())
    }

    pub(super) fn is_over(self) -> bool {
        self.left().is_zero()
    }

    /// `8 s of 60 s`.
    pub(super) fn spent(self) -> String {
        let spent = self.begin.elapsed().min(self.limit).as_secs();
        format!("{spent} s of {} s", self.limit.as_secs_f64())
    }
}
