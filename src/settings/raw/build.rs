//! The later walks through a file: the texts, with the shapes known.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Entry, Node, Place, Shape, Value};

/// The most text that values may hold together, in bytes; a bound for aliases.
const MAX_TEXT: usize = 4 << 20;

/// A walk up to a place.
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

/// One value of a walk.
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
    ) -> Result<Value, D::Error> {
        match self.0.shapes.get(mark.0) {
            // Whatever it looks like, a scalar is taken as text.
            Some(Shape::Scalar) => deserializer.deserialize_str(self),
            Some(Shape::List) => deserializer.deserialize_seq(self),
            Some(Shape::Map) => deserializer.deserialize_map(self),
            Some(Shape::Null) | None => IgnoredAny::deserialize(deserializer).map(|_| Value::Null),
        }
    }
}

impl<'de> Visitor<'de> for Build<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value that was seen before")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        // Aliases repeat their text each time, so a small file could take any amount of memory.
        let Some(left) = self.0.text_left.checked_sub(text.len()) else {
            return Err(E::custom(""));
        };
        self.0.text_left = left;
        Ok(Value::Scalar(text.to_owned()))
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
            let node = entries.next_value_seed(Build(self.0))?;
            let key = key_text(value);
            map.push(Entry { key, mark, node });
        }
        Ok(Value::Map(map))
    }
}

fn key_text(key: Value) -> String {
    match key {
        Value::Scalar(text) => text,
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
