//! What is said once of settings that hide a reason from those who poll, or delay what they are told.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::config::Config;
use crate::ledger::Poller;
use crate::names::text::one_line;

/// Whether the notes were given, and when it was looked last whether they are due, in seconds since the start.
#[derive(Default)]
pub(super) struct IntervalNotes {
    cache: AtomicBool,
    timeout: AtomicBool,
    looked_at: AtomicU64,
}

impl IntervalNotes {
    /// Whether to look at the interval of somebody who polls now: once a second while a note is left to be given.
    pub(super) fn are_due(&self, now: Duration) -> bool {
        let is_given = |note: &AtomicBool| note.load(Ordering::Relaxed);
        if is_given(&self.cache) && is_given(&self.timeout) {
            return false;
        }

        let second = now.as_secs();
        // Of several polls in one second the first one looks.
        self.looked_at.swap(second, Ordering::Relaxed) != second
    }

    /// Gives the notes that fit to a poller's interval in seconds.
    pub(super) fn give(&self, config: &Config, poller: &Poller, interval: f64) {
        let who = who(poller);
        // The swap comes last, so that a note counts as given only where it is; of several threads one gives it.
        if let Some(kept) = too_long(config.check.cache_time, interval)
            && !self.cache.swap(true, Ordering::Relaxed)
        {
            note_cache(&who, interval, kept);
        }

        let timeout = config.probe.timeout_of(poller.service.as_str());
        if let Some(limit) = too_long(Some(timeout), interval)
            && !self.timeout.swap(true, Ordering::Relaxed)
        {
            note_timeout(&who, interval, limit);
        }
    }
}

fn note_cache(who: &str, interval: f64, kept: f64) {
    log::info!(
        "{who} every {interval:.1} s, and results are kept for {kept:.1} s: it is told of a failure up to {kept:.1} s \
         late; set cache_time below its interval"
    );
}

fn note_timeout(who: &str, interval: f64, limit: f64) {
    log::info!(
        "{who} every {interval:.1} s, and a probe may take {limit:.1} s: a poller that waits less (HAProxy: timeout check, \
         else its interval) sees a timeout and no reason; set healthcheck_timeout below what it waits"
    );
}

/// The time in seconds, where it is longer than an interval; `None` is for ever.
fn too_long(time: Option<Duration>, interval: f64) -> Option<f64> {
    let time = time.map_or(f64::INFINITY, |time| time.as_secs_f64());
    (time > interval).then_some(time)
}

/// `lb1 (10.0.0.1) polls web`.
fn who(poller: &Poller) -> String {
    let (address, service) = (poller.address, &poller.service);
    match &poller.node {
        Some(node) => format!("{} ({address}) polls {service}", one_line(node)),
        None => format!("{address} polls {service}"),
    }
}
