//! Ctrl-C and SIGTERM as something to look at between two steps, so that a wait can end in a known state.

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::cli::failure::Failure;

/// The signals that ask for an end; held back from the moment that this exists.
pub(crate) struct Interrupt(SignalFd);

impl Interrupt {
    /// Holds the signals back. Commands that are started later get them as usual: the standard library clears the mask.
    pub(crate) fn hold() -> Result<Self, Failure> {
        let failed =
            |e: nix::Error| Failure::failed(format!("cannot watch for Ctrl-C: {}", e.desc()));
        let mut set = SigSet::empty();
        set.add(Signal::SIGINT);
        set.add(Signal::SIGTERM);
        set.thread_block().map_err(failed)?;
        SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .map(Self)
            .map_err(failed)
    }

    /// The signal that came, if any.
    pub(crate) fn came(&self) -> Option<Signal> {
        let info = self.0.read_signal().ok().flatten()?;
        Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()
    }
}
