//! Readers of the values that only one setting has.

use std::path::PathBuf;
use std::time::Duration;

use super::TlsUse;
use super::header::Header;
use super::read::Reader;
use crate::net::{Network, Ports};
use crate::os::logging::{LogFormat, LogPath};
use crate::os::sys::FileLimit;

/// Finite durations longer than this are "for ever", so that adding them to a clock cannot overflow. In seconds.
const FOR_EVER: f64 = 100.0 * 365.0 * 86_400.0;

/// How long results count: `Some(None)` is for ever.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether the value could be read"
)]
pub fn cache_time(reader: &Reader<'_>) -> Option<Option<Duration>> {
    let remedy = "write a number of seconds, 0 for no caching, or .inf to keep results for ever";
    let seconds = reader.number(remedy)?;
    if seconds < 0.0 {
        reader.fault("is less than 0", remedy);
        return None;
    }
    Some(if seconds > FOR_EVER {
        None
    } else {
        Duration::try_from_secs_f64(seconds).ok()
    })
}

/// A header name; an empty text means none, as in the originals.
#[expect(clippy::option_option, reason = "none and a fault are not the same")]
pub fn header_or_none(reader: &Reader<'_>) -> Option<Option<Header>> {
    match reader.word().as_deref() {
        Some("") => Some(None),
        _ => header(reader).map(Some),
    }
}

/// The name of a request header that may be passed on.
pub fn header(reader: &Reader<'_>) -> Option<Header> {
    let header = reader.parsed(
        "is not the name of a header",
        "write one such as X-Request-Id",
        Header::parse,
    )?;
    if header.is_hop_by_hop() || header.name.as_str().starts_with("proxy-") {
        reader.fault(
            "belongs to one connection and cannot be passed on",
            "remove it",
        );
        return None;
    }
    Some(header)
}

/// Names of request headers, each once.
pub fn headers(reader: &Reader<'_>) -> Option<Vec<Header>> {
    let mut headers: Vec<Header> = Vec::new();
    for header in reader.each(header)? {
        if !headers.iter().any(|known| known.name == header.name) {
            headers.push(header);
        }
    }
    Some(headers)
}

/// Ports, each once.
pub fn ports(reader: &Reader<'_>) -> Option<Vec<u16>> {
    let mut ports: Vec<u16> = Vec::new();
    for port in reader
        .each(|item| item.count(1, 65535))?
        .into_iter()
        .filter_map(|p| u16::try_from(p).ok())
    {
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    Some(ports)
}

/// Networks; `private` and `any` stand for several.
pub fn networks(reader: &Reader<'_>) -> Option<Vec<Network>> {
    let groups = reader.each(|item| {
        let remedy = "write one such as 10.0.0.0/8, or 'private', or 'any'";
        item.parsed("is not a network", remedy, |t| match t.trim() {
            "private" => Some(Network::private()),
            "any" => Some(Network::any()),
            other => Network::parse(other).ok().map(|n| vec![n]),
        })
    })?;
    Some(groups.concat())
}

/// `stdout`, `stderr` or a file.
pub fn log_path(reader: &Reader<'_>) -> Option<LogPath> {
    match reader.word().as_deref() {
        Some("stdout") => Some(LogPath::Stdout),
        Some("stderr") => Some(LogPath::Stderr),
        _ => reader
            .path("/var/log/hacheck/hacheck.log")
            .map(LogPath::File),
    }
}

/// `text` or `json`.
pub fn log_format(reader: &Reader<'_>) -> Option<LogFormat> {
    let remedy = "write text or json";
    reader.parsed("is not a format of the log", remedy, |t| {
        match t.trim().to_ascii_lowercase().as_str() {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        }
    })
}

/// A level of the log.
pub fn log_level(reader: &Reader<'_>) -> Option<log::LevelFilter> {
    let remedy = "write error, warn, info, debug, trace or off";
    reader.parsed("is not a level of the log", remedy, |t| {
        match t.trim().to_ascii_lowercase().as_str() {
            "warning" => Some(log::LevelFilter::Warn),
            level => level.parse().ok(),
        }
    })
}

/// Whether a database's probes use TLS. `off` is also how YAML 1.1 writes false.
pub fn tls_use(reader: &Reader<'_>) -> Option<TlsUse> {
    reader.parsed(
        "is no such choice",
        "write off, auto or required",
        |t| match t.trim().to_ascii_lowercase().as_str() {
            "off" | "no" | "false" => Some(TlsUse::Off),
            "auto" => Some(TlsUse::Auto),
            "required" => Some(TlsUse::Required),
            _ => None,
        },
    )
}

/// The word for it.
pub fn tls_word(tls: TlsUse) -> &'static str {
    match tls {
        TlsUse::Off => "off",
        TlsUse::Auto => "auto",
        TlsUse::Required => "required",
    }
}

/// `max` or a number of files. Below 64 the daemon could not serve at all; the kernel ends at 2^31.
pub fn file_limit(reader: &Reader<'_>) -> Option<FileLimit> {
    const MOST: u64 = 1 << 31;
    if reader.word().as_deref() == Some("max") {
        return Some(FileLimit::Max);
    }
    reader
        .whole_or(64, MOST, " or 'max'")
        .map(FileLimit::Number)
}

/// Ports and ranges of ports; `any` stands for all.
pub fn port_ranges(reader: &Reader<'_>) -> Option<Vec<Ports>> {
    reader.each(|item| {
        let remedy = "write one from 1 to 65535, a range such as 8000-8999, or 'any'";
        item.parsed("is not a port", remedy, |t| match t.trim() {
            "any" => Some(Ports::ALL),
            other => Ports::parse(other),
        })
    })
}

/// Paths of files.
pub fn paths(reader: &Reader<'_>, example: &str) -> Option<Vec<PathBuf>> {
    reader.each(|item| item.path(example))
}

/// Permissions of a file, in octal digits.
pub fn mode(reader: &Reader<'_>) -> Option<u32> {
    reader.parsed("is not a mode", "write octal digits such as 0660", |t| {
        let digits = t.trim().strip_prefix("0o").unwrap_or(t.trim());
        let octal = digits.len() <= 4 && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
        u32::from_str_radix(digits, 8)
            .ok()
            .filter(|m| octal && *m <= 0o777)
    })
}
