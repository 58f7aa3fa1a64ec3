//! Lists and maps.

use std::collections::HashMap;

use super::{QUOTED, Reader};
use crate::names::nearest::nearest;
use crate::names::text::{beginning, without_userinfo};
use crate::settings::raw::{Entry, Node, YamlValue};

impl<'a> Reader<'a> {
    /// The values of a list; a single value counts as a list of one.
    #[must_use]
    pub fn items(&self) -> Option<Vec<Reader<'a>>> {
        match &self.node.value {
            YamlValue::List(list) => {
                let items = list.iter().map(|node| self.item(node));
                Some(items.collect())
            }
            // People leave out the brackets around a single value.
            YamlValue::Scalar(_) => Some(vec![self.clone()]),
            YamlValue::Map(_) | YamlValue::Null => {
                self.fault("is not a list", "write one such as [a, b]");
                None
            }
        }
    }

    /// A value of the list, which has the list's key in messages.
    fn item(&self, node: &'a Node) -> Reader<'a> {
        Reader {
            node,
            mark: node.mark,
            ..self.clone()
        }
    }

    /// A list of what `read` makes of each value, all of them read even when one is at fault.
    #[must_use]
    pub fn each<T>(&self, read: impl FnMut(&Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
        let items = self.items()?;
        // In two steps, as collecting into an Option would stop at the first fault.
        let read = items.iter().map(read);
        let read: Vec<Option<T>> = read.collect();
        read.into_iter().collect()
    }

    /// The keys and values of a map whose keys are the operator's own words, such as names of services.
    #[must_use]
    pub fn entries(&self) -> Option<Vec<(&'a str, Reader<'a>)>> {
        let YamlValue::Map(entries) = &self.node.value else {
            let remedy = "write lines such as 'name: value', indented below the key";
            self.fault("is not a map", remedy);
            return None;
        };

        let entries = entries.iter().map(|e| (e.key.as_str(), self.entry(e)));
        Some(entries.collect())
    }

    /// A map whose keys are ours. A key that is not known is a warning that names the nearest.
    #[must_use]
    pub fn fields(&self, known: &[&str]) -> Option<Fields<'a>> {
        self.fields_or(known, &[])
    }

    /// The same, where `elsewhere` has keys that people look for here, each with where it is to be set.
    #[must_use]
    pub(crate) fn fields_or(
        &self,
        known: &[&str],
        elsewhere: &[(&str, &str)],
    ) -> Option<Fields<'a>> {
        let mut found = HashMap::new();
        for (key, reader) in self.entries()? {
            if known.contains(&key) {
                found.insert(key, reader);
            } else {
                // No fault: the file may be that of a newer version, or of one before.
                reader.warn(unknown_key(key, known, elsewhere));
            }
        }

        Some(Fields(found))
    }

    fn entry(&self, entry: &'a Entry) -> Reader<'a> {
        // The key may be a URL with a password, if the space after its colon is missing.
        let name = without_userinfo(&entry.key);
        let name = beginning(&name, QUOTED);
        Reader {
            node: &entry.node,
            mark: entry.mark,
            key: self.path_of(&name),
            name,
            secret: self.secret,
            sink: self.sink,
        }
    }

    fn path_of(&self, name: &str) -> String {
        if self.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.key)
        }
    }
}

fn unknown_key(key: &str, known: &[&str], elsewhere: &[(&str, &str)]) -> String {
    let remedy = match set_elsewhere(key, elsewhere) {
        Some(remedy) => remedy.to_owned(),
        None => suggestion(key, known),
    };
    format!("there is no such setting, so it does nothing; {remedy}")
}

fn suggestion(key: &str, known: &[&str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => "remove it".to_owned(),
    }
}

fn set_elsewhere<'k>(key: &str, elsewhere: &[(&str, &'k str)]) -> Option<&'k str> {
    for (other, remedy) in elsewhere {
        if *other == key {
            return Some(remedy);
        }
    }

    None
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
