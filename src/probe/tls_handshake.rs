//! `tls`: the handshake succeeds, as the service's `tls` says, and the server's certificate is valid for `?min_days=` more.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ProtocolVersion;

use super::connection::Connection;
use super::{Checked, Outcome, Probe, Protocol, QueryError, Request, login, options, settle, tls};

/// The row of the table.
pub(super) const TLS: Protocol = Protocol {
    name: "tls",
    needs_slash: false,
    request: Request::Options(canonical),
    keyed_by_service: false,
    default_port: Some(443),
    bare_timeout: false,
    login: login::none,
    probe: |probe| settle(check(probe)),
};

const DAY: i64 = 86_400;

/// The days that a certificate must be valid for, if any are asked for.
fn min_days(query: &str) -> Result<Option<u64>, QueryError> {
    let mut options = options::read(query, &["min_days"])?;
    match options.pop() {
        Some((name, value)) => options::number(name, "a number of whole days", &value).map(Some),
        None => Ok(None),
    }
}

fn canonical(query: &str) -> Result<String, QueryError> {
    let days = min_days(query)?;
    Ok(options::canonical(&days))
}

async fn check(probe: &Probe<'_>) -> Checked {
    let min_days = probe.options(min_days)?;
    let connection = Connection::open(probe).await?;
    let stream = tls::wrap(probe, connection).await?;
    let version = version(&stream);
    match (days_left(&stream), min_days) {
        (Some(left), Some(min)) if is_less(left, min) => {
            let what = validity(left);
            Err(probe.failed(format_args!("{what}, less than {min} days")))
        }
        (Some(left), _) => Ok(Outcome::healthy(format!("{version}, {}", validity(left)))),
        (None, Some(_)) => Err(probe.failed("the end of the certificate cannot be read")),
        // Nobody asked for it, so the handshake is all that counts.
        (None, None) => Ok(Outcome::healthy(version)),
    }
}

fn is_less(left: i64, min: u64) -> bool {
    left < i64::try_from(min).unwrap_or(i64::MAX)
}

fn version(stream: &TlsStream<Connection>) -> &'static str {
    match stream.get_ref().1.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS",
    }
}

fn validity(days_left: i64) -> String {
    if days_left < 0 {
        format!("the certificate ended {} days ago", -days_left)
    } else {
        format!("the certificate ends in {days_left} days")
    }
}

/// Whole days until the server's certificate ends, rounded down.
fn days_left(stream: &TlsStream<Connection>) -> Option<i64> {
    // The server's own comes first, then those that signed it (RFC 8446, section 4.4.2).
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let now = i64::try_from(now.as_secs()).ok()?;
    Some((not_after(certificate)? - now).div_euclid(DAY))
}

/// `notAfter` of an X.509 certificate in DER, in seconds since 1970 (RFC 5280, section 4.1).
pub(super) fn not_after(certificate: &[u8]) -> Option<i64> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    // A version may come first; then serial number, signature and issuer.
    if fields.first() == Some(&0xa0) {
        (_, _, fields) = element(fields)?;
    }

    for _ in 0..3 {
        (_, _, fields) = element(fields)?;
    }

    // Two times: from when, and until when.
    let (_, validity, _) = element(fields)?;
    let (_, _, rest) = element(validity)?;
    let (tag, end, _) = element(rest)?;
    seconds(tag, str::from_utf8(end).ok()?)
}

/// Tag and content of the first element, and what follows it (X.690, section 8.1).
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = element_length(rest)?;
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn element_length(der: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = der.split_first()?;
    match usize::from(*first) {
        short @ 0..128 => Some((short, rest)),
        // So many bytes follow that hold the length (X.690, section 8.1.3.5).
        long => {
            let (bytes, rest) = rest.split_at_checked(long - 128)?;
            Some((number(bytes)?, rest))
        }
    }
}

/// The number that bytes hold, the highest first; `None` for one that no file has.
fn number(bytes: &[u8]) -> Option<usize> {
    let mut number: usize = 0;
    for byte in bytes {
        number = number.checked_mul(256)?.checked_add((*byte).into())?;
    }

    Some(number)
}

/// Seconds since 1970 of a UTCTime `261126012345Z` or a GeneralizedTime `20261126012345Z`.
fn seconds(tag: u8, text: &str) -> Option<i64> {
    let digits = text.strip_suffix('Z')?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }

    let (year, rest) = match tag {
        UTC_TIME => digits.split_at_checked(2)?,
        _ => digits.split_at_checked(4)?,
    };

    let year = full_year(tag, year.parse().ok()?);
    let (month, day) = (two_digits(rest, 0)?, two_digits(rest, 2)?);
    let (hour, minute) = (two_digits(rest, 4)?, two_digits(rest, 6)?);
    let time = hour * 3600 + minute * 60 + two_digits(rest, 8)?;
    Some(days_from_civil(year, month, day) * DAY + time)
}

fn two_digits(text: &str, at: usize) -> Option<i64> {
    text.get(at..at + 2)?.parse().ok()
}

/// The tag of a UTCTime.
const UTC_TIME: u8 = 0x17;

/// A year of two digits is one of 1950 to 2049 (RFC 5280, section 4.1.2.5.1).
fn full_year(tag: u8, year: i64) -> i64 {
    match tag {
        UTC_TIME if year < 50 => 2000 + year,
        UTC_TIME => 1900 + year,
        _ => year,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar: years begin in March, so that leap days come last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    // The calendar repeats every 400 years (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_certificates_are_read() {
        for (tag, text, expected) in [
            (0x17, "700101000000Z", Some(0)),
            (0x17, "000301000000Z", Some(951_868_800)),
            (0x18, "20380119031407Z", Some(2_147_483_647)),
            (0x18, "20240229120000Z", Some(1_709_208_000)),
            (0x17, "7001010000Z", None),
            (0x17, "70010100000Z", None),
            (0x18, "2038é119031407Z", None),
            (0x17, "", None),
        ] {
            assert_eq!(seconds(tag, text), expected, "{text}");
        }
    }

    #[test]
    fn no_certificate_upsets_the_reader() {
        let mut state = 5_u64;
        for length in 0..4000 {
            let bytes: Vec<u8> = (0..length % 50)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(9);
                    [0x30, 0xa0, 0x02, 0x17, 0x82, 0x88, 0xff, 0x00, b'9', b'Z']
                        [usize::try_from(state >> 40).unwrap() % 10]
                })
                .collect();
            let _ = not_after(&bytes);
        }
    }
}
