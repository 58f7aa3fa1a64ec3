//! Downtimes that hacheck itself writes, for watched groups.
//!
//! Rule: whose downtime it is stands in the reason. One that an operator wrote is neither replaced nor lifted.

use std::time::SystemTime;

use super::{Downtime, Key, Spool, SpoolError, unix_now};

impl Spool {
    /// Takes a key down with a reason that begins with `owner`, unless another's downtime is in force; whether it was
    /// written now.
    ///
    /// # Errors
    /// When nothing was written.
    pub fn hold(&self, key: &Key, owner: &str, reason: String) -> Result<bool, SpoolError> {
        let name = key.file_name();
        let in_force = || {
            self.read_raw(&name)
                .map(|d| d.is_some_and(|d| !d.is_over(SystemTime::now())))
        };
        if in_force()? {
            return Ok(false);
        }
        debug_assert!(
            reason.starts_with(owner),
            "a downtime that nobody could tell apart"
        );
        let fail = |e| SpoolError::new("write", self.root.join(&name), e);
        let writer = self.writer().map_err(fail)?;
        if in_force()? {
            return Ok(false);
        }
        let downtime = Downtime {
            reason,
            creation: Some(unix_now()),
            ..Downtime::default()
        };
        writer
            .replace(&name, downtime.to_json().as_bytes())
            .map_err(fail)?;
        Ok(true)
    }

    /// Lifts a downtime whose reason begins with `owner`; whether there was one.
    ///
    /// # Errors
    /// When it could not be read or removed.
    pub fn release(&self, key: &Key, owner: &str) -> Result<bool, SpoolError> {
        let name = key.file_name();
        let ours = || {
            self.read_raw(&name)
                .map(|d| d.is_some_and(|d| d.reason.starts_with(owner)))
        };
        if !ours()? {
            return Ok(false);
        }
        let fail = |e| SpoolError::new("remove", self.root.join(&name), e);
        let writer = self.writer().map_err(fail)?;
        Ok(ours()? && writer.remove(&name).map_err(fail)?)
    }
}
