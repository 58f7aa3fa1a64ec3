//! The YAML as it stands in the file: a tree of texts, each with a mark that leads to its line.
//!
//! Rule: nothing is interpreted here but `null`: a password `007` or `yes` stays the text that was written.
//!
//! The library tells either the type of a value or its text, and has lines only in its errors. So the file is walked
//! once for the shapes, once for the texts, and once more for each line that a message needs, with an error provoked at
//! the place in question.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The most values that a file may hold. Only aliases of aliases get there: a file of 1 MiB cannot without them.
const MAX_VALUES: usize = 600_000;
/// The most text that values may hold together, in bytes; again a bound for aliases.
const MAX_TEXT: usize = 4 << 20;
/// The deepest nesting.
const MAX_DEPTH: usize = 64;

/// A place in the file: the number of the key or value, in the order of the text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place(pub(super) usize);

/// A value and its place. It may be a secret, so it has no debug output.
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its place.
    pub mark: Place,
}

/// A value of YAML, uninterpreted.
pub enum Value {
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

/// Why a text is not YAML that can be used.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line from 1, where known.
    pub line: Option<usize>,
    /// The column from 1, where it helps.
    pub column: Option<usize>,
    /// What is wrong; what to do.
    pub text: String,
}

/// A file that was read: its values, and the way back to their lines.
pub struct Document<'t> {
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
    pub fn parse(text: &'t str) -> Result<Self, Problem> {
        let text = super::decode::check_characters(text)?;
        serde_yaml::from_str::<IgnoredAny>(text).map_err(|e| super::decode::syntax(text, &e))?;
        let mut survey = Survey {
            shapes: Vec::new(),
            problem: None,
        };
        if let Err(e) = (SurveyOne {
            survey: &mut survey,
            depth: 0,
        })
        .deserialize(yaml(text))
        {
            return Err(odd(&e, survey.problem));
        }
        let shapes = survey.shapes;
        let mut walk = Walk {
            shapes: &shapes,
            next: 0,
            stop: usize::MAX,
            text_left: MAX_TEXT,
        };
        let root = Build(&mut walk)
            .deserialize(yaml(text))
            .map_err(|e| odd(&e, Some(TOO_MANY_ALIASES)))?;
        Ok(Self { text, shapes, root })
    }

    /// The line of a key or value, from 1.
    #[must_use]
    pub fn line(&self, mark: Place) -> Option<usize> {
        let mut walk = Walk {
            shapes: &self.shapes,
            next: 0,
            stop: mark.0,
            text_left: MAX_TEXT,
        };
        let provoked = Build(&mut walk).deserialize(yaml(self.text)).err()?;
        provoked.location().map(|l| l.line())
    }
}

fn yaml(text: &str) -> serde_yaml::Deserializer<'_> {
    serde_yaml::Deserializer::from_str(text)
}

/// A file whose syntax is right and that is refused all the same. The library's own words may quote a secret.
fn odd(error: &serde_yaml::Error, problem: Option<&'static str>) -> Problem {
    let text = problem.unwrap_or_else(|| match error.to_string() {
        limit if limit.contains("limit exceeded") => TOO_MANY_ALIASES,
        _ => "a value does not fit its tag (!!name); write the value without the tag",
    });
    Problem {
        line: error.location().map(|l| l.line()),
        column: None,
        text: text.into(),
    }
}

const TOO_MANY_ALIASES: &str = "the aliases (*name) make too many values; write the values out";

/// The first walk: the shape of every value.
struct Survey {
    shapes: Vec<Shape>,
    problem: Option<&'static str>,
}

impl Survey {
    fn refuse<E: Error>(&mut self, problem: &'static str) -> E {
        self.problem = Some(problem);
        E::custom("")
    }

    fn push<E: Error>(&mut self, shape: Shape) -> Result<(), E> {
        if self.shapes.len() >= MAX_VALUES {
            return Err(self.refuse(TOO_MANY_ALIASES));
        }
        self.shapes.push(shape);
        Ok(())
    }
}

struct SurveyOne<'s> {
    survey: &'s mut Survey,
    depth: usize,
}

impl SurveyOne<'_> {
    fn child(&mut self) -> SurveyOne<'_> {
        SurveyOne {
            survey: self.survey,
            depth: self.depth + 1,
        }
    }

    fn enter<E: Error>(&mut self, shape: Shape) -> Result<(), E> {
        if self.depth >= MAX_DEPTH {
            return Err(self
                .survey
                .refuse("the values are nested too deep; 64 levels are the most"));
        }
        self.survey.push(shape)
    }
}

impl<'de> DeserializeSeed<'de> for SurveyOne<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for SurveyOne<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.survey.push(Shape::Null)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.survey.push(Shape::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.survey.push(Shape::Scalar)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.survey.push(Shape::Scalar)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.survey.push(Shape::Scalar)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<(), E> {
        self.survey.push(Shape::Scalar)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        self.survey.push(Shape::Scalar)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.survey.push(Shape::Scalar)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.survey.push(Shape::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.enter(Shape::List)?;
        while items.next_element_seed(self.child())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        self.enter(Shape::Map)?;
        loop {
            let key = self.survey.shapes.len();
            if entries.next_key_seed(self.child())?.is_none() {
                return Ok(());
            }
            if matches!(self.survey.shapes.get(key), Some(Shape::List | Shape::Map)) {
                return Err(self.survey.refuse(
                    "a list or map stands where a key is needed; write a word before the colon",
                ));
            }
            entries.next_value_seed(self.child())?;
        }
    }

    /// The library's form of a value with a tag of its own.
    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self
            .survey
            .refuse("tags (!name) mean nothing here; write the value alone, in quotes if it begins with '!'"))
    }
}

/// The later walks: the texts, with the shapes known, up to the place `stop`.
struct Walk<'s> {
    shapes: &'s [Shape],
    next: usize,
    stop: usize,
    text_left: usize,
}

struct Build<'w, 's>(&'w mut Walk<'s>);

impl<'de> DeserializeSeed<'de> for Build<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let mark = self.0.next;
        self.0.next += 1;
        if mark == self.0.stop {
            deserializer.deserialize_any(Stop)?;
            return Err(D::Error::custom(""));
        }
        let value = match self.0.shapes.get(mark) {
            Some(Shape::Scalar) => deserializer.deserialize_str(self),
            Some(Shape::List) => deserializer.deserialize_seq(self),
            Some(Shape::Map) => deserializer.deserialize_map(self),
            Some(Shape::Null) | None => IgnoredAny::deserialize(deserializer).map(|_| Value::Null),
        }?;
        Ok(Node {
            value,
            mark: Place(mark),
        })
    }
}

impl<'de> Visitor<'de> for Build<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value that was seen before")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.0.text_left = self
            .0
            .text_left
            .checked_sub(text.len())
            .ok_or_else(|| E::custom(""))?;
        Ok(Value::Scalar(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = items.next_element_seed(Build(self.0))? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(Node { value, mark }) = entries.next_key_seed(Build(self.0))? {
            let key = if let Value::Scalar(key) = value {
                key
            } else {
                "null".into()
            };
            map.push(Entry {
                key,
                mark,
                node: entries.next_value_seed(Build(self.0))?,
            });
        }
        Ok(Value::Map(map))
    }
}

/// Accepts nothing, so that the library names the place.
struct Stop;

impl Visitor<'_> for Stop {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}
