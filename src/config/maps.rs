//! The settings that are maps with keys of the operator's own: names of services and of commands.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::HttpRule;
use super::read::Reader;
use super::settings::LONGEST_PROBE;
use crate::os::process::Argv;
use crate::spool::ServiceName;

/// Most characters of a command's name.
const NAME_MAX: usize = 64;

/// The commands of `exec` checks.
pub fn exec(reader: &Reader<'_>) -> Option<BTreeMap<String, Argv>> {
    collect(reader, |name, value| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(fits) {
            value.fault_of_key(
                "is no name for a command",
                "use letters, digits, '.', '_' and '-', at most 64",
            );
            return None;
        }
        command(value)
    })
}

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

/// What answers must be like, by service.
pub fn http_rules(reader: &Reader<'_>) -> Option<BTreeMap<String, HttpRule>> {
    by_service(reader, HttpRule::read)
}

/// Unix sockets, by service.
pub fn sockets(reader: &Reader<'_>) -> Option<BTreeMap<String, PathBuf>> {
    by_service(reader, |value| {
        let path = value.path("/run/web.sock")?;
        // sun_path of unix(7), with its final zero.
        let fits = path.is_absolute() && path.as_os_str().len() < 108;
        if !fits {
            value.fault(
                "is not an absolute path of less than 108 bytes",
                "write one such as /run/web.sock",
            );
        }
        fits.then_some(path)
    })
}

/// Deadlines, by service.
pub fn timeouts(reader: &Reader<'_>) -> Option<BTreeMap<String, Duration>> {
    by_service(reader, |value| value.seconds(0.001, LONGEST_PROBE))
}

fn by_service<T>(
    reader: &Reader<'_>,
    read: impl Fn(&Reader<'_>) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    collect(reader, |name, value| {
        if ServiceName::parse(name).is_err() {
            value.fault_of_key(
                "is not the name of a service",
                "use letters, digits, '.', '_' and '-'",
            );
            return None;
        }
        read(value)
    })
}

fn collect<T>(
    reader: &Reader<'_>,
    mut read: impl FnMut(&str, &Reader<'_>) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    let entries = reader.entries()?;
    let read: Vec<_> = entries
        .iter()
        .map(|(name, value)| Some(((*name).to_owned(), read(name, value)?)))
        .collect();
    read.into_iter().collect()
}
