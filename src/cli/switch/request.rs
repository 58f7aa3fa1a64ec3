//! From the words of a command line to a [`SwitchRequest`].
//!
//! Rule: a [`SwitchRequest`] that exists is right in every part. All names are parsed before
//! anything is changed.

use super::Task;
use super::fleet::refuse_fleet_options;
use super::options::SwitchArgs;
use crate::cli::args::times;
use crate::cli::args::values::{self, not_a_service, number};
use crate::cli::client::{self, ANSWER_TIME, DaemonClient, DaemonError};
use crate::cli::failure::{Failure, failed, usage};
use crate::cli::fleet::request::FleetFile;
use crate::cli::output::entries::OutputFormat;
use crate::cli::output::table;
use crate::cli::wait::Waiter;
use crate::cli::wait::acted::Goal;
use crate::cli::wait::limits::{LimitWords, WaitLimits};
use crate::ledger::PollersPage;
use crate::spool::{Downtime, Key, Mark, ServiceName, Spool, SpoolError, unix_now};

/// A service or instance to act on.
#[derive(Debug, PartialEq)]
pub(super) struct Subject {
    /// Its entry in the spool.
    pub(super) key: Key,
    /// The host as it was given with `-H`, which the key leaves out when it is 127.0.0.1.
    pub(super) host: Option<String>,
    /// The port was given in one word with the service, as in `web:80`.
    pub(super) names_port: bool,
}

/// A command line that makes sense.
#[derive(Debug)]
pub(super) struct SwitchRequest {
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

impl SwitchRequest {
    /// The spool entries to act on.
    pub(super) fn keys(&self) -> Vec<Key> {
        let keys = self.subjects.iter().map(|subject| subject.key.clone());
        keys.collect()
    }

    /// What waits for the balancers, and for Ctrl-C, from here on.
    pub(super) fn waiter(&self, program: &str) -> Result<Waiter, Failure> {
        Waiter::new(
            program,
            self.client,
            self.spool.clone(),
            self.keys(),
            self.limits,
        )
    }

