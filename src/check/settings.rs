//! The settings of checks: how long results count, and how many are kept.

use std::time::Duration;

use crate::settings::{bytes, count, seconds_or_ever, settings};

settings! {
    /// How long results count, and how many are kept and waited for.
    pub struct CheckSettings {
        /// How long a result counts, from its end. 0 keeps none, yet polls at the same time still share one probe;
        /// `.inf` keeps results for ever.
        cache_time: Option<Duration> = Some(Duration::from_secs(10)), seconds_or_ever();
        /// Results that are kept at once; the oldest make room.
        cache_entries: usize = 10_000, count("results", 1, 10_000_000);
        /// Memory for the bodies of kept results.
        cache_bytes: usize = 16 << 20, bytes(0, MOST_MEMORY);
        /// Requests that wait for the result of a probe, but for those of established pollers. When one more comes, the
        /// one that waited longest gets 503 with Retry-After. Unset is half of the connections, so that requests that wait
        /// never keep new pollers out.
        max_waiting: Option<usize> = None, count("requests", 1, 10_000_000).or_unset();
    }
}

/// The largest memory that can be asked for, in bytes: 1 TiB, or what a pointer can count.
const MOST_MEMORY: usize = if usize::BITS > 40 { 1 << 40 } else { 1 << 30 };
