//! `hadown`: writes downtimes. Silent on success; what it replaced is told on standard error.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use argh::ArgsInfo as _;

use super::{Action, Request, Target, options};
use crate::cli::applet::{Applet, Call};
use crate::cli::args::reason;
use crate::cli::client::{self, Daemon};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::downtimes::{description, owner};
use crate::cli::switch;
use crate::cli::wait::acted::Goal;
use crate::cli::wait::interrupt::Interrupt;
use crate::cli::wait::progress::Progress;
use crate::cli::wait::{Wait, guard};
use crate::ledger::Page;
use crate::spool::{Downtime, Key, Mark, Spool, unix_now};

/// How long a plain `hadown` looks for what balancers say, after it is done.
const GLANCE: Duration = Duration::from_millis(500);

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "down",
    alias: Some("hadown"),
    usage: "[options] SERVICE...",
    about: "takes services out of traffic: writes downtimes",
    info: options::Args::get_args_info,
    uses: |option| Action::Down.uses(option),
    run: |call| switch::run(call, Action::Down),
};

pub(crate) fn act(call: &Call, request: &Request) -> Result<u8, Failure> {
    let Some(reason) = request.reason.clone().or_else(reason::of_user) else {
        return output::print("please use --reason option to tell us who you REALLY are\n")
            .map(|()| 1);
    };
    request
        .spool
        .create_root()
        .map_err(|e| Failure::failed(e.to_string()))?;
    if request.expiration.is_some_and(|e| e < unix_now()) {
        call.note(
            "the expiration lies in the past, so this downtime is over already; give a later -e, --for or --until",
        );
    }
    if request.if_up {
        refuse_if_down(request)?;
    }
    let keys = client::names(request.targets.iter().map(|t| &t.key));
    match request.wait {
        Some(goal) => write_and_wait(call, request, &reason, &keys, goal),
        None => {
            let written = switch::outcome(0, &write(call, request, &reason));
            warn(call, request, &keys);
            written
        }
    }
}

/// Writes the downtimes; what could not be done is returned.
pub(crate) fn write(call: &Call, request: &Request, reason: &str) -> Vec<String> {
    let mut errors = Vec::new();
    for target in &request.targets {
        note_unasked(call, target);
        let owner = owner(&request.spool, &target.key);
        let new = downtime(request, reason);
        let written = match request.if_up {
            true => request.spool.down_if_up(&target.key, new),
            false => request.spool.down(&target.key, new),
        };
        match written {
            Ok(Some(before)) if request.if_up => {
                errors.push(already_down(&target.key, &before, owner));
            }
            Ok(Some(before)) if before.reason != reason => {
                call.note(&format!(
                    "{} was already down {}; replaced",
                    target.key,
                    description(&before, owner)
                ));
            }
            Ok(_) => {}
            Err(e) => {
                errors.push(e.to_string());
                continue;
            }
        }
        note_unreadable(call, &request.spool, &target.key);
    }
    errors
}

/// A file that its owner alone can read, in a folder that others share, hides its downtime from a daemon of theirs.
fn note_unreadable(call: &Call, spool: &Spool, key: &Key) {
    let path = spool.root().join(key.file_name());
    let (Ok(file), Ok(folder)) = (fs::metadata(&path), fs::metadata(spool.root())) else {
        return;
    };
    let is_shared = folder.uid() != file.uid() || folder.mode() & 0o022 != 0;
    if is_shared && file.mode() & 0o044 == 0 {
        let path = path.display();
        call.note(&format!(
            "your umask lets nobody else read {path}; a daemon of another user cannot see it: chmod go+r {path}"
        ));
    }
}

fn downtime(request: &Request, reason: &str) -> Downtime {
    let mut new = Downtime {
        reason: reason.to_owned(),
        expiration: request.expiration,
        ..Downtime::default()
    };
    if let Some(mark) = request.mark {
        new.set_mark(mark);
    }
    // Where the reason says what is done, the next operator also wants to know whom to ask. A plain downtime stays as the
    // originals write it: there the file's owner has to do.
    let is_plain = request.wait.is_none() && request.mark.is_none() && !request.if_up;
    if request.reason.is_some() && !is_plain {
        new.set_by(&reason::user());
    }
    new
}

/// `--if-up`: nothing is changed when anything is down. Whoever is faster between this and the write is seen there.
fn refuse_if_down(request: &Request) -> Result<(), Failure> {
    let mut down = Vec::new();
    for Target { key, .. } in &request.targets {
        match request.spool.read(key) {
            Ok(None) => {}
            Ok(Some(before)) => down.push(already_down(key, &before, owner(&request.spool, key))),
            Err(e) => down.push(e.to_string()),
        }
    }
    switch::outcome(0, &down).map(|_| ())
}

fn already_down(key: &Key, before: &Downtime, owner: Option<String>) -> String {
    format!(
        "{key} is already down {}; it stays as it is (--if-up)",
        description(before, owner)
    )
}

fn write_and_wait(
    call: &Call,
    request: &Request,
    reason: &str,
    keys: &[String],
    goal: Goal,
) -> Result<u8, Failure> {
    let daemon = Daemon { port: request.port };
    let before = switch::asked(request, daemon, keys)?;
    if let Ok(page) = &before {
        if !request.limits.force
            && let Some(refusal) = guard::refusal(page)
        {
            return Err(Failure::failed(refusal));
        }
        note_marks(call, request, page);
    }
    let interrupt = Interrupt::hold()?;
    switch::outcome(0, &write(call, request, reason))?;
    let names = keys.join(", ");
    let written = |why: String| {
        Failure::failed(format!(
            "{why}\nthe downtime of {names} is written and stays"
        ))
    };
    let before = before.map_err(written)?;
    let wait = Wait {
        daemon,
        keys,
        goal,
        limits: request.limits,
        interrupt: &interrupt,
    };
    wait.run(&before, &mut Progress::new(&call.program), || {
        undone(request)
    })
    .map_err(written)?;
    Ok(0)
}

/// Whether somebody else lifted a downtime meanwhile, or its time is over.
pub(crate) fn undone(request: &Request) -> Option<String> {
    let lifted = request
        .targets
        .iter()
        .find(|t| matches!(request.spool.read(&t.key), Ok(None)))?;
    Some(format!(
        "the downtime of {} has ended meanwhile: it was lifted, or its time is over",
        lifted.key
    ))
}

/// What the balancers say of a plain `hadown`, which is unconditional: known to those who look, waited for by nobody.
fn warn(call: &Call, request: &Request, keys: &[String]) {
    let Ok(page) = (Daemon { port: request.port }).pollers(keys, GLANCE) else {
        return;
    };
    if client::same_root(&page, &request.spool, request.port).is_err() {
        return;
    }
    guard::last_servers(&page)
        .iter()
        .for_each(|last| call.note(last));
    note_marks(call, request, &page);
}

fn note_marks(call: &Call, request: &Request, page: &Page) {
    match request.mark {
        Some(Mark::Soft) => guard::deaf_to_soft(page)
            .iter()
            .for_each(|deaf| call.note(deaf)),
        Some(Mark::Drain) if !page.agent_weights => {
            call.note(
                "the daemon runs without agent_weights, so it answers 503 as to any other downtime",
            );
        }
        _ => {}
    }
}

/// A name that is fine in the spool may still be one that no check can carry.
fn note_unasked(call: &Call, target: &Target) {
    let service = target.key.service_name();
    if !service.fits_url() {
        call.note(&format!(
            "no check can ask for a service named {:?}: in check URLs names have letters, digits, '.', '_' and '-' only",
            service.as_str()
        ));
    }
}
