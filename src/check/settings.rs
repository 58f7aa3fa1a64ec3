//! The settings of checks: how long results count, and how many are kept.

use std::time::Duration;

use super::cache;
use crate::settings::Reader;

/// The settings of checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `cache_time`: how long a result counts, from its end; `None` is for ever, zero shares running probes only.
    pub cache_time: Option<Duration>,
    /// `cache_entries`: results that are kept at once.
    pub cache_entries: usize,
    /// `cache_bytes`: memory for the bodies of kept results, in bytes.
    pub cache_bytes: usize,
    /// `max_waiting`: requests that may wait for the result of a probe; `None` is half of the connections.
    pub max_waiting: Option<usize>,
}

impl Settings {
    /// What the cache may keep.
    #[must_use]
    pub fn cache_limits(&self) -> cache::Limits {
        cache::Limits {
            time: self.cache_time,
            entries: self.cache_entries,
            bytes: self.cache_bytes,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cache_time: Some(Duration::from_secs(10)),
            cache_entries: 10_000,
            cache_bytes: 64 << 20,
            max_waiting: None,
        }
    }
}

/// Finite durations longer than this are "for ever", so that adding them to a clock cannot overflow. In seconds.
const FOR_EVER: f64 = 100.0 * 365.0 * 86_400.0;

/// How long results count: `Some(None)` is for ever.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether the value could be read"
)]
pub(crate) fn read_cache_time(reader: &Reader<'_>) -> Option<Option<Duration>> {
    let remedy = "write a number of seconds, 0 for no caching, or .inf to keep results for ever";
    let seconds = reader.number(remedy)?;
    if seconds < 0.0 {
        reader.fault("is less than 0", remedy);
        return None;
    }
    Some(if seconds > FOR_EVER {
        None
    } else {
        Duration::try_from_secs_f64(seconds).ok()
    })
}
