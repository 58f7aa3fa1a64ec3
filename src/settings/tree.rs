//! What YAML means by maps, done to the tree before it is read: keys that stand twice, and merge keys.

use std::collections::{HashMap, HashSet};

use super::fault::FaultSink;
use super::raw::{Entry, Node, Place, YamlValue};
use crate::names::text::without_userinfo;

/// Leaves the last of the keys that stand twice in one map, as PyYAML does, with a warning that names both lines, and
/// replaces the merge key `<<` by the entries of the maps it names, which the map's own keys override. `is_secret` knows
/// the paths of keys whose values never show.
pub(crate) fn tidy(node: &mut Node, is_secret: &dyn Fn(&str) -> bool, sink: &FaultSink) {
    tidy_below(node, "", is_secret, sink);
}

fn tidy_below(node: &mut Node, path: &str, is_secret: &dyn Fn(&str) -> bool, sink: &FaultSink) {
    match &mut node.value {
        YamlValue::Null | YamlValue::Scalar(_) => {}
        YamlValue::List(list) => {
            for item in list {
                tidy_below(item, path, is_secret, sink);
            }
        }
        YamlValue::Map(entries) => {
            // In this order: overridden entries are skipped, and maps are tidied before they are merged.
            keep_last(entries, path, sink);
            tidy_entries(entries, path, is_secret, sink);
            merge(entries);
        }
    }
}

fn tidy_entries(
    entries: &mut [Entry],
    path: &str,
    is_secret: &dyn Fn(&str) -> bool,
    sink: &FaultSink,
) {
    for entry in entries {
        let key = path_of_key(path, &entry.key);
        // A map in a secret's place is a fault anyway, and its keys may be the secret.
        if !is_secret(&key) {
            tidy_below(&mut entry.node, &key, is_secret, sink);
        }
    }
}

/// Takes out of a map what a later entry with the same key overrides. Each merge key counts by itself.
fn keep_last(entries: &mut Vec<Entry>, path: &str, sink: &FaultSink) {
    let mut last = HashMap::new();
    for entry in entries.iter().filter(|e| !is_merge(e)) {
        if let Some(other) = last.insert(entry.key.clone(), entry.mark) {
            warn_of_repetition(entry, other, path, sink);
        }
    }

    // Told apart by their places, because their keys are the same.
    entries.retain(|e| is_merge(e) || last.get(&e.key) == Some(&e.mark));
}

fn warn_of_repetition(entry: &Entry, other: Place, path: &str, sink: &FaultSink) {
    let key = path_of_key(path, &entry.key);
    let text = "stands already{}; the last one counts, so remove the other";
    sink.warn_with_other(entry.mark, other, &key, text);
}

fn path_of_key(path: &str, key: &str) -> String {
    // Who forgets a space behind a colon makes a URL with its password a key.
    let name = without_userinfo(key);
    if path.is_empty() {
        name
    } else {
        format!("{path}.{name}")
    }
}

fn merge(entries: &mut Vec<Entry>) {
    let merged = take_merged(entries);
    let mut known: HashSet<String> = entries.iter().map(|e| e.key.clone()).collect();
    for entry in merged {
        // The map's own keys win over merged ones, and of those the first.
        if known.insert(entry.key.clone()) {
            entries.push(entry);
        }
    }
}

/// Takes the merge keys out of a map; gives the entries that they stand for.
fn take_merged(entries: &mut Vec<Entry>) -> impl Iterator<Item = Entry> + use<> {
    let keys: Vec<Entry> = entries.extract_if(.., |e| is_merge(e)).collect();
    // Of two merge keys the last wins, as of other keys.
    let maps = keys.into_iter().rev().flat_map(named_maps);
    maps.flat_map(entries_of)
}

fn is_merge(entry: &Entry) -> bool {
    // A `<<` with another value is an ordinary key, and is reported as unknown.
    entry.key == "<<" && matches!(entry.node.value, YamlValue::Map(_) | YamlValue::List(_))
}

/// The maps that a merge key names: one, or a list of them.
fn named_maps(merge: Entry) -> Vec<Node> {
    match merge.node.value {
        YamlValue::List(list) => list,
        _ => vec![merge.node],
    }
}

fn entries_of(node: Node) -> Vec<Entry> {
    match node.value {
        YamlValue::Map(entries) => entries,
        _ => Vec::new(),
    }
}
