//! What came of a group's checks, as a value and in words.

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
    pub(crate) fn summary(&self) -> String {
        self.with_failed(|check| check.text.clone())
    }

    /// The summary with what each check that failed answered, for the log.
    #[must_use]
    pub fn told(&self) -> String {
        self.with_failed(CheckResult::cause)
    }

    /// The counts, and what is to be told of each check that failed.
    fn with_failed(&self, tell: fn(&CheckResult) -> String) -> String {
        let counts = self.counts();
        let failed = self.checks.iter().filter(|check| !check.outcome.passes());
        let failed: Vec<String> = failed.map(tell).collect();
        if failed.is_empty() {
            return counts;
        }

        // Also if enough passed: the operator should know that redundancy is lost.
        format!("{counts}; failed: {}", failed.join(", "))
    }

    fn counts(&self) -> String {
        let (name, required) = (&self.name, self.required);
        let (passed, checks) = (self.passed(), self.checks.len());
        format!("group {name}: {passed} of {checks} checks passed, {required} must")
    }

    /// Each check with result and time, a line each.
    #[must_use]
    pub fn list(&self) -> String {
        let mut text = String::new();
        for check in &self.checks {
            text.push_str(&check.line());
            text.push('\n');
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

impl CheckResult {
    /// `http://localhost:80: 503 connection refused`.
    fn cause(&self) -> String {
        format!("{}: {}", self.text, said(&self.outcome))
    }

    fn line(&self) -> String {
        // Failures stand out without being looked for.
        let word = if self.outcome.passes() {
            "pass"
        } else {
            "FAIL"
        };

        let took = self.took.as_secs_f64();
        let said = said(&self.outcome);
        format!("{word} {} {took:.2}s {said}", self.text)
    }
}

/// Status and first line of an outcome.
#[must_use]
pub fn said(outcome: &Outcome) -> String {
    let body = String::from_utf8_lossy(&outcome.body);
    // One line, whatever the service sends: the answer of a group has a line for each check.
    let line = first_line(&body, SAID_MAX);
    let status = outcome.status.as_u16();
    if line.is_empty() {
        status.to_string()
    } else {
        format!("{status} {line}")
    }
}
