//! A watch: asks a group unasked, and acts when its state changes.
//!
//! Rules: a state changes after so many equal results in a row (`rise`, `fall`); the first state counts as a change. Actions
//! run one at a time, never make a check wait, and are tried again at the next check while they fail. A downtime
//! that a watch wrote is lifted by it alone, and it lifts no other.

mod downtime;
mod judge;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch::{self, error::RecvError};
use tokio::task::JoinHandle;

use self::downtime::WatchDowntime;
use self::judge::Judge;
use super::actions::Actions;
use crate::group::{self, CheckContext, CheckRunner, Group, GroupStates};
use crate::os::process::Argv;
use crate::spool::Spool;

/// What watches need of their surroundings.
pub struct Means {
    /// How checks are asked for.
    pub runner: Arc<dyn CheckRunner>,
    /// The configuration in force, with the means of probes.
    pub context: Box<dyn Fn() -> Arc<CheckContext> + Send + Sync>,
    /// Where states are noted.
    pub states: Arc<GroupStates>,
    /// Where downtimes are written.
    pub spool: Option<Spool>,
}

impl Means {
    fn group(&self, name: &str) -> Option<Group> {
        let context = (self.context)();
        let group = context.groups.get(name)?;
        // Without `every` it is a group still, but not a watched one.
        group.every?;
        Some(group.clone())
    }
}

/// Watches a group until the configuration has no such watch any more, or `reload` has no sender. After each change of
/// `reload` the configuration is read anew: the state stays, whatever else changes.
pub async fn run(name: String, means: Arc<Means>, mut reload: watch::Receiver<()>) {
    let Some(mut group) = means.group(&name) else {
        return;
    };

    let mut watch = Watch::new(name, means);
    let mut last: Option<Instant> = None;
    loop {
        let next = next_check(last, &group);
        tokio::select! {
            // In this order, so that a check that is due now sees the failed actions and the new settings.
            biased;
            failed = ended(&mut watch.acting) => watch.acted(failed, &group),
            changed = reload.changed() => match watch.reload(changed, &group).await {
                Some(new) => group = new,
                None => return,
            },
            () = tokio::time::sleep_until(next.into()) => {
                last = Some(Instant::now());
                watch.check(&group).await;
            }
        }
    }
}

fn log_change(name: &str, up: bool, summary: &str) {
    if up {
        log::info!(kind = "group", service = name; "{name} is now up: {summary}");
    } else {
        log::warn!(
            kind = "group", service = name, text = summary;
            "{name} is now DOWN: {summary}"
        );
    }
}

/// When to check next: at once for the first time, then `every` so often from one beginning to the next.
fn next_check(last: Option<Instant>, group: &Group) -> Instant {
    let (Some(last), Some(every)) = (last, group.every) else {
        return Instant::now();
    };

    // If a check took longer than `every`, the next begins at once; missed ones are not made up for.
    last.checked_add(every).unwrap_or_else(Instant::now)
}

/// Waits for the running actions; for ever when there are none.
async fn ended(acting: &mut Option<JoinHandle<Vec<Argv>>>) -> Option<Vec<Argv>> {
    let Some(task) = acting else {
        return std::future::pending().await;
    };

    // Other events may cancel this wait, so the task is removed only when it has ended.
    let failed = task.await.ok();
    *acting = None;
    failed
}

/// One group under watch.
pub struct Watch {
    name: String,
    means: Arc<Means>,
    judge: Judge,
    /// The state that `pending` belongs to.
    acted_for: Option<bool>,
    /// Actions that are still to be run, or to be run again.
    pending: Vec<Argv>,
    acting: Option<JoinHandle<Vec<Argv>>>,
    /// The downtime of an earlier failure is certainly gone.
    released: bool,
}

impl Watch {
    /// A watch that knows nothing yet.
    #[must_use]
    pub fn new(name: String, means: Arc<Means>) -> Self {
        let judge = Judge::default();
        Self {
            name,
            means,
            judge,
            acted_for: None,
            pending: Vec::new(),
            acting: None,
            released: false,
        }
    }

    /// Checks the group once, judges, and starts what is to be done. Gives whether the group passed.
    pub async fn check(&mut self, group: &Group) -> bool {
        let context = (self.means.context)();
        let result = group::run(&self.name, group, &*self.means.runner, &context).await;
        let passes = result.passes();
        // The downtime comes before the actions, so that what they restart gets no traffic.
        self.judge(passes, group, &result.told());
        self.hold_or_release(group, result.summary()).await;
        self.act(group);
        passes
    }

