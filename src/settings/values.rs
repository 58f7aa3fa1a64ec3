//! Readers of the kinds of values that several rooms have.

use std::path::PathBuf;

use super::read::Reader;
use crate::net::{Network, Ports};
use crate::os::process::Argv;

/// A command: a list of words, or a text that is split like a shell would.
pub fn command(reader: &Reader<'_>) -> Option<Argv> {
    const REMEDY: &str =
        "write a list such as [/usr/local/bin/check, --flag], or a text with its quotes in pairs";
    let made = if reader.is_list() {
        Argv::new(reader.each(Reader::any_text)?)
    } else {
        match reader.plain() {
            Some(text) => Argv::split(text),
            None => Err("is no command"),
        }
    };
    made.map_err(|what| reader.fault(what, REMEDY)).ok()
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
