//! When a downtime ends: `-e`, `--for`, `--until`.
//!
//! Rule: every time that comes out of here is a finite number of seconds of unix time.

use std::fmt;

use jiff::civil::{DateTime, Time};
use jiff::{Timestamp, ToSpan as _, Zoned};

use crate::cli::output::times::{LATEST, time_zone};

/// The units of `--for`, in seconds.
const UNITS: &[(char, u64)] = &[
    ('s', 1),
    ('m', 60),
    ('h', 3600),
    ('d', 86_400),
    ('w', 604_800),
];

/// Why a text is not a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TimeError {
    NotUnix(String),
    NotAUnit { unit: char, text: String },
    LacksNumber { unit: char, text: String },
    LacksUnit(String),
    Nothing(String),
    TooLong(String),
    NotATime(String),
    Past { text: String, now: String },
    UnknownZone(String),
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnix(text) => write!(
                f,
                "{text:?} is not a unix time; give seconds since 1970, or use --for or --until"
            ),
            Self::NotAUnit { unit, text } => write!(
                f,
                "{unit:?} in {text:?} is not a unit; write it like 2h30m with the units s, m, h, d, w"
            ),
            Self::LacksNumber { unit, text } => write!(
                f,
                "{text:?} lacks a number in front of {unit:?}; write it like 2h30m"
            ),
            Self::LacksUnit(digits) => write!(
                f,
                "{digits} lacks a unit; {digits}m is minutes (s, m, h, d, w)"
            ),
            Self::Nothing(text) => {
                write!(f, "{text:?} is not a valid duration; write it like 2h30m")
            }
            Self::TooLong(text) => write!(
                f,
                "{text:?} is too long; leave --for out for a downtime without end"
            ),
            Self::NotATime(text) => write!(
                f,
                "{text:?} is not a time; write 18:00, 2026-12-01T18:00, 2026-12-01T18:00Z, or 2026-12-01T18:00+01:00"
            ),
            Self::Past { text, now } => write!(f, "{text} is in the past; it is {now} now"),
            Self::UnknownZone(cause) => write!(
                f,
                "the local time zone is unknown ({cause}); set TZ to one that exists, or use --for"
            ),
        }
    }
}

/// A number of seconds of unix time.
pub(crate) fn parse_unix(text: &str) -> Result<f64, TimeError> {
    match text.trim().parse::<f64>() {
        // The parser takes "inf" and "NaN" too.
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(TimeError::NotUnix(text.to_owned())),
    }
}

/// A duration such as `2h30m`, from now.
pub(crate) fn parse_for(text: &str, now: f64) -> Result<f64, TimeError> {
    let seconds = seconds(text)?;
    #[allow(clippy::cast_precision_loss)] // a loss means a time beyond LATEST
    let end = now + seconds as f64;
    // The file could hold it, but no clock could show it.
    if end > LATEST {
        return Err(too_long(text));
    }

    Ok(end)
}

/// The sum of all numbers with their units; never 0.
fn seconds(text: &str) -> Result<u64, TimeError> {
    let mut total: u64 = 0;
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let part = part(&digits, c, text)?;
        total = total.checked_add(part).ok_or_else(|| too_long(text))?;
        digits.clear();
    }

    match total {
        // `--for 30` could mean minutes as well as seconds, so nothing is guessed.
        _ if !digits.is_empty() => Err(TimeError::LacksUnit(digits)),
        0 => Err(TimeError::Nothing(text.to_owned())),
        total => Ok(total),
    }
}

/// One number with its unit, in seconds; `text` is the whole duration.
fn part(digits: &str, unit: char, text: &str) -> Result<u64, TimeError> {
    let Some(seconds) = seconds_of(unit) else {
        let text = text.to_owned();
        return Err(TimeError::NotAUnit { unit, text });
    };

    if digits.is_empty() {
        let text = text.to_owned();
        return Err(TimeError::LacksNumber { unit, text });
    }

    product(digits, seconds).ok_or_else(|| too_long(text))
}

fn product(digits: &str, seconds: u64) -> Option<u64> {
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(seconds)
}

fn seconds_of(unit: char) -> Option<u64> {
    let (_, seconds) = UNITS.iter().find(|(known, _)| *known == unit)?;
    Some(*seconds)
}

fn too_long(text: &str) -> TimeError {
    TimeError::TooLong(text.to_owned())
}

/// A time of day or a date, in local time unless it says otherwise.
pub(crate) fn parse_until(text: &str) -> Result<f64, TimeError> {
    match time_zone() {
        Ok(zone) => until(text, &Zoned::new(Timestamp::now(), zone)),
        Err(cause) => Err(TimeError::UnknownZone(cause.to_string())),
    }
}

fn until(text: &str, now: &Zoned) -> Result<f64, TimeError> {
    let Some(end) = point(text, now) else {
        return Err(TimeError::NotATime(text.to_owned()));
    };

    if end <= now.timestamp() {
        return Err(past(text, now));
    }

    #[allow(clippy::cast_precision_loss)] // microseconds until the year 9999 fit
    Ok(end.as_microsecond() as f64 / 1e6)
}

