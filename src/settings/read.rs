//! Typed reading of values: each method takes one value or notes a fault that names key, value and remedy.
//!
//! Rule: `None` means that a fault was noted, so that the caller goes on and all faults are found in one run.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use super::fault::FaultSink;
use super::numbers::{digits, number, size, size_words};
use super::raw::{Entry, Node, Place, Value};
use crate::names::nearest::nearest;
use crate::names::text::{beginning, without_userinfo};

/// The most of a value that a message quotes, in characters.
const QUOTED: usize = 60;

/// One value, where it stands, and where to complain.
#[derive(Clone)]
pub struct Reader<'a> {
    node: &'a Node,
    mark: Place,
    key: String,
    /// The last part of the key.
    name: String,
    secret: bool,
    sink: &'a FaultSink,
}

impl<'a> Reader<'a> {
    /// The reader of the whole file.
    #[must_use]
    pub fn root(node: &'a Node, sink: &'a FaultSink) -> Self {
        Self {
            node,
            mark: node.mark,
            key: String::new(),
            name: String::new(),
            secret: false,
            sink,
        }
    }

    /// The same value, never to be quoted in a message.
    #[must_use]
    pub fn secret(self) -> Self {
        Self {
            secret: true,
            ..self
        }
    }

    /// Notes a fault of this value. `what` follows the value, as in "'x' is not a number"; `remedy` says what to do.
    pub fn fault(&self, what: impl Display, remedy: impl Display) {
        self.sink.fault(
            self.mark,
            &self.key,
            format!("{} {what}; {remedy}", self.shown()),
        );
    }

    /// Notes a fault of the key that this value stands under: `what` follows the key.
    pub fn fault_of_key(&self, what: impl Display, remedy: impl Display) {
        self.sink.fault(
            self.mark,
            &self.key,
            format!("'{}' {what}; {remedy}", self.name),
        );
    }

    /// Notes something odd about this value that does not keep it from being used: a whole sentence.
    pub fn warn(&self, text: impl Into<String>) {
        self.sink.warn(self.mark, &self.key, text);
    }

    /// Whether the value is `null` or missing after its colon.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// Whether the value is a list.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// How many values a list has; a single value counts as a list of one.
    #[must_use]
    pub fn item_count(&self) -> usize {
        match &self.node.value {
            Value::List(list) => list.len(),
            Value::Null | Value::Scalar(_) | Value::Map(_) => 1,
        }
    }

