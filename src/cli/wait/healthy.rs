//! Waiting until a service's own check passes, as its pollers ask for it, while a downtime keeps it
//! out of rotation.

use std::time::{Duration, Instant};

use super::deadline::Deadline;
use super::{Unfinished, Waiter};
use crate::cli::client::{CheckHealth, Health};

/// Time between the beginnings of two rounds of checks.
const EVERY: Duration = Duration::from_secs(1);

/// How long a round may take at most; the daemon's own deadline for a check is usually shorter.
const ROUND: Duration = Duration::from_secs(60);

/// How often a pause looks for signals.
const GLANCE: Duration = Duration::from_millis(50);

impl Waiter {
    /// Waits until every check that pollers ask for passed so many times in a row.
    pub(crate) fn until_healthy(&mut self, passes: u32) -> Result<(), Unfinished> {
        let deadline = self.deadline();
        let mut passed = 0;
        let mut said = String::new();
        loop {
            // From beginning to beginning: a check that takes long is not run more seldom for it.
            let next_round = Instant::now() + EVERY;
            let failing = self.failing_check(deadline);
            passed = match failing {
                // In a row: a service that flaps is not healthy.
                Some(_) => 0,
                None => passed + 1,
            };

            let count = || format!("the check passed {passed} of {passes} times");
            let missing = failing.unwrap_or_else(count);
            if missing != said {
                self.progress.say(&missing);
                said.clone_from(&missing);
            }

            if passed >= passes {
                return Ok(());
            }

            self.pause(next_round, deadline, &missing)?;
        }
    }

    /// Runs the checks once; why they do not pass, if so.
    fn failing_check(&self, deadline: Deadline) -> Option<String> {
        // A timeout of zero would be none at all to a socket.
        let limit = deadline.left().clamp(Duration::from_millis(1), ROUND);
        match self.client.health(&self.names, limit) {
            Ok(health) => failure(&health),
            Err(e) => Some(e.to_string()),
        }
    }

    /// Waits for the next round.
    fn pause(
        &self,
        next_round: Instant,
        deadline: Deadline,
        missing: &str,
    ) -> Result<(), Unfinished> {
        loop {
            self.check_health_end(deadline, missing)?;
            let left = next_round.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }

            std::thread::sleep(left.min(deadline.left()).min(GLANCE));
        }
    }

    /// Ends the wait where somebody interrupts it, or time is up.
    fn check_health_end(&self, deadline: Deadline, missing: &str) -> Result<(), Unfinished> {
        if let Some(signal) = self.interrupt.came() {
            let missing = format!("the service is not healthy yet: {missing}");
            return Err(Unfinished::Interrupted { signal, missing });
        }

        if deadline.is_over() {
            let limit = deadline.limit;
            let why = missing.to_owned();
            return Err(Unfinished::NotHealthy { limit, why });
        }

        Ok(())
    }
}

/// Why the checks do not pass. Where pollers ask for downtimes only, there is no check that could
/// fail.
fn failure(health: &Health) -> Option<String> {
    let mut checks = health.checks.iter();
    if let Some(failed) = checks.find(|check| !check.passes) {
        return Some(answer(failed));
    }

    let why = unknown(health)?;
    Some(why.to_owned())
}

/// Why it is unknown whether the service is healthy, where it is.
fn unknown(health: &Health) -> Option<&'static str> {
    if health.unknown > 0 {
        return Some("a poller's check is refused, or too long to be remembered: it cannot be run");
    }

    if health.checks.is_empty() && health.spool_only == 0 {
        return Some("no poller has asked for it yet, so how to check it is unknown");
    }

    None
}

/// `http 127.0.0.1:80 answers 503: connection refused`.
fn answer(check: &CheckHealth) -> String {
    let answer = format!("{} answers {}", check.check, check.code);
    match &check.text {
        Some(text) => format!("{answer}: {text}"),
        None => answer,
    }
}
