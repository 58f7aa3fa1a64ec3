//! The options that say how long and for whom to wait.

use std::time::Duration;

use crate::cli::args::times;
use crate::cli::args::values::number;
use crate::cli::failure::{Failure, usage};

/// How long to wait unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How often a balancer without send-state must have been told unless told otherwise: HAProxy's
/// default `fall`.
const POLLS: u64 = 3;

/// The longest `--timeout`, in seconds.
const TIMEOUT_MAX: u64 = 1 << 32;

/// How long and for whom to wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WaitLimits {
    /// The most that one wait may take.
    pub(crate) timeout: Duration,
    /// Equal answers after which a balancer that does not say its view counts as having acted.
    pub(crate) polls: u64,
    /// Balancers that must be known before anything counts as done.
    pub(crate) min_pollers: usize,
    /// The last-server guard is overridden.
    pub(crate) force: bool,
}

impl WaitLimits {
    /// Parses the values of `--timeout`, `--polls` and `--min-pollers`.
    pub(crate) fn parse(
        timeout: Option<&str>,
        polls: Option<&str>,
        min_pollers: Option<&str>,
        force: bool,
    ) -> Result<Self, Failure> {
        Ok(Self {
            timeout: match timeout {
                Some(text) => duration(text)?,
                None => TIMEOUT,
            },
            polls: match polls {
                Some(text) => number("--polls", text)?.into(),
                None => POLLS,
            },
            min_pollers: self::min_pollers(min_pollers)?,
            force,
        })
    }
}

fn min_pollers(given: Option<&str>) -> Result<usize, Failure> {
    let number = match given {
        None | Some("0") => return Ok(0),
        Some(text) => number("--min-pollers", text)?,
    };
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

/// Seconds, or a duration such as `5m`.
fn duration(text: &str) -> Result<Duration, Failure> {
    let timeout = Duration::try_from_secs_f64(seconds(text)?);
    match timeout {
        Ok(timeout) if !timeout.is_zero() && timeout.as_secs() < TIMEOUT_MAX => Ok(timeout),
        _ => Err(usage!(
            "--timeout: {text:?} is not a valid duration; give seconds, or 90s, 5m, 1h"
        )),
    }
}

fn seconds(text: &str) -> Result<f64, Failure> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    times::parse_for(text, 0.0).map_err(|e| usage!("--timeout: {e}"))
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
