//! What a probe did and when, for messages and `hacheck probe -v`.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The steps of one probe; clones share them.
#[derive(Debug, Clone)]
pub struct Trace {
    start: Instant,
    verbose: bool,
    now: Arc<Mutex<Now>>,
}

#[derive(Debug)]
struct Now {
    stage: &'static str,
    /// What came in this stage, quoted; empty for nothing.
    received: String,
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
        Self {
            start: Instant::now(),
            verbose,
            now: Arc::new(Mutex::new(Now {
                stage: "starting",
                received: String::new(),
                steps: Vec::new(),
            })),
        }
    }

    /// Begins a stage, e.g. `"connecting"`: what the probe was doing if the deadline comes now.
    pub(crate) fn stage(&self, stage: &'static str) {
        self.enter(stage);
        self.note(|| stage.to_owned());
    }

    fn enter(&self, stage: &'static str) {
        let mut now = self.lock();
        now.stage = stage;
        // What came before is no part of what is waited for now.
        now.received.clear();
    }

    /// Notes something learned, e.g. the address connected to.
    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        // Most probes are not watched, so their texts are not even made.
        if !self.verbose {
            return;
        }

        let step = Step {
            at: self.start.elapsed(),
            what: what(),
        };
        self.lock().steps.push(step);
    }

    /// Keeps the beginning of an answer that is not complete yet, quoted, for the message if the deadline comes now.
    pub(super) fn received(&self, quoted: String) {
        self.lock().received = quoted;
    }

    /// The stage that the probe is in, and what came in it so far.
    #[must_use]
    pub(crate) fn current(&self) -> String {
        let now = self.lock();
        if now.received.is_empty() {
            now.stage.to_owned()
        } else {
            format!("{}, so far {}", now.stage, now.received)
        }
    }

    /// Time since the start, in seconds.
    #[must_use]
    pub(crate) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Time since the start, as messages show it.
    #[must_use]
    pub(crate) fn elapsed(&self) -> impl fmt::Display + use<> {
        Elapsed(self.start.elapsed())
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

/// A duration as the originals print it: `0.05s`.
struct Elapsed(Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}s", self.0.as_secs_f64())
    }
}
