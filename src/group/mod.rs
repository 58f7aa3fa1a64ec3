//! A named set of checks: all of them, any, or so many must pass.
//!
//! Rule: its checks run at the same time, each within its own deadline, and the answer names every one. How a check is
//! asked for, through the cache or by itself, is the caller's: see [`CheckRunner`].

mod actions;
mod check;
mod read;
mod settings;
pub mod watch;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::StatusCode;

pub use check::GroupCheck;
pub use read::read;
pub use settings::{Group, Groups, Require};

use crate::names::text::first_line;
use crate::probe::{self, Check, Context, Headers, Outcome, Protocol, Target, Trace};
use crate::spool::unix_now;

/// Most characters of a check's answer that a group's answer shows.
const SAID_MAX: usize = 200;

/// What checks need, those of groups too: what probes need, and the groups by name.
pub struct CheckContext {
    /// What probes need.
    pub probes: Context,
    /// The groups.
    pub groups: Groups,
}

/// Runs the checks of a group.
pub trait CheckRunner: Send + Sync {
    /// Gives the outcome of a check.
    fn run_check<'a>(&'a self, check: Check, context: &'a Arc<CheckContext>) -> RunningCheck<'a>;

    /// Told of each run of a group.
    fn checked(&self, _result: &GroupResult, _group: &Group) {}
}

/// The outcome of a check, to be waited for.
pub type RunningCheck<'a> = Pin<Box<dyn Future<Output = Arc<Outcome>> + Send + 'a>>;

/// Runs each check by itself: nothing is shared or kept, and everything ends when the caller drops it.
pub struct Alone;

impl CheckRunner for Alone {
    fn run_check<'a>(&'a self, check: Check, context: &'a Arc<CheckContext>) -> RunningCheck<'a> {
        Box::pin(async move {
            let trace = Trace::start(false);
            Arc::new(run_check(None, self, &check, context, &trace).await)
        })
    }
}

/// Runs one check, which may be a group; one that has a name is known again by it, see [`probe::run_as`].
pub async fn run_check(
    name: Option<probe::Name>,
    runner: &dyn CheckRunner,
    check: &Check,
    context: &Arc<CheckContext>,
    trace: &Trace,
) -> Outcome {
    let Check { protocol, target } = check;
    if !check.is_group() {
        return probe::run_as(name, protocol, target, &context.probes, trace).await;
    }
    let name = &*target.service;
    match context.groups.get(name) {
        Some(group) => run(name, group, runner, context).await.outcome(),
        None => unknown(name, &context.groups),
    }
}

fn unknown(name: &str, groups: &Groups) -> Outcome {
    let known = groups
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let known = if known.is_empty() {
        "there are no groups".into()
    } else {
        format!("there are {known}")
    };
    let text = format!("the configuration has no group '{}'", name.escape_debug());
    // Which ones there are is not for every poller.
    Outcome::new(StatusCode::NOT_FOUND, text).because(known)
}

/// What came of a group's checks.
#[derive(Debug)]
pub struct GroupResult {
    /// The group's name.
    pub name: String,
    /// How many must pass.
    pub required: usize,
    /// Its checks, in their order.
    pub checks: Vec<CheckResult>,
}

/// What came of one of them.
#[derive(Debug)]
pub struct CheckResult {
    /// The check, as the configuration has it.
    pub text: String,
    /// Its outcome.
    pub outcome: Arc<Outcome>,
    /// How long it took.
    pub took: Duration,
}

/// Runs all checks of a group.
pub async fn run(
    name: &str,
    group: &Group,
    runner: &dyn CheckRunner,
    context: &Arc<CheckContext>,
) -> GroupResult {
    let running = group
        .checks
        .iter()
        .map(|check| one(name, group, check, runner, context));
    let checks = all(running.collect()).await;
    let result = GroupResult {
        name: name.to_owned(),
        required: group.require.of(group.checks.len()),
        checks,
    };
    runner.checked(&result, group);
    result
}

async fn one(
    name: &str,
    group: &Group,
    check: &GroupCheck,
    runner: &dyn CheckRunner,
    context: &Arc<CheckContext>,
) -> CheckResult {
    let start = Instant::now();
    let limit = check.limit.or(group.timeout);
    let outcome = match Protocol::find(check.protocol) {
        Some(protocol) => {
            let target = Arc::new(target(name, check, limit));
            let running = runner.run_check(Check { protocol, target }, context);
            within(limit, running).await
        }
        // The configuration takes only protocols of the table.
        None => Arc::new(Outcome::unavailable(format!(
            "unknown protocol {}",
            check.protocol
        ))),
    };
    CheckResult {
        text: check.text.clone(),
        outcome,
        took: start.elapsed(),
    }
}

