//! Times as people read them.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The end of the year 9999; a downtime beyond it is a slip of the finger.
pub(crate) const LATEST: f64 = 253_402_300_799.0;

/// A time for people: local, to the second; the bare number where no calendar reaches.
pub(crate) fn show(unix: f64) -> String {
    let since = SignedDuration::try_from_secs_f64(unix).ok();
    let zone = time_zone().unwrap_or(TimeZone::UTC);
    let at = since
        .and_then(|s| Timestamp::from_duration(s).ok())
        .map(|t| t.to_zoned(zone));
    at.map_or_else(
        || unix.to_string(),
        |z| z.strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
    )
}

/// The zone of local times. Where none is set up at all it is UTC, as for the C library; one that is set but unknown is an
/// error, since a downtime would end hours off.
pub(crate) fn time_zone() -> Result<TimeZone, String> {
    match TimeZone::try_system() {
        Ok(zone) => Ok(zone),
        Err(_) if std::env::var_os("TZ").is_none_or(|tz| tz.is_empty()) => Ok(TimeZone::UTC),
        Err(e) => Err(format!(
            "the local time zone is unknown ({e}); set TZ rightly, or use --for"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_beyond_the_calendar_are_shown_as_numbers() {
        assert_eq!(show(1e300).parse(), Ok(1e300));
        assert!(show(1e9).starts_with("2001-09-0"), "{}", show(1e9));
    }
}