    /// Another value that stands for this one in messages.
    #[must_use]
    pub fn standing_for<'b>(&self, node: &'b Node) -> Reader<'b>
    where
        'a: 'b,
    {
        Reader {
            node,
            mark: self.mark,
            key: self.key.clone(),
            name: self.name.clone(),
            secret: self.secret,
            sink: self.sink,
        }
    }

    /// The place of this value.
    #[must_use]
    pub fn mark(&self) -> Place {
        self.mark
    }

    /// The value as a message shows it.
    fn shown(&self) -> String {
        match &self.node.value {
            Value::Null => "nothing".into(),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
            Value::Scalar(_) if self.secret => "the value".into(),
            Value::Scalar(text) => {
                let text = without_userinfo(text);
                let plain = beginning(&text, QUOTED);
                let more = if text.chars().nth(QUOTED).is_some() {
                    "…"
                } else {
                    ""
                };
                format!("'{plain}{more}'")
            }
        }
    }

    /// A word in lower case, to compare with keywords, without a complaint.
    #[must_use]
    pub fn word(&self) -> Option<String> {
        self.scalar().map(|t| t.trim().to_ascii_lowercase())
    }

    /// The text of a scalar, exactly as written, without a complaint.
    #[must_use]
    pub fn plain(&self) -> Option<&'a str> {
        self.scalar()
    }

    fn scalar(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// A text that `parse` takes; `what` and `remedy` make the fault when it does not.
    pub fn parsed<T>(
        &self,
        what: &str,
        remedy: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.scalar().and_then(parse);
        if value.is_none() {
            self.fault(what, remedy);
        }
        value
    }

    /// A text, exactly as written, numbers and booleans too; not an empty one.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self.any_text()? {
            text if text.trim().is_empty() => {
                self.fault("is empty", "write a text, or leave the key out");
                None
            }
            text => Some(text),
        }
    }

    /// A text, exactly as written, that may be empty.
    #[must_use]
    pub fn any_text(&self) -> Option<String> {
        self.parsed(
            "is not a text",
            "write one, in quotes if it has special characters",
            |t| Some(t.to_owned()),
        )
    }

    /// A path of a file, absolute or relative to where hacheck is started.
    #[must_use]
    pub fn path(&self, example: &str) -> Option<std::path::PathBuf> {
        self.parsed(
            "is not the path of a file",
            &format!("write one such as {example}"),
            |t| (!t.trim().is_empty() && !t.contains('\0')).then(|| t.into()),
        )
    }

    /// A boolean in any of YAML 1.1's words, quoted or not, or 0 or 1.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        self.parsed("is neither yes nor no", "write true or false", |t| match t
            .trim()
            .to_ascii_lowercase()
            .as_str()
        {
            "true" | "yes" | "on" | "y" | "1" => Some(true),
            "false" | "no" | "off" | "n" | "0" => Some(false),
            _ => None,
        })
    }

    /// A whole number of `min` to `max`, both included, quoted or not.
    #[must_use]
    pub fn whole(&self, min: u64, max: u64) -> Option<u64> {
        self.whole_or(min, max, "")
    }

    /// [`Reader::whole`] where something else is possible too: ` or 'max'` at the end of the remedy.
    #[must_use]
    pub fn whole_or(&self, min: u64, max: u64, or: &str) -> Option<u64> {
        let remedy = format!("write a whole number from {min} to {max}{or}");
        let Some(text) = self.scalar().and_then(digits) else {
            let octal = self.scalar().is_some_and(|t| {
                t.trim().bytes().all(|b| b.is_ascii_digit()) && !t.trim().is_empty()
            });
            self.fault(
                if octal {
                    "has a leading zero, which may mean octal"
                } else {
                    "is not a whole number"
                },
                remedy,
            );
            return None;
        };
        let value = text.parse().ok().filter(|n| (min..=max).contains(n));
        if value.is_none() {
            self.fault("is out of range", remedy);
        }
        value
    }

    /// [`Reader::whole`] for counts that are held in memory.
    #[must_use]
    pub fn count(&self, min: usize, max: usize) -> Option<usize> {
        self.whole(min as u64, max as u64)
            .and_then(|n| usize::try_from(n).ok())
    }

    /// A number of bytes of `min` to `max`, with or without `KiB`, `MiB`, `GiB` (or `k`, `m`, `g`).
    #[must_use]
    pub fn bytes(&self, min: usize, max: usize) -> Option<usize> {
        let remedy = || {
            format!(
                "write bytes, or a size such as 8MiB, from {} to {}",
                size_words(min),
                size_words(max)
            )
        };
        let Some(value) = self.scalar().and_then(size) else {
            self.fault("is not a size", remedy());
            return None;
        };
        let value = usize::try_from(value)
            .ok()
            .filter(|n| (min..=max).contains(n));
        if value.is_none() {
            self.fault("is out of range", remedy());
        }
        value
    }

    /// A number, quoted or not, that may be infinite (`.inf`), never "not a number".
    #[must_use]
    pub fn number(&self, remedy: &str) -> Option<f64> {
        self.parsed("is not a number", remedy, number)
    }

    /// Seconds of `min` to `max`, both included, as a number with or without a fraction.
    #[must_use]
    pub fn seconds(&self, min: f64, max: f64) -> Option<Duration> {
        let remedy = format!("write a number of seconds from {min} to {max}");
        let number = self.number(&remedy)?;
        let value = Duration::try_from_secs_f64(number)
            .ok()
            .filter(|_| (min..=max).contains(&number));
        if value.is_none() {
            self.fault("is out of range", remedy);
        }
        value
    }

    /// The values of a list; a single value counts as a list of one.
    #[must_use]
    pub fn items(&self) -> Option<Vec<Reader<'a>>> {
        match &self.node.value {
            Value::List(list) => {
                let reader = |node: &'a Node| Reader {
                    node,
                    mark: node.mark,
                    ..self.clone()
                };
                Some(list.iter().map(reader).collect())
            }
            Value::Scalar(_) => Some(vec![self.clone()]),
            Value::Map(_) | Value::Null => {
                self.fault("is not a list", "write one such as [a, b]");
                None
            }
        }
    }

    /// A list of what `read` makes of each value, all of them read even when one is at fault.
    #[must_use]
    pub fn each<T>(&self, read: impl FnMut(&Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
        let read: Vec<_> = self.items()?.iter().map(read).collect();
        read.into_iter().collect()
    }

    /// The keys and values of a map whose keys are the operator's own words, such as names of services.
    #[must_use]
    pub fn entries(&self) -> Option<Vec<(&'a str, Reader<'a>)>> {
        let Value::Map(entries) = &self.node.value else {
            self.fault(
                "is not a map",
                "write lines such as 'name: value', indented below the key",
            );
            return None;
        };
        Some(
            entries
                .iter()
                .map(|e| (e.key.as_str(), self.entry(e)))
                .collect(),
        )
    }

    /// A map whose keys are ours. A key that is not known is a warning that names the nearest.
    #[must_use]
    pub fn fields(&self, known: &[&str]) -> Option<Fields<'a>> {
        let mut found = HashMap::new();
        for (key, reader) in self.entries()? {
            if known.contains(&key) {
                found.insert(key, reader);
            } else {
                reader.warn(match nearest(key, known.iter().copied()) {
                    Some(near) => format!(
                        "there is no such setting, so it does nothing; did you mean {near}?"
                    ),
                    None => "there is no such setting, so it does nothing; remove it".into(),
                });
            }
        }
        Some(Fields(found))
    }

    fn entry(&self, entry: &'a Entry) -> Reader<'a> {
        let name = beginning(&without_userinfo(&entry.key), QUOTED);
        let key = if self.key.is_empty() {
            name.clone()
        } else {
            format!("{}.{name}", self.key)
        };
        Reader {
            node: &entry.node,
            mark: entry.mark,
            key,
            name,
            secret: self.secret,
            sink: self.sink,
        }
    }
}

/// The values of a map by their keys.
pub struct Fields<'a>(HashMap<&'a str, Reader<'a>>);

impl<'a> Fields<'a> {
    /// The value of a key; none when it is missing or `null`, which mean the same: the default.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Reader<'a>> {
        self.0.get(key).filter(|reader| !reader.is_null())
    }
}
