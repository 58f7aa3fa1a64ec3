//! A named set of checks: all of them, any, or so many must pass.
//!
//! Rule: its checks run at the same time, each within its own deadline, and the answer names every one. How a check is
//! asked for, through the cache or by itself, is the caller's: see [`CheckRunner`].

mod actions;
mod check;
mod read;
mod result;
mod run;
mod settings;
mod states;
pub mod watch;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hyper::StatusCode;

pub use check::{GroupCheck, GroupCheckError};
pub use read::read;
pub use result::{CheckResult, GroupResult, said};
pub use run::run;
pub use settings::{Group, Groups, Require};
pub use states::{CheckSummary, EndedAction, GroupState, GroupStates};

use crate::probe::{self, Asker, Check, Context, Outcome, Trace};

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
            // Nobody looks at the steps, so they are not recorded.
            let trace = Trace::start(false);
            let asker = Asker::Configuration;
            Arc::new(run_check(asker, self, &check, context, &trace).await)
        })
    }
}

/// Runs one check, which may be a group.
pub(crate) async fn run_check(
    asker: Asker,
    runner: &dyn CheckRunner,
    check: &Check,
    context: &Arc<CheckContext>,
    trace: &Trace,
) -> Outcome {
    let Check { protocol, target } = check;
    match check.is_group() {
        true => run_named(&target.service, runner, context).await,
        false => probe::run(asker, protocol, target, &context.probes, trace).await,
    }
}

/// Runs the group of a name.
async fn run_named(name: &str, runner: &dyn CheckRunner, context: &Arc<CheckContext>) -> Outcome {
    match context.groups.get(name) {
        // A group takes no slot, only its checks do: groups that wait for checks could otherwise hold all slots.
        Some(group) => run(name, group, runner, context).await.outcome(),
        None => unknown(name, &context.groups),
    }
}

fn unknown(name: &str, groups: &Groups) -> Outcome {
    let text = format!("the configuration has no group '{}'", name.escape_debug());
    // Which ones there are is not for every poller.
    Outcome::new(StatusCode::NOT_FOUND, text).because(there_are(groups))
}

fn there_are(groups: &Groups) -> String {
    if groups.is_empty() {
        return "there are no groups".to_owned();
    }

    let names: Vec<&str> = groups.keys().map(String::as_str).collect();
    format!("there are {}", names.join(", "))
}
