//! `haup`: lifts downtimes. Silent; a service that is not down is already up.

use argh::ArgsInfo as _;

use super::{Action, Request, options};
use crate::cli::applet::{Applet, Call};
use crate::cli::client::{self, Daemon};
use crate::cli::failure::Failure;
use crate::cli::switch;
use crate::cli::wait::interrupt::Interrupt;
use crate::cli::wait::progress::Progress;
use crate::cli::wait::{Wait, healthy};

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "up",
    alias: Some("haup"),
    usage: "[options] SERVICE...",
    about: "puts services back into traffic: lifts their downtimes",
    info: options::Args::get_args_info,
    uses: |option| Action::Up.uses(option),
    run: |call| switch::run(call, Action::Up),
};

pub(crate) fn act(call: &Call, request: &Request) -> Result<u8, Failure> {
    let root = request.spool.root();
    // A folder that cannot be looked at is not one that is missing.
    if matches!(root.try_exists(), Ok(false)) {
        // A folder that is gone is not made anew: an empty one would lift all that a daemon still holds.
        if root
            .parent()
            .is_some_and(|above| !above.as_os_str().is_empty() && !above.exists())
        {
            let text = format!(
                "there is no spool folder {}; create the folder above it",
                root.display()
            );
            return Err(Failure::failed(format!(
                "{text}, or give another --spool-root"
            )));
        }
        call.note(&format!(
            "there is no spool folder {}, so nothing is down in it",
            root.display()
        ));
        return Ok(0);
    }
    if request.wait.is_none() && request.when_healthy.is_none() {
        return lift(request);
    }
    let interrupt = Interrupt::hold()?;
    let mut progress = Progress::new(&call.program);
    let daemon = Daemon { port: request.port };
    let keys = client::names(request.targets.iter().map(|t| &t.key));
    let names = keys.join(", ");
    if let Some(times) = request.when_healthy {
        switch::asked(request, daemon, &keys)?
            .and_then(|_| {
                healthy::wait(
                    daemon,
                    &keys,
                    times,
                    request.limits.timeout,
                    &interrupt,
                    &mut progress,
                )
            })
            .map_err(|why| Failure::failed(format!("{why}\n{names} stays as it was")))?;
    }
    let before = switch::asked(request, daemon, &keys)?;
    let lifted = lift(request)?;
    let Some(goal) = request.wait else {
        return Ok(lifted);
    };
    let wait = Wait {
        daemon,
        keys: &keys,
        goal,
        limits: request.limits,
        interrupt: &interrupt,
    };
    let seen = before.and_then(|before| wait.run(&before, &mut progress, || None));
    seen.map(|()| lifted).map_err(|why| {
        Failure::failed(format!(
            "{why}\nthe downtime of {names} is lifted all the same"
        ))
    })
}

fn lift(request: &Request) -> Result<u8, Failure> {
    let lifted = request
        .targets
        .iter()
        .map(|target| request.spool.up(&target.key));
    let errors: Vec<_> = lifted
        .filter_map(Result::err)
        .map(|e| e.to_string())
        .collect();
    switch::outcome(0, &errors)
}
