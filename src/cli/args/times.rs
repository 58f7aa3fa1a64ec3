//! When a downtime ends: `-e`, `--for`, `--until`.
//!
//! Rule: every time that comes out of here is a finite number of seconds of unix time.

use jiff::civil::{self, DateTime};
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

/// A number of seconds of unix time.
pub(crate) fn parse_unix(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|n: &f64| n.is_finite());
    number.ok_or_else(|| {
        format!("{text:?} is not a unix time; give seconds since 1970, or use --for or --until")
    })
}

/// A duration such as `2h30m`, from now.
pub(crate) fn parse_for(text: &str, now: f64) -> Result<f64, String> {
    let too_long = || format!("{text:?} is too long; leave --for out for a downtime without end");
    let mut total: u64 = 0;
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let Some((_, seconds)) = UNITS.iter().find(|(unit, _)| *unit == c) else {
            return Err(format!(
                "{c:?} in {text:?} is not a unit; write it like 2h30m with the units s, m, h, d, w"
            ));
        };
        if digits.is_empty() {
            return Err(format!(
                "{text:?} lacks a number in front of {c:?}; write it like 2h30m"
            ));
        }
        let part = digits
            .parse()
            .ok()
            .and_then(|n: u64| n.checked_mul(*seconds));
        total = part
            .and_then(|p| total.checked_add(p))
            .ok_or_else(too_long)?;
        digits.clear();
    }
    if !digits.is_empty() {
        return Err(format!(
            "{digits} lacks a unit; {digits}m is minutes (s, m, h, d, w)"
        ));
    }
    if total == 0 {
        return Err(format!("{text:?} is no time at all; write it like 2h30m"));
    }
    #[allow(clippy::cast_precision_loss)] // past LATEST anyway
    Some(now + total as f64)
        .filter(|end| *end <= LATEST)
        .ok_or_else(too_long)
}

/// A time of day or a date, in local time unless it says otherwise.
pub(crate) fn parse_until(text: &str) -> Result<f64, String> {
    until(text, &Zoned::new(Timestamp::now(), time_zone()?))
}

fn until(text: &str, now: &Zoned) -> Result<f64, String> {
    let end = point(text, now)?;
    if end <= now.timestamp() {
        return Err(format!(
            "{text} is in the past; it is {} now",
            now.strftime("%Y-%m-%d %H:%M %:z")
        ));
    }
    #[allow(clippy::cast_precision_loss)] // microseconds until the year 9999 fit
    Ok(end.as_microsecond() as f64 / 1e6)
}

fn point(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "{text:?} is not a time; write 18:00, 2026-12-01T18:00, 2026-12-01T18:00Z, or 2026-12-01T18:00+01:00"
        )
    };
    let local = |at: DateTime| {
        at.to_zoned(now.time_zone().clone())
            .map(|z| z.timestamp())
            .map_err(|_| wrong())
    };
    if !text.contains('-') {
        return next(
            text.parse()
                .ok()
                .filter(|_| text.contains(':'))
                .ok_or_else(wrong)?,
            now,
        )
        .ok_or_else(wrong);
    }
    // In this order, since the later ones would drop what the earlier ones need: a zone in brackets, an offset.
    if text.contains('[') {
        return text
            .parse::<Zoned>()
            .map(|z| z.timestamp())
            .map_err(|_| wrong());
    }
    match text.parse::<Timestamp>() {
        Ok(at) => Ok(at),
        Err(_) => local(text.parse().map_err(|_| wrong())?),
    }
}

/// The next moment at which clocks show a time of day.
fn next(time: civil::Time, now: &Zoned) -> Option<Timestamp> {
    let on = |date: civil::Date| {
        date.to_datetime(time)
            .to_zoned(now.time_zone().clone())
            .ok()
    };
    let today = on(now.date())?;
    let next = if today > *now {
        today
    } else {
        on(now.date().checked_add(1.day()).ok()?)?
    };
    Some(next.timestamp())
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
            ("", "no time at all"),
            ("0s", "no time at all"),
            ("2H", "'H' in \"2H\" is not a unit"),
            ("-5m", "'-'"),
            ("1.5h", "'.'"),
            ("99999999999999999999s", "too long"),
            ("9999999999999999999w", "too long"),
            ("18446744073709551615s1s", "too long"),
            ("500000w", "too long"),
        ] {
            let error = parse_for(text, 1e9).expect_err(text);
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