fn past(text: &str, now: &Zoned) -> TimeError {
    // With the offset: the zone may be another one than the operator thinks.
    let now = now.strftime("%Y-%m-%d %H:%M %:z");
    TimeError::Past {
        text: text.to_owned(),
        now: now.to_string(),
    }
}

fn point(text: &str, now: &Zoned) -> Option<Timestamp> {
    if !text.contains('-') {
        return time_of_day(text, now);
    }

    // In this order, since the later ones would drop what the earlier ones need: a zone in
    // brackets, an offset.
    if text.contains('[') {
        let zoned: Zoned = text.parse().ok()?;
        return Some(zoned.timestamp());
    }

    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }

    local(text.parse().ok()?, now)
}

/// The next moment at which clocks show a time such as `18:00`.
fn time_of_day(text: &str, now: &Zoned) -> Option<Timestamp> {
    if !text.contains(':') {
        return None;
    }

    let time: Time = text.parse().ok()?;
    let today = now.date();
    let at = local(today.to_datetime(time), now)?;
    if at > now.timestamp() {
        return Some(at);
    }

    // The next date and not 24 hours later: clocks may be changed in between.
    let tomorrow = today.checked_add(1.day()).ok()?;
    local(tomorrow.to_datetime(time), now)
}

fn local(at: DateTime, now: &Zoned) -> Option<Timestamp> {
    let zoned = at.to_zoned(now.time_zone().clone()).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn durations_add_up() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("2h30m", 9000.0),
            ("30m2h", 9000.0),
            ("1w1d1h", 694_800.0),
            ("1m1m", 120.0),
        ] {
            assert_eq!(parse_for(text, 1000.0), Ok(1000.0 + seconds), "{text}");
        }
    }

    #[test]
    fn wrong_durations_say_what_they_lack() {
        for (text, part) in [
            ("90", "90m is minutes"),
            ("2h30", "30 lacks a unit"),
            ("h", "lacks a number"),
            ("", "not a valid duration"),
            ("0s", "not a valid duration"),
            ("2H", "'H' in \"2H\" is not a unit"),
            ("-5m", "'-'"),
            ("1.5h", "'.'"),
            ("99999999999999999999s", "too long"),
            ("9999999999999999999w", "too long"),
            ("18446744073709551615s1s", "too long"),
            ("500000w", "too long"),
        ] {
            let error = parse_for(text, 1e9).expect_err(text);
            let error = error.to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn unix_times_are_finite_numbers() {
        assert_eq!(parse_unix(" 4e9"), Ok(4e9));
        assert_eq!(parse_unix("-5"), Ok(-5.0));
        for bad in ["nan", "inf", "-inf", "1e999", "tomorrow", "", "0x10"] {
            assert!(parse_unix(bad).is_err(), "{bad}");
        }
    }

    /// Noon on the first of October in Berlin, where summer time ends on the 25th.
    fn now() -> Zoned {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        "2026-10-01T10:00:00Z"
            .parse::<Timestamp>()
            .unwrap()
            .to_zoned(berlin)
    }

    #[test]
    fn times_are_local_unless_marked() {
        for (text, expected) in [
            ("18:00", "2026-10-01T16:00:00Z"),
            ("18:00:30", "2026-10-01T16:00:30Z"),
            ("11:59", "2026-10-02T09:59:00Z"),
            ("12:00", "2026-10-02T10:00:00Z"),
            ("2026-12-01T18:00", "2026-12-01T17:00:00Z"),
            ("2026-12-01 18:00", "2026-12-01T17:00:00Z"),
            ("2026-12-01T18:00Z", "2026-12-01T18:00:00Z"),
            ("2026-12-01 18:00Z", "2026-12-01T18:00:00Z"),
            ("2026-12-01T18:00+01:00", "2026-12-01T17:00:00Z"),
            ("2026-12-01T18:00-05:00", "2026-12-01T23:00:00Z"),
            ("2026-12-01T18:00-05:00[-05:00]", "2026-12-01T23:00:00Z"),
            ("2026-12-01", "2026-11-30T23:00:00Z"),
        ] {
            #[allow(clippy::cast_precision_loss)]
            let expected = expected.parse::<Timestamp>().unwrap().as_second() as f64;
            assert_eq!(until(text, &now()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn past_dates_and_nonsense_are_refused() {
        for bad in [
            "2026-10-01",
            "2026-09-30T18:00",
            "2026-10-01T09:59Z",
            "",
            "18",
            "1800",
            "25:00",
            "18:00-05:00",
            "18:00Z",
            "soon",
            "4000000000",
            "2026-13-01",
            "2026-12-01T",
            "-",
            "2026-12-01T18:00[Nowhere/Land]",
            "99999-01-01",
            "12:00 foo",
        ] {
            assert!(
                until(bad, &now()).is_err(),
                "{bad}: {:?}",
                until(bad, &now())
            );
        }
    }
}
