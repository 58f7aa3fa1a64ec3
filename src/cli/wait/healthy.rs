//! Waiting until a service's own check passes, as its pollers ask it, while a downtime keeps it out of traffic.

use std::time::{Duration, Instant};

use super::Unfinished;
use super::interrupt::Interrupt;
use super::progress::Progress;
use crate::cli::client::{Daemon, Health};

/// Time between two rounds of checks.
const EVERY: Duration = Duration::from_secs(1);

/// How long a round may take at most; the daemon's own deadline for a check is usually shorter.
const ROUND: Duration = Duration::from_secs(60);

/// Waits until every check that pollers ask passed so many times in a row.
pub(crate) fn wait(
    daemon: Daemon,
    keys: &[String],
    times: u32,
    timeout: Duration,
    interrupt: &Interrupt,
    progress: &mut Progress,
) -> Result<(), Unfinished> {
    let start = Instant::now();
    let (mut passed, mut said) = (0, String::new());
    loop {
        let left = timeout.saturating_sub(start.elapsed());
        let round = Instant::now();
        let why = match daemon.health(keys, left.min(ROUND).max(Duration::from_millis(1))) {
            Ok(health) => failure(&health),
            Err(e) => Some(e),
        };
        passed = if why.is_none() { passed + 1 } else { 0 };
        if passed >= times {
            return Ok(());
        }
        let why = why.unwrap_or_else(|| format!("the check passed {passed} of {times} times"));
        if why != said {
            progress.say(&why);
            said.clone_from(&why);
        }
        if !pause(start, timeout, round, interrupt)? {
            return Err(format!(
                "not healthy within {} s: {why}",
                timeout.as_secs_f64()
            ));
        }
    }
}

/// Waits for the next round; `false` when time is up.
fn pause(
    start: Instant,
    timeout: Duration,
    round: Instant,
    interrupt: &Interrupt,
) -> Result<bool, Unfinished> {
    let next = (round + EVERY).min(start + timeout);
    loop {
        if let Some(signal) = interrupt.came() {
            return Err(format!(
                "interrupted ({}) before the service was healthy",
                signal.as_str()
            ));
        }
        let left = next.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(start.elapsed() < timeout);
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

/// Why the checks do not pass; nobody's check passes for nobody.
fn failure(health: &Health) -> Option<String> {
    let Some(failed) = health.checks.iter().find(|c| !c.passes) else {
        return match (health.checks.len(), health.unknown, health.spool_only) {
            (0, 0, 0) => {
                Some("no poller has asked for it yet, so how to check it is unknown".to_owned())
            }
            (_, 0, _) => None,
            _ => Some(
                "a poller's check is refused, or too long to be remembered: it cannot be asked"
                    .to_owned(),
            ),
        };
    };
    let text = failed
        .text
        .as_ref()
        .map(|t| format!(": {t}"))
        .unwrap_or_default();
    Some(format!("{} answers {}{text}", failed.check, failed.code))
}
