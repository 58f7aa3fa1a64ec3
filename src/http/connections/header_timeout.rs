//! Ends connections that bring no request within `header_timeout`, or no further one within `idle_timeout`.
//!
//! One task looks at all of them now and then. A timer for each request would cost more than everything else that is
//! done about connections.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::slow_readers::close_slowest;
use super::table::IdleLimits;
use super::{Connections, OpenConnection};

impl Connections {
    fn idle_limits(&self) -> IdleLimits {
        IdleLimits {
            idle: self.settings.header_timeout,
            kept: self.settings.idle_timeout,
        }
    }

    /// Starts the tasks that enforce the timeout and make room in memory, if they do not run yet.
    pub(in crate::http) fn enforce_limits(self: &Arc<Self>) {
        // Every listener calls this; one pair of tasks serves all.
        if !self.enforced.swap(true, Ordering::Relaxed) {
            let memory = Arc::clone(&self.memory);
            tokio::spawn(enforce(Arc::downgrade(self), self.idle_limits()));
            tokio::spawn(close_slowest(Arc::downgrade(self), memory));
        }
    }
}

async fn enforce(connections: Weak<Connections>, limits: IdleLimits) {
    // A connection exceeds its limit by a tenth at most, and the table is seldom locked.
    let every = limits.idle.min(limits.kept) / 10;
    let every = every.clamp(Duration::from_millis(10), Duration::from_secs(1));
    loop {
        tokio::time::sleep(every).await;
        // Weak, because a strong reference here would keep the connections alive for ever.
        let Some(connections) = connections.upgrade() else {
            return;
        };
        connections.table().notify_overdue(limits);
    }
}

impl OpenConnection {
    /// Waits until no request came for the whole time. Poll the connection before this: its request may be there and
    /// not be read yet, because the thread was busy or the whole process was stopped.
    pub(in crate::http) async fn overdue(&self) {
        let limits = self.connections.idle_limits();
        loop {
            self.overdue.notified().await;
            // Lets the runtime look for what has arrived, which it has not done yet if the process was stopped.
            tokio::task::yield_now().await;
            if self.connections.table().is_overdue(self.id, limits) {
                return;
            }
        }
    }
}
