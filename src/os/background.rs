//! Going on without a terminal.

use std::io;

/// Goes on in the background, in a session of its own, with standard input and outputs closed; the folder stays. To be
/// called before there is a second thread. The process that was started ends with success.
///
/// # Errors
/// When the kernel does not allow it.
pub(crate) fn go_into_background() -> io::Result<()> {
    // daemon(3): the folder stays, as paths of the command line may be relative to it.
    Ok(nix::unistd::daemon(true, false)?)
}
