//! Typed reading of values: each method takes one value or notes a fault that names key, value and remedy.
//!
//! Rule: `None` means that a fault was noted, so that the caller goes on and all faults are found in one run.

mod collections;
mod scalars;

use std::fmt::Display;

pub(crate) use self::collections::Fields;
use super::fault::FaultSink;
use super::raw::{Node, Place, YamlValue};
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
        let text = format!("{} {what}; {remedy}", self.shown());
        self.sink.fault(self.mark, &self.key, text);
    }

    /// Notes a fault of the key that this value stands under: `what` follows the key.
    pub(crate) fn fault_of_key(&self, what: impl Display, remedy: impl Display) {
        // Only the last part, because the whole key stands in front of the text.
        let text = format!("'{}' {what}; {remedy}", self.name);
        self.sink.fault(self.mark, &self.key, text);
    }

    /// Notes something odd about this value that does not keep it from being used: a whole sentence.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.sink.warn(self.mark, &self.key, text);
    }

    /// Whether the value is `null` or missing after its colon.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.node.value, YamlValue::Null)
    }

    /// Whether the value is a list.
    #[must_use]
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.value, YamlValue::List(_))
    }

    /// How many values a list has; a single value counts as a list of one.
    #[must_use]
    pub(crate) fn item_count(&self) -> usize {
        match &self.node.value {
            YamlValue::List(list) => list.len(),
            YamlValue::Null | YamlValue::Scalar(_) | YamlValue::Map(_) => 1,
        }
    }

    /// Another value that stands for this one in messages.
    #[must_use]
    pub(crate) fn standing_for<'b>(&self, node: &'b Node) -> Reader<'b>
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
            YamlValue::Null => "nothing".into(),
            YamlValue::List(_) => "a list".into(),
            YamlValue::Map(_) => "a map".into(),
            YamlValue::Scalar(_) if self.secret => "the value".into(),
            YamlValue::Scalar(text) => quote(text),
        }
    }

    /// The text of a scalar, exactly as written, without a complaint.
    #[must_use]
    pub fn plain(&self) -> Option<&'a str> {
        match &self.node.value {
            YamlValue::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// A word in lower case, to compare with keywords, without a complaint.
    #[must_use]
    pub fn word(&self) -> Option<String> {
        let text = self.plain()?;
        Some(text.trim().to_ascii_lowercase())
    }
}

/// The beginning of a text in quotes, for a message.
fn quote(text: &str) -> String {
    // A URL with its password may stand where something else is wanted.
    let text = without_userinfo(text);
    // On one line, as a fault is one line.
    let beginning = beginning(&text, QUOTED);
    let is_longer = text.chars().nth(QUOTED).is_some();
    let more = if is_longer { "…" } else { "" };
    format!("'{beginning}{more}'")
}
