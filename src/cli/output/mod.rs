//! What the applets print, and how.

pub(crate) mod downtimes;
pub(crate) mod entries;
pub(crate) mod pollers;
pub(crate) mod screen;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod warnings;

use std::io::{self, ErrorKind, Write as _};

use crate::cli::failure::{Failure, failed};
use crate::names::text::for_terminal;
use crate::os::cause::cause_text;
pub(crate) use crate::os::times;

/// Writes a text to standard output, made fit for a terminal. A reader that has seen enough (`hashowdowned | head -1`) is no
/// failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match write(&for_terminal(text)) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            let cause = cause_text(e);
            Err(failed!("cannot write to standard output: {cause}"))
        }
        _ => Ok(()),
    }
}

/// Not by the macros of the standard library, which panic at a closed pipe.
fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    // Here, as a failure at the end of the process would be told to nobody.
    out.flush()
}

/// Writes a line to standard error, made fit for a terminal. Where that is closed, nobody wants to know.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{}", for_terminal(line));
}
