//! Which hosts an order is for: `*`, or conditions on tags such as `cluster!=blue;zone=a,b`.
//!
//! Rule: two selectors that select the same by the same words have one canonical text, which is a part of the order's key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::names::fits_url;

/// The tag that every host has: its own name. `--hosts a,b` is `host=a,b`.
pub const HOST_TAG: &str = "host";

/// What selects every host.
const EVERY_HOST: &str = "*";

/// What stands for itself in a value; all else is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

/// How a tag of a host relates to the values of a condition. The order is that of their signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// `!=`: the tag has none of the values; a host without the tag is selected.
    IsNot,
    /// `=`: the tag has one of the values.
    Is,
}

impl Relation {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::IsNot => "!=",
            Self::Is => "=",
        }
    }
}

/// Which hosts are meant. Every condition must hold; without one, every host is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(into = "Where")]
pub struct Selector(BTreeMap<Condition, BTreeSet<String>>);

/// The left side of a condition.
type Condition = (String, Relation);

/// As in JSON: `{"cluster!": ["blue"], "zone": ["a", "b"]}`.
type Where = BTreeMap<String, Vec<String>>;

/// Why a text selects no hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectorError {
    /// There is no `=` or `!=` in it.
    NoRelation(String),
    /// The name in front of the sign is none of a tag.
    Tag(String),
    /// There is nothing behind the sign, or between two commas.
    NoValue(String),
    /// A tag stands twice with `=`, which could mean both or either.
    Twice(String),
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRelation(text) => write!(
                f,
                "'{}' selects no hosts; write one such as zone=a, zone=a,b or zone!=a",
                text.escape_debug()
            ),
            Self::Tag(tag) => write!(
                f,
                "'{}' is no name of a tag; use letters, digits, '.', '_' and '-'",
                tag.escape_debug()
            ),
            Self::NoValue(tag) => write!(f, "{tag} has an empty value; write one such as {tag}=a"),
            Self::Twice(tag) => {
                write!(
                    f,
                    "{tag}= stands twice; write {tag}=a,b for hosts with either"
                )
            }
        }
    }
}

impl std::error::Error for SelectorError {}

impl Selector {
    /// Every host.
    #[must_use]
    pub fn every_host() -> Self {
        Self::default()
    }

    /// Some hosts by their names; every host when there are none.
    #[must_use]
    pub fn hosts<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut selector = Self::default();
        for name in names {
            selector.add(HOST_TAG, Relation::Is, name);
        }

