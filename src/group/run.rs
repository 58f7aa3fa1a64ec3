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
    let checks = group.checks.iter();
    let running = checks.map(|check| one(name, group, check, runner, context));
    let checks = join_all(running).await;
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
    let outcome = match prepared(name, check, limit) {
        Some(check) => within(limit, runner.run_check(check, context)).await,
        None => Arc::new(unknown_protocol(check)),
    };
    CheckResult {
        text: check.text.clone(),
        outcome,
        took: start.elapsed(),
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
    // The check's own deadline comes first, since its message says more.
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
    let own = check.group().or(check.service.as_deref());
    own.unwrap_or(group)
}

fn target(group: &str, check: &GroupCheck, limit: Option<Duration>) -> Target {
    Target {
        service: service(group, check).into(),
        host: check.host.clone(),
        port: check.port,
        path: check.path.as_str().into(),
        headers: Headers::default(),
        limit,
        trusted: true,
    }
}
