//! Ctrl-C, SIGTERM and the end of the terminal (SIGHUP) as something to look at between two steps, so that a wait can end in a known
//! state.

use std::cell::Cell;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::cli::failure::{Failure, failed};

/// The signals that ask for an end; held back from the moment that this exists.
pub(crate) struct Interrupt {
    signals: SignalFd,
    /// One that came.
    end: Cell<Option<Signal>>,
    /// SIGCONT came.
    went_on: Cell<bool>,
}

impl Interrupt {
    /// Holds the signals back. Commands that are started later would inherit that: see
    /// [`with_default_signals`](crate::os::sys::with_default_signals).
    pub(crate) fn hold() -> Result<Self, Failure> {
        match signals() {
            Ok(signals) => Ok(Self {
                signals,
                end: Cell::new(None),
                went_on: Cell::new(false),
            }),
            Err(e) => {
                let cause = e.desc();
                Err(failed!("cannot watch for Ctrl-C: {cause}"))
            }
        }
    }

    /// The signal that came, if any.
    pub(crate) fn came(&self) -> Option<Signal> {
        self.read_all();
        self.end.take()
    }

    /// Whether this program was stopped (Ctrl-Z) and went on since the last call.
    pub(crate) fn went_on(&self) -> bool {
        self.read_all();
        self.went_on.take()
    }

    fn read_all(&self) {
        while let Some(signal) = self.next() {
            match signal {
                Signal::SIGCONT => self.went_on.set(true),
                end => self.end.set(Some(end)),
            }
        }
    }

    fn next(&self) -> Option<Signal> {
        let info = self.signals.read_signal().ok()??;
        let number = i32::try_from(info.ssi_signo).ok()?;
        Signal::try_from(number).ok()
    }
}

fn signals() -> Result<SignalFd, Errno> {
    let mut set = SigSet::empty();
    set.add(Signal::SIGINT);
    set.add(Signal::SIGTERM);
    set.add(Signal::SIGHUP);
    // It goes on all the same; that it did is told.
    set.add(Signal::SIGCONT);
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}
