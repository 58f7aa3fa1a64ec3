//! The binary: collects the arguments, runs the applet, turns its end into text and an exit code.

use std::io::Write as _;
use std::process::ExitCode;

use hacheck::names::text::for_terminal;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    match hacheck::cli::main(&args) {
        Ok(code) => code.into(),
        Err(failure) => {
            // Where standard error is closed, the exit code alone has to do.
            let _ = writeln!(std::io::stderr(), "{}", for_terminal(&failure.message));
            failure.code.into()
        }
    }
}
