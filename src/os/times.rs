//! Times as people read them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

/// The end of the year 9999; a downtime beyond it is a slip of the finger.
pub(crate) const LATEST: f64 = 253_402_300_799.0;

/// A time for people: local, to the second; the bare number where no calendar reaches.
pub(crate) fn show(unix: f64) -> String {
    match local(unix) {
        Some(time) => time.strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
        None => unix.to_string(),
    }
}

/// A time for sentences: local, to the minute, with its day where that is not today.
pub(crate) fn brief(unix: f64) -> String {
    let Some(time) = local(unix) else {
        return unix.to_string();
    };

    let format = match time.date() == today_in(time.time_zone()) {
        true => "%H:%M",
        false => "%Y-%m-%d %H:%M",
    };
    time.strftime(format).to_string()
}

fn today_in(zone: &TimeZone) -> Date {
    Timestamp::now().to_zoned(zone.clone()).date()
}

/// The day, to compare it with others.
pub(crate) fn date(unix: f64) -> Option<Date> {
    local(unix).map(|time| time.date())
}

/// The end of a downtime, where there is one: beyond the calendar is never.
pub(crate) fn in_calendar(end: Option<f64>) -> Option<f64> {
    end.filter(|end| *end <= LATEST)
}

/// The time of day, local.
pub(crate) fn clock(unix: f64) -> String {
    match local(unix) {
        Some(time) => time.strftime("%H:%M:%S").to_string(),
        None => String::new(),
    }
}

fn local(unix: f64) -> Option<Zoned> {
    let since_1970 = SignedDuration::try_from_secs_f64(unix).ok()?;
    let timestamp = Timestamp::from_duration(since_1970).ok()?;
    // Shown in UTC if the zone is unknown. Commands that take a local time refuse such a zone.
    let zone = time_zone().unwrap_or(TimeZone::UTC);
    Some(timestamp.to_zoned(zone))
}

/// The zone of local times. Where none is set up at all it is UTC, as for the C library.
///
/// # Errors
/// Where one is set that is unknown: a downtime would end hours off.
pub(crate) fn time_zone() -> Result<TimeZone, jiff::Error> {
    // An empty TZ is UTC by tzset(3), not a mistake.
    let is_set = std::env::var_os("TZ").is_some_and(|zone| !zone.is_empty());
    match TimeZone::try_system() {
        Err(unknown) if is_set => Err(unknown),
        Err(_) => Ok(TimeZone::UTC),
        Ok(zone) => Ok(zone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brief_time_has_its_day_where_that_is_another_one() {
        let now = Timestamp::now().as_duration().as_secs_f64();
        assert_eq!(brief(now).len(), "18:00".len());
        assert_eq!(brief(now - 2.0 * 86_400.0).len(), "2001-09-09 18:00".len());
    }

    #[test]
    fn times_beyond_the_calendar_are_shown_as_numbers() {
        assert_eq!(show(1e300).parse(), Ok(1e300));
        assert!(show(1e9).starts_with("2001-09-0"), "{}", show(1e9));
    }
}
