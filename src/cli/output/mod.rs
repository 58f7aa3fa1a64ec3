//! Writing to standard output. Rule: a reader that has seen enough (`hashowdowned | head -1`) is no failure, so nothing
//! here is printed with macros that panic.

pub(crate) mod downtimes;
pub(crate) mod entries;
pub(crate) mod pollers;
pub(crate) mod times;
pub(crate) mod warnings;

use std::io::{self, ErrorKind, Write as _};

use crate::cli::failure::Failure;
use crate::os::cause::cause_text;

/// Writes a text to standard output.
///
/// # Errors
/// When it cannot be written, but for a closed pipe.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::failed(format!(
            "cannot write to standard output: {}",
            cause_text(e)
        ))),
        _ => Ok(()),
    }
}
