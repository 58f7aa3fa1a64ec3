//! What is counted, and its text for Prometheus (exposition format 0.0.4). Pure but for the counters.
//!
//! Rule: no label ever holds a name that a request made up, so the number of series is bounded by the configuration.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::probe::PROTOCOLS;

/// Upper bounds of the duration buckets, in seconds.
const BUCKETS: [f64; 8] = [0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Counters that requests move.
#[derive(Default)]
pub struct Counters {
    /// Requests answered, by the first digit of the status.
    classes: [AtomicU64; 6],
    /// Checks answered "down" by the spool.
    pub down: AtomicU64,
    /// Checks refused before a probe: forbidden hosts, bad headers.
    pub refused: AtomicU64,
    /// Changes of the spool by POST.
    pub spool_changes: AtomicU64,
    /// Changes of the spool by POST that were not permitted.
    pub spool_changes_refused: AtomicU64,
    probes: Vec<Probes>,
}

/// Probes of one protocol.
#[derive(Default)]
struct Probes {
    passed: AtomicU64,
    failed: AtomicU64,
    buckets: [AtomicU64; BUCKETS.len()],
    microseconds: AtomicU64,
}

impl Counters {
    /// All zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            probes: PROTOCOLS.iter().map(|_| Probes::default()).collect(),
            ..Self::default()
        }
    }

    /// Counts an answer.
    pub fn answered(&self, status: u16) {
        add(&self.classes[usize::from(status / 100).min(5)], 1);
    }

    /// Requests answered so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.classes.iter().map(get).sum()
    }

    /// Counts a probe.
    pub fn probed(&self, protocol: &str, passed: bool, seconds: f64) {
        let Some(probes) = PROTOCOLS
            .iter()
            .position(|p| p.name == protocol)
            .and_then(|i| self.probes.get(i))
        else {
            return;
        };
        add(
            if passed {
                &probes.passed
            } else {
                &probes.failed
            },
            1,
        );
        if let Some(bucket) = BUCKETS.iter().position(|b| seconds <= *b) {
            add(&probes.buckets[bucket], 1);
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a day at most
        add(&probes.microseconds, (seconds * 1e6) as u64);
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// The text under way.
pub struct Page(String);

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new() -> Self {
        Self(String::with_capacity(8192))
    }

    /// Begins a metric.
    pub fn metric(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail; so below.
        let _ = writeln!(
            self.0,
            "# HELP hacheck_{name} {help}\n# TYPE hacheck_{name} {kind}"
        );
    }

    /// A sample of it; `labels` are empty or in braces.
    pub fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "hacheck_{name}{labels} {value}");
    }

    /// A metric with one sample.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.metric(name, kind, help);
        self.sample(name, "", value);
    }

    /// The counters that requests move.
    pub fn counters(&mut self, counters: &Counters) {
        self.metric(
            "requests_total",
            "counter",
            "HTTP requests answered, by class of status.",
        );
        for class in 1..=5 {
            self.sample(
                "requests_total",
                &format!("{{code=\"{class}xx\"}}"),
                get(&counters.classes[class]),
            );
        }
        self.single(
            "checks_down_total",
            "counter",
            "Checks answered from a downtime.",
            get(&counters.down),
        );
        self.single(
            "checks_refused_total",
            "counter",
            "Checks refused before a probe.",
            get(&counters.refused),
        );
        self.single(
            "spool_changes_total",
            "counter",
            "Spool changes by POST.",
            get(&counters.spool_changes),
        );
        let refused = get(&counters.spool_changes_refused);
        self.single(
            "spool_changes_refused_total",
            "counter",
            "Spool changes by POST that were not permitted.",
            refused,
        );
        self.metric(
            "probes_total",
            "counter",
            "Probes run, by protocol and result.",
        );
        for (protocol, probes) in PROTOCOLS.iter().zip(&counters.probes) {
            for (result, counter) in [("pass", &probes.passed), ("fail", &probes.failed)] {
                let labels = format!("{{protocol=\"{}\",result=\"{result}\"}}", protocol.name);
                self.sample("probes_total", &labels, get(counter));
            }
        }
        self.metric(
            "probe_duration_seconds",
            "histogram",
            "Time that probes took.",
        );
        for (protocol, probes) in PROTOCOLS.iter().zip(&counters.probes) {
            self.histogram(protocol.name, probes);
        }
    }

    fn histogram(&mut self, protocol: &str, probes: &Probes) {
        let name = "probe_duration_seconds";
        let mut below = 0;
        for (bound, bucket) in BUCKETS.iter().zip(&probes.buckets) {
            below += get(bucket);
            self.sample(
                &format!("{name}_bucket"),
                &format!("{{protocol=\"{protocol}\",le=\"{bound}\"}}"),
                below,
            );
        }
        // A probe that ends between the two reads must not make a bucket larger than the count.
        let count = below.max(get(&probes.passed) + get(&probes.failed));
        self.sample(
            &format!("{name}_bucket"),
            &format!("{{protocol=\"{protocol}\",le=\"+Inf\"}}"),
            count,
        );
        #[allow(clippy::cast_precision_loss)] // a sum for graphs
        let sum = get(&probes.microseconds) as f64 / 1e6;
        self.sample(
            &format!("{name}_sum"),
            &format!("{{protocol=\"{protocol}\"}}"),
            sum,
        );
        self.sample(
            &format!("{name}_count"),
            &format!("{{protocol=\"{protocol}\"}}"),
            count,
        );
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::new()
    }
}
