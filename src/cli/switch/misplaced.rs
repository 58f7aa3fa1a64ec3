//! Options in places where they have no meaning: for another of the five, for the fleet, or for this host alone.
//!
//! Rule: an option that would do nothing is refused, so that nobody believes that it did something.

use super::Task;
use super::options::SwitchArgs;
use crate::cli::failure::{Failure, usage};

impl SwitchArgs {
    /// Options that only some of the tasks take are errors for the others.
    pub(super) fn refuse_misplaced(&self, task: Task) -> Result<(), Failure> {
        match self.misplaced(task) {
            Some(text) => Err(Failure::usage(text)),
            None => Ok(()),
        }
    }

    fn misplaced(&self, task: Task) -> Option<&'static str> {
        let changes = matches!(task, Task::Up | Task::Down);
        // With --fleet a change prints a row for each host, so there is something to format.
        if self.output.is_some() && changes && !self.fleet {
            return Some("-o: only hastatus, hashowdowned and halist have an output to format");
        }

        if self.wait.is_some() && !changes {
            return Some("--wait: only hadown and haup change what is waited for");
        }

        self.misplaced_of_one(task)
    }

    /// Options that one task alone takes.
    fn misplaced_of_one(&self, task: Task) -> Option<&'static str> {
        if self.when_healthy.is_some() && task != Task::Up {
            return Some("--when-healthy: only haup waits for health");
        }

        if self.pollers && task != Task::List {
            return Some("--pollers: only halist lists them");
        }

        if self.override_fleet && task != Task::Up {
            return Some("--override-fleet: only haup takes it");
        }

        match task {
            Task::Down => None,
            _ => self.only_for_down(),
        }
    }

    fn only_for_down(&self) -> Option<&'static str> {
        if self.lasts.is_some() || self.until.is_some() {
            return Some("--for and --until say when a downtime ends: only hadown takes them");
        }

        if self.soft || self.drain || self.agent_only || self.if_up {
            return Some("--soft, --drain, --agent-only and --if-up: only hadown takes them");
        }

        None
    }

    /// Options that the hosts of a fleet cannot follow. Where this host's spool and daemon are does no harm: an alias may
    /// say it.
    pub(super) fn refuse_local_options(&self, task: Task) -> Result<(), Failure> {
        if let Some(option) = self.local_option() {
            return Err(usage!(
                "{option} is for this host alone, so it has no meaning with --fleet"
            ));
        }

        if task == Task::List && !self.pollers {
            return Err(usage!("--fleet: halist takes it with --pollers"));
        }

        Ok(())
    }

    fn local_option(&self) -> Option<&'static str> {
        given(&[
            ("--polls", self.polls.is_some()),
            ("--min-pollers", self.min_pollers.is_some()),
            ("--drain-timeout", self.drain_timeout.is_some()),
            ("--grace", self.grace.is_some()),
            ("--when-healthy", self.when_healthy.is_some()),
            ("--agent-only", self.agent_only),
            ("--override-fleet", self.override_fleet),
        ])
    }

    /// Refuses what only the fleet has, where it is not asked.
    pub(super) fn refuse_fleet_options(&self) -> Result<(), Failure> {
        let fleet_options = [
            ("--where", !self.conditions.is_empty()),
            ("--hosts", !self.hosts.is_empty()),
        ];
        match given(&fleet_options) {
            None => Ok(()),
            Some(option) => Err(usage!(
                "{option} chooses hosts of the fleet: give it with --fleet"
            )),
        }
    }
}

/// The first of these options that was given.
fn given(options: &[(&'static str, bool)]) -> Option<&'static str> {
    for (option, is_given) in options {
        if *is_given {
            return Some(option);
        }
    }

    None
}
