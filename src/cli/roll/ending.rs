//! How a roll fails: what is said of its services then.
//!
//! Rule: what is said is what the spool says at the end, not what was meant.

use super::Roll;
use crate::cli::failure::{Failure, failed};
use crate::cli::output::downtimes::{description, owner};
use crate::cli::wait::Unfinished;
use crate::spool::{Downtime, Key};

impl Roll {
    /// Where sessions have not ended. What would leave a backend without a server is put back.
    pub(super) fn not_drained(&mut self, why: &Unfinished) -> Failure {
        let failure = failed!("drained: {why}");
        match why {
            Unfinished::LastServer(_) => self.put_back(failure),
            _ => self.and_left_down(failure),
        }
    }

    fn put_back(&mut self, failure: Failure) -> Failure {
        let names = self.waiter.names.join(", ");
        match self.lift() {
            Ok(()) => failure.and_line(format!("{names} is put back; the command was not run")),
            Err(e) => self.and_left_down(failure.and_line(e)),
        }
    }

    pub(super) fn and_left_down(&self, failure: Failure) -> Failure {
        let names = self.waiter.names.join(", ");
        let mut down = Vec::new();
        for key in &self.waiter.keys {
            match self.waiter.spool.read(key) {
                Ok(Some(_)) => down.push(key.file_name()),
                Ok(None) => {}
                Err(e) => {
                    return failure.and_line(format!("whether {names} is down is unknown: {e}"));
                }
            }
        }

        if down.is_empty() {
            return failure.and_line(format!("{names} is not down"));
        }

        let (list, words) = (down.join(", "), down.join(" "));
        failure.and_line(format!("{list} stays down; 'haup {words}' puts it back"))
    }

    pub(super) fn and_left_up(&self, failure: Failure) -> Failure {
        let names = self.waiter.names.join(", ");
        failure.and_line(format!("the downtime of {names} is lifted all the same"))
    }

    pub(super) fn was_changed(&self, key: &Key, now: Option<Downtime>) -> Failure {
        match now {
            Some(other) => {
                let other = description(&other, owner(&self.waiter.spool, key));
                failed!(
                    "{key} was taken down by somebody else meanwhile, {other}; that downtime is left alone"
                )
            }
            None => failed!("{key} was put back by somebody else meanwhile"),
        }
    }
}
