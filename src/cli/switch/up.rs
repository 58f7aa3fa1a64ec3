//! `haup`: lifts downtimes. Silent; a service that is not down is already up.

use std::path::Path;

use super::request::SwitchRequest;
use super::{Task, info, notes, run};
use crate::cli::applet::{Applet, Call};
use crate::cli::failure::{Failure, failed};
use crate::cli::fleet::local;
use crate::cli::output::downtimes::{description, owner};
use crate::cli::wait::{Unfinished, Waiter};
use crate::spool::{ALL, Key, Spool};

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "up",
    alias: Some("haup"),
    usage: "[options] SERVICE...",
    about: "put services back in rotation: lift their downtimes",
    info,
    uses: |option| Task::Up.uses(option),
    run: |call| run(call, Task::Up),
};

pub(super) fn act(call: &Call, request: &SwitchRequest) -> Result<u8, Failure> {
    if let Some(why) = &request.override_fleet {
        local::waive(call, &request.fleet_file, &request.keys(), why)?;
    }

    let root = request.spool.root();
    // A folder that cannot be looked at is not one that is missing.
    if matches!(root.try_exists(), Ok(false)) {
        lift_in_missing(call, root)?;
        for held in held_by_fleet(request) {
            call.note(&held);
        }
    } else if request.wait.is_none() && request.when_healthy.is_none() {
        lift(call, request)?;
        notes::glance(call, request);
        for holding in all_holding(request) {
            call.note(&holding);
        }
    } else {
        lift_and_wait(call, request)?;
    }

    Ok(0)
}

/// A folder that is gone is not created: an empty one would lift all that a daemon still holds.
fn lift_in_missing(call: &Call, root: &Path) -> Result<(), Failure> {
    let folder = root.display();
    if is_missing_above(root) {
        return Err(failed!(
            "there is no spool folder {folder}; create the folder above it, or give another --spool-root"
        ));
    }

    call.note(&format!(
        "there is no spool folder {folder}, so nothing is down in it"
    ));
    Ok(())
}

fn is_missing_above(root: &Path) -> bool {
    match root.parent() {
        Some(above) => !above.as_os_str().is_empty() && !above.exists(),
        None => false,
    }
}

fn lift_and_wait(call: &Call, request: &SwitchRequest) -> Result<(), Failure> {
    let mut waiter = request.waiter(&call.program)?;
    if let Some(passes) = request.when_healthy {
        wait_for_health(request, &mut waiter, passes)?;
    }

    // Asked again, since health may have taken minutes, and who polls now is who counts.
    let before = request.pollers_before_change()?;
    let lifted = lift(call, request)?;
    let holding = all_holding(request);
    let Some(goal) = request.wait else {
        holding.iter().for_each(|sentence| call.note(sentence));
        return Ok(());
    };

    if !holding.is_empty() {
        return Err(and_lifted(failed!("{}", holding.join("\n")), &lifted));
    }

    match waiter.until_acted(goal, before) {
        Ok(reached) => {
            waiter.progress.say_all(&reached.now);
            Ok(())
        }
        Err(why) => Err(and_lifted(Failure::from(why), &lifted)),
    }
}

/// The failure, with what is so now.
fn and_lifted(failure: Failure, lifted: &[String]) -> Failure {
    match lifted.is_empty() {
        true => failure,
        false => failure.and_line(format!(
            "the downtime of {} is lifted all the same",
            lifted.join(", ")
        )),
    }
}

/// What else keeps them out of rotation: downtimes of this host, and orders of the fleet.
fn all_holding(request: &SwitchRequest) -> Vec<String> {
    let mut sentences = holding(&request.spool, &request.keys());
    sentences.extend(held_by_fleet(request));
    sentences
}

fn held_by_fleet(request: &SwitchRequest) -> Vec<String> {
    local::holding(request.fleet_spool.as_ref(), &request.keys())
}

/// What else keeps these out of rotation, in a sentence each.
fn holding(spool: &Spool, keys: &[Key]) -> Vec<String> {
    // Each of them could be lifted, so the folder can be read; where not, the daemon's log tells.
    let Ok(listing) = spool.list() else {
        return Vec::new();
    };

    let mut sentences = Vec::new();
    for (other, downtime) in &listing.downtimes {
        let Some(key) = keys.iter().find(|key| holds(other, key)) else {
            continue;
        };
        let what = description(downtime, owner(spool, other));
        let mark = match downtime.mark() {
            Some(mark) => format!(" ({})", mark.as_str()),
            None => String::new(),
        };
        let part = match covers(other, key) {
            true => "",
            false => " in part",
        };
        sentences.push(format!(
            "{key} is still held{part} by the downtime of {other}{mark} {what}; 'haup {other}' lifts it"
        ));
    }

    sentences
}

/// Whether a downtime of `other` also takes `key` down, or a part of it.
fn holds(other: &Key, key: &Key) -> bool {
    if other == key {
        return false;
    }

    covers(other, key) || covers(key, other)
}

/// Whether a downtime of `wide` takes all of `key` down.
fn covers(wide: &Key, key: &Key) -> bool {
    let is_service = wide.port().is_none();
    is_service && (wide.service_name().as_str() == ALL || wide.service_name() == key.service_name())
}

fn wait_for_health(
    request: &SwitchRequest,
    waiter: &mut Waiter,
    passes: u32,
) -> Result<(), Failure> {
    let healthy = match request.pollers_before_change()? {
        Ok(_) => waiter.until_healthy(passes),
        Err(e) => Err(Unfinished::NotBegun(e)),
    };

    healthy.map_err(|why| {
        let names = waiter.names.join(", ");
        Failure::from(why).and_line(format!("{names} stays as it was"))
    })
}

/// Lifts the downtimes; gives the names of those that there were.
fn lift(call: &Call, request: &SwitchRequest) -> Result<Vec<String>, Failure> {
    let mut lifted = Vec::new();
    let mut failures = Vec::new();
    for subject in &request.subjects {
        match request.spool.up(&subject.key) {
            Ok(true) => lifted.push(subject.key.file_name()),
            // What was waived was told already.
            Ok(false) if request.override_fleet.is_some() => {}
            Ok(false) => call.note(&format!("{} was not down", subject.key)),
            Err(e) => failures.push(Failure::failed(e)),
        }
    }

    Failure::unless_empty(&failures)?;
    Ok(lifted)
}
