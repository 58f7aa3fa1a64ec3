//! The YAML as it stands in the file: a tree of texts, each with a mark that leads to its line.
//!
//! Rule: nothing is interpreted here but `null`: a password `007` or `yes` stays the text that was written.
//!
//! The library tells either the type of a value or its text, and has lines only in its errors. So the file is walked
//! once for the shapes, once for the texts, and once more for each line that a message needs, with an error provoked at
//! the place in question.

mod walks;

use serde::de::{DeserializeSeed as _, IgnoredAny};

use self::walks::{Build, Survey, SurveyOne, Walk};
use super::decode;
use super::problem::Problem;

/// A place in the file: the number of the key or value, in the order of the text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place(pub(super) usize);

/// A value and its place. It may be a secret, so it has no debug output.
pub struct Node {
    /// The value.
    pub value: YamlValue,
    /// Its place.
    pub mark: Place,
}

/// A value of YAML, uninterpreted.
pub enum YamlValue {
    /// `null`, `~` or nothing at all.
    Null,
    /// Text, number or boolean: as written, less quotes and escapes.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file, repeated keys included.
    Map(Vec<Entry>),
}

/// A key and its value in a map.
pub struct Entry {
    /// The key, as written.
    pub key: String,
    /// The place of the key.
    pub mark: Place,
    /// The value.
    pub node: Node,
}

/// A file that was read: its values, and the way back to their lines.
pub(crate) struct Document<'t> {
    text: &'t str,
    shapes: Vec<Shape>,
    /// The value of the whole file.
    pub root: Node,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Null,
    Scalar,
    List,
    Map,
}

impl<'t> Document<'t> {
    /// Reads one YAML document.
    ///
    /// # Errors
    /// The first thing that keeps it from being read.
    pub(crate) fn parse(text: &'t str) -> Result<Self, Problem> {
        let text = decode::check_characters(text)?;
        // Syntax first: its errors quote no values, unlike those of the later walks.
        expect_syntax(text)?;
        let shapes = survey(text)?;
        let root = build(text, &shapes)?;
        Ok(Self { text, shapes, root })
    }

    /// The line of a key or value, from 1.
    #[must_use]
    pub(crate) fn line(&self, mark: Place) -> Option<usize> {
        // The walk fails at the place on purpose: the library tells line numbers in errors only.
        let mut walk = Walk::until(mark, &self.shapes);
        let provoked = Build(&mut walk).deserialize(yaml(self.text)).err()?;
        let location = provoked.location()?;
        Some(location.line())
    }
}

/// Refuses what is not YAML, while the library's message is about syntax alone and so can be shown.
fn expect_syntax(text: &str) -> Result<(), Problem> {
    match serde_yaml::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(e) => Err(decode::syntax(text, &e)),
    }
}

fn survey(text: &str) -> Result<Vec<Shape>, Problem> {
    let mut survey = Survey::default();
    let root = SurveyOne::root(&mut survey);
    match root.deserialize(yaml(text)) {
        Ok(()) => Ok(survey.shapes),
        Err(e) => Err(odd(&e, survey.problem)),
    }
}

fn build(text: &str, shapes: &[Shape]) -> Result<Node, Problem> {
    let mut walk = Walk::whole(shapes);
    let root = Build(&mut walk).deserialize(yaml(text));
    // The survey has already refused everything else.
    root.map_err(|e| odd(&e, Some(TOO_MANY_ALIASES)))
}

fn yaml(text: &str) -> serde_yaml::Deserializer<'_> {
    serde_yaml::Deserializer::from_str(text)
}

/// A file whose syntax is right and that is refused all the same. The library's own words may quote a secret.
fn odd(error: &serde_yaml::Error, problem: Option<&'static str>) -> Problem {
    let text = problem.unwrap_or_else(|| library_problem(error));
    Problem {
        line: error.location().map(|l| l.line()),
        column: None,
        text: text.to_owned(),
    }
}

fn library_problem(error: &serde_yaml::Error) -> &'static str {
    // serde_yaml bounds by itself how often aliases repeat values.
    if error.to_string().contains("limit exceeded") {
        TOO_MANY_ALIASES
    } else {
        "a value does not fit its tag (!!name); write the value without the tag"
    }
}

const TOO_MANY_ALIASES: &str = "the aliases (*name) make too many values; write the values out";