        selector
    }

    /// Reads the canonical text, or what people write: conditions parted by semicolons, their values by commas.
    ///
    /// # Errors
    /// What is wrong with the first condition that is not one.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        Self::parse_all([text])
    }

    /// Reads several texts, all of which must hold.
    ///
    /// # Errors
    /// What is wrong with the first condition that is not one.
    pub fn parse_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, SelectorError> {
        let mut selector = Self::default();
        for text in texts {
            // Beside a condition `*` adds nothing, as all of them must hold.
            if text.trim() == EVERY_HOST {
                continue;
            }
            for condition in text.split(';') {
                selector.read_condition(condition)?;
            }
        }

        Ok(selector)
    }

    fn read_condition(&mut self, text: &str) -> Result<(), SelectorError> {
        let Some((left, values)) = text.split_once('=') else {
            return Err(SelectorError::NoRelation(text.trim().to_owned()));
        };

        // Of `zone!=a` the left side is `zone!`.
        let (tag, relation) = tag_and_relation(left);
        let values = values.split(',').map(decoded);
        self.read_values(tag.trim(), relation, values)
    }

    fn read_values(
        &mut self,
        tag: &str,
        relation: Relation,
        values: impl Iterator<Item = String>,
    ) -> Result<(), SelectorError> {
        if !is_tag(tag) {
            return Err(SelectorError::Tag(tag.to_owned()));
        }

        if relation == Relation::Is {
            self.expect_first(tag)?;
        }

        let values: Vec<String> = values.collect();
        if values.is_empty() || values.iter().any(String::is_empty) {
            return Err(SelectorError::NoValue(tag.to_owned()));
        }

        for value in values {
            self.add(tag, relation, &value);
        }

        Ok(())
    }

    /// `zone=a` and `zone=b` together: one host has one zone, so it would select nobody. Of `!=` both can hold.
    fn expect_first(&self, tag: &str) -> Result<(), SelectorError> {
        let condition = (tag.to_owned(), Relation::Is);
        match self.0.contains_key(&condition) {
            true => Err(SelectorError::Twice(condition.0)),
            false => Ok(()),
        }
    }

    fn add(&mut self, tag: &str, relation: Relation, value: &str) {
        let values = self.0.entry((tag.to_owned(), relation)).or_default();
        values.insert(value.to_owned());
    }

    /// Whether every host is meant, whatever its tags are.
    #[must_use]
    pub fn is_every_host(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a host is meant.
    #[must_use]
    pub fn selects(&self, host: &str, tags: &BTreeMap<String, String>) -> bool {
        let mut conditions = self.conditions();
        conditions.all(|(tag, relation, values)| {
            let is_one = match value(host, tags, tag) {
                Some(value) => values.contains(value),
                None => false,
            };
            // A host without the tag has none of its values, so `!=` selects it.
            is_one == (relation == Relation::Is)
        })
    }

    /// The conditions: tag, relation, values.
    pub fn conditions(&self) -> impl Iterator<Item = (&str, Relation, &BTreeSet<String>)> {
        let conditions = self.0.iter();
        conditions.map(|((tag, relation), values)| (tag.as_str(), *relation, values))
    }
}

/// Whether a text can be the name of a tag.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    !text.is_empty() && fits_url(text)
}

/// What stands on the left of a condition: `zone`, or `zone!`.
fn tag_and_relation(left: &str) -> (&str, Relation) {
    match left.strip_suffix('!') {
        Some(tag) => (tag, Relation::IsNot),
        None => (left, Relation::Is),
    }
}

/// What a host has for a tag; its own name is one of its tags.
fn value<'h>(host: &'h str, tags: &'h BTreeMap<String, String>, tag: &str) -> Option<&'h str> {
    match tag {
        HOST_TAG => Some(host),
        other => tags.get(other).map(String::as_str),
    }
}

/// A value as it was meant, without spaces around it.
fn decoded(value: &str) -> String {
    let decoded = percent_decode_str(value.trim());
    decoded.decode_utf8_lossy().into_owned()
}

/// The canonical text.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_every_host() {
            return f.write_str(EVERY_HOST);
        }

        let mut before = "";
        for (tag, relation, values) in self.conditions() {
            write!(f, "{before}{tag}{}", relation.sign())?;
            write_values(f, values)?;
            before = ";";
        }

        Ok(())
    }
}

fn write_values(f: &mut fmt::Formatter<'_>, values: &BTreeSet<String>) -> fmt::Result {
    let mut before = "";
    for value in values {
        // A comma or a semicolon in a value would else part it.
        let escaped = utf8_percent_encode(value, ESCAPED);
        write!(f, "{before}{escaped}")?;
        before = ",";
    }

    Ok(())
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let conditions = Where::deserialize(deserializer)?;
        read_where(conditions).map_err(D::Error::custom)
    }
}

fn read_where(conditions: Where) -> Result<Selector, SelectorError> {
    let mut selector = Selector::default();
    for (left, values) in conditions {
        let (tag, relation) = tag_and_relation(&left);
        selector.read_values(tag, relation, values.into_iter())?;
    }

    Ok(selector)
}

