//! What came of a group's checks, as a value and in words.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::names::text::first_line;
use crate::probe::Outcome;

/// Most characters of a check's answer that a group's answer shows.
const SAID_MAX: usize = 200;

/// What came of a group's checks.
#[derive(Debug)]
pub struct GroupResult {
    /// The group's name.
    pub name: String,
    /// How many must pass.
    pub required: usize,
    /// Its checks, in their order.
    pub checks: Vec<CheckResult>,
}

/// What came of one of them.
#[derive(Debug)]
pub struct CheckResult {
    /// The check, as the configuration has it.
    pub text: String,
    /// Its outcome.
    pub outcome: Arc<Outcome>,
    /// How long it took.
    pub took: Duration,
}

impl GroupResult {
    /// How many passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.checks.iter().filter(|c| c.outcome.passes()).count()
    }

    /// Whether enough passed.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.passed() >= self.required
    }

    /// `group node: 2 of 3 checks passed, 3 must`, and which did not.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = format!(
            "group {}: {} of {} checks passed, {} must",
            self.name,
            self.passed(),
            self.checks.len(),
            self.required
        );
        let failed: Vec<&str> = self
            .checks
            .iter()
            .filter(|c| !c.outcome.passes())
            .map(|c| c.text.as_str())
            .collect();
        if !failed.is_empty() {
            // Writing to a String cannot fail; so below.
            let _ = write!(text, "; failed: {}", failed.join(", "));
        }
        text
    }

    /// Each check with result and time, a line each.
    #[must_use]
    pub fn list(&self) -> String {
        let mut text = String::new();
        for check in &self.checks {
            let word = if check.outcome.passes() {
                "pass"
            } else {
                "FAIL"
            };
            let _ = writeln!(
                text,
                "{word} {} {:.2}s {}",
                check.text,
                check.took.as_secs_f64(),
                said(&check.outcome)
            );
        }
        text
    }

    /// As a check's outcome: 200 or 503, summary and list.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let body = format!("{}\n{}", self.summary(), self.list());
        if self.passes() {
            Outcome::healthy(body)
        } else {
            Outcome::unavailable(body)
        }
    }
}

/// Status and first line of an outcome.
#[must_use]
pub fn said(outcome: &Outcome) -> String {
    let line = first_line(&String::from_utf8_lossy(&outcome.body), SAID_MAX);
    let status = outcome.status.as_u16();
    if line.is_empty() {
        status.to_string()
    } else {
        format!("{status} {line}")
    }
}
