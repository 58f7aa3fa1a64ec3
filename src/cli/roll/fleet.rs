//! `haroll --fleet`: from its options to a request for the commands of the fleet.

use super::args::RollArgs;
use super::{limits, reason, slot, split};
use crate::cli::applet::Call;
use crate::cli::args::values;
use crate::cli::failure::{Failure, usage};
use crate::cli::fleet;
use crate::cli::fleet::request::{FleetFile, selector};
use crate::cli::fleet::{NewRoll, ResumedRoll, RollRequest, RollTask};
use crate::cli::output::entries::OutputFormat;
use crate::fleet::RollId;

/// Rolls the hosts of the fleet.
pub(super) fn run(call: &Call, args: &RollArgs) -> Result<u8, Failure> {
    if args.roll.is_some() {
        return Err(usage!(
            "--roll is what each host is told; with --fleet leave it out"
        ));
    }

    let request = RollRequest {
        file: FleetFile::of(args.fleet_file.as_deref()),
        format: format(args)?,
        task: task(args)?,
    };
    fleet::roll(call, &request)
}

fn task(args: &RollArgs) -> Result<RollTask, Failure> {
    if args.resume.is_some() {
        return resumed(args).map(RollTask::Resume);
    }

    let new = new(args)?;
    Ok(match args.dry_run {
        true => RollTask::Show(new),
        false => RollTask::Begin(new),
    })
}

fn format(args: &RollArgs) -> Result<OutputFormat, Failure> {
    match args.output.as_deref() {
        None | Some("table") => Ok(OutputFormat::Table),
        Some("json") => Ok(OutputFormat::Json),
        Some("tsv") if args.dry_run => Ok(OutputFormat::Tsv),
        Some(other) => Err(usage!("-o: {other:?} is not a format; give json or table")),
    }
}

fn new(args: &RollArgs) -> Result<NewRoll, Failure> {
    let (services, command) = split(&args.words)?;
    let [service] = services else {
        return Err(usage!(
            "with --fleet name one service: how many are down is counted for it"
        ));
    };

    let key = values::service(service)?;
    // Each host would refuse them, too late.
    limits(args)?;
    let Some(max_down) = max_down(args)? else {
        return Err(usage!(
            "say how many hosts may be down at once: --max-down 1"
        ));
    };

    Ok(NewRoll {
        key,
        selector: selector(&args.conditions, &args.hosts)?,
        max_down,
        per: slot::per(args.per.as_deref())?,
        max_failed: max_failed(args)?.unwrap_or_default(),
        options: options(args, command),
        command: command.to_vec(),
    })
}

/// A roll that goes on keeps what it began with, but for two limits.
fn resumed(args: &RollArgs) -> Result<ResumedRoll, Failure> {
    let text = args.resume.as_deref().unwrap_or_default();
    let Some(id) = RollId::parse(text) else {
        return Err(usage!(
            "--resume: {text:?} is not the id of a roll; give one such as r-5k2"
        ));
    };

    let given = [
        ("--where", !args.conditions.is_empty()),
        ("--hosts", !args.hosts.is_empty()),
        ("--per", args.per.is_some()),
        ("--dry-run", args.dry_run),
        ("a command", !args.words.is_empty()),
        ("an option for the hosts", !steps(args).is_empty()),
    ];
    for (what, is_given) in given {
        if is_given {
            return Err(usage!(
                "--resume goes on with what the roll began with, so {what} has no place here; leave it out"
            ));
        }
    }

    Ok(ResumedRoll {
        id,
        max_down: max_down(args)?,
        max_failed: max_failed(args)?,
    })
}

fn max_down(args: &RollArgs) -> Result<Option<String>, Failure> {
    if let Some(text) = &args.max_down {
        slot::max_down(text)?;
    }

    Ok(args.max_down.clone())
}

fn max_failed(args: &RollArgs) -> Result<Option<u32>, Failure> {
    match args.max_failed.as_deref() {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(usage!("--max-failed: {text:?} is not a whole number")),
        },
    }
}

/// What each host is told: always a reason, since who rolls is known here alone.
fn options(args: &RollArgs, command: &[String]) -> Vec<String> {
    let mut words = [place(args), steps(args)].concat();
    if args.reason.as_ref().is_none_or(String::is_empty) {
        words.extend(["-r".to_owned(), reason(None, command)]);
    }

    words
}

/// Where the spool and the daemon of each host are.
fn place(args: &RollArgs) -> Vec<String> {
    words(&[
        ("--spool-root", args.spool_root.as_ref()),
        ("-p", args.port.as_ref()),
    ])
}

/// What each host is told of its steps.
fn steps(args: &RollArgs) -> Vec<String> {
    let reason = args.reason.as_ref().filter(|reason| !reason.is_empty());
    let mut words = words(&[
        ("-r", reason),
        ("--timeout", args.timeout.as_ref()),
        ("--polls", args.polls.as_ref()),
        ("--min-pollers", args.min_pollers.as_ref()),
        ("--drain-timeout", args.drain_timeout.as_ref()),
        ("--grace", args.grace.as_ref()),
    ]);
    if args.force {
        words.push("--force".to_owned());
    }

    words
}

/// The options that were given, with their values.
fn words(options: &[(&str, Option<&String>)]) -> Vec<String> {
    let mut words = Vec::new();
    for (option, value) in options {
        if let Some(value) = value {
            words.extend([(*option).to_owned(), (*value).clone()]);
        }
    }

    words
}

/// Refuses what only the fleet has, where it is not asked.
pub(super) fn refuse_fleet_options(args: &RollArgs) -> Result<(), Failure> {
    for (option, is_given) in [
        ("--max-failed", args.max_failed.is_some()),
        ("--resume", args.resume.is_some()),
        ("--dry-run", args.dry_run),
        ("-o", args.output.is_some()),
    ] {
        if is_given {
            return Err(usage!("{option} is for all hosts: give it with --fleet"));
        }
    }

    Ok(())
}