impl From<Selector> for Where {
    fn from(selector: Selector) -> Self {
        let mut conditions = Self::new();
        for ((tag, relation), values) in selector.0 {
            let left = match relation {
                Relation::Is => tag,
                Relation::IsNot => format!("{tag}!"),
            };
            conditions.insert(left, values.into_iter().collect());
        }

        conditions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(tag, value): &(&str, &str)| ((*tag).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn what_means_the_same_has_one_text() {
        for (texts, canonical) in [
            (&["*"][..], "*"),
            (&[], "*"),
            (&["zone=a"], "zone=a"),
            (&[" zone = b , a "], "zone=a,b"),
            (&["zone=a;cluster!=blue"], "cluster!=blue;zone=a"),
            (&["zone=a", "cluster!=blue"], "cluster!=blue;zone=a"),
            (&["zone!=a", "zone!=b"], "zone!=a,b"),
            (&["zone=a", "zone!=b"], "zone!=b;zone=a"),
            (&["rack=a/b c;x=%2c"], "rack=a%2Fb%20c;x=%2C"),
            (&["name=é"], "name=%C3%A9"),
            (&["*", "zone=a"], "zone=a"),
        ] {
            let selector = Selector::parse_all(texts.iter().copied()).unwrap();
            assert_eq!(selector.to_string(), canonical, "{texts:?}");
            assert_eq!(Selector::parse(canonical).unwrap(), selector);
            let json = serde_json::to_string(&selector).unwrap();
            let read: Selector = serde_json::from_str(&json).unwrap();
            assert_eq!(read, selector, "{json}");
        }
    }

    #[test]
    fn the_json_has_an_exclamation_mark_behind_what_must_not_be() {
        let selector = Selector::parse("cluster!=blue;zone=a,b").unwrap();
        let json = serde_json::to_string(&selector).unwrap();
        assert_eq!(json, r#"{"cluster!":["blue"],"zone":["a","b"]}"#);
        for bad in [
            r#"{"zone":[]}"#,
            r#"{"zone":[""]}"#,
            r#"{"":["a"]}"#,
            r#"{"a b":["c"]}"#,
        ] {
            assert!(serde_json::from_str::<Selector>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_selects_nothing_is_said_with_its_remedy() {
        for (text, error) in [
            (
                "",
                "'' selects no hosts; write one such as zone=a, zone=a,b or zone!=a",
            ),
            (
                "zone",
                "'zone' selects no hosts; write one such as zone=a, zone=a,b or zone!=a",
            ),
            (
                "zone=a;",
                "'' selects no hosts; write one such as zone=a, zone=a,b or zone!=a",
            ),
            (
                "=a",
                "'' is no name of a tag; use letters, digits, '.', '_' and '-'",
            ),
            (
                "a b=c",
                "'a b' is no name of a tag; use letters, digits, '.', '_' and '-'",
            ),
            ("zone=", "zone has an empty value; write one such as zone=a"),
            (
                "zone=a,,b",
                "zone has an empty value; write one such as zone=a",
            ),
            (
                "zone=a;zone=b",
                "zone= stands twice; write zone=a,b for hosts with either",
            ),
        ] {
            assert_eq!(
                Selector::parse(text).unwrap_err().to_string(),
                error,
                "{text}"
            );
        }
    }

    #[test]
    fn hosts_are_selected_by_their_tags_and_their_name() {
        let a = tags(&[("zone", "a"), ("cluster", "blue")]);
        for (text, selected) in [
            ("*", true),
            ("zone=a", true),
            ("zone=b,a", true),
            ("zone=b", false),
            ("zone!=a", false),
            ("zone!=b", true),
            ("zone=a;cluster!=blue", false),
            ("zone=a;cluster=blue", true),
            ("rack=1", false),
            ("rack!=1", true),
            ("host=web01,web02", true),
            ("host=web02", false),
            ("host!=web01", false),
        ] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!(selector.selects("web01", &a), selected, "{text}");
        }
        let two = Selector::hosts(["web02", "web01"]);
        assert_eq!(two.to_string(), "host=web01,web02");
        assert!(Selector::hosts([]).is_every_host());
    }

    #[test]
    fn a_tag_called_host_counts_no_more_than_the_name_itself() {
        let liar = tags(&[("host", "web02")]);
        let selector = Selector::parse("host=web02").unwrap();
        assert!(!selector.selects("web01", &liar));
    }
}
