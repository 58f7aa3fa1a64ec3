//! `haroll`: down, wait until every load balancer has acted and is drained, a command, wait for
//! health, up, wait until every balancer sees it.
//!
//! Rule: whatever goes wrong, it ends in a state that it tells: the services stay down, unless they
//! were lifted already.

mod args;
mod command;
mod ending;
mod finish;
mod fleet;
mod output;
mod slot;

use std::fmt;
use std::time::{Duration, Instant};

use argh::ArgsInfo as _;

use crate::cli::applet::{Applet, Call};
use crate::cli::args::{reason, values};
use crate::cli::client::{DaemonClient, DaemonError};
use crate::cli::failure::{Failure, failed};
use crate::cli::fleet::local;
use crate::cli::fleet::request::FleetFile;
use crate::cli::fleet::slot::{RollSlot, RollWords};
use crate::cli::output::downtimes::{description, owner};
use crate::cli::output::warnings;
use crate::cli::wait::acted::Goal;
use crate::cli::wait::{Waiter, guard, seen};
use crate::ledger::PollersPage;
use crate::spool::{Downtime, Key, Spool};
use args::{RollArgs, limits, reason, split};
use command::RollCommand;

/// Passed checks in a row after the command.
const PASSES: u32 = 3;

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "roll",
    alias: Some("haroll"),
    usage: "[options] SERVICE... -- COMMAND [ARGUMENT...]",
    about: "run a command while services are out of rotation: down, drained, COMMAND, healthy, up, seen up",
    info: RollArgs::get_args_info,
    uses: |_| true,
    run,
};

