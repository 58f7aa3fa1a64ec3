//! The options that say how long and for whom to wait.

use std::time::Duration;

use crate::cli::args::times;
use crate::cli::args::values::{given, number};
use crate::cli::failure::{Failure, usage};

/// How long sessions that nobody tells of are given unless told otherwise.
const GRACE: Duration = Duration::from_secs(10);

/// The longest `--timeout`, in seconds.
const TIMEOUT_MAX: u64 = 1 << 32;

/// How long and for whom to wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WaitLimits {
    /// The most that one wait may take; `None` is what the balancers need.
    pub(crate) timeout: Option<Duration>,
    /// Equal answers after which a balancer that does not say its view counts as having acted; `None` goes by what is
    /// known of it.
    pub(crate) polls: Option<u64>,
    /// Balancers that must be known before anything counts as done; `None` waits until the daemon has run long enough to
    /// know all.
    pub(crate) min_pollers: Option<usize>,
    /// The most that sessions may take to end once all balancers have acted; `None` is no wait of its own.
    pub(crate) drain: Option<Duration>,
    /// How long the sessions of a balancer that does not tell them are given.
    pub(crate) grace: Duration,
    /// What speaks against it is overridden.
    pub(crate) force: bool,
}

/// The values of the options, as they were typed.
#[derive(Debug, Default)]
pub(crate) struct LimitWords<'a> {
    pub(crate) timeout: Option<&'a str>,
    pub(crate) polls: Option<&'a str>,
    pub(crate) min_pollers: Option<&'a str>,
    pub(crate) drain_timeout: Option<&'a str>,
    pub(crate) grace: Option<&'a str>,
    pub(crate) force: bool,
}

impl WaitLimits {
    /// Parses the values.
    pub(crate) fn parse(words: &LimitWords) -> Result<Self, Failure> {
        // Unlike a timeout a grace may be 0: then sessions that nobody tells of are not waited for.
        let grace = given("--grace", words.grace, duration)?;
        let polls = given("--polls", words.polls, number)?;
        Ok(Self {
            timeout: given("--timeout", words.timeout, positive)?,
            polls: polls.map(u64::from),
            min_pollers: given("--min-pollers", words.min_pollers, count)?,
            drain: given("--drain-timeout", words.drain_timeout, duration)?,
            grace: grace.unwrap_or(GRACE),
            force: words.force,
        })
    }
}

/// A whole number from 0: nobody at all need be known.
fn count(option: &str, text: &str) -> Result<usize, Failure> {
    if text == "0" {
        return Ok(0);
    }

    let number = number(option, text)?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

pub(crate) fn positive(option: &str, text: &str) -> Result<Duration, Failure> {
    let given = duration(option, text)?;
    match given.is_zero() {
        true => Err(not_valid(option, text)),
        false => Ok(given),
    }
}

/// Seconds, or a duration such as `5m`.
fn duration(option: &str, text: &str) -> Result<Duration, Failure> {
    let seconds = seconds(option, text)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration.as_secs() < TIMEOUT_MAX => Ok(duration),
        _ => Err(not_valid(option, text)),
    }
}

fn not_valid(option: &str, text: &str) -> Failure {
    usage!("{option}: {text:?} is not a valid duration; give seconds, or 90s, 5m, 1h")
}

fn seconds(option: &str, text: &str) -> Result<f64, Failure> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }

    // From the beginning of time on, so that the end is the duration itself.
    match times::parse_for(text, 0.0) {
        Ok(seconds) => Ok(seconds),
        Err(e) => Err(usage!("{option}: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_seconds_or_durations() {
        for (text, seconds) in [("60", 60.0), ("0.5", 0.5), ("90s", 90.0), ("5m", 300.0)] {
            assert_eq!(
                positive("--timeout", text).unwrap().as_secs_f64(),
                seconds,
                "{text}"
            );
        }
        for bad in ["0", "-1", "nan", "inf", "1e300", "", "soon", "5x"] {
            assert_eq!(
                positive("--timeout", bad).map_err(|e| e.code),
                Err(2),
                "{bad}"
            );
        }
    }
}