/// Another group's run, or another poller's probe, may have a longer deadline.
async fn within(limit: Option<Duration>, running: RunningCheck<'_>) -> Arc<Outcome> {
    let Some(limit) = limit else {
        return running.await;
    };
    // The check's own deadline comes first, since its message says more.
    let limit = limit + Duration::from_millis(100);
    match tokio::time::timeout(limit, running).await {
        Ok(outcome) => outcome,
        Err(_) => Arc::new(Outcome::unavailable(format!(
            "no result after {:.2}s",
            limit.as_secs_f64()
        ))),
    }
}

fn target(group: &str, check: &GroupCheck, limit: Option<Duration>) -> Target {
    Target {
        // A group within is its own service.
        service: check.group().unwrap_or(group).into(),
        host: check.host.clone(),
        port: check.port,
        path: check.path.as_str().into(),
        headers: Headers::default(),
        limit,
        trusted: true,
    }
}

/// Waits for all of them at once, in one task.
async fn all<F: Future<Output = CheckResult>>(futures: Vec<F>) -> Vec<CheckResult> {
    let mut running: Vec<_> = futures.into_iter().map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|context| {
        let mut ready = true;
        for (future, done) in &mut running {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(checked) => *done = Some(checked),
                    std::task::Poll::Pending => ready = false,
                }
            }
        }
        if ready {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}

impl GroupResult {
    /// How many passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.checks.iter().filter(|c| c.outcome.passes()).count()
    }

    /// Whether enough passed.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.passed() >= self.required
    }

    /// `group node: 2 of 3 checks passed, 3 must`, and which did not.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = format!(
            "group {}: {} of {} checks passed, {} must",
            self.name,
            self.passed(),
            self.checks.len(),
            self.required
        );
        let failed: Vec<&str> = self
            .checks
            .iter()
            .filter(|c| !c.outcome.passes())
            .map(|c| c.text.as_str())
            .collect();
        if !failed.is_empty() {
            // Writing to a String cannot fail; so below.
            let _ = write!(text, "; failed: {}", failed.join(", "));
        }
        text
    }

    /// Each check with result and time, a line each.
    #[must_use]
    pub fn list(&self) -> String {
        let mut text = String::new();
        for check in &self.checks {
            let word = if check.outcome.passes() {
                "pass"
            } else {
                "FAIL"
            };
            let _ = writeln!(
                text,
                "{word} {} {:.2}s {}",
                check.text,
                check.took.as_secs_f64(),
                said(&check.outcome)
            );
        }
        text
    }

    /// As a check's outcome: 200 or 503, summary and list.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let body = format!("{}\n{}", self.summary(), self.list());
        if self.passes() {
            Outcome::healthy(body)
        } else {
            Outcome::unavailable(body)
        }
    }
}

/// Status and first line of an outcome.
#[must_use]
pub fn said(outcome: &Outcome) -> String {
    let line = first_line(&String::from_utf8_lossy(&outcome.body), SAID_MAX);
    let status = outcome.status.as_u16();
    if line.is_empty() {
        status.to_string()
    } else {
        format!("{status} {line}")
    }
}

/// What is remembered of groups, for `/status` and the like.
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
    /// The last action that ended.
    pub action: Option<EndedAction>,
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
        group.checked = Some(unix_now());
        group.summary = result.summary();
        if !watched {
            group.set(result.passes());
        }
    }

    /// Notes a state; whether it is another one than before.
    pub fn is_now(&self, name: &str, up: bool) -> bool {
        self.lock().entry(name.to_owned()).or_default().set(up)
    }

    /// Notes an action that ended.
    pub fn acted(&self, name: &str, action: EndedAction) {
        self.lock().entry(name.to_owned()).or_default().action = Some(action);
    }

    /// What is remembered of a group.
    #[must_use]
    pub fn get(&self, name: &str) -> GroupState {
        self.lock().get(name).cloned().unwrap_or_default()
    }

    /// Forgets the groups that are no more.
    pub fn keep(&self, known: impl Fn(&str) -> bool) {
        self.lock().retain(|name, _| known(name));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, GroupState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GroupState {
    fn set(&mut self, up: bool) -> bool {
        if self.up == Some(up) {
            return false;
        }
        self.up = Some(up);
        self.changed = Some(unix_now());
        true
    }
}
