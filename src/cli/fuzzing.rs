//! The door for fuzz/: what a command line goes through before anything is done. Built with the
//! feature `fuzzing` only.

use super::APPLETS;
use super::args::{argv, times};
use super::compat::heartbeat;
use super::output;

/// Reads a command line as each applet would, and each argument as a time.
///
/// # Panics
/// When what was read cannot be read again.
pub fn command_line(args: &[String]) {
    for arg in args {
        for read in [
            times::parse_unix(arg),
            times::parse_for(arg, 1e9),
            times::parse_until(arg),
        ] {
            assert!(
                read.is_err()
                    || read.is_ok_and(|t| t.is_finite() && !output::times::show(t).is_empty()),
                "{arg:?}"
            );
        }
    }

    for applet in APPLETS {
        let info = (applet.info)();
        if let Ok(argv::CommandLine::Args(read)) = argv::read(&info, args) {
            // haroll keeps the `--` in front of the command that it runs, so the words may grow by
            // that.
            let again = argv::read(&info, &read);
            assert!(
                matches!(again, Ok(argv::CommandLine::Args(_))),
                "{} {args:?}: {again:?}",
                applet.name
            );
        }
    }
}

/// Reads a file of `heartbeat`.
///
/// # Panics
/// When a fault names a line that is not there, or reading once more gives something else.
pub fn heartbeat_file(text: &str) {
    let read = heartbeat::fuzzed(text);
    assert_eq!(read, heartbeat::fuzzed(text));
    if let Err(lines) = read {
        let last = text.lines().count().max(1);
        assert!(
            !lines.is_empty() && lines.iter().all(|line| (1..=last).contains(line)),
            "{lines:?} of {last}"
        );
    }
}