    fn judge(&mut self, passes: bool, group: &Group, told: &str) {
        match self.judge.note(passes, group.rise, group.fall) {
            Some(up) => self.changed(up, told),
            // A failure that does not change the state yet is a detail.
            None if !passes => log::debug!("{told}"),
            None => {}
        }
    }

    /// The state is another one.
    fn changed(&mut self, up: bool, told: &str) {
        self.means.states.is_now(&self.name, up);
        // There may be a downtime to lift again.
        self.released = false;
        log_change(&self.name, up, told);
    }

    /// Waits until no action runs.
    pub async fn settled(&mut self, group: &Group) {
        if self.acting.is_some() {
            let failed = ended(&mut self.acting).await;
            self.acted(failed, group);
        }
    }

    /// Starts the actions that the state asks for, unless some are running.
    fn act(&mut self, group: &Group) {
        let Some(up) = self.judge.up else {
            return;
        };

        // The actions of the state before run to their end; `acted` then calls this again.
        if self.acting.is_some() {
            return;
        }

        self.renew_pending(up, group);
        if !self.pending.is_empty() {
            let actions = self.take_actions(up, group);
            self.acting = Some(tokio::spawn(actions.run()));
        }
    }

    /// A state that is new asks for all its actions; else those are left that failed.
    fn renew_pending(&mut self, up: bool, group: &Group) {
        if self.acted_for != Some(up) || group.repeat {
            let commands = if up { &group.on_up } else { &group.on_down };
            self.pending.clone_from(commands);
            self.acted_for = Some(up);
        }
    }

    fn take_actions(&mut self, up: bool, group: &Group) -> Actions {
        Actions {
            name: self.name.clone(),
            up,
            commands: std::mem::take(&mut self.pending),
            limit: group.action_timeout,
            states: Arc::clone(&self.means.states),
            context: (self.means.context)(),
        }
    }

    /// The actions ended; `None` where their task broke off. What failed is tried again at the next check.
    fn acted(&mut self, failed: Option<Vec<Argv>>, group: &Group) {
        match failed {
            Some(failed) => self.pending = failed,
            // It is not known which of them succeeded, so all run again.
            None => self.acted_for = None,
        }

        // The state changed while they ran. With `repeat` the next check starts the actions anyway.
        if self.judge.up != self.acted_for && !group.repeat {
            self.act(group);
        }
    }

    /// Takes up the configuration in force; `None` when the group is not watched by it, or the daemon ends.
    async fn reload(&mut self, changed: Result<(), RecvError>, old: &Group) -> Option<Group> {
        changed.ok()?;
        let new = self.current_group(old).await?;
        if new != *old {
            self.reconfigured(old, &new).await;
        }

        Some(new)
    }

    async fn current_group(&mut self, old: &Group) -> Option<Group> {
        let current = self.means.group(&self.name);
        if current.is_some() {
            return current;
        }

        self.leave(old).await;
        // It may have come back meanwhile, and nobody would start another watch beside this one.
        self.means.group(&self.name)
    }

    async fn reconfigured(&mut self, old: &Group, new: &Group) {
        log::info!("group {}: its configuration has changed", self.name);
        if old.down_spool != new.down_spool {
            // Under the old name: nobody else would ever lift that downtime.
            self.release(old).await;
            self.released = false;
        }

        if !self.pending.is_empty() {
            // What is to be tried again may be another command now.
            self.acted_for = None;
        }
    }

    /// The group is watched no more.
    async fn leave(&mut self, group: &Group) {
        log::info!("group {} is not watched any more", self.name);
        self.release(group).await;
    }

    async fn hold_or_release(&mut self, group: &Group, summary: String) {
        match self.judge.up {
            // At every check: an operator may have lifted the downtime while the group is still down.
            Some(false) => self.hold(group, summary).await,
            // Also at the first check: a daemon that ended while the group was down left its downtime behind.
            Some(true) if !self.released => self.release(group).await,
            Some(true) | None => {}
        }
    }

    fn downtime(&self, group: &Group) -> Option<WatchDowntime> {
        let spool = self.means.spool.as_ref()?;
        WatchDowntime::of(&self.name, group, spool)
    }

    async fn hold(&mut self, group: &Group, reason: String) {
        if let Some(downtime) = self.downtime(group) {
            downtime.hold(reason).await;
        }
    }

    async fn release(&mut self, group: &Group) {
        if let Some(downtime) = self.downtime(group) {
            self.released = downtime.release().await;
        }
    }
}
