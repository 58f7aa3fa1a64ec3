//! The walks through a file: the first for the shape of every value, the later ones for the texts, with the shapes known.

use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::{Entry, Node, Place, Shape, TOO_MANY_ALIASES, YamlValue};

/// The most values that a file may hold. Only aliases of aliases get there: a file of 1 MiB cannot without them.
const MAX_VALUES: usize = 600_000;
/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// The most text that values may hold together, in bytes; a bound for aliases.
const MAX_TEXT: usize = 4 << 20;

/// What the first walk finds.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) shapes: Vec<Shape>,
    /// Why the walk ended early.
    pub(super) problem: Option<&'static str>,
}

impl Survey {
    fn refuse<E: Error>(&mut self, problem: &'static str) -> E {
        // The library would wrap the text of an error in its own; so it stays out of it.
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

/// One value of the first walk.
pub(super) struct SurveyOne<'s> {
    survey: &'s mut Survey,
    depth: usize,
}

impl<'s> SurveyOne<'s> {
    pub(super) fn root(survey: &'s mut Survey) -> Self {
        Self { survey, depth: 0 }
    }

    fn child(&mut self) -> SurveyOne<'_> {
        SurveyOne {
            survey: self.survey,
            depth: self.depth + 1,
        }
    }

    fn enter<E: Error>(&mut self, shape: Shape) -> Result<(), E> {
        // Far below the library's own limit of 128, whose message has no remedy.
        if self.depth >= MAX_DEPTH {
            let problem = "the values are nested too deep; 64 levels are the most";
            return Err(self.survey.refuse(problem));
        }

        self.survey.push(shape)
    }

    /// Refuses a key that was not a single value; `key` is its number.
    fn expect_word<E: Error>(&mut self, key: usize) -> Result<(), E> {
        let problem = "a list or map stands where a key is needed; write a word before the colon";
        match self.survey.shapes.get(key) {
            Some(Shape::List | Shape::Map) => Err(self.survey.refuse(problem)),
            Some(Shape::Null | Shape::Scalar) | None => Ok(()),
        }
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
            // Keys are numbered like other values.
            let key = self.survey.shapes.len();
            if entries.next_key_seed(self.child())?.is_none() {
                return Ok(());
            }
            self.expect_word(key)?;
            entries.next_value_seed(self.child())?;
        }
    }

    /// The library's form of a value with a tag of its own.
    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        let problem = "tags (!name) mean nothing here; write the value alone, in quotes if it begins with '!'";
        Err(self.survey.refuse(problem))
    }
}

/// A later walk, up to a place.
pub(super) struct Walk<'s> {
    shapes: &'s [Shape],
    next: Place,
    stop: Place,
    text_left: usize,
}

impl<'s> Walk<'s> {
    pub(super) fn whole(shapes: &'s [Shape]) -> Self {
        Self::until(Place(usize::MAX), shapes)
    }

    pub(super) fn until(stop: Place, shapes: &'s [Shape]) -> Self {
        Self {
            shapes,
            next: Place(0),
            stop,
            text_left: MAX_TEXT,
        }
    }

    /// Takes the next place.
    fn step(&mut self) -> Place {
        let place = self.next;
        self.next = Place(place.0 + 1);
        place
    }
}

/// One value of a later walk.
pub(super) struct Build<'w, 's>(pub(super) &'w mut Walk<'s>);

impl<'de> DeserializeSeed<'de> for Build<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let mark = self.0.step();
        if mark == self.0.stop {
            deserializer.deserialize_any(Stop)?;
            // Not reached: `Stop` accepts nothing.
            return Err(D::Error::custom(""));
        }

        let value = self.value(mark, deserializer)?;
        Ok(Node { value, mark })
    }
}

impl Build<'_, '_> {
    fn value<'de, D: Deserializer<'de>>(
        self,
        mark: Place,
        deserializer: D,
    ) -> Result<YamlValue, D::Error> {
        match self.0.shapes.get(mark.0) {
            // Whatever it looks like, a scalar is taken as text.
            Some(Shape::Scalar) => deserializer.deserialize_str(self),
            Some(Shape::List) => deserializer.deserialize_seq(self),
            Some(Shape::Map) => deserializer.deserialize_map(self),
            Some(Shape::Null) | None => {
                IgnoredAny::deserialize(deserializer).map(|_| YamlValue::Null)
            }
        }
    }
}

impl<'de> Visitor<'de> for Build<'_, '_> {
    type Value = YamlValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value that was seen before")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<YamlValue, E> {
        // Aliases repeat their text each time, so a small file could take any amount of memory.
        let Some(left) = self.0.text_left.checked_sub(text.len()) else {
            return Err(E::custom(""));
        };

        self.0.text_left = left;
        Ok(YamlValue::Scalar(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<YamlValue, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = items.next_element_seed(Build(self.0))? {
            list.push(node);
        }

        Ok(YamlValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<YamlValue, A::Error> {
        let mut map = Vec::new();
        while let Some(Node { value, mark }) = entries.next_key_seed(Build(self.0))? {
            let node = entries.next_value_seed(Build(self.0))?;
            let key = key_text(value);
            map.push(Entry { key, mark, node });
        }

        Ok(YamlValue::Map(map))
    }
}

fn key_text(key: YamlValue) -> String {
    match key {
        YamlValue::Scalar(text) => text,
        // The survey let nothing else but `null` through.
        _ => "null".to_owned(),
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
