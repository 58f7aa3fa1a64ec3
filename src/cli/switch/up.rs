//! `haup`: lifts downtimes. Silent; a service that is not down is already up.

use std::path::Path;

use super::request::SwitchRequest;
use super::{Task, info, notes, run};
use crate::cli::applet::Applet;
use crate::cli::failure::{Failure, failed};
use crate::cli::fleet::local;
use crate::cli::output::downtimes::{description, owner};
use crate::cli::wait::{Unfinished, Waiter};
use crate::spool::{ALL, Key, Mark, Spool};

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

pub(super) fn act(request: &SwitchRequest) -> Result<u8, Failure> {
    if let Some(why) = &request.override_fleet {
        local::waive(request.call, &request.fleet_file, &request.keys(), why)?;
    }

    let waits = request.wait.is_some() || request.when_healthy.is_some();
    match request.spool.root().try_exists() {
        Ok(false) => lift_in_missing(request)?,
        // A folder that cannot be looked at is not one that is missing.
        _ if waits => lift_and_wait(request)?,
        _ => lift_only(request)?,
    }

    Ok(0)
}

/// Without `--wait` and `--when-healthy`.
fn lift_only(request: &SwitchRequest) -> Result<(), Failure> {
    lift(request)?;
    notes::glance(request);
    request.note_all(&all_holding(request));
    Ok(())
}

/// A folder that is gone is not created: an empty one would lift all that a daemon still holds.
fn lift_in_missing(request: &SwitchRequest) -> Result<(), Failure> {
    let root = request.spool.root();
    let folder = root.display();
    if is_missing_above(root) {
        return Err(failed!(
            "there is no spool folder {folder}; create the folder above it, or give another --spool-root"
        ));
    }

    request.note(&format!(
        "there is no spool folder {folder}, so nothing is down in it"
    ));
    request.note_all(&held_by_fleet(request));
    Ok(())
}

fn is_missing_above(root: &Path) -> bool {
    match root.parent() {
        Some(above) => !above.as_os_str().is_empty() && !above.exists(),
        None => false,
    }
}

fn lift_and_wait(request: &SwitchRequest) -> Result<(), Failure> {
    let mut waiter = request.waiter()?;
    if let Some(passes) = request.when_healthy {
        wait_for_health(request, &mut waiter, passes)?;
    }

    // Asked again, since health may have taken minutes, and who polls now is who counts.
    let before = request.pollers_before_change()?;
    let lifted = lift(request)?;
    let holding = all_holding(request);
    let Some(goal) = request.wait else {
        request.note_all(&holding);
        return Ok(());
    };

    // No balancer would see it up, so there is nothing to wait for.
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
    // Read after the lift, so that what was just lifted is not told.
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
        if let Some(key) = keys.iter().find(|key| holds(other, key)) {
            let what = description(downtime, owner(spool, other));
            sentences.push(still_held(key, other, downtime.mark(), &what));
        }
    }

    sentences
}

fn still_held(key: &Key, other: &Key, mark: Option<Mark>, what: &str) -> String {
    let mark = match mark {
        Some(mark) => format!(" ({})", mark.as_str()),
        None => String::new(),
    };

    let part = match covers(other, key) {
        true => "",
        false => " in part",
    };

    format!(
        "{key} is still held{part} by the downtime of {other}{mark} {what}; 'haup {other}' lifts it"
    )
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
    let service = wide.service_name();
    // An instance covers nothing but itself.
    let is_instance = wide.port().is_some();
    !is_instance && (service.as_str() == ALL || service == key.service_name())
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
fn lift(request: &SwitchRequest) -> Result<Vec<String>, Failure> {
    let mut lifted = Vec::new();
    let mut failures = Vec::new();
    for key in request.keys() {
        match request.spool.up(&key) {
            Ok(true) => lifted.push(key.file_name()),
            Ok(false) => note_not_down(request, &key),
            // One that cannot be lifted does not keep the others down.
            Err(e) => failures.push(Failure::failed(e)),
        }
    }

    Failure::unless_empty(&failures)?;
    Ok(lifted)
}

fn note_not_down(request: &SwitchRequest, key: &Key) {
    // What was waived was told already.
    if request.override_fleet.is_none() {
        request.note(&format!("{key} was not down"));
    }
}
