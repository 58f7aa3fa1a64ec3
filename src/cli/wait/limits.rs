//! The options that say how long and for whom to wait.

use std::time::Duration;

use crate::cli::args::times;
use crate::cli::args::values::number;
use crate::cli::failure::Failure;

/// How long to wait unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How often a balancer without send-state must have been told unless told otherwise: HAProxy's default `fall`.
const POLLS: u64 = 3;

/// How long and for whom to wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    /// The most that one wait may take.
    pub(crate) timeout: Duration,
    /// Equal answers after which a balancer that does not say its view counts as having acted.
    pub(crate) polls: u64,
    /// Balancers that must be known before anything counts as done.
    pub(crate) min_pollers: usize,
    /// The guard of the last server is overridden.
    pub(crate) force: bool,
}

impl Limits {
    /// Parses the values of `--timeout`, `--polls` and `--min-pollers`.
    pub(crate) fn parse(
        timeout: &Option<String>,
        polls: &Option<String>,
        min_pollers: &Option<String>,
        force: bool,
    ) -> Result<Self, Failure> {
        let polls = number("--polls", polls.as_deref())?.map_or(POLLS, u64::from);
        let min_pollers = match min_pollers.as_deref() {
            None | Some("0") => 0,
            given => number("--min-pollers", given)?
                .map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX)),
        };
        Ok(Self {
            timeout: timeout.as_deref().map_or(Ok(TIMEOUT), duration)?,
            polls,
            min_pollers,
            force,
        })
    }
}

/// Seconds, or a duration such as `5m`.
fn duration(text: &str) -> Result<Duration, Failure> {
    let wrong = |e: &str| Failure::usage(format!("--timeout: {e}"));
    let seconds = match text.parse::<f64>() {
        Ok(seconds) => seconds,
        Err(_) => times::parse_for(text, 0.0).map_err(|e| wrong(&e))?,
    };
    let duration = Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|d| !d.is_zero() && d.as_secs() < 1 << 32);
    duration.ok_or_else(|| {
        wrong(&format!(
            "{text:?} is no time to wait; give seconds, or 90s, 5m, 1h"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_seconds_or_durations() {
        for (text, seconds) in [("60", 60.0), ("0.5", 0.5), ("90s", 90.0), ("5m", 300.0)] {
            assert_eq!(duration(text).unwrap().as_secs_f64(), seconds, "{text}");
        }
        for bad in ["0", "-1", "nan", "inf", "1e300", "", "soon", "5x"] {
            assert_eq!(duration(bad).map_err(|e| e.code), Err(2), "{bad}");
        }
    }
}
