//! One run of a group: all of its checks at the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::{CheckContext, CheckResult, CheckRunner, Group, GroupCheck, GroupResult, RunningCheck};
use crate::probe::{Check, Headers, Outcome, Protocol, Target};

/// Runs all checks of a group.
pub async fn run(
    name: &str,
    group: &Group,
    runner: &dyn CheckRunner,
    context: &Arc<CheckContext>,
) -> GroupResult {
    let run = GroupRun {
        name,
        group,
        runner,
        context,
    };

    let result = GroupResult {
        name: name.to_owned(),
        required: group.require.of(group.checks.len()),
        checks: run.all().await,
    };

    runner.checked(&result, group);
    result
}

/// One run of a group, and what it needs.
struct GroupRun<'a> {
    name: &'a str,
    group: &'a Group,
    runner: &'a dyn CheckRunner,
    context: &'a Arc<CheckContext>,
}

impl GroupRun<'_> {
    async fn all(&self) -> Vec<CheckResult> {
        // All run to their end, even if one decides the result: the answer names every check.
        let running = self.group.checks.iter().map(|check| self.one(check));
        join_all(running).await
    }

    async fn one(&self, check: &GroupCheck) -> CheckResult {
        let start = Instant::now();
        let outcome = self.outcome(check).await;
        CheckResult {
            text: check.text.clone(),
            outcome,
            took: start.elapsed(),
        }
    }

    async fn outcome(&self, check: &GroupCheck) -> Arc<Outcome> {
        let limit = check.limit.or(self.group.timeout);
        let Some(prepared) = prepared(self.name, check, limit) else {
            return Arc::new(unknown_protocol(check));
        };

        let running = self.runner.run_check(prepared, self.context);
        within(limit, running).await
    }
}

fn prepared(group: &str, check: &GroupCheck, limit: Option<Duration>) -> Option<Check> {
    let protocol = Protocol::find(check.protocol)?;
    let target = Arc::new(target(group, check, limit));
    Some(Check { protocol, target })
}

/// This cannot happen: the configuration takes only protocols of the table.
fn unknown_protocol(check: &GroupCheck) -> Outcome {
    Outcome::unavailable(format!("unknown protocol {}", check.protocol))
}

/// Another group's run, or another poller's probe, may have a longer deadline.
async fn within(limit: Option<Duration>, running: RunningCheck<'_>) -> Arc<Outcome> {
    let Some(limit) = limit else {
        return running.await;
    };

    // A little later than the check's own deadline, since its message says more.
    let limit = limit + Duration::from_millis(100);
    match tokio::time::timeout(limit, running).await {
        Ok(outcome) => outcome,
        Err(_) => Arc::new(no_result(limit)),
    }
}

fn no_result(limit: Duration) -> Outcome {
    let seconds = limit.as_secs_f64();
    Outcome::unavailable(format!("no result after {seconds:.2}s"))
}

/// What `services` names. A group within is its own service.
fn service<'a>(group: &'a str, check: &'a GroupCheck) -> &'a str {
    match check.group() {
        Some(own) => own,
        None => check.service.as_deref().unwrap_or(group),
    }
}

fn target(group: &str, check: &GroupCheck, limit: Option<Duration>) -> Target {
    Target {
        service: service(group, check).into(),
        host: check.host.clone(),
        port: check.port,
        path: check.path.as_str().into(),
        // No headers are copied from a poller: all who ask for the group share its result.
        headers: Headers::default(),
        limit,
        // The configuration names the place, so the limits on what pollers may probe do not apply.
        trusted: true,
    }
}
