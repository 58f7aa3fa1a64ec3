//! `hadown`: writes downtimes. Silent on success; what it replaced is told on standard error.

use super::request::{Subject, SwitchRequest};
use super::{Task, info, notes, run};
use crate::cli::applet::{Applet, Call};
use crate::cli::args::reason;
use crate::cli::failure::{Failure, failed};
use crate::cli::output::downtimes::{description, owner};
use crate::cli::output::{self, times};
use crate::cli::wait::acted::Goal;
use crate::cli::wait::{Reached, Unfinished, guard, seen};
use crate::ledger::PollersPage;
use crate::spool::{Downtime, Key, Mark, ServiceName, Spool, unix_now};

/// In seconds: such a number of unix time is one of milliseconds.
const MILLISECONDS: f64 = 1e11;

/// In seconds, with a leap day.
const YEAR: f64 = 366.0 * 86400.0;

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

    note_odd_end(call, request);
    if request.if_up {
        refuse_if_down(request)?;
    }

    if let Some(goal) = request.wait {
        write_and_wait(call, request, &reason, goal)?;
        return Ok(0);
    }

    make_root(call, request)?;
    let written = write_all(call, request, &reason);
    // Also where a write failed: the others may have taken down a last server.
    let is_asked = glance(call, request);
    written?;
    if is_asked {
        refuse_unseen(request)?;
    }

    Ok(0)
}

fn make_root(call: &Call, request: &SwitchRequest) -> Result<(), Failure> {
    if request.spool.create_root().map_err(Failure::failed)? {
        let folder = request.spool.root().display();
        call.note(&format!(
            "the spool folder {folder} was missing and has been created"
        ));
    }

    Ok(())
}

/// Tells of an end that may be a slip; `-e` takes any, as in the replaced tools.
fn note_odd_end(call: &Call, request: &SwitchRequest) {
    let Some(end) = request.expiration else {
        return;
    };

    let now = unix_now();
    if end < now {
        call.note(
            "the expiration is in the past, so this downtime has already ended; give a later -e, --for or --until",
        );
    } else if end > MILLISECONDS {
        call.note("the expiration looks like milliseconds, so this downtime hardly ever ends; -e takes seconds");
    } else if end > now + YEAR {
        let end = times::show(end);
        call.note(&format!("the expiration, {end}, is over a year from now"));
    } else if let Some(time) = &request.until_time
        && times::date(end) != times::date(now)
    {
        let end = times::show(end);
        call.note(&format!(
            "{time} has passed today, so the downtime ends tomorrow, at {end}"
        ));
    }
}

/// `--if-up`: nothing is changed when anything is down. Whoever is faster between this and the
/// write is seen there.
fn refuse_if_down(request: &SwitchRequest) -> Result<(), Failure> {
    let spool = &request.spool;
    let mut failures = Vec::new();
    for Subject { key, .. } in &request.subjects {
        match spool.read(key) {
            Ok(None) => {}
            Ok(Some(before)) => failures.push(already_down(key, &before, owner(spool, key))),
            Err(e) => failures.push(Failure::failed(e)),
        }
    }

    Failure::unless_empty(&failures)
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
        let own = page.of(&request.names());
        if !request.limits.force {
            guard::refuse_last_server(&own)?;
        }
        note_marks(call, request, &own);
    }

    // From here on Ctrl-C is held back, so that it cannot come between a write and its report.
    let mut waiter = request.waiter(&call.program)?;
    make_root(call, request)?;
    let written = write_all(call, request, reason)?;
    if before.is_ok() {
        refuse_unseen(request)?;
    }

    match waiter.until_acted(goal, before) {
        Ok(reached) => {
            waiter.progress.say_all(&reached.now);
            refuse_sessions(reached)
        }
        Err(why) => Err(unfinished(request, why, &written)),
    }
}

/// `--wait=drained` was told how long sessions may take, and they took longer.
fn refuse_sessions(reached: Reached) -> Result<(), Failure> {
    match reached.left {
        None => Ok(()),
        Some(left) => Err(failed!(
            "out of rotation, but not drained (--drain-timeout): {left}"
        )),
    }
}

/// The failure, with what is so now.
fn unfinished(request: &SwitchRequest, why: Unfinished, written: &[Written]) -> Failure {
    let names = request.names().join(", ");
    match why {
        Unfinished::DowntimeEnded(_) => Failure::from(why),
        Unfinished::LastServer(_) => put_back(&request.spool, Failure::from(why), written),
        _ => Failure::from(why).and_line(format!("the downtime of {names} is written and stays")),
    }
}

