//! `hadown`: writes downtimes. Silent on success; what it replaced is told on standard error.

use std::time::Duration;

use super::request::SwitchRequest;
use super::{Task, info, run};
use crate::cli::applet::{Applet, Call};
use crate::cli::args::reason;
use crate::cli::client;
use crate::cli::failure::{Failure, failed};
use crate::cli::output;
use crate::cli::output::downtimes::{description, owner};
use crate::cli::wait::acted::Goal;
use crate::cli::wait::{guard, seen};
use crate::ledger::PollersPage;
use crate::spool::{Downtime, Key, Mark, ServiceName, Spool, unix_now};

/// How long a plain `hadown` looks at what balancers say, after it is done.
const GLANCE: Duration = Duration::from_secs(1);

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "down",
    alias: Some("hadown"),
    usage: "[options] SERVICE...",
    about: "take services out of rotation: write downtimes",
    info,
    uses: |option| Task::Down.uses(option),
    run: |call| run(call, Task::Down),
};

pub(super) fn act(call: &Call, request: &SwitchRequest) -> Result<u8, Failure> {
    let given = request.reason.clone();
    let Some(reason) = given.or_else(reason::of_user) else {
        output::print("please use --reason option to tell us who you REALLY are\n")?;
        return Ok(1);
    };
    request.spool.create_root().map_err(Failure::failed)?;
    note_past_end(call, request);
    if request.if_up {
        refuse_if_down(request)?;
    }
    if let Some(goal) = request.wait {
        write_and_wait(call, request, &reason, goal)?;
        return Ok(0);
    }
    let written = write_all(call, request, &reason);
    // Also where a write failed: the others may have taken down a last server.
    let is_asked = glance(call, request);
    written?;
    if is_asked {
        refuse_unseen(request)?;
    }
    Ok(0)
}

fn note_past_end(call: &Call, request: &SwitchRequest) {
    match request.expiration {
        Some(end) if end < unix_now() => call.note(
            "the expiration is in the past, so this downtime has already ended; give a later -e, --for or --until",
        ),
        _ => {}
    }
}

/// `--if-up`: nothing is changed when anything is down. Whoever is faster between this and the
/// write is seen there.
fn refuse_if_down(request: &SwitchRequest) -> Result<(), Failure> {
    let spool = &request.spool;
    let subjects = request.subjects.iter();
    let failures = subjects.filter_map(|subject| down_already(spool, &subject.key));
    let failures: Vec<Failure> = failures.collect();
    Failure::unless_empty(&failures)
}

/// The failure, if a key is down, or may be.
fn down_already(spool: &Spool, key: &Key) -> Option<Failure> {
    match spool.read(key) {
        Ok(before) => Some(already_down(key, &before?, owner(spool, key))),
        Err(e) => Some(Failure::failed(e)),
    }
}

fn already_down(key: &Key, before: &Downtime, owner: Option<String>) -> Failure {
    let before = description(before, owner);
    failed!("{key} is already down {before}; it stays as it is (--if-up)")
}

fn write_and_wait(
    call: &Call,
    request: &SwitchRequest,
    reason: &str,
    goal: Goal,
) -> Result<(), Failure> {
    let before = request.pollers_before_change()?;
    if let Ok(page) = &before {
        if !request.limits.force {
            guard::refuse_last_server(page)?;
        }
        note_marks(call, request, page);
    }
    // From here on Ctrl-C is held back, so that it cannot come between a write and its report.
    let mut waiter = request.waiter(&call.program)?;
    write_all(call, request, reason)?;
    if before.is_ok() {
        refuse_unseen(request)?;
    }
    let acted = waiter.until_acted(goal, before);
    acted.map_err(|why| {
        let names = waiter.names.join(", ");
        Failure::from(why).and_line(format!("the downtime of {names} is written and stays"))
    })
}

/// Writes the downtimes; one that cannot be written does not keep the others from it.
fn write_all(call: &Call, request: &SwitchRequest, reason: &str) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for subject in &request.subjects {
        let key = &subject.key;
        note_not_pollable(call, key.service_name());
        if let Err(failure) = write(call, request, key, reason) {
            failures.push(failure);
        }
    }
    Failure::unless_empty(&failures)
}

fn write(call: &Call, request: &SwitchRequest, key: &Key, reason: &str) -> Result<(), Failure> {
    let spool = &request.spool;
    // Looked up first, since the write makes it this user's.
    let owner = owner(spool, key);
    let mut new = downtime(request, reason);
    if new.cut_reason() {
        call.note("the reason was longer than 256 KiB and was cut");
    }
    let written = if request.if_up {
        spool.down_if_up(key, new)
    } else {
        spool.down(key, new)
    };
    let Some(before) = written.map_err(Failure::failed)? else {
        return Ok(());
    };
    if request.if_up {
        return Err(already_down(key, &before, owner));
    }
    // A downtime that is prolonged for the same reason is none that was replaced.
    if before.reason != reason {
        let before = description(&before, owner);
        call.note(&format!("{key} was already down {before}; replaced"));
    }
    Ok(())
}

fn downtime(request: &SwitchRequest, reason: &str) -> Downtime {
    let mut new = Downtime {
        reason: reason.to_owned(),
        expiration: request.expiration,
        ..Downtime::default()
    };
    if let Some(mark) = request.mark {
        new.set_mark(mark);
    }
    // Where the reason says what is done, the next operator also wants to know whom to ask. A plain
    // downtime stays as the replaced tools write it: there the file's owner has to do.
    let is_plain = request.wait.is_none() && request.mark.is_none() && !request.if_up;
    if request.reason.is_some() && !is_plain {
        new.set_by(&reason::user());
    }
    new
}

/// What the daemon and the balancers say of a plain `hadown`, which is unconditional: told to the user, waited for by
/// nobody. Whether there is a daemon that obeys this spool.
fn glance(call: &Call, request: &SwitchRequest) -> bool {
    let names = client::names(&request.keys());
    let Ok(page) = request.client.pollers(&names, GLANCE) else {
        return false;
    };
    if let Err(other) = request.client.check_spool(&page, &request.spool) {
        call.note(&format!("{other}; it does not see this change"));
        return false;
    }
    for sentence in guard::last_servers(&page) {
        call.note(&sentence);
    }
    note_marks(call, request, &page);
    true
}

/// Fails where the daemon does not see what was written; one that is over already is not to be seen.
fn refuse_unseen(request: &SwitchRequest) -> Result<(), Failure> {
    if is_over(request) {
        return Ok(());
    }
    seen::refuse_unseen(request.client, &request.spool, &request.keys())
}

fn is_over(request: &SwitchRequest) -> bool {
    let end = request.expiration;
    end.is_some_and(|end| end <= unix_now())
}

/// Tells where `--soft` or `--drain` does not do what its name says.
fn note_marks(call: &Call, request: &SwitchRequest, page: &PollersPage) {
    match request.mark {
        Some(Mark::Soft) => {
            for sentence in guard::deaf_to_soft(page) {
                call.note(&sentence);
            }
        }
        Some(Mark::Drain) if !page.agent_weights => call.note(
            "the daemon runs without agent_weights, so it answers 503 as for any other downtime",
        ),
        _ => {}
    }
}

/// A name that is fine in the spool may still be one that no check can carry.
fn note_not_pollable(call: &Call, service: &ServiceName) {
    if !service.fits_url() {
        let name = service.as_str();
        call.note(&format!(
            "no check can ask for a service named {name:?}: in check URLs names have letters, digits, '.', '_' and '-' only"
        ));
    }
}
