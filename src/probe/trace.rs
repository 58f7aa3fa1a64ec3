//! What a probe did and when, for messages and `hacheck probe -v`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Seconds;

/// The steps of one probe.
#[derive(Debug)]
pub struct Trace {
    start: Instant,
    verbose: bool,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    stage: &'static str,
    steps: Vec<Step>,
}

/// One step, for people.
#[derive(Debug, Clone)]
pub struct Step {
    /// When it began, from the start of the probe.
    pub at: Duration,
    /// What was begun or learned.
    pub what: String,
}

impl Trace {
    /// Starts the clock; with `verbose` all steps are kept, else only the current one.
    #[must_use]
    pub fn start(verbose: bool) -> Self {
        Self { start: Instant::now(), verbose, now: Mutex::new(Now { stage: "starting", steps: Vec::new() }) }
    }

    /// Begins a stage, e.g. `"connecting"`: what the probe was doing if the deadline comes now.
    pub fn stage(&self, stage: &'static str) {
        self.lock().stage = stage;
        self.note(|| stage.to_owned());
    }

    /// Notes something learned, e.g. the address connected to.
    pub fn note(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            let step = Step { at: self.start.elapsed(), what: what() };
            self.lock().steps.push(step);
        }
    }

    /// The stage that the probe is in.
    #[must_use]
    pub fn current(&self) -> &'static str {
        self.lock().stage
    }

    /// Time since the start, as messages show it.
    #[must_use]
    pub fn elapsed(&self) -> impl std::fmt::Display + use<> {
        Seconds(self.start.elapsed())
    }

    /// The steps so far; empty unless verbose.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.lock().steps.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
