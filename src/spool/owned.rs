//! Downtimes that hacheck itself writes, for watched groups.
//!
//! Rule: whose downtime it is stands in the reason. One that an operator wrote is neither replaced nor lifted.

use super::{Downtime, Key, Spool, SpoolError, unix_now};

impl Spool {
    /// Takes a key down with a reason that begins with `owner`, unless another's downtime is in force; whether it was
    /// written now.
    ///
    /// # Errors
    /// When nothing was written.
    pub fn hold(&self, key: &Key, owner: &str, reason: String) -> Result<bool, SpoolError> {
        let name = key.file_name();
        // Mostly it is down already, and then no lock is needed to know so.
        if self.in_force(std::slice::from_ref(&name))?.is_some() {
            return Ok(false);
        }

        debug_assert!(
            reason.starts_with(owner),
            "a downtime that nobody could tell apart"
        );
        let fail = |e| SpoolError::new("write", self.root.join(&name), e);
        let writer = self.writer().map_err(fail)?;
        // Again, as somebody may have been faster.
        if self.in_force(std::slice::from_ref(&name))?.is_some() {
            return Ok(false);
        }

        let written = downtime_since_now(reason).to_json();
        writer.replace(&name, written.as_bytes()).map_err(fail)?;
        Ok(true)
    }

    /// Lifts a downtime whose reason begins with `owner`; whether there was one.
    ///
    /// # Errors
    /// When it could not be read or removed.
    pub fn release(&self, key: &Key, owner: &str) -> Result<bool, SpoolError> {
        let name = key.file_name();
        // First without the lock, as mostly there is none to lift.
        if !self.is_of(&name, owner)? {
            return Ok(false);
        }

        let fail = |e| SpoolError::new("remove", self.root.join(&name), e);
        let writer = self.writer().map_err(fail)?;
        // Again under the lock, as an operator may have replaced it.
        if !self.is_of(&name, owner)? {
            return Ok(false);
        }

        writer.remove(&name).map_err(fail)
    }

    fn is_of(&self, name: &str, owner: &str) -> Result<bool, SpoolError> {
        match self.read_raw(name)? {
            Some(downtime) => Ok(downtime.reason.starts_with(owner)),
            None => Ok(false),
        }
    }
}

fn downtime_since_now(reason: String) -> Downtime {
    Downtime {
        reason,
        creation: Some(unix_now()),
        ..Downtime::default()
    }
}
