//! Closes the slowest reader when something else does not fit into memory: its answer is what is held longest.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Connections;
use crate::http::memory::MemoryBudget;

/// How long an answer may be unread whatever else is held.
const READING_GRACE: Duration = Duration::from_secs(3);

/// Closes one reader each time that something does not fit, for as long as there are connections.
pub(super) async fn close_slowest(connections: Weak<Connections>, memory: Arc<MemoryBudget>) {
    loop {
        memory.is_full().await;
        let Some(connections) = connections.upgrade() else {
            return;
        };
        connections.close_slowest_reader();
    }
}

impl Connections {
    fn close_slowest_reader(&self) {
        let mut table = self.table();
        match table.unread_longest() {
            Some((id, waited)) if waited >= READING_GRACE => self.evict(&mut table, id),
            // No reader is slow. What did not fit was refused, and that is enough.
            Some(_) | None => {}
        }
    }
}
