//! The five with `--fleet`: from their options to a request for the commands of the fleet.

use std::time::Duration;

use super::Task;
use super::options::SwitchArgs;
use super::request;
use crate::cli::applet::Call;
use crate::cli::failure::{Failure, usage};
use crate::cli::fleet;
use crate::cli::fleet::request::{FleetFile, FleetRequest, selector};
use crate::cli::output::entries::OutputFormat;
use crate::cli::wait::limits;

/// Runs one of them for the fleet.
pub(super) fn run(call: &Call, args: &SwitchArgs, task: Task) -> Result<u8, Failure> {
    refuse_local_options(args, task)?;
    let request = read(args, task)?;
    match task {
        Task::Down => fleet::down(call, request),
        Task::Up => fleet::up(call, &request),
        Task::Status => fleet::status(call, &request),
        Task::Downed => fleet::downed(call, &request),
        Task::List => fleet::pollers(call, &request),
    }
}

fn read(args: &SwitchArgs, task: Task) -> Result<FleetRequest, Failure> {
    let subjects = request::subjects(args, task)?;
    Ok(FleetRequest {
        file: FleetFile::of(args.fleet_file.as_deref()),
        selector: selector(&args.conditions, &args.hosts)?,
        keys: subjects.into_iter().map(|subject| subject.key).collect(),
        reason: args.reason.clone().filter(|reason| !reason.is_empty()),
        expiration: request::expiration(args)?,
        mark: request::mark(args)?,
        if_up: args.if_up,
        force: args.force,
        wait: request::goal(args, task)?,
        timeout: timeout(args)?,
        format: match &args.output {
            Some(text) => OutputFormat::parse(text)?,
            None => OutputFormat::Table,
        },
    })
}

fn timeout(args: &SwitchArgs) -> Result<Option<Duration>, Failure> {
    match &args.timeout {
        Some(text) => limits::positive("--timeout", text).map(Some),
        None => Ok(None),
    }
}

/// Options that the hosts of a fleet cannot follow. Where this host's spool and daemon are does no harm: an alias may say it.
fn refuse_local_options(args: &SwitchArgs, task: Task) -> Result<(), Failure> {
    request::refuse_misplaced(args, task)?;
    let given = [
        ("--polls", args.polls.is_some()),
        ("--min-pollers", args.min_pollers.is_some()),
        ("--drain-timeout", args.drain_timeout.is_some()),
        ("--grace", args.grace.is_some()),
        ("--when-healthy", args.when_healthy.is_some()),
        ("--agent-only", args.agent_only),
        ("--override-fleet", args.override_fleet),
    ];
    for (option, is_given) in given {
        if is_given {
            return Err(usage!(
                "{option} is for this host alone, so it has no meaning with --fleet"
            ));
        }
    }

    if task == Task::List && !args.pollers {
        return Err(usage!("--fleet: halist takes it with --pollers"));
    }

    Ok(())
}

/// Refuses what only the fleet has, where it is not asked.
pub(super) fn refuse_fleet_options(args: &SwitchArgs) -> Result<(), Failure> {
    for (option, is_given) in [
        ("--where", !args.conditions.is_empty()),
        ("--hosts", !args.hosts.is_empty()),
    ] {
        if is_given {
            return Err(usage!(
                "{option} chooses hosts of the fleet: give it with --fleet"
            ));
        }
    }

    Ok(())
}
