//! The lines that wait to be written, and the table below them: whoever reads may pause, as a pager does, and nobody waits
//! for that.
//!
//! Rule: they are written in the order in which they came. What a host says is dropped once nobody has read for a while, and
//! how much is told in its place; what haroll says is never dropped.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::host::HostLine;

/// Lines of hosts that wait to be written.
const LINES_MAX: usize = 1000;

/// How long a host that has more to say waits for a slow reader.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is to be written.
pub(super) enum RollLine {
    /// Of haroll itself: one or several.
    Own(String),
    OfHost(HostLine),
    /// So many lines of hosts are not there.
    Missing(usize),
    /// In place of the last one, below the lines; only while there is nothing else.
    Table(Vec<String>),
}

/// The queue.
#[derive(Default)]
pub(super) struct RollLines {
    queue: Mutex<LineQueue>,
    /// Something came, or went.
    changed: Condvar,
}

#[derive(Default)]
struct LineQueue {
    lines: VecDeque<RollLine>,
    table: Option<Vec<String>>,
    is_closed: bool,
}

impl LineQueue {
    /// Whether a line of a host need not wait.
    fn takes(&self) -> bool {
        self.is_closed || self.lines.len() < LINES_MAX
    }

    /// Nobody reads: the last line was dropped.
    fn is_stuck(&self) -> bool {
        matches!(self.lines.back(), Some(RollLine::Missing(_)))
    }

    fn add(&mut self, line: HostLine) {
        if self.is_closed {
            // Hosts that go on by themselves may say more than anybody will read.
            return;
        }
        if self.takes() {
            return self.lines.push_back(RollLine::OfHost(line));
        }
        match self.lines.back_mut() {
            Some(RollLine::Missing(count)) => *count += 1,
            _ => self.lines.push_back(RollLine::Missing(1)),
        }
    }

    fn next(&mut self) -> Option<RollLine> {
        let line = self.lines.pop_front();
        line.or_else(|| self.table.take().map(RollLine::Table))
    }
}

impl RollLines {
    /// Adds a line of haroll.
    pub(super) fn say(&self, text: String) {
        self.lock().lines.push_back(RollLine::Own(text));
        self.changed.notify_all();
    }

    /// Adds a line of a host; waits for room as long as somebody seems to read.
    pub(super) fn pass_on(&self, line: HostLine) {
        let is_full = |queue: &mut LineQueue| !queue.takes() && !queue.is_stuck();
        let waiting = self
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, is_full);
        let (mut queue, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        queue.add(line);
        self.changed.notify_all();
    }

    /// Draws a table as soon as nothing waits.
    pub(super) fn show(&self, table: Vec<String>) {
        self.lock().table = Some(table);
        self.changed.notify_all();
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// What is to be written next; `None` after all.
    pub(super) fn next(&self) -> Option<RollLine> {
        let mut queue = self.lock();
        loop {
            let next = queue.next();
            if next.is_some() || queue.is_closed {
                self.changed.notify_all();
                return next;
            }
            let waited = self.changed.wait(queue);
            queue = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, LineQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
