//! `haroll --finish`: what is left of a roll after its command has rebooted the host, or its haroll died.
//!
//! Rule: only what the command came after is finished: healthy, up, seen up, and the slot is given back. A roll that failed,
//! or never came to its command, is left as it is. What a roll says of itself counts once nobody runs it.

use std::path::Path;

use super::args::RollArgs;
use super::command::RollCommand;
use super::{Roll, is_polled, limits};
use crate::cli::applet::Call;
use crate::cli::args::values;
use crate::cli::client::DaemonClient;
use crate::cli::failure::{Failure, failed, usage};
use crate::cli::fleet::request::FleetFile;
use crate::cli::fleet::slot::kept::{KeptRoll, RollFiles, found};
use crate::cli::fleet::slot::{RollSlot, kept_folder};
use crate::cli::wait::Waiter;
use crate::spool::Key;

/// Finishes all rolls that are to be finished here.
pub(super) fn run(call: &Call, args: &RollArgs) -> Result<u8, Failure> {
    if !args.words.is_empty() || args.max_down.is_some() || args.fleet {
        return Err(usage!(
            "--finish goes on with rolls that were begun here: it takes no service and no command"
        ));
    }
    let file = FleetFile::of(args.fleet_file.as_deref());
    let folder = kept_folder(call, &file)?;
    let rolls = found(&folder)?;
    if rolls.is_empty() {
        call.note("no roll is to be finished here");
    }
    let mut failures = Vec::new();
    for kept in &rolls {
        let finished = finish(call, args, &file, &folder, kept);
        failures.extend(finished.err());
    }
    Failure::unless_empty(&failures)?;
    Ok(0)
}

fn named(kept: &KeptRoll) -> String {
    format!("roll {} of {}", kept.roll, kept.keys.join(" "))
}

fn finish(
    call: &Call,
    args: &RollArgs,
    file: &FleetFile,
    folder: &Path,
    found: &KeptRoll,
) -> Result<(), Failure> {
    let mut keys = Vec::new();
    for name in &found.keys {
        keys.push(values::service(name).map_err(Failure::failed)?);
    }

    // A roll that runs has come to its command, or not yet: only one that has died stays as it is.
    let files = RollFiles::lock(folder, &keys)?;
    let Some(kept) = files.of_roll(&found.roll) else {
        return Ok(());
    };
    match kept.phase.as_str() {
        "command" | "healthy" | "up" => go_on(call, args, (file, files), kept, keys),
        "failed" => {
            call.note(&format!(
                "{} has failed, and is left as it is",
                named(&kept)
            ));
            Ok(())
        }
        _ => Err(failed!(
            "{} ended before its command, which was: {}\nrun it again",
            named(&kept),
            kept.command.join(" ")
        )),
    }
}

fn go_on(
    call: &Call,
    args: &RollArgs,
    (file, files): (&FleetFile, RollFiles),
    kept: KeptRoll,
    keys: Vec<Key>,
) -> Result<(), Failure> {
    let port = args.port.as_ref().or(kept.port.as_ref());
    let client = DaemonClient {
        port: values::daemon_port(port.map(String::as_str))?,
    };
    let root = args.spool_root.as_ref().or(kept.spool_root.as_ref());
    let spool = values::spool(root.cloned());
    let waiter = Waiter::new(&call.program, client, spool, keys, limits(args)?)?;
    let mut roll = Roll {
        waiter,
        command: RollCommand::new(&kept.command),
        reason: kept.reason.clone(),
        fleet: None,
        is_going_down: false,
        written: Vec::new(),
        steps: Vec::new(),
        slot: None,
    };
    let words = kept.command.join(" ");
    roll.say(&format!(
        "{} goes on after its command: {words}",
        named(&kept)
    ));
    let phase = kept.phase.clone();
    roll.slot = Some(RollSlot::resume(
        call,
        file,
        files,
        kept,
        &roll.waiter.keys,
    )?);
    let done = roll.finish_steps(&phase);
    let done = done.map_err(|failure| roll.unless_going_down(failure));
    roll.end_slot(done)
}

impl Roll {
    fn finish_steps(&mut self, phase: &str) -> Result<(), Failure> {
        if phase != "up" {
            self.until_fit()
                .map_err(|failure| self.and_left_down(failure))?;
        }
        self.put_up(Self::lift_own)
    }

    /// Waits until it is known who polls, and what they ask passes.
    fn until_fit(&mut self) -> Result<(), Failure> {
        let page = self.waiter.until_known()?;
        self.until_healthy(is_polled(&page.of(&self.waiter.names)))
    }

    /// Lifts what this roll wrote, as far as it is there.
    fn lift_own(&mut self) -> Result<(), Failure> {
        for key in &self.waiter.keys {
            self.lift_one(key)?;
        }
        Ok(())
    }

    fn lift_one(&self, key: &Key) -> Result<(), Failure> {
        let Some(found) = self.read(key)? else {
            return Ok(());
        };
        if !self.is_of_this_roll(&found) {
            return Err(self.was_changed(key, Some(found)));
        }
        self.waiter.spool.up(key).map_err(Failure::failed)?;
        Ok(())
    }
}
