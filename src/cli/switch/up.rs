//! `haup`: lifts downtimes. Silent; a service that is not down is already up.

use std::path::Path;

use super::request::SwitchRequest;
use super::{Task, info, run};
use crate::cli::applet::{Applet, Call};
use crate::cli::failure::{Failure, failed};
use crate::cli::wait::{Unfinished, Waiter};

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
    let root = request.spool.root();
    // A folder that cannot be looked at is not one that is missing.
    if matches!(root.try_exists(), Ok(false)) {
        lift_in_missing(call, root)?;
    } else if request.wait.is_none() && request.when_healthy.is_none() {
        lift(request)?;
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
    lift(request)?;
    let Some(goal) = request.wait else {
        return Ok(());
    };
    let acted = waiter.until_acted(goal, before);
    acted.map_err(|why| lifted_all_the_same(why, &waiter.names))
}

fn lifted_all_the_same(why: Unfinished, names: &[String]) -> Failure {
    let names = names.join(", ");
    Failure::from(why).and_line(format!("the downtime of {names} is lifted all the same"))
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
    healthy.map_err(|why| stays_as_it_was(why, &waiter.names))
}

fn stays_as_it_was(why: Unfinished, names: &[String]) -> Failure {
    let names = names.join(", ");
    Failure::from(why).and_line(format!("{names} stays as it was"))
}

fn lift(request: &SwitchRequest) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for subject in &request.subjects {
        if let Err(e) = request.spool.up(&subject.key) {
            failures.push(Failure::failed(e));
        }
    }
    Failure::unless_empty(&failures)
}
