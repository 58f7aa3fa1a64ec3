//! From the words of a command line to a [`SwitchRequest`].
//!
//! Rule: a [`SwitchRequest`] that exists is right in every part. All names are parsed before
//! anything is changed.

use super::Task;
use super::options::SwitchArgs;
use super::subjects::Subject;
use crate::cli::applet::Call;
use crate::cli::args::values;
use crate::cli::client::{self, ANSWER_TIME, DaemonClient, DaemonError};
use crate::cli::failure::{Failure, failed};
use crate::cli::fleet::request::FleetFile;
use crate::cli::output::entries::OutputFormat;
use crate::cli::wait::Waiter;
use crate::cli::wait::acted::Goal;
use crate::cli::wait::limits::WaitLimits;
use crate::ledger::PollersPage;
use crate::spool::{Downtime, Key, Mark, Spool, SpoolError};

/// A command line that makes sense.
pub(super) struct SwitchRequest<'a> {
    /// In whose name notes are written.
    pub(super) call: &'a Call,
    pub(super) spool: Spool,
    pub(super) reason: Option<String>,
    /// When a new downtime ends, in seconds of unix time.
    pub(super) expiration: Option<f64>,
    /// What `--until` said, where it named no day.
    pub(super) until_time: Option<String>,
    pub(super) subjects: Vec<Subject>,
    pub(super) client: DaemonClient,
    pub(super) format: OutputFormat,
    /// What to wait for after the change.
    pub(super) wait: Option<Goal>,
    pub(super) limits: WaitLimits,
    /// `haup`: passed checks in a row that come first.
    pub(super) when_healthy: Option<u32>,
    /// `hadown`: how a downtime is to be told, other than as usual.
    pub(super) mark: Option<Mark>,
    /// `hadown`: only where nothing is down.
    pub(super) if_up: bool,
    /// `halist`: the pollers instead of the services.
    pub(super) pollers: bool,
    /// `haup`: even if the fleet has ordered it down, for this reason.
    pub(super) override_fleet: Option<String>,
    pub(super) fleet_file: FleetFile,
    /// What the fleet has ordered here; `None` where this host is in no fleet, or the task does not look at it.
    pub(super) fleet_spool: Option<Spool>,
}

impl SwitchRequest<'_> {
    /// Tells the user something that is no fault.
    pub(super) fn note(&self, text: &str) {
        self.call.note(text);
    }

    pub(super) fn note_all(&self, texts: &[String]) {
        self.call.note_all(texts);
    }

    /// The spool entries to act on.
    pub(super) fn keys(&self) -> Vec<Key> {
        let keys = self.subjects.iter().map(|subject| subject.key.clone());
        keys.collect()
    }

    /// What waits for the balancers, and for Ctrl-C, from here on.
    pub(super) fn waiter(&self) -> Result<Waiter, Failure> {
        let program = &self.call.program;
        let spool = self.spool.clone();
        Waiter::new(program, self.client, spool, self.keys(), self.limits)
    }

    /// The downtime in force of an entry: this host's own, else the one that the fleet has ordered.
    pub(super) fn read_either(&self, key: &Key) -> Result<Option<Downtime>, SpoolError> {
        let own = self.spool.read(key)?;
        match &self.fleet_spool {
            Some(fleet) if own.is_none() => fleet.read(key),
            _ => Ok(own),
        }
    }

    /// The names of the spool entries to act on.
    pub(super) fn names(&self) -> Vec<String> {
        client::names(&self.keys())
    }

    /// What the daemon says of all pollers right before a change; the inner error is a daemon that
    /// does not answer.
    ///
    /// # Errors
    /// When the daemon uses another spool: nobody would act on a change here.
    pub(super) fn pollers_before_change(
        &self,
    ) -> Result<Result<PollersPage, DaemonError>, Failure> {
        let answer = self.client.everybody(&self.names(), ANSWER_TIME);
        if let Ok(page) = &answer
            && let Err(e) = self.client.check_spool(page, &self.spool)
        {
            return Err(failed!("{e}; nothing was changed"));
        }

        Ok(answer)
    }
}

/// Reads the options for one task.
pub(super) fn read(
    call: &Call,
    args: SwitchArgs,
    task: Task,
) -> Result<SwitchRequest<'_>, Failure> {
    args.refuse_misplaced(task)?;
    args.refuse_fleet_options()?;
    let port = values::daemon_port(args.port.as_deref())?;
    // In this order: of several faults the first one is told.
    Ok(SwitchRequest {
        call,
        expiration: args.expiration()?,
        until_time: args.until_time(),
        subjects: args.subjects(task)?,
        client: DaemonClient { port },
        format: args.format(task)?,
        wait: args.goal(task)?,
        limits: args.limits()?,
        when_healthy: args.when_healthy()?,
        mark: args.mark()?,
        if_up: args.if_up,
        pollers: args.pollers,
        override_fleet: args.override_fleet()?,
        fleet_file: FleetFile::of(args.fleet_file.as_deref()),
        fleet_spool: None,
        reason: args.reason(),
        spool: values::spool(args.spool_root),
    })
}
