//! What requests and probes count, for `/metrics`.
//!
//! Rule: nothing is counted by a name that a request made up, so the number of counters is fixed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::probe::PROTOCOLS;

/// Upper bounds of the duration buckets, in seconds.
pub(super) const BUCKETS: [f64; 8] = [0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Counters that requests move.
#[derive(Default)]
pub(crate) struct Counters {
    /// Requests answered, by the first digit of the status.
    pub(super) classes: [AtomicU64; 6],
    /// How long that took.
    pub(super) answered_in: Durations,
    /// Checks answered "down" by the spool.
    pub down: AtomicU64,
    /// Checks refused before a probe: forbidden hosts, bad headers.
    pub refused: AtomicU64,
    /// Changes of the spool by POST.
    pub spool_changes: AtomicU64,
    /// Changes of the spool by POST that were not permitted.
    pub spool_changes_refused: AtomicU64,
    /// The configuration that was read last is at fault, and an older one is in force.
    pub(super) reload_failed: AtomicBool,
    /// When the one in force was read, in whole seconds of unix time.
    pub(super) config_read_at: AtomicU64,
    /// In the order of [`PROTOCOLS`].
    pub(super) probes: Vec<ProbeCounters>,
}

/// Probes of one protocol.
#[derive(Default)]
pub(super) struct ProbeCounters {
    pub(super) passed: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) took: Durations,
}

impl ProbeCounters {
    fn add(&self, passed: bool, took: Duration) {
        let counter = match passed {
            true => &self.passed,
            false => &self.failed,
        };

        add(counter, 1);
        self.took.add(took);
    }
}

/// How long things took.
#[derive(Default)]
pub(super) struct Durations {
    /// Those up to each of [`BUCKETS`] that are longer than the one before.
    pub(super) buckets: [AtomicU64; BUCKETS.len()],
    /// Those that are longer than all of them.
    pub(super) longer: AtomicU64,
    /// All together.
    pub(super) microseconds: AtomicU64,
}

impl Durations {
    fn add(&self, took: Duration) {
        add(self.bucket(took), 1);
        // Half a million years fit.
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        add(&self.microseconds, micros);
    }

    fn bucket(&self, took: Duration) -> &AtomicU64 {
        let seconds = took.as_secs_f64();
        match BUCKETS.iter().position(|bound| seconds <= *bound) {
            Some(place) => &self.buckets[place],
            None => &self.longer,
        }
    }
}

impl Counters {
    /// All zero.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self {
            probes: PROTOCOLS.iter().map(|_| ProbeCounters::default()).collect(),
            config_read_at: AtomicU64::new(unix_seconds_now()),
            ..Self::default()
        }
    }

    /// Notes what came of a reload.
    pub(crate) fn reloaded(&self, is_in_force: bool) {
        self.reload_failed.store(!is_in_force, Ordering::Relaxed);
        if is_in_force {
            let now = unix_seconds_now();
            self.config_read_at.store(now, Ordering::Relaxed);
        }
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, status: u16, took: Duration) {
        // The first is for agents, whose answers have no status.
        let class = usize::from(status / 100).min(5);
        add(&self.classes[class], 1);
        self.answered_in.add(took);
    }

    /// Requests answered so far.
    #[must_use]
    pub(crate) fn requests(&self) -> u64 {
        self.classes.iter().map(get).sum()
    }

    /// Counts a probe.
    pub(crate) fn probed(&self, protocol: &str, passed: bool, took: Duration) {
        if let Some(probes) = self.of_protocol(protocol) {
            probes.add(passed, took);
        }
    }

    fn of_protocol(&self, name: &str) -> Option<&ProbeCounters> {
        let row = PROTOCOLS.iter().position(|p| p.name == name)?;
        self.probes.get(row)
    }
}

fn unix_seconds_now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn add(counter: &AtomicU64, n: u64) {
    // Relaxed, as nothing else is told by a counter: no reader concludes from one to another.
    counter.fetch_add(n, Ordering::Relaxed);
}

/// A counter as it stands.
pub(super) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
