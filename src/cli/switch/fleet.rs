//! The five with `--fleet`: from their options to a request for the commands of the fleet.

use super::Task;
use super::options::SwitchArgs;
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::fleet;
use crate::cli::fleet::request::{FleetFile, FleetRequest, selector};
use crate::cli::output::entries::OutputFormat;
use crate::spool::Key;

/// Runs one of them for the fleet.
pub(super) fn run(call: &Call, args: &SwitchArgs, task: Task) -> Result<u8, Failure> {
    args.refuse_misplaced(task)?;
    args.refuse_local_options(task)?;
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
    // In this order: of several faults the first one is told.
    Ok(FleetRequest {
        file: FleetFile::of(args.fleet_file.as_deref()),
        keys: keys(args, task)?,
        selector: selector(&args.conditions, &args.hosts)?,
        reason: args.reason(),
        expiration: args.expiration()?,
        mark: args.mark()?,
        if_up: args.if_up,
        force: args.force,
        wait: args.goal(task)?,
        timeout: args.timeout()?,
        format: format(args)?,
    })
}

fn keys(args: &SwitchArgs, task: Task) -> Result<Vec<Key>, Failure> {
    let subjects = args.subjects(task)?;
    Ok(subjects.into_iter().map(|subject| subject.key).collect())
}

/// A table, unless something else is asked for: no tool that scripts know has had a fleet.
fn format(args: &SwitchArgs) -> Result<OutputFormat, Failure> {
    match &args.output {
        Some(text) => OutputFormat::parse(text),
        None => Ok(OutputFormat::Table),
    }
}
