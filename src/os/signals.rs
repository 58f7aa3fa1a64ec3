//! Signals as something to wait for.

use std::{fmt, io};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::os::cause::cause_text;

/// The kernel does not tell this process about a signal.
#[derive(Debug)]
pub struct SignalError(io::Error);

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen for signals: {}", cause_text(&self.0))
    }
}

/// Begins to listen for one signal.
pub(crate) fn listen(kind: SignalKind) -> Result<Signal, SignalError> {
    signal(kind).map_err(SignalError)
}

/// SIGTERM and Ctrl-C, which ask for an end.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Begins to listen.
    pub(crate) fn listen() -> Result<Self, SignalError> {
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for either of them.
    pub(crate) async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
