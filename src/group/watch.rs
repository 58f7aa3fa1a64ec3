//! A watch: asks a group unasked, and acts when its state changes.
//!
//! Rules: a state changes after so many equal results in a row (`rise`, `fall`); the first state counts as a change. Actions
//! run one at a time, never make a check wait, and are tried again at the next check while they fail. A downtime
//! that a watch wrote is lifted by it alone, and it lifts no other.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::actions::Actions;
use crate::group::{self, CheckContext, CheckRunner, Group, GroupStates};
use crate::os::process::Argv;
use crate::spool::{Key, Spool};

/// From results to states.
#[derive(Debug, Default)]
struct Judge {
    up: Option<bool>,
    last: Option<bool>,
    row: u32,
}

impl Judge {
    /// Takes a result; gives the new state if this changed it.
    fn note(&mut self, passes: bool, rise: u32, fall: u32) -> Option<bool> {
        self.row = if self.last == Some(passes) {
            self.row.saturating_add(1)
        } else {
            1
        };
        self.last = Some(passes);
        let needed = if passes { rise } else { fall };
        if self.up == Some(passes) || self.row < needed {
            return None;
        }
        self.up = Some(passes);
        self.up
    }
}

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
        (self.context)()
            .groups
            .get(name)
            .filter(|g| g.every.is_some())
            .cloned()
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
        let next = last
            .zip(group.every)
            .and_then(|(last, every)| last.checked_add(every))
            .unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            failed = ended(&mut watch.acting) => watch.acted(failed, &group),
            changed = reload.changed() => {
                if changed.is_err() {
                    return;
                }
                let mut current = watch.means.group(&watch.name);
                if current.is_none() {
                    watch.leave(&group).await;
                    // It may have come back meanwhile, and nobody would start another watch beside this one.
                    current = watch.means.group(&watch.name);
                }
                let Some(new) = current else { return };
                if new != group {
                    watch.reconfigured(&group, &new).await;
                    group = new;
                }
            }
            () = tokio::time::sleep_until(next.into()) => {
                last = Some(Instant::now());
                watch.check(&group).await;
            }
        }
    }
}

/// Waits for the running actions; for ever when there are none.
async fn ended(acting: &mut Option<JoinHandle<Vec<Argv>>>) -> Option<Vec<Argv>> {
    let Some(task) = acting else {
        return std::future::pending().await;
    };
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
        let summary = result.summary();
        let passes = result.passes();
        if let Some(up) = self.judge.note(passes, group.rise, group.fall) {
            self.means.states.is_now(&self.name, up);
            let level = if up {
                log::Level::Info
            } else {
                log::Level::Warn
            };
            log::log!(
                level,
                kind = "group",
                service = self.name.as_str(),
                text = (!up).then_some(summary.as_str());
                "{} is now {}: {summary}",
                self.name,
                if up { "up" } else { "DOWN" }
            );
            self.released = false;
        } else if !passes {
            log::debug!("{summary}");
        }
        self.hold_or_release(group, summary).await;
        self.act(group);
        passes
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
        let Some(up) = self.judge.up.filter(|_| self.acting.is_none()) else {
            return;
        };
        if self.acted_for != Some(up) || group.repeat {
            self.pending = if up {
                group.on_up.clone()
            } else {
                group.on_down.clone()
            };
            self.acted_for = Some(up);
        }
        if self.pending.is_empty() {
            return;
        }
        let actions = Actions {
            name: self.name.clone(),
            up,
            commands: std::mem::take(&mut self.pending),
            limit: group.action_timeout,
            states: Arc::clone(&self.means.states),
            context: (self.means.context)(),
        };
        self.acting = Some(tokio::spawn(actions.run()));
    }

    /// The actions ended; `None` where their task broke off. What failed is tried again at the next check.
    fn acted(&mut self, failed: Option<Vec<Argv>>, group: &Group) {
        match failed {
            Some(failed) => self.pending = failed,
            None => self.acted_for = None,
        }
        if self.judge.up != self.acted_for && !group.repeat {
            self.act(group);
        }
    }

    async fn reconfigured(&mut self, old: &Group, new: &Group) {
        log::info!("group {}: its configuration has changed", self.name);
        if old.down_spool != new.down_spool {
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
            Some(false) => self.hold(group, summary).await,
            Some(true) if !self.released => self.release(group).await,
            _ => {}
        }
    }

    /// The reason of this watch's downtimes begins so.
    fn owner(&self) -> String {
        format!("group {}: ", self.name)
    }

    fn entry(&self, group: &Group) -> Option<(Spool, Key)> {
        let key = Key::parse(group.down_spool.as_ref()?).ok()?;
        Some((self.means.spool.clone()?, key))
    }

    async fn hold(&mut self, group: &Group, reason: String) {
        let Some((spool, key)) = self.entry(group) else {
            return;
        };
        let (owner, shown) = (self.owner(), key.file_name());
        let written = tokio::task::spawn_blocking(move || spool.hold(&key, &owner, reason)).await;
        match written {
            Ok(Ok(true)) => log::info!("group {}: {shown} is down in the spool now", self.name),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(e)) => log::error!("group {}: {e}", self.name),
        }
    }

    async fn release(&mut self, group: &Group) {
        let Some((spool, key)) = self.entry(group) else {
            return;
        };
        let (owner, shown) = (self.owner(), key.file_name());
        let lifted = tokio::task::spawn_blocking(move || spool.release(&key, &owner)).await;
        self.released = matches!(lifted, Ok(Ok(_)));
        match lifted {
            Ok(Ok(true)) => log::info!(
                "group {}: {shown} is no longer down in the spool",
                self.name
            ),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(e)) => log::error!("group {}: {e}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_changes_after_results_in_a_row() {
        let mut judge = Judge::default();
        let mut notes = |results: &str, rise, fall| -> String {
            let note = |c| match judge.note(c == '+', rise, fall) {
                Some(true) => 'U',
                Some(false) => 'D',
                None => '.',
            };
            results.chars().map(note).collect()
        };
        assert_eq!(notes("++-+--", 2, 3), ".U....");
        assert_eq!(notes("-++-+-++", 2, 3), "D.U.....");
        assert_eq!(notes("-+-+", 1, 1), "DUDU");
    }
}
