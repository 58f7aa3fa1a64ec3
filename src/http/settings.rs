//! The settings of listeners.

use std::time::Duration;

use super::connections::Limits;

/// The settings of listeners.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `max_connections`: connections of pollers at once; `None` follows the limit of open files.
    pub max_connections: Option<usize>,
    /// `max_connections_per_address`: connections of pollers from one address at once.
    pub max_connections_per_address: usize,
    /// `header_timeout`: how long a poller may take to send its request head, and idle between two requests.
    pub header_timeout: Duration,
    /// `write_timeout`: how long a poller may leave an answer unread.
    pub write_timeout: Duration,
    /// `max_head`: the request head that always fits, in bytes.
    pub max_head: usize,
    /// `max_headers`: most headers of a request.
    pub max_headers: usize,
}

impl Settings {
    /// What pollers may use of a listener, with so many connections at once.
    #[must_use]
    pub(crate) fn limits(&self, connections: usize) -> Limits {
        Limits {
            connections,
            per_address: self.max_connections_per_address,
            header_timeout: self.header_timeout,
            write_timeout: self.write_timeout,
            head: self.max_head,
            headers: self.max_headers,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: None,
            max_connections_per_address: 1024,
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            max_head: 32 << 10,
            max_headers: 100,
        }
    }
}
