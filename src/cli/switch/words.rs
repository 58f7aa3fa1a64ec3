//! What the values of the options mean.

use std::time::Duration;

use super::Task;
use super::options::SwitchArgs;
use crate::cli::args::times::{self, TimeError};
use crate::cli::args::values::{given, number};
use crate::cli::failure::{Failure, usage};
use crate::cli::output::entries::OutputFormat;
use crate::cli::output::table;
use crate::cli::wait::acted::Goal;
use crate::cli::wait::limits::{LimitWords, WaitLimits, positive};
use crate::spool::{Mark, unix_now};

impl SwitchArgs {
    /// An empty reason is none, as for an unset variable in a script.
    pub(super) fn reason(&self) -> Option<String> {
        let reason = self.reason.clone();
        reason.filter(|reason| !reason.is_empty())
    }

    /// What `--until` said, where it named no day.
    pub(super) fn until_time(&self) -> Option<String> {
        let until = self.until.clone();
        // Each form of a day has this sign, and no time of day has.
        until.filter(|until| !until.contains('-'))
    }

    pub(super) fn format(&self, task: Task) -> Result<OutputFormat, Failure> {
        match &self.output {
            Some(text) => OutputFormat::parse(text),
            None if task.has_table() && table::is_for_people() => Ok(OutputFormat::Table),
            None => Ok(OutputFormat::Tsv),
        }
    }

    /// Why the fleet is overridden, where it is.
    pub(super) fn override_fleet(&self) -> Result<Option<String>, Failure> {
        if !self.override_fleet {
            return Ok(None);
        }

        match self.reason() {
            Some(reason) => Ok(Some(reason)),
            None => Err(usage!(
                "--override-fleet: say why, with -r; everybody who looks at the fleet sees it"
            )),
        }
    }

    pub(super) fn when_healthy(&self) -> Result<Option<u32>, Failure> {
        given("--when-healthy", self.when_healthy.as_deref(), number)
    }

    /// What to wait for.
    pub(super) fn goal(&self, task: Task) -> Result<Option<Goal>, Failure> {
        let Some(wait) = &self.wait else {
            return Ok(None);
        };

        // First: 'hadown --wait drained' is a downtime of 'drained' otherwise, and waits for the wrong thing.
        self.refuse_value_as_service()?;
        match (task, wait.as_str()) {
            (Task::Down, "seen") => Ok(Some(Goal::Out)),
            (Task::Down, "drained") => Ok(Some(Goal::Drained)),
            (Task::Up, "seen") => Ok(Some(Goal::Up)),
            _ => Err(usage!(
                "--wait={wait}: hadown waits for 'seen' or 'drained', haup for 'seen'"
            )),
        }
    }

    /// `--wait drained` names a service, where the option's value was meant.
    fn refuse_value_as_service(&self) -> Result<(), Failure> {
        for word in &self.services {
            if word == "drained" || word == "seen" {
                return Err(usage!(
                    "{word:?} is not a service here; write --wait={word}"
                ));
            }
        }

        Ok(())
    }

    pub(super) fn limits(&self) -> Result<WaitLimits, Failure> {
        WaitLimits::parse(&LimitWords {
            timeout: self.timeout.as_deref(),
            polls: self.polls.as_deref(),
            min_pollers: self.min_pollers.as_deref(),
            drain_timeout: self.drain_timeout.as_deref(),
            grace: self.grace.as_deref(),
            force: self.force,
        })
    }

    pub(super) fn timeout(&self) -> Result<Option<Duration>, Failure> {
        given("--timeout", self.timeout.as_deref(), positive)
    }

    pub(super) fn mark(&self) -> Result<Option<Mark>, Failure> {
        match (self.soft, self.drain, self.agent_only) {
            (false, false, false) => Ok(None),
            (true, false, false) => Ok(Some(Mark::Soft)),
            (false, true, false) => Ok(Some(Mark::Drain)),
            (false, false, true) => Ok(Some(Mark::AgentOnly)),
            (true, true, false) => Err(usage!("give either --soft or --drain")),
            _ => Err(usage!(
                "give one of --soft, --drain and --agent-only, not several"
            )),
        }
    }

    /// When a new downtime ends.
    pub(super) fn expiration(&self) -> Result<Option<f64>, Failure> {
        match (&self.expiration, &self.lasts, &self.until) {
            (None, None, None) => Ok(None),
            (Some(unix), None, None) => end("-e", times::parse_unix(unix)),
            (None, Some(lasts), None) => end("--for", times::parse_for(lasts, unix_now())),
            (None, None, Some(until)) => end("--until", times::parse_until(until)),
            _ => Err(usage!("give at most one of -e, --for and --until")),
        }
    }
}

/// The end that an option says.
fn end(option: &str, end: Result<f64, TimeError>) -> Result<Option<f64>, Failure> {
    match end {
        Ok(end) => Ok(Some(end)),
        Err(e) => Err(usage!("{option}: {e}")),
    }
}
