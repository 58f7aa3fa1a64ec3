//! Kinds of values: how each is described to people, read from the file, and shown as YAML.
//!
//! Rule: what a kind shows is read back as the same value, but for secrets, which never show.

use std::path::PathBuf;
use std::time::Duration;

use super::numbers::size_words;
use super::read::Reader;
use super::secret::Secret;
use super::show::{list, plain_list, quoted};
use super::values;
use crate::net::{Network, Ports};

type ReadValue<T> = Box<dyn Fn(&Reader<'_>) -> Option<T> + Send + Sync>;
type Show<T> = Box<dyn Fn(&T) -> String + Send + Sync>;
type Limit<T> = Box<dyn Fn(&T) -> Option<f64> + Send + Sync>;

/// A kind of values of type `T`.
pub struct Kind<T> {
    /// The type, in words for people.
    pub(super) words: &'static str,
    /// The unit; empty when there is none.
    pub(super) unit: &'static str,
    /// Whether values never show.
    pub(super) secret: bool,
    pub(super) read: ReadValue<T>,
    pub(super) show: Show<T>,
    pub(super) limit: Limit<T>,
}

impl<T: 'static> Kind<T> {
    /// A kind without a unit. `read` gives none when it has noted a fault.
    pub fn new(
        words: &'static str,
        read: impl Fn(&Reader<'_>) -> Option<T> + Send + Sync + 'static,
        show: impl Fn(&T) -> String + Send + Sync + 'static,
    ) -> Self {
        Self {
            words,
            unit: "",
            secret: false,
            read: Box::new(read),
            show: Box::new(show),
            limit: Box::new(|_| None),
        }
    }

    /// A kind that only the setting itself can read: see [`Setting::read_by`](super::Setting::read_by).
    pub fn shown(words: &'static str, show: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        Self::new(words, |_| None, show)
    }

    /// The same with a unit.
    #[must_use]
    pub fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// The same for a limit, of which `/metrics` shows the number.
    fn limit(self, number: impl Fn(&T) -> f64 + Send + Sync + 'static) -> Self {
        let limit: Limit<T> = Box::new(move |value| Some(number(value)));
        Self { limit, ..self }
    }

    /// The same kind, or nothing, which is shown as `null`.
    #[must_use]
    pub(crate) fn or_unset(self) -> Kind<Option<T>> {
        // `null` never gets here: `Fields::get` treats it as a missing key.
        let (read, show) = (self.read, self.show);
        let read_set = move |reader: &Reader<'_>| read(reader).map(Some);
        let show_null = move |value: &Option<T>| match value {
            Some(value) => show(value),
            None => "null".to_owned(),
        };

        Kind {
            secret: self.secret,
            ..Kind::new(self.words, read_set, show_null).unit(self.unit)
        }
    }
}

/// A whole number of things, from `min` to `max`.
#[allow(clippy::cast_precision_loss)] // limits above 2^53 mean nothing
pub(crate) fn count(unit: &'static str, min: usize, max: usize) -> Kind<usize> {
    let read = move |reader: &Reader<'_>| reader.count(min, max);
    let kind = Kind::new("number", read, ToString::to_string);
    let kind = kind.unit(unit);
    kind.limit(|value| *value as f64)
}

/// A time from `min` to `max` seconds.
pub(crate) fn seconds(min: f64, max: f64) -> Kind<Duration> {
    let read = move |reader: &Reader<'_>| reader.seconds(min, max);
    let kind = Kind::new("number", read, seconds_text).unit("seconds");
    kind.limit(Duration::as_secs_f64)
}

/// A number of times in a row, from 1 to `max`.
pub(crate) fn times(max: u32) -> Kind<u32> {
    let read = move |reader: &Reader<'_>| {
        let number = reader.whole(1, max.into())?;
        u32::try_from(number).ok()
    };
    Kind::new("number", read, ToString::to_string)
}

/// A time in seconds, 0 too; none is for ever.
pub(crate) fn seconds_or_ever() -> Kind<Option<Duration>> {
    let show = |value: &Option<Duration>| match value {
        Some(value) => seconds_text(value),
        None => ".inf".into(),
    };
    Kind::new("number", values::seconds_or_ever, show).unit("seconds")
}

fn seconds_text(value: &Duration) -> String {
    value.as_secs_f64().to_string()
}

/// A number of bytes from `min` to `max`.
#[allow(clippy::cast_precision_loss)] // limits above 2^53 mean nothing
pub(crate) fn bytes(min: usize, max: usize) -> Kind<usize> {
    let read = move |reader: &Reader<'_>| reader.bytes(min, max);
    // Shown as people write it: 16MiB, not 16777216.
    let kind = Kind::new("size", read, |value| size_words(*value));
    let kind = kind.unit("bytes, or with KiB, MiB, GiB");
    kind.limit(|value| *value as f64)
}

/// Yes or no.
pub(crate) fn flag() -> Kind<bool> {
    let read = |reader: &Reader<'_>| reader.boolean();
    Kind::new("true or false", read, ToString::to_string)
}

/// A text that is not empty.
pub(crate) fn text() -> Kind<String> {
    let read = |reader: &Reader<'_>| reader.text();
    let show = |value: &String| quoted(value);
    Kind::new("text", read, show)
}

/// A text that may be empty.
pub(crate) fn any_text() -> Kind<String> {
    let read = |reader: &Reader<'_>| reader.any_text();
    let show = |value: &String| quoted(value);
    Kind::new("text", read, show)
}

/// A secret, which may stand in a file of its own.
pub(crate) fn secret() -> Kind<Secret> {
    // An empty password is not the same as none.
    let read = |reader: &Reader<'_>| reader.any_text().map(Secret::new);
    let kind = Kind::new("text", read, |_| "\"***\"".into());
    Kind {
        secret: true,
        ..kind
    }
}

/// The path of something, such as `example`.
pub(crate) fn path(words: &'static str, example: &'static str) -> Kind<PathBuf> {
    let read = move |reader: &Reader<'_>| reader.path(example);
    let show = |path: &PathBuf| quoted(&path.to_string_lossy());
    Kind::new(words, read, show)
}

/// Paths of files, such as `example`.
pub(crate) fn paths(example: &'static str) -> Kind<Vec<PathBuf>> {
    let read = move |reader: &Reader<'_>| reader.each(|item| item.path(example));
    Kind::new("list of paths", read, |paths: &Vec<PathBuf>| {
        paths_text(paths)
    })
}

fn paths_text(paths: &[PathBuf]) -> String {
    let texts = paths.iter().map(|path| path.to_string_lossy());
    let texts: Vec<_> = texts.collect();
    list(&texts)
}

/// The permissions of a file.
pub(crate) fn mode() -> Kind<u32> {
    // In quotes, since YAML reads a leading zero as that of an octal number.
    let show = |value: &u32| format!("\"{value:04o}\"");
    Kind::new("octal mode", values::mode, show)
}

pub(crate) fn networks() -> Kind<Vec<Network>> {
    let show = |value: &Vec<Network>| values::networks_text(value);
    Kind::new("list of networks", values::networks, show)
}

pub(crate) fn ports() -> Kind<Vec<u16>> {
    let show = |value: &Vec<u16>| plain_list(value);
    Kind::new("list of ports", values::ports, show)
}

/// Ports and ranges of ports.
pub(crate) fn port_ranges() -> Kind<Vec<Ports>> {
    let show = |value: &Vec<Ports>| list(value);
    Kind::new("list of ports or ranges", values::port_ranges, show)
}
