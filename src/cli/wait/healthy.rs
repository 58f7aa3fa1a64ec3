//! Waiting until a service's own check passes, as its pollers ask for it, while a downtime keeps it
//! out of rotation.

use std::time::{Duration, Instant};

use super::{Deadline, Unfinished, Waiter};
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
            let next_round = Instant::now() + EVERY;
            let missing = match self.failing_check(deadline) {
                Some(why) => {
                    // In a row: a service that flaps is not healthy.
                    passed = 0;
                    why
                }
                None => {
                    passed += 1;
                    format!("the check passed {passed} of {passes} times")
                }
            };
            if missing != said {
                self.progress.say(&missing);
                said.clone_from(&missing);
            }
            if passed >= passes {
                return Ok(());
            }
            self.pause(next_round, deadline, missing)?;
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
        missing: String,
    ) -> Result<(), Unfinished> {
        loop {
            if let Some(signal) = self.interrupt.came() {
                let missing = format!("the service is not healthy yet: {missing}");
                return Err(Unfinished::Interrupted { signal, missing });
            }
            if deadline.left().is_zero() {
                let limit = deadline.limit;
                let why = missing;
                return Err(Unfinished::NotHealthy { limit, why });
            }
            let left = next_round.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(deadline.left()).min(GLANCE));
        }
    }
}

/// Why the checks do not pass. Where pollers ask for downtimes only, there is no check that could
/// fail.
fn failure(health: &Health) -> Option<String> {
    let mut checks = health.checks.iter();
    if let Some(failed) = checks.find(|check| !check.passes) {
        return Some(answer(failed));
    }

    if health.unknown > 0 {
        let why = "a poller's check is refused, or too long to be remembered: it cannot be run";
        return Some(why.to_owned());
    }

    if health.checks.is_empty() && health.spool_only == 0 {
        let why = "no poller has asked for it yet, so how to check it is unknown";
        return Some(why.to_owned());
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
