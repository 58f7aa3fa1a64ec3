//! The text format of Prometheus (exposition format 0.0.4).
//!
//! Rule: no label ever holds a name that a request made up, so the number of series is bounded by the configuration.

use std::fmt::{Display, Write as _};

/// A text under way.
pub(super) struct Exposition(String);

impl Exposition {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self(String::with_capacity(8192))
    }

    /// Begins a metric.
    pub(super) fn metric(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail; so below.
        let _ = writeln!(
            self.0,
            "# HELP hacheck_{name} {help}\n# TYPE hacheck_{name} {kind}"
        );
    }

    /// A sample of it; `labels` are empty or in braces.
    pub(super) fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "hacheck_{name}{labels} {value}");
    }

    /// A gauge with one sample.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "gauge", help);
        self.sample(name, "", value);
    }

    /// A counter with one sample.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "counter", help);
        self.sample(name, "", value);
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}
