//! The settings of listeners.

use std::time::Duration;

use crate::settings::{bytes, count, flag, seconds, settings};

/// The largest memory that can be asked for, in bytes: 1 TiB, or what a pointer can count.
const MOST_MEMORY: usize = if usize::BITS > 40 { 1 << 40 } else { 1 << 30 };

settings! {
    /// What pollers may use of the listeners.
    pub struct HttpSettings {
        /// Connections of pollers at once; unset follows the limit of open files.
        max_connections: Option<usize> = None, count("connections", 1, 10_000_000).or_unset(), restart;
        /// Connections of one address at once. At the limit the one that is idle longest makes room; a new one is never
        /// refused.
        max_connections_per_address: usize = 1024, count("connections", 1, 10_000_000), restart;
        /// How long a poller may take to send its request head: on a new connection from the start, on a kept one from its
        /// first byte.
        header_timeout: Duration = Duration::from_secs(10), seconds(0.1, 3600.0), restart;
        /// How long a kept connection may stay idle between two requests. Longer than the pollers' interval, or polls are
        /// lost on connections that are being closed.
        idle_timeout: Duration = Duration::from_secs(75), seconds(0.1, 3600.0), restart;
        /// How long a poller may leave an answer unread before its connection is closed.
        write_timeout: Duration = Duration::from_secs(10), seconds(0.1, 3600.0), restart;
        /// A request head up to this size always fits; of one above twice that the answer is 431.
        max_head: usize = 32 << 10, bytes(8 << 10, 1 << 20), restart;
        /// Headers of a request; with more the answer is 431.
        max_headers: usize = 100, count("headers", 16, 10_000), restart;
        /// Whether the ports for HTTP also take HTTP/2 in clear text with prior knowledge (HAProxy: `proto h2`); at most
        /// 32 requests of a connection at once.
        http2: bool = true, flag(), restart;
        /// Memory for all that is held for others, besides `cache_bytes`: bodies that are read and unpacked, results and
        /// pages that wait for slow readers, forms, long request heads. What does not fit gets 503 with Retry-After; the
        /// slowest reader is closed. Answers up to 16KiB and heads up to 4KiB need no place: a quarter is theirs, and what
        /// they leave of it goes to established pollers.
        memory_limit: usize = 64 << 20, bytes(1 << 20, MOST_MEMORY);
    }
}
