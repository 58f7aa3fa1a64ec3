//! `haroll --max-down`: the roll of a host that waits for its slot first.
//!
//! Rule: the slot is taken when nothing else speaks against the roll, and everything is looked at anew when it is there: the
//! wait may have been long.

use std::time::{Duration, Instant};

use super::{Roll, RollArgs, nothing_changed};
use crate::cli::failure::{Failure, failed, usage};
use crate::cli::fleet::request::{FleetFile, selector};
use crate::cli::fleet::slot::{SlotOptions, SlotWait, Takeover};
use crate::fleet::slots::MaxDown;
use crate::fleet::{HOST_TAG, RollId, is_tag};
use crate::os::going_down::is_going_down;
use crate::spool::{Downtime, Key};

/// The exit code where the host goes down: the same as when ssh loses the connection to it.
const GOING_DOWN: u8 = 255;

/// How long a host may take until it ends what runs on it.
const GOING_DOWN_TIME: Duration = Duration::from_secs(600);

/// How often it is looked whether it does.
const GLANCE: Duration = Duration::from_millis(50);

/// The step that is no phase of its own: the host is up, and waits to be seen.
const SEEN: &str = "seen up";

/// What the options ask for; `None` without `--max-down`.
pub(super) fn options(args: &RollArgs) -> Result<Option<SlotOptions>, Failure> {
    let Some(max) = &args.max_down else {
        refuse_alone(args)?;
        return Ok(None);
    };

    Ok(Some(SlotOptions {
        file: FleetFile::of(args.fleet_file.as_deref()),
        max: max_down(max)?,
        selector: selector(&args.conditions, &args.hosts)?,
        per: per(args.per.as_deref())?,
        roll: id(args.roll.as_deref())?,
        force: args.force,
    }))
}

/// The value of `--max-down`.
pub(super) fn max_down(text: &str) -> Result<MaxDown, Failure> {
    match MaxDown::parse(text) {
        Some(max) => Ok(max),
        None => Err(usage!(
            "--max-down: {text:?} is no number of hosts; give one from 1, or a part of them such as 10%"
        )),
    }
}

fn refuse_alone(args: &RollArgs) -> Result<(), Failure> {
    for (option, is_given) in [
        ("--per", args.per.is_some()),
        ("--where", !args.conditions.is_empty()),
        ("--hosts", !args.hosts.is_empty()),
        ("--roll", args.roll.is_some()),
    ] {
        if is_given {
            return Err(usage!(
                "{option} is about the hosts of a fleet: give it with --max-down"
            ));
        }
    }

    Ok(())
}

/// The value of `--per`.
pub(super) fn per(given: Option<&str>) -> Result<Option<String>, Failure> {
    match given {
        None => Ok(None),
        Some(tag) if is_tag(tag) && tag != HOST_TAG => Ok(Some(tag.to_owned())),
        Some(tag) => Err(usage!(
            "--per: {tag:?} is no tag that groups hosts; give one such as zone"
        )),
    }
}

fn id(given: Option<&str>) -> Result<Option<RollId>, Failure> {
    let Some(text) = given else {
        return Ok(None);
    };

    match RollId::parse(text) {
        Some(id) => Ok(Some(id)),
        None => Err(usage!(
            "--roll: {text:?} is no id of a roll; it looks like r-5k2"
        )),
    }
}

impl Roll {
    /// The steps of a roll, between the grant of the slot and its release.
    pub(super) fn run_in_slot(&mut self) -> Result<(), Failure> {
        let added = self.take_slot()?;
        let before = match self.may_begin() {
            Ok(before) => before,
            Err(failure) => return Err(self.give_back(failure, &added)),
        };

        let done = self.run_steps(before);
        self.end_slot(done)
    }

    /// Gives the slot back after all steps; keeps it after a failure.
    pub(super) fn end_slot(&mut self, done: Result<(), Failure>) -> Result<(), Failure> {
        // It is there since the slot was taken.
        let Some(slot) = self.slot.take() else {
            return done;
        };

        match done {
            Ok(()) => {
                let wait = self.wait();
                let released = slot.release(&wait)?;
                self.say(&released);
                Ok(())
            }
            Err(failure) if self.is_going_down => Err(Failure {
                code: GOING_DOWN,
                ..failure.and_line("'haroll --finish' does the rest after the boot")
            }),
            Err(failure) => Err(slot.keep(failure)),
        }
    }

    /// A command that reboots the host ends long before the host does: nothing may be lifted then.
    pub(super) fn refuse_if_going_down(&mut self) -> Result<(), Failure> {
        if self.slot.is_none() || !is_going_down() {
            return Ok(());
        }
        self.say("the host is going down");
        let begin = Instant::now();
        while begin.elapsed() < GOING_DOWN_TIME {
            if let Some(signal) = self.waiter.interrupt.came() {
                self.is_going_down = true;
                return Err(failed!("the host is going down ({})", signal.as_str()));
            }
            std::thread::sleep(GLANCE);
        }
        Err(failed!(
            "the host was to go down, and has not within {} s",
            GOING_DOWN_TIME.as_secs()
        ))
    }

    /// A failure, which is none where the host goes down: it ends everything that runs.
    pub(super) fn unless_going_down(&mut self, failure: Failure) -> Failure {
        self.is_going_down = self.slot.is_some() && is_going_down();
        failure
    }

    fn wait(&mut self) -> SlotWait<'_> {
        let waiter = &mut self.waiter;
        SlotWait::new(
            &mut waiter.progress,
            &waiter.interrupt,
            waiter.limits.timeout,
        )
    }

    /// Waits for the slot. Gives the keys that have a downtime now where something wider held them.
    fn take_slot(&mut self) -> Result<Vec<Key>, Failure> {
        let downtime = self.downtime();
        let Some(mut slot) = self.slot.take() else {
            return Ok(Vec::new());
        };

        let waiter = &mut self.waiter;
        let mut own = Takeover {
            spool: &waiter.spool,
            fleet: self.fleet.as_ref(),
            downtime,
            force: waiter.limits.force,
            rolls: slot.rolls(),
            added: Vec::new(),
            trouble: None,
        };

        let limit = waiter.limits.timeout;
        let mut wait = SlotWait::new(&mut waiter.progress, &waiter.interrupt, limit);
        let taken = slot.take(&mut wait, &mut own);
        taken.map_err(nothing_changed)?;
        let added = own.added;
        self.slot = Some(slot);
        Ok(added)
    }

    /// Nothing was done in the slot after all.
    fn give_back(&mut self, failure: Failure, added: &[Key]) -> Failure {
        let Some(slot) = self.slot.take() else {
            return failure;
        };

        for key in added {
            if let Ok(Some(found)) = self.waiter.spool.read(key)
                && found.roll() == Some(slot.roll().as_str())
            {
                // What holds it besides is what held it before.
                let _ = self.waiter.spool.up(key);
            }
        }

        slot.give_back(failure)
    }

    /// Whether a downtime was written by this roll, or by a dead one that it goes on from.
    pub(super) fn is_of_this_roll(&self, downtime: &Downtime) -> bool {
        let (Some(slot), Some(roll)) = (&self.slot, downtime.roll()) else {
            return false;
        };

        slot.rolls().iter().any(|own| own == roll)
    }

    /// Tells the fleet which step begins.
    pub(super) fn enter(&mut self, step: &str) -> Result<(), Failure> {
        match &mut self.slot {
            Some(slot) if step != SEEN => slot.enter(step),
            _ => Ok(()),
        }
    }
}
