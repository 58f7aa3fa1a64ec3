//! Ctrl-C, SIGTERM and the end of the terminal (SIGHUP) as something to look at between two steps, so that a wait can end in a known
//! state.

use std::cell::Cell;

use nix::sys::signal::Signal;

use crate::cli::failure::{Failure, failed};
use crate::os::held_signals::HeldSignals;

/// What is looked at. SIGCONT has its effect all the same; that it came is told.
const SIGNALS: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGCONT,
];

/// The signals that ask for an end; held back from the moment that this exists.
pub(crate) struct Interrupt {
    signals: HeldSignals,
    /// One that came.
    end: Cell<Option<Signal>>,
    /// SIGCONT came.
    went_on: Cell<bool>,
}

impl Interrupt {
    /// Holds the signals back. Commands that are started later would inherit that: see
    /// [`with_default_signals`](crate::os::sys::with_default_signals).
    pub(crate) fn hold() -> Result<Self, Failure> {
        match HeldSignals::hold(&SIGNALS) {
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
        while let Some(signal) = self.signals.next() {
            match signal {
                Signal::SIGCONT => self.went_on.set(true),
                // Of two that came together the last one ends this: both ask for the same.
                end => self.end.set(Some(end)),
            }
        }
    }
}
