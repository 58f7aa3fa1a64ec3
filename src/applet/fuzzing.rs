//! The door for fuzz/: what a command line goes through before anything is done. Built with the feature `fuzzing` only.

use super::{APPLETS, argv};

/// Reads a command line as each applet would.
///
/// # Panics
/// When what was read is not read again as the same.
pub fn command_line(args: &[String]) {
    for applet in APPLETS {
        let info = (applet.info)();
        if let Ok(argv::Read::Args(read)) = argv::read(&info, args) {
            let again = argv::read(&info, &read);
            assert_eq!(again, Ok(argv::Read::Args(read)), "{} {args:?}", applet.name);
        }
    }
}
