//! What YAML means by maps, done to the tree before it is read: keys that stand twice, and merge keys.

use std::collections::{HashMap, HashSet};

use super::fault::FaultSink;
use super::raw::{Entry, Node, Value};
use crate::names::text::without_userinfo;

/// Notes a fault for every key that stands twice in one map, where the library would silently take the last, and
/// replaces the merge key `<<` by the entries of the maps it names, which the map's own keys override. `is_secret` knows
/// the paths of keys whose values never show.
pub fn tidy(node: &mut Node, is_secret: &dyn Fn(&str) -> bool, sink: &FaultSink) {
    tidy_below(node, "", is_secret, sink);
}

fn tidy_below(node: &mut Node, path: &str, is_secret: &dyn Fn(&str) -> bool, sink: &FaultSink) {
    match &mut node.value {
        Value::Null | Value::Scalar(_) => {}
        Value::List(list) => list
            .iter_mut()
            .for_each(|item| tidy_below(item, path, is_secret, sink)),
        Value::Map(entries) => {
            let mut first = HashMap::new();
            for entry in entries.iter_mut() {
                let name = without_userinfo(&entry.key);
                let key = if path.is_empty() {
                    name
                } else {
                    format!("{path}.{name}")
                };
                if let Some(other) = first.insert(entry.key.clone(), entry.mark) {
                    sink.fault_with_other(
                        entry.mark,
                        other,
                        &key,
                        "stands already{}; keep one of the two",
                    );
                }
                // A map in a secret's place is a fault anyway, and its keys may be the secret.
                if !is_secret(&key) {
                    tidy_below(&mut entry.node, &key, is_secret, sink);
                }
            }
            merge(entries);
        }
    }
}

fn merge(entries: &mut Vec<Entry>) {
    let merges =
        |e: &mut Entry| e.key == "<<" && matches!(e.node.value, Value::Map(_) | Value::List(_));
    let merged: Vec<Entry> = entries.extract_if(.., merges).collect();
    let mut known: HashSet<String> = entries.iter().map(|e| e.key.clone()).collect();
    for source in merged {
        let maps = match source.node.value {
            Value::List(list) => list,
            _ => vec![source.node],
        };
        for map in maps {
            let Value::Map(inner) = map.value else {
                continue;
            };
            entries.extend(inner.into_iter().filter(|e| known.insert(e.key.clone())));
        }
    }
}
