//! `hadown`: writes downtimes. Silent on success; what it replaced is told on standard error.

mod told;
mod write;

use super::request::SwitchRequest;
use super::{Task, info, notes, run};
use crate::cli::applet::Applet;
use crate::cli::args::reason;
use crate::cli::failure::{Failure, failed};
use crate::cli::output;
use crate::cli::output::downtimes::{description, owner};
use crate::cli::wait::acted::Goal;
use crate::cli::wait::{Reached, Unfinished, guard, seen};
use crate::ledger::PollersPage;
use crate::spool::{Downtime, Key, unix_now};
use write::Written;

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

pub(super) fn act(request: &SwitchRequest) -> Result<u8, Failure> {
    let given = request.reason.clone();
    let Some(reason) = given.or_else(reason::of_user) else {
        // On standard output and with exit code 1, as in Yelp's hacheck.
        output::print("please use --reason option to tell us who you REALLY are\n")?;
        return Ok(1);
    };

    let hadown = Hadown { request, reason };
    hadown.note_odd_end();
    if request.if_up {
        hadown.refuse_if_down()?;
    }

    match request.wait {
        Some(goal) => hadown.write_and_wait(goal)?,
        None => hadown.write_only()?,
    }

    Ok(0)
}

/// One call of `hadown`.
struct Hadown<'a> {
    request: &'a SwitchRequest<'a>,
    reason: String,
}

impl Hadown<'_> {
    /// `--if-up`: nothing is changed when anything is down. Whoever is faster between this and the
    /// write is seen there.
    fn refuse_if_down(&self) -> Result<(), Failure> {
        let mut failures = Vec::new();
        for subject in &self.request.subjects {
            if let Err(failure) = self.refuse_down(&subject.key) {
                failures.push(failure);
            }
        }

        Failure::unless_empty(&failures)
    }

    fn refuse_down(&self, key: &Key) -> Result<(), Failure> {
        let spool = &self.request.spool;
        match spool.read(key) {
            Ok(None) => Ok(()),
            Ok(Some(before)) => Err(already_down(key, &before, owner(spool, key))),
            Err(e) => Err(Failure::failed(e)),
        }
    }

    /// Without `--wait` nothing is asked before the write: an operator in a hurry is not held up by a daemon.
    fn write_only(&self) -> Result<(), Failure> {
        self.make_root()?;
        let written = self.write_all();
        // Also where a write failed: the others may have taken down a last server.
        let is_asked = self.glance();
        written?;
        if is_asked {
            self.refuse_unseen()?;
        }

        Ok(())
    }

    /// What the daemon and the balancers say of a plain `hadown`, which is unconditional: told to the user, waited for by
    /// nobody. Whether there is a daemon that obeys this spool.
    fn glance(&self) -> bool {
        let Some(everybody) = notes::glance(self.request) else {
            return false;
        };

        let own = everybody.of(&self.request.names());
        self.request.note_all(&guard::last_servers(&own));
        self.note_mark(&own);
        true
    }

    fn write_and_wait(&self, goal: Goal) -> Result<(), Failure> {
        let before = self.request.pollers_before_change()?;
        if let Ok(everybody) = &before {
            self.check_balancers(everybody)?;
        }

        // From here on Ctrl-C is held back, so that it cannot come between a write and its report.
        let mut waiter = self.request.waiter()?;
        self.make_root()?;
        let written = self.write_all()?;
        // Where no daemon answered, there is none to see the downtime; the wait says so.
        if before.is_ok() {
            self.refuse_unseen()?;
        }

        match waiter.until_acted(goal, before) {
            Ok(reached) => {
                waiter.progress.say_all(&reached.now);
                refuse_sessions(reached)
            }
            Err(why) => Err(self.unfinished(why, &written)),
        }
    }

    /// Looks at who would be told, before anything is changed.
    fn check_balancers(&self, everybody: &PollersPage) -> Result<(), Failure> {
        let own = everybody.of(&self.request.names());
        if !self.request.limits.force {
            guard::refuse_last_server(&own)?;
        }

        self.note_mark(&own);
        Ok(())
    }

    /// Fails where the daemon does not see what was written; one that is over already is not to be seen.
    fn refuse_unseen(&self) -> Result<(), Failure> {
        if self.is_over() {
            return Ok(());
        }

        let request = self.request;
        seen::refuse_unseen(request.client, &request.spool, &request.keys())
    }

    fn is_over(&self) -> bool {
        let end = self.request.expiration;
        end.is_some_and(|end| end <= unix_now())
    }

    /// The failure, with what is so now.
    fn unfinished(&self, why: Unfinished, written: &[Written]) -> Failure {
        match why {
            // It says what is so now itself.
            Unfinished::DowntimeEnded(_) => Failure::from(why),
            Unfinished::LastServer(_) => self.put_back(Failure::from(why), written),
            _ => {
                let names = self.request.names().join(", ");
                Failure::from(why).and_line(format!("the downtime of {names} is written and stays"))
            }
        }
    }
}

fn already_down(key: &Key, before: &Downtime, owner: Option<String>) -> Failure {
    let before = description(before, owner);
    failed!("{key} is already down {before}; it stays as it is (--if-up)")
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
