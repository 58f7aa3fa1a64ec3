//! Files that stand beside the entries of a spool: what whoever keeps it wants to know again.
//!
//! Rule: their names begin with the mark of temporary files, so that no check and no list takes them for downtimes.

use std::io::ErrorKind;

use super::{Spool, SpoolError, TEMP_MARK};
use crate::os::reading::{FileError, read_regular};

/// Most bytes of such a file.
const BESIDE_MAX: u64 = 64 << 20;

impl Spool {
    /// Replaces a file beside the entries.
    ///
    /// # Errors
    /// When nothing was written.
    pub fn replace_beside(&self, name: &str, content: &[u8]) -> Result<(), SpoolError> {
        let name = format!("{TEMP_MARK}{name}");
        let fail = |e| SpoolError::new("write", self.root.join(&name), e);
        let writer = self.writer().map_err(fail)?;
        writer.replace(&name, content).map_err(fail)
    }

    /// Reads a file beside the entries; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_beside(&self, name: &str) -> Result<Option<Vec<u8>>, SpoolError> {
        let path = self.root.join(format!("{TEMP_MARK}{name}"));
        match read_regular(&path, BESIDE_MAX) {
            Ok(content) => Ok(Some(content)),
            Err(FileError::Io(e)) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(FileError::Io(e)) => Err(SpoolError::new("read", path, e)),
            Err(other) => {
                let cause = std::io::Error::other(other.to_string());
                Err(SpoolError::new("read", path, cause))
            }
        }
    }
}
