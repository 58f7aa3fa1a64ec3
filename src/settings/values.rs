//! Readers of the kinds of values that several rooms have.

use std::time::Duration;

use super::read::Reader;
use super::show::list;
use crate::net::{Network, Ports};
use crate::os::process::Argv;

/// A command: a list of words, or a text that is split like a shell would.
pub(crate) fn command(reader: &Reader<'_>) -> Option<Argv> {
    const REMEDY: &str =
        "write a list such as [/usr/local/bin/check, --flag], or a text with its quotes in pairs";
    let made = match reader.plain() {
        Some(text) => Argv::split(text),
        // Words of a list are taken as they are, quotes included.
        None if reader.is_list() => Argv::new(reader.each(Reader::any_text)?),
        None => {
            reader.fault("is no command", REMEDY);
            return None;
        }
    };

    match made {
        Ok(command) => Some(command),
        Err(what) => {
            reader.fault(what, REMEDY);
            None
        }
    }
}

/// Ports, each once.
pub(crate) fn ports(reader: &Reader<'_>) -> Option<Vec<u16>> {
    // Each once: listening on a port twice would fail.
    let mut ports: Vec<u16> = Vec::new();
    for port in reader.each(port)? {
        if !ports.contains(&port) {
            ports.push(port);
        }
    }

    Some(ports)
}

fn port(reader: &Reader<'_>) -> Option<u16> {
    let port = reader.whole(1, 65535)?;
    u16::try_from(port).ok()
}

/// Networks; `private` and `any` stand for several.
pub(crate) fn networks(reader: &Reader<'_>) -> Option<Vec<Network>> {
    let remedy = "write one such as 10.0.0.0/8, or 'private', or 'any'";
    let groups = reader.each(|item| item.parsed("is not a network", remedy, networks_of))?;
    Some(groups.concat())
}

fn networks_of(text: &str) -> Option<Vec<Network>> {
    Network::parse_word(text.trim())
}

/// Networks as they are shown: the word that stands for all or for the private ones, where it fits.
pub(crate) fn networks_text(networks: &[Network]) -> String {
    if networks == Network::any() {
        "any".into()
    } else if networks == Network::private() {
        "private".into()
    } else {
        list(networks)
    }
}

/// Ports and ranges of ports; `any` stands for all.
pub(crate) fn port_ranges(reader: &Reader<'_>) -> Option<Vec<Ports>> {
    let remedy = "write one from 1 to 65535, a range such as 8000-8999, or 'any'";
    reader.each(|item| item.parsed_number("is not a port", remedy, ports_of))
}

fn ports_of(text: &str) -> Option<Ports> {
    match text.trim() {
        "any" => Some(Ports::ALL),
        other => Ports::parse(other),
    }
}

/// Permissions of a file, in octal digits.
pub(crate) fn mode(reader: &Reader<'_>) -> Option<u32> {
    let remedy = "write octal digits such as 0660";
    reader.parsed("is not a mode", remedy, mode_of)
}

fn mode_of(text: &str) -> Option<u32> {
    let text = text.trim();
    // YAML 1.2 writes octal numbers with 0o.
    let digits = text.strip_prefix("0o").unwrap_or(text);
    // `from_str_radix` alone takes a plus sign too.
    let is_octal = digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
    if digits.len() > 4 || !is_octal {
        return None;
    }

    let mode = u32::from_str_radix(digits, 8).ok()?;
    // No bits for setuid and the like: of a socket they mean nothing.
    (mode <= 0o777).then_some(mode)
}

/// Finite durations longer than this are "for ever", so that adding them to a clock cannot overflow. In seconds.
const FOR_EVER: f64 = 100.0 * 365.0 * 86_400.0;

/// A time in seconds: `Some(None)` is for ever.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether the value could be read"
)]
pub(crate) fn seconds_or_ever(reader: &Reader<'_>) -> Option<Option<Duration>> {
    let remedy = "write a number of seconds, 0 for no caching, or .inf to keep results for ever";
    let seconds = reader.number(remedy)?;
    if seconds < 0.0 {
        reader.fault("is less than 0", remedy);
        return None;
    }

    if seconds > FOR_EVER {
        return Some(None);
    }

    Some(Duration::try_from_secs_f64(seconds).ok())
}
