//! Signals that are held back, to be looked at between two steps of a thread that waits for nothing else.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Some signals; they do nothing by themselves from the moment that this exists, and programs that are started inherit that:
/// see [`with_default_signals`](crate::os::sys::with_default_signals).
pub(crate) struct HeldSignals(SignalFd);

impl HeldSignals {
    /// Holds them back in this thread, and in those that it starts later.
    pub(crate) fn hold(signals: &[Signal]) -> Result<Self, Errno> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        SignalFd::with_flags(&set, flags).map(Self)
    }

    /// The next one that came, if any.
    pub(crate) fn next(&self) -> Option<Signal> {
        let info = self.0.read_signal().ok()??;
        let number = i32::try_from(info.ssi_signo).ok()?;
        Signal::try_from(number).ok()
    }
}

/// Readable while there is one.
impl AsFd for HeldSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
