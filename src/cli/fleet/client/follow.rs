//! What the engine holds, followed until a condition holds.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::time::timeout;

use super::TICK;
use crate::cli::wait::interrupt::Interrupt;
use crate::fleet::engine::{Changes, Engine, EngineError, KeyRange};
use crate::fleet::{Paths, Snapshot};

/// How long a wait pauses before it asks an engine again that did not answer.
const PAUSE: Duration = Duration::from_millis(200);

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::fleet) enum WaitEnd {
    Done,
    /// With the last trouble that the engine made.
    TimeUp(Option<String>),
    Interrupted(Signal),
}

/// A snapshot that is kept up to date.
pub(super) struct Following<'a> {
    pub(super) engine: &'a mut Engine,
    pub(super) paths: &'a Paths,
    pub(super) snapshot: &'a mut Snapshot,
    pub(super) end: Instant,
    pub(super) interrupt: &'a Interrupt,
    pub(super) is_done: &'a dyn Fn(&Snapshot) -> bool,
}

impl Following<'_> {
    pub(super) async fn run(&mut self) -> WaitEnd {
        loop {
            let trouble = match self.watch().await {
                Ok(ended) => return ended,
                Err(e) => e,
            };

            if let Some(ended) = self.ended(Some(&trouble)) {
                return ended;
            }

            self.read_again().await;
        }
    }

    /// The watch is lost with its member; another one may know more.
    async fn read_again(&mut self) {
        tokio::time::sleep(PAUSE).await;
        if let Ok(new) = Snapshot::of(self.engine, self.paths).await {
            *self.snapshot = new;
        }
    }

    async fn watch(&mut self) -> Result<WaitEnd, EngineError> {
        if let Some(ended) = self.ended(None) {
            return Ok(ended);
        }

        let all = KeyRange::under(&format!("{}/", self.paths.root()));
        // What came since the snapshot was read is told, too.
        let from = self.snapshot.revision + 1;
        let mut watch = self.engine.watch(&all, from).await?;
        loop {
            let left = self.end.saturating_duration_since(Instant::now());
            let mut limit = TICK.min(left);
            // All that has come is taken before it is looked at: a look costs more than a change.
            while let Ok(changes) = timeout(limit, watch.next()).await {
                self.apply(&changes?);
                limit = Duration::ZERO;
            }

            if let Some(ended) = self.ended(None) {
                return Ok(ended);
            }
        }
    }

    fn apply(&mut self, changes: &Changes) {
        for pair in &changes.deletes {
            self.snapshot.drop_key(self.paths, &pair.key);
        }

        for pair in &changes.puts {
            self.snapshot.take(self.paths, pair);
        }

        self.snapshot.revision = self.snapshot.revision.max(changes.revision);
    }

    fn ended(&self, trouble: Option<&EngineError>) -> Option<WaitEnd> {
        if (self.is_done)(self.snapshot) {
            return Some(WaitEnd::Done);
        }

        if let Some(signal) = self.interrupt.came() {
            return Some(WaitEnd::Interrupted(signal));
        }

        match Instant::now() >= self.end {
            true => Some(WaitEnd::TimeUp(trouble.map(ToString::to_string))),
            false => None,
        }
    }
}
