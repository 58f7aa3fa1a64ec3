//! The hosts of a roll that are under way, and how the others ended.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::begin::{HostResult, RollPlan, holds_slot};
use super::host::HostCommand;
use super::lines::RollLines;
use super::outcome::{PartEnd, Seen, outcome};
use super::via;
use crate::fleet::Snapshot;
use crate::fleet::rolling::{HostStanding, RollHost, count};
use crate::os::process::Argv;

/// A host that has begun.
pub(super) struct HostTask {
    pub(super) host: String,
    pub(super) began: Instant,
    /// The command on this side; none once it has ended, or where another haroll began it.
    command: Option<HostCommand>,
    ended: Option<ExitStatus>,
    /// The engine's revision before it began: older results are of an earlier try.
    revision: i64,
    /// Since when it gives no sign of life.
    silent: Option<Instant>,
}

/// How a host ended.
pub(super) struct HostEnd {
    pub(super) took: Duration,
    pub(super) code: Option<u8>,
    /// What failed.
    pub(super) why: String,
}

/// All hosts of a roll.
pub(super) struct RollTasks {
    pub(super) hosts: Vec<RollHost>,
    pub(super) under_way: Vec<HostTask>,
    pub(super) ends: BTreeMap<String, HostEnd>,
}

impl RollTasks {
    /// Those that are under way are so by themselves.
    pub(super) fn new(hosts: Vec<RollHost>) -> Self {
        let left = hosts.iter();
        let left = left.filter(|host| host.standing == HostStanding::UnderWay);
        let under_way = left.map(|host| HostTask::new(&host.name, 0)).collect();
        Self {
            hosts,
            under_way,
            ends: BTreeMap::new(),
        }
    }

    pub(super) fn names_under_way(&self) -> Vec<String> {
        let tasks = self.under_way.iter();
        tasks.map(|task| task.host.clone()).collect()
    }

    /// Whether a command on this side still runs.
    pub(super) fn has_commands(&self) -> bool {
        self.under_way.iter().any(|task| task.command.is_some())
    }

    pub(super) fn count(&self, standing: HostStanding) -> usize {
        count(&self.hosts, standing)
    }

    /// Begins a host; whether it has begun.
    pub(super) fn begin(
        &mut self,
        at: usize,
        (plan, via): (&RollPlan, &Argv),
        snapshot: &Snapshot,
        lines: &Arc<RollLines>,
    ) -> bool {
        let host = self.hosts[at].name.clone();
        let mut task = HostTask::new(&host, snapshot.revision);
        let command = via::command(via, &host, &plan.record);
        match HostCommand::start(command, &host, lines) {
            Ok(command) => {
                task.command = Some(command);
                self.hosts[at].standing = HostStanding::UnderWay;
                self.under_way.push(task);
                true
            }
            Err(failure) => {
                self.end(&task, HostStanding::Failed, None, failure.message);
                false
            }
        }
    }

    /// Looks which commands on this side have ended; whether one has.
    pub(super) fn find_ends(&mut self) -> bool {
        let mut has_ended = false;
        for task in &mut self.under_way {
            let ended = task.command.as_mut().and_then(HostCommand::ended);
            if ended.is_some() {
                (task.ended, task.command) = (ended, None);
                has_ended = true;
            }
        }
        has_ended
    }

    /// Takes those from the ones under way that have ended by what the engine says; gives their names.
    pub(super) fn settle(
        &mut self,
        plan: &RollPlan,
        snapshot: &Snapshot,
        results: &BTreeMap<String, HostResult>,
    ) -> Vec<String> {
        let mut settled = Vec::new();
        for mut task in std::mem::take(&mut self.under_way) {
            task.listen(snapshot);
            // An old one is of a try that failed, and would fail this one at once.
            let result = task.own_result(results);
            let code = result.map(|known| known.result.code);
            match task.outcome(plan, snapshot, result) {
                PartEnd::UnderWay => {
                    self.under_way.push(task);
                    continue;
                }
                PartEnd::Done => self.end(&task, HostStanding::Done, code, String::new()),
                PartEnd::Failed(why) => self.end(&task, HostStanding::Failed, code, why),
            }
            settled.push(task.host);
        }
        settled
    }

    fn end(&mut self, task: &HostTask, standing: HostStanding, code: Option<u8>, why: String) {
        let mut hosts = self.hosts.iter_mut();
        if let Some(host) = hosts.find(|host| host.name == task.host) {
            host.standing = standing;
        }
        let took = task.began.elapsed();
        let end = HostEnd { took, code, why };
        self.ends.insert(task.host.clone(), end);
    }
}

impl HostTask {
    fn new(host: &str, revision: i64) -> Self {
        Self {
            host: host.to_owned(),
            began: Instant::now(),
            command: None,
            ended: None,
            revision,
            silent: None,
        }
    }

    fn listen(&mut self, snapshot: &Snapshot) {
        self.silent = match snapshot.alive.contains(&self.host) {
            true => None,
            false => self.silent.or(Some(Instant::now())),
        };
    }

    fn own_result<'a>(&self, results: &'a BTreeMap<String, HostResult>) -> Option<&'a HostResult> {
        let known = results.get(&self.host)?;
        (known.revision > self.revision).then_some(known)
    }

    fn outcome(
        &self,
        plan: &RollPlan,
        snapshot: &Snapshot,
        result: Option<&HostResult>,
    ) -> PartEnd {
        // The result comes a little before the last lines, and "done" in front of them would puzzle.
        if self.command.is_some() {
            return PartEnd::UnderWay;
        }
        outcome(&Seen {
            result: result.map(|known| &known.result),
            holds_slot: holds_slot(snapshot, plan, &self.host),
            silent: self.silent.map_or(Duration::ZERO, |since| since.elapsed()),
            ended: self.ended,
        })
    }
}
