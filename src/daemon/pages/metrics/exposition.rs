//! The text format of Prometheus (exposition format 0.0.4).
//!
//! Rule: no label ever holds a name that a stranger's request made up, so the number of series is bounded by the
//! configuration and by the spool.

use std::fmt::{Display, Write as _};

/// A text under way.
pub(super) struct Exposition(String);

impl Exposition {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self(String::with_capacity(16 << 10))
    }

    /// Begins a metric.
    pub(super) fn metric(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail; so below.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        self.labels(labels);
        let _ = writeln!(self.0, " {value}");
    }

    fn labels(&mut self, labels: &[(&str, &str)]) {
        let mut before = '{';
        for (label, text) in labels {
            let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(text));
            before = ',';
        }

        if !labels.is_empty() {
            self.0.push('}');
        }
    }

    /// A gauge with one sample.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// A counter with one sample.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "counter", help);
        self.sample(name, &[], value);
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// A text as the value of a label.
fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    // These three, and no others, have an escape in this format.
    for c in text.chars() {
        match c {
            '\\' => value.push_str("\\\\"),
            '"' => value.push_str("\\\""),
            '\n' => value.push_str("\\n"),
            c => value.push(c),
        }
    }

    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_its_labels_and_no_label_can_end_another() {
        let mut page = Exposition::new();
        page.gauge("a", "One.", 1);
        page.metric("b_total", "counter", "Two.");
        page.sample("b_total", &[("x", "1\"} 2\nc 3\\"), ("y", "é")], 0.5);
        let expected = "# HELP a One.\n# TYPE a gauge\na 1\n# HELP b_total Two.\n# TYPE b_total counter\n\
                        b_total{x=\"1\\\"} 2\\nc 3\\\\\",y=\"é\"} 0.5\n";
        assert_eq!(page.finish(), expected);
    }
}