/// Lifts what was written, where nothing was down before, and nobody has changed it since.
fn put_back(spool: &Spool, mut failure: Failure, written: &[Written]) -> Failure {
    for Written { key, before, now } in written {
        let is_ours = matches!(spool.read(key), Ok(found) if found == *now);
        let line = match (before, is_ours) {
            (Some(_), _) => format!("{key} was down before, and stays down"),
            (None, false) => format!("{key} was changed by somebody else meanwhile, and stays so"),
            (None, true) => match spool.up(key) {
                Ok(_) => format!("{key} is put back: its downtime is lifted"),
                Err(e) => format!("{key} stays down: {e}"),
            },
        };
        failure = failure.and_line(line);
    }

    failure
}

/// A downtime that was written.
struct Written {
    key: Key,
    /// What was in force before.
    before: Option<Downtime>,
    /// What is there now.
    now: Option<Downtime>,
}

/// Writes the downtimes; one that cannot be written does not keep the others from it.
fn write_all(call: &Call, request: &SwitchRequest, reason: &str) -> Result<Vec<Written>, Failure> {
    let mut all = Vec::new();
    let mut failures = Vec::new();
    for subject in &request.subjects {
        let key = &subject.key;
        note_not_pollable(call, key.service_name());
        match write(call, request, key, reason) {
            Ok(written) => all.push(written),
            Err(failure) => failures.push(failure),
        }
    }

    Failure::unless_empty(&failures)?;
    Ok(all)
}

fn write(
    call: &Call,
    request: &SwitchRequest,
    key: &Key,
    reason: &str,
) -> Result<Written, Failure> {
    let spool = &request.spool;
    // Looked up first, since the write makes it this user's.
    let owner = owner(spool, key);
    let mut new = downtime(request, reason);
    if new.cut_reason() {
        call.note("the reason was longer than 256 KiB and was cut");
    }

    let written = match request.if_up {
        true => spool.down_if_up(key, new),
        false => spool.down(key, new),
    };

    let before = written.map_err(Failure::failed)?;
    if let Some(before) = &before {
        if request.if_up {
            return Err(already_down(key, before, owner));
        }
        note_change(call, request, key, before, owner, reason);
    }

    Ok(Written {
        key: key.clone(),
        before,
        now: spool.read(key).map_err(Failure::failed)?,
    })
}

/// What of another downtime was replaced.
fn note_change(
    call: &Call,
    request: &SwitchRequest,
    key: &Key,
    before: &Downtime,
    owner: Option<String>,
    reason: &str,
) {
    if before.reason != reason {
        let before = description(before, owner);
        call.note(&format!("{key} was already down {before}; replaced"));
    }

    let had = before.expiration.filter(|end| *end <= times::LATEST);
    let has = request.expiration.filter(|end| *end <= times::LATEST);
    let change = match (had, has) {
        (Some(had), Some(has)) if had != has => {
            let (had, has) = (times::show(had), times::show(has));
            format!("was to end at {had}, and now ends at {has}")
        }
        (Some(had), None) => format!("was to end at {}, and now never ends", times::show(had)),
        (None, Some(has)) => format!("had no end, and now ends at {}", times::show(has)),
        _ => return,
    };
    call.note(&format!("the downtime of {key} {change}"));
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

    new.set_by(&reason::user());
    new
}

/// What the daemon and the balancers say of a plain `hadown`, which is unconditional: told to the user, waited for by
/// nobody. Whether there is a daemon that obeys this spool.
fn glance(call: &Call, request: &SwitchRequest) -> bool {
    let names = request.names();
    let Some(everybody) = notes::glance(call, request) else {
        return false;
    };

    let page = everybody.of(&names);
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

/// Tells where `--soft`, `--drain` or `--agent-only` does not do what its name says.
fn note_marks(call: &Call, request: &SwitchRequest, page: &PollersPage) {
    match request.mark {
        Some(Mark::Soft) => {
            for sentence in guard::deaf_to_soft(page) {
                call.note(&sentence);
            }
            if let Some(sentence) = guard::agents_of_soft(page) {
                call.note(sentence);
            }
        }
        Some(Mark::Drain) if !page.agent_weights => call.note(
            "the daemon runs without agent_weights, so it answers 503 as for any other downtime",
        ),
        Some(Mark::AgentOnly) => {
            if let Some(sentence) = guard::nobody_for_agent_only(page) {
                call.note(&sentence);
            }
        }
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
