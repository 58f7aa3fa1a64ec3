//! What is remembered of groups, for the pages.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::result::{CheckResult, GroupResult, said};
use crate::spool::unix_now;

/// What is remembered of all groups, by name.
#[derive(Debug, Default)]
pub struct GroupStates(Mutex<HashMap<String, GroupState>>);

/// What is remembered of one group.
#[derive(Debug, Clone, Default)]
pub struct GroupState {
    /// Whether it is up, by `rise` and `fall` where it is watched, else by its last result.
    pub up: Option<bool>,
    /// When that changed last, in seconds of unix time.
    pub changed: Option<f64>,
    /// When it was checked last, in seconds of unix time.
    pub checked: Option<f64>,
    /// What came of that.
    pub summary: String,
    /// The same of each of its checks.
    pub checks: Vec<CheckSummary>,
    /// The last action that ended.
    pub action: Option<EndedAction>,
}

/// What came of one check of a group, in short.
#[derive(Debug, Clone)]
pub struct CheckSummary {
    /// The check, as the configuration has it.
    pub text: String,
    /// Whether it passed.
    pub passes: bool,
    /// Status and first line of its outcome.
    pub said: String,
    /// How long it took.
    pub took: Duration,
}

impl CheckSummary {
    fn of(check: &CheckResult) -> Self {
        Self {
            text: check.text.clone(),
            passes: check.outcome.passes(),
            said: said(&check.outcome),
            took: check.took,
        }
    }
}

/// An action that was run.
#[derive(Debug, Clone)]
pub struct EndedAction {
    /// The command.
    pub command: String,
    /// When it ended, in seconds of unix time.
    pub at: f64,
    /// Exit code, signal, or why there is none.
    pub end: String,
    /// Whether it succeeded.
    pub good: bool,
}

impl GroupStates {
    /// Notes a result. Of a group that is not watched it is the state too.
    pub fn checked(&self, result: &GroupResult, watched: bool) {
        let mut all = self.lock();
        let group = all.entry(result.name.clone()).or_default();
        group.note(result);
        // Of a watched group one result says little: `rise` and `fall` decide.
        if !watched {
            group.set(result.passes());
        }
    }

    /// Notes a state; whether it is another one than before.
    pub(crate) fn is_now(&self, name: &str, up: bool) -> bool {
        let mut all = self.lock();
        all.entry(name.to_owned()).or_default().set(up)
    }

    /// Notes an action that ended.
    pub fn acted(&self, name: &str, action: EndedAction) {
        let mut all = self.lock();
        all.entry(name.to_owned()).or_default().action = Some(action);
    }

    /// What is remembered of a group.
    #[must_use]
    pub fn get(&self, name: &str) -> GroupState {
        self.lock().get(name).cloned().unwrap_or_default()
    }

    /// Forgets the groups that are no more. One that comes back by a later reload begins without a state.
    pub fn keep(&self, known: impl Fn(&str) -> bool) {
        self.lock().retain(|name, _| known(name));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, GroupState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GroupState {
    fn note(&mut self, result: &GroupResult) {
        self.checked = Some(unix_now());
        self.summary = result.summary();
        self.checks = result.checks.iter().map(CheckSummary::of).collect();
    }

    fn set(&mut self, up: bool) -> bool {
        // Otherwise `changed` would be the time of the last check.
        if self.up == Some(up) {
            return false;
        }

        self.up = Some(up);
        self.changed = Some(unix_now());
        true
    }
}
