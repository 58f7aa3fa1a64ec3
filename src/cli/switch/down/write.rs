//! Writes the downtimes of a `hadown`, and puts back what was there.

use super::{Hadown, already_down};
use crate::cli::args::reason;
use crate::cli::failure::Failure;
use crate::cli::output::downtimes::owner;
use crate::spool::{Downtime, Key, SpoolError};

/// A downtime that was written.
pub(super) struct Written {
    key: Key,
    /// What was in force before.
    before: Option<Downtime>,
    /// What is there now.
    now: Option<Downtime>,
}

impl Hadown<'_> {
    pub(super) fn make_root(&self) -> Result<(), Failure> {
        let spool = &self.request.spool;
        let is_new = spool.create_root().map_err(Failure::failed)?;
        if is_new {
            let folder = spool.root().display();
            self.request.note(&format!(
                "the spool folder {folder} was missing and has been created"
            ));
        }

        Ok(())
    }

    /// Writes the downtimes; one that cannot be written does not keep the others from it.
    pub(super) fn write_all(&self) -> Result<Vec<Written>, Failure> {
        let mut all = Vec::new();
        let mut failures = Vec::new();
        for subject in &self.request.subjects {
            self.note_not_pollable(subject.key.service_name());
            match self.write(&subject.key) {
                Ok(written) => all.push(written),
                Err(failure) => failures.push(failure),
            }
        }

        Failure::unless_empty(&failures)?;
        Ok(all)
    }

    fn write(&self, key: &Key) -> Result<Written, Failure> {
        let spool = &self.request.spool;
        // Looked up first, since the write makes it this user's.
        let owner = owner(spool, key);
        let before = self.replace(key).map_err(Failure::failed)?;
        if let Some(before) = &before {
            // The write itself looked again, and has left it as it is.
            if self.request.if_up {
                return Err(already_down(key, before, owner));
            }
            self.note_replaced(key, before, owner);
        }

        Ok(Written {
            key: key.clone(),
            before,
            now: spool.read(key).map_err(Failure::failed)?,
        })
    }

    /// Writes one downtime; gives what was in force before, which `--if-up` leaves as it is.
    fn replace(&self, key: &Key) -> Result<Option<Downtime>, SpoolError> {
        let spool = &self.request.spool;
        let new = self.downtime();
        match self.request.if_up {
            true => spool.down_if_up(key, new),
            false => spool.down(key, new),
        }
    }

    fn downtime(&self) -> Downtime {
        let mut new = Downtime {
            reason: self.reason.clone(),
            expiration: self.request.expiration,
            ..Downtime::default()
        };

        if let Some(mark) = self.request.mark {
            new.set_mark(mark);
        }

        new.set_by(&reason::user());
        if new.cut_reason() {
            self.request
                .note("the reason was longer than 256 KiB and was cut");
        }

        new
    }

    /// Lifts what was written, where nothing was down before, and nobody has changed it since.
    pub(super) fn put_back(&self, mut failure: Failure, written: &[Written]) -> Failure {
        // Also those that stay as they are: whoever reads this has to know the state of each.
        for one in written {
            failure = failure.and_line(self.put_one_back(one));
        }

        failure
    }

    /// What is so now, in a line.
    fn put_one_back(&self, written: &Written) -> String {
        let key = &written.key;
        if written.before.is_some() {
            return format!("{key} was down before, and stays down");
        }

        if !self.is_unchanged(written) {
            return format!("{key} was changed by somebody else meanwhile, and stays so");
        }

        match self.request.spool.up(key) {
            Ok(_) => format!("{key} is put back: its downtime is lifted"),
            Err(e) => format!("{key} stays down: {e}"),
        }
    }

    /// What cannot be read may be somebody else's, so it is not lifted.
    fn is_unchanged(&self, written: &Written) -> bool {
        match self.request.spool.read(&written.key) {
            Ok(found) => found == written.now,
            Err(_) => false,
        }
    }
}
