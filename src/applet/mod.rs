//! The names of the binary: each applet is one file here and one row in [`APPLETS`].
//!
//! Rule: an applet never ends the process. It returns an exit code, 0 yes or done, 1 no or failed, 2 usage, or a
//! [`Failure`]; `main` alone turns those into text and a code.

use std::ffi::OsString;

pub mod config;

/// Why an applet could not do its work: the text for standard error, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// 1 for failed, 2 for wrong usage.
    pub code: u8,
    /// One sentence or more that name the subject and the remedy; without the program's name in front.
    pub message: String,
}

/// Runs the applet that the arguments name; `args[0]` is the name that the binary was called by.
///
/// # Errors
/// [`Failure`] for `main` to print.
pub fn main(args: &[OsString]) -> Result<u8, Failure> {
    let _ = args;
    Ok(0)
}
