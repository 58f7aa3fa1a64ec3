//! The signals that a daemon listens to.

use tokio::signal::unix::{Signal, SignalKind};

use crate::os::signals::{self, SignalError};

/// What a signal asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    /// SIGHUP.
    Reload,
    /// SIGTERM, SIGINT or SIGQUIT.
    Stop,
}

pub(super) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    /// Begins to listen.
    pub(super) fn listen() -> Result<Self, SignalError> {
        Ok(Self {
            hangup: signals::listen(SignalKind::hangup())?,
            terminate: signals::listen(SignalKind::terminate())?,
            interrupt: signals::listen(SignalKind::interrupt())?,
            quit: signals::listen(SignalKind::quit())?,
        })
    }

    /// Waits for one that ends the daemon. A SIGHUP that comes meanwhile is kept for [`Signals::next`].
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Event {
        // Of several at once any may come first: the others are kept for the next call.
        tokio::select! {
            _ = self.hangup.recv() => Event::Reload,
            _ = self.terminate.recv() => Event::Stop,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.quit.recv() => Event::Stop,
        }
    }
}