/// One roll.
struct Roll {
    waiter: Waiter,
    command: RollCommand,
    reason: String,
    /// What the fleet has ordered here, where this host is in one.
    fleet: Option<Spool>,
    /// Its place among the hosts of the fleet that may be down.
    slot: Option<RollSlot>,
    /// The host goes down, and the rest is done after its boot.
    is_going_down: bool,
    /// The downtimes as this roll wrote them, in the order of the keys.
    written: Vec<Option<Downtime>>,
    /// Steps that are done, with their durations.
    steps: Vec<(&'static str, Duration)>,
}

fn run(call: &Call) -> Result<u8, Failure> {
    warnings::show();
    let args: RollArgs = call.parse()?;
    if args.finish {
        return finish::run(call, &args);
    }
    if args.fleet {
        return fleet::run(call, &args);
    }

    fleet::refuse_fleet_options(&args)?;
    let mut roll = Roll::new(args, call)?;
    roll.run()?;
    Ok(0)
}

impl Roll {
    fn new(args: RollArgs, call: &Call) -> Result<Self, Failure> {
        let (services, command) = split(&args.words)?;
        let mut keys = Vec::new();
        for service in services {
            keys.push(values::service(service)?);
        }

        let client = DaemonClient {
            port: values::daemon_port(args.port.as_deref())?,
        };

        let limits = limits(&args)?;
        let options = slot::options(&args)?;
        let reason = reason(args.reason.clone(), command);
        let words = RollWords {
            keys: &keys,
            reason: &reason,
            command,
            port: args.port.as_deref(),
            spool_root: args.spool_root.as_deref(),
        };

        let slot = match options {
            Some(options) => Some(RollSlot::open(call, options, &words).map_err(nothing_changed)?),
            None => None,
        };

        let file = FleetFile::of(args.fleet_file.as_deref());
        let spool = values::spool(args.spool_root);
        Ok(Self {
            waiter: Waiter::new(&call.program, client, spool, keys, limits)?,
            command: RollCommand::new(command),
            reason,
            fleet: local::spool(call, &file),
            slot,
            is_going_down: false,
            written: Vec::new(),
            steps: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<(), Failure> {
        let before = self.may_begin()?;
        match self.slot.is_some() {
            true => self.run_in_slot(),
            false => self.run_steps(before),
        }
    }

    fn run_steps(&mut self, before: PollersPage) -> Result<(), Failure> {
        self.run_while_down(before)?;
        self.refuse_if_going_down()
            .map_err(|failure| self.and_left_down(failure))?;
        self.put_up(Self::lift)?;
        self.say(&format!("done: {}", self.durations()));
        Ok(())
    }

    /// All steps for which the services are down.
    fn run_while_down(&mut self, before: PollersPage) -> Result<(), Failure> {
        // Asked before the wait, since those who poll now are those who tell how to check it later.
        let is_polled = is_polled(&before.of(&self.waiter.names));
        self.step("down", Self::write)
            .map_err(|failure| self.and_left_down(failure))?;
        self.drain(before, is_polled)?;
        // Only now may the command disturb the service.
        self.run_command_to_success()
            .map_err(|failure| self.and_left_down(failure))?;
        self.until_healthy(is_polled)
            .map_err(|failure| self.unless_going_down(failure))
            .map_err(|failure| self.and_left_down(failure))
    }

    /// Waits until the balancers have acted and the sessions have ended, or had their time.
    fn drain(&mut self, before: PollersPage, is_polled: bool) -> Result<(), Failure> {
        let start = Instant::now();
        let reached = match self.waiter.until_acted(Goal::Drained, Ok(before)) {
            Ok(reached) => reached,
            Err(why) => return Err(self.not_drained(&why)),
        };

        let step = match &reached.left {
            Some(left) => {
                self.say(&format!(
                    "going on though sessions are left (--drain-timeout): {left}"
                ));
                "out of rotation"
            }
            None if reached.hides_sessions => {
                self.say("whether all sessions have ended is unknown: not every balancer tells; --grace gives them time");
                "out of rotation"
            }
            None if !is_polled => "out of rotation",
            None => "drained",
        };
        self.done(step, start);
        Ok(())
    }

    /// Waits until what the balancers ask passes.
    fn until_healthy(&mut self, is_polled: bool) -> Result<(), Failure> {
        if !is_polled {
            self.say("nobody polls it, so whether it is healthy is unknown");
            return Ok(());
        }

        self.step("healthy", |roll| roll.waiter.until_healthy(PASSES))
    }

    /// Lifts the downtimes, and waits until every balancer sees it.
    fn put_up(&mut self, lift: fn(&mut Self) -> Result<(), Failure>) -> Result<(), Failure> {
        // A daemon that does not answer now must not keep the services down.
        let before = self.waiter.everybody();
        self.step("up", lift)
            .map_err(|failure| self.and_left_down(failure))?;
        let reached = self
            .step("seen up", |roll| roll.waiter.until_acted(Goal::Up, before))
            .map_err(|failure| self.and_left_up(failure))?;
        self.waiter.progress.say_all(&reached.now);
        Ok(())
    }

    /// Everything that speaks against it is looked at before anything is changed.
    fn may_begin(&mut self) -> Result<PollersPage, Failure> {
        let runnable = self.command.refuse_unless_runnable();
        runnable.map_err(nothing_changed)?;
        self.refuse_other_spool().map_err(nothing_changed)?;
        if !self.waiter.limits.force {
            for key in &self.waiter.keys {
                self.refuse_if_down(key).map_err(nothing_changed)?;
            }
            self.refuse_if_ordered_down().map_err(nothing_changed)?;
        }

        let page = self.waiter.until_known().map_err(nothing_changed)?;
        self.waiter
            .refuse_unpolled(&page)
            .map_err(nothing_changed)?;
        if !self.waiter.limits.force {
            guard::refuse_last_server(&page.of(&self.waiter.names))?;
        }

        Ok(page)
    }

    fn refuse_other_spool(&self) -> Result<(), DaemonError> {
        let page = self.waiter.everybody()?;
        self.waiter.client.check_spool(&page, &self.waiter.spool)
    }

    /// The end of the roll would lift another's downtime.
    fn refuse_if_down(&self, key: &Key) -> Result<(), Failure> {
        let spool = &self.waiter.spool;
        let Some(before) = spool.read(key).map_err(Failure::failed)? else {
            return Ok(());
        };

        if self.is_of_this_roll(&before) {
            return Ok(());
        }

        let before = description(&before, owner(spool, key));
        Err(failed!(
            "{key} is already down {before}, and the end of this roll would lift that downtime; --force takes it over"
        ))
    }

    /// The end of the roll could not put back what the fleet holds down.
    fn refuse_if_ordered_down(&self) -> Result<(), Failure> {
        let holding = local::holding(self.fleet.as_ref(), &self.waiter.keys);
        match holding.is_empty() {
            true => Ok(()),
            false => Err(failed!(
                "{}\nso it cannot be seen up at the end; --force runs the command all the same",
                holding.join("\n")
            )),
        }
    }

    /// What this roll writes.
    fn downtime(&self) -> Downtime {
        let mut downtime = Downtime {
            reason: self.reason.clone(),
            ..Downtime::default()
        };

        downtime.set_by(&reason::user());
        if let Some(slot) = &self.slot {
            downtime.set_roll(slot.roll().as_str());
        }

        downtime
    }

    fn write(&mut self) -> Result<(), Failure> {
        let downtime = self.downtime();
        for key in &self.waiter.keys {
            let written = self.waiter.spool.down(key, downtime.clone());
            written.map_err(Failure::failed)?;
            self.written.push(self.read(key)?);
        }

        seen::refuse_unseen(self.waiter.client, &self.waiter.spool, &self.waiter.keys)
    }

    /// Lifts what this roll wrote, and nothing else.
    fn lift(&mut self) -> Result<(), Failure> {
        for (key, written) in self.waiter.keys.iter().zip(&self.written) {
            let now = self.read(key)?;
            if now.is_none() || now != *written {
                return Err(self.was_changed(key, now));
            }
            self.waiter.spool.up(key).map_err(Failure::failed)?;
        }

        Ok(())
    }

    fn read(&self, key: &Key) -> Result<Option<Downtime>, Failure> {
        self.waiter.spool.read(key).map_err(Failure::failed)
    }

    fn run_command_to_success(&mut self) -> Result<(), Failure> {
        let ran = self.step("command", |roll| roll.command.run(&roll.waiter.interrupt));
        let status = ran.map_err(|failure| self.unless_going_down(failure))?;
        self.command.check(status)?;
        self.refuse_if_going_down()
    }

    /// Runs a step and tells how long it took.
    fn step<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, Failure> {
        self.enter(name)?;
        let start = Instant::now();
        let done = work(self).map_err(|why| failed!("{name}: {why}"))?;
        self.done(name, start);
        Ok(done)
    }

    fn done(&mut self, name: &'static str, start: Instant) {
        let took = start.elapsed();
        let names = self.waiter.names.join(", ");
        self.say(&format!("{names}: {name} after {}", seconds(took)));
        self.steps.push((name, took));
    }

    fn say(&mut self, text: &str) {
        self.waiter.progress.say(text);
    }

    /// `down 0.0 s, drained 2.1 s`.
    fn durations(&self) -> String {
        let mut texts = Vec::new();
        for (name, took) in &self.steps {
            texts.push(format!("{name} {}", seconds(*took)));
        }

        texts.join(", ")
    }
}

fn is_polled(page: &PollersPage) -> bool {
    let mut pollers = page.pollers.iter();
    pollers.any(|row| row.is_polling(page.now) && row.counts())
}

fn nothing_changed(why: impl fmt::Display) -> Failure {
    failed!("{why}; nothing was changed")
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