    /// The downtime in force of an entry: this host's own, else the one that the fleet has ordered.
    pub(super) fn read_either(&self, key: &Key) -> Result<Option<Downtime>, SpoolError> {
        let own = self.spool.read(key)?;
        match (own, &self.fleet_spool) {
            (None, Some(fleet)) => fleet.read(key),
            (own, _) => Ok(own),
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
pub(super) fn read(args: SwitchArgs, task: Task) -> Result<SwitchRequest, Failure> {
    refuse_misplaced(&args, task)?;
    refuse_fleet_options(&args)?;
    let port = values::daemon_port(args.port.as_deref())?;
    Ok(SwitchRequest {
        expiration: expiration(&args)?,
        until_time: args.until.clone().filter(|until| !until.contains('-')),
        subjects: subjects(&args, task)?,
        client: DaemonClient { port },
        format: format(&args, task)?,
        wait: goal(&args, task)?,
        limits: limits(&args)?,
        when_healthy: when_healthy(&args)?,
        mark: mark(&args)?,
        if_up: args.if_up,
        pollers: args.pollers,
        override_fleet: override_fleet(&args)?,
        fleet_file: FleetFile::of(args.fleet_file.as_deref()),
        fleet_spool: None,
        spool: values::spool(args.spool_root),
        reason: args.reason.filter(|reason| !reason.is_empty()),
    })
}

fn format(args: &SwitchArgs, task: Task) -> Result<OutputFormat, Failure> {
    match &args.output {
        Some(text) => OutputFormat::parse(text),
        None if task.has_table() && table::is_for_people() => Ok(OutputFormat::Table),
        None => Ok(OutputFormat::Tsv),
    }
}

/// Why the fleet is overridden, where it is.
fn override_fleet(args: &SwitchArgs) -> Result<Option<String>, Failure> {
    let reason = args.reason.clone().filter(|reason| !reason.is_empty());
    match (args.override_fleet, reason) {
        (false, _) => Ok(None),
        (true, Some(reason)) => Ok(Some(reason)),
        (true, None) => Err(usage!(
            "--override-fleet: say why, with -r; everybody who looks at the fleet sees it"
        )),
    }
}

fn when_healthy(args: &SwitchArgs) -> Result<Option<u32>, Failure> {
    match &args.when_healthy {
        Some(text) => number("--when-healthy", text).map(Some),
        None => Ok(None),
    }
}

/// Options that only some of the tasks take are errors for the others.
pub(super) fn refuse_misplaced(args: &SwitchArgs, task: Task) -> Result<(), Failure> {
    match misplaced(args, task) {
        Some(text) => Err(Failure::usage(text)),
        None => Ok(()),
    }
}

fn misplaced(args: &SwitchArgs, task: Task) -> Option<&'static str> {
    let changes = matches!(task, Task::Up | Task::Down);
    if args.output.is_some() && changes && !args.fleet {
        return Some("-o: only hastatus, hashowdowned and halist have an output to format");
    }

    if args.wait.is_some() && !changes {
        return Some("--wait: only hadown and haup change what is waited for");
    }

    if args.when_healthy.is_some() && task != Task::Up {
        return Some("--when-healthy: only haup waits for health");
    }

    if args.pollers && task != Task::List {
        return Some("--pollers: only halist lists them");
    }

    if args.override_fleet && task != Task::Up {
        return Some("--override-fleet: only haup takes it");
    }

    if task != Task::Down {
        return only_for_down(args);
    }

    None
}

fn only_for_down(args: &SwitchArgs) -> Option<&'static str> {
    if args.lasts.is_some() || args.until.is_some() {
        return Some("--for and --until say when a downtime ends: only hadown takes them");
    }

    if args.soft || args.drain || args.agent_only || args.if_up {
        return Some("--soft, --drain, --agent-only and --if-up: only hadown takes them");
    }

    None
}

/// What to wait for.
pub(super) fn goal(args: &SwitchArgs, task: Task) -> Result<Option<Goal>, Failure> {
    let Some(wait) = &args.wait else {
        return Ok(None);
    };

    refuse_value_as_service(&args.services)?;
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
fn refuse_value_as_service(services: &[String]) -> Result<(), Failure> {
    for word in services {
        if word == "drained" || word == "seen" {
            return Err(usage!(
                "{word:?} is not a service here; write --wait={word}"
            ));
        }
    }

    Ok(())
}

fn limits(args: &SwitchArgs) -> Result<WaitLimits, Failure> {
    WaitLimits::parse(&LimitWords {
        timeout: args.timeout.as_deref(),
        polls: args.polls.as_deref(),
        min_pollers: args.min_pollers.as_deref(),
        drain_timeout: args.drain_timeout.as_deref(),
        grace: args.grace.as_deref(),
        force: args.force,
    })
}

pub(super) fn mark(args: &SwitchArgs) -> Result<Option<Mark>, Failure> {
    match (args.soft, args.drain, args.agent_only) {
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
pub(super) fn expiration(args: &SwitchArgs) -> Result<Option<f64>, Failure> {
    let (option, end) = match (&args.expiration, &args.lasts, &args.until) {
        (None, None, None) => return Ok(None),
        (Some(unix), None, None) => ("-e", times::parse_unix(unix)),
        (None, Some(lasts), None) => ("--for", times::parse_for(lasts, unix_now())),
        (None, None, Some(until)) => ("--until", times::parse_until(until)),
        _ => return Err(usage!("give at most one of -e, --for and --until")),
    };

    match end {
        Ok(end) => Ok(Some(end)),
        Err(e) => Err(usage!("{option}: {e}")),
    }
}

pub(super) fn subjects(args: &SwitchArgs, task: Task) -> Result<Vec<Subject>, Failure> {
    let port = service_port(args)?;
    let host = args.service_host.as_deref().filter(|host| !host.is_empty());
    if !names_services(args, task)? {
        return Ok(Vec::new());
    }

    // 0 is no port to Yelp's hacheck either.
    if host.is_some() && matches!(port, None | Some(0)) {
        return Err(usage!("-H needs the service's port too: give it with -P"));
    }

    let mut subjects = Vec::new();
    for word in &args.services {
        subjects.push(subject(word, host, port)?);
    }

    Ok(subjects)
}

fn service_port(args: &SwitchArgs) -> Result<Option<u16>, Failure> {
    match &args.service_port {
        Some(text) => values::port("-P", text).map(Some),
        None => Ok(None),
    }
}

/// Whether services are named, as they have to be for some tasks, and cannot be for others.
fn names_services(args: &SwitchArgs, task: Task) -> Result<bool, Failure> {
    match args.services.first() {
        Some(stray) if !task.takes_services() && !args.pollers => Err(usage!(
            "this lists all services, so {stray:?} has no place here; leave it out"
        )),
        Some(_) => Ok(true),
        None if task.takes_services() => Err(no_service(args)),
        None => Ok(false),
    }
}

fn no_service(args: &SwitchArgs) -> Failure {
    let taken = match &args.reason {
        // `hadown -r web`: what was meant for the service.
        Some(reason) => format!("; {reason:?} was taken as the reason, which follows -r"),
        None => String::new(),
    };
    usage!("name at least one service, or 'all'{taken}")
}

/// A service, with the port and the host that stand in options of their own.
fn subject(word: &str, host: Option<&str>, port: Option<u16>) -> Result<Subject, Failure> {
    let key = match port {
        Some(port) => instance(word, host, port)?,
        None => values::service(word)?,
    };

    let host = host.or(key.host()).map(str::to_owned);
    Ok(Subject {
        names_port: port.is_none() && key.port().is_some(),
        key,
        host,
    })
}

fn instance(word: &str, host: Option<&str>, port: u16) -> Result<Key, Failure> {
    if word.contains(':') {
        return Err(usage!(
            "service {word:?} names its port already: leave out -P and -H"
        ));
    }

    let service = ServiceName::parse(word).map_err(|e| not_a_service(word, &e))?;
    Key::instance(service, host, port).map_err(|e| not_a_service(word, &e))
}
