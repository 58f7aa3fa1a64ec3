//! Which hosts a command means, and what to say where it means none.
//!
//! Rule: pure. A slip of the finger must not become an order that nobody obeys.

use std::collections::BTreeSet;

use crate::cli::failure::{Failure, failed};
use crate::fleet::picture::FleetPicture;
use crate::fleet::{HOST_TAG, Selector, Snapshot};
use crate::names::nearest::nearest;
use crate::names::{ALL, Key};

/// Most names in a sentence.
const NAMED: usize = 5;

/// Fails where no host is selected, or none of those serves the key.
pub(super) fn refuse_empty(
    snapshot: &Snapshot,
    fleet: &str,
    key: &Key,
    selector: &Selector,
    now: f64,
) -> Result<(), Failure> {
    if let Some(nobody) = nobody_selected(snapshot, fleet, selector) {
        return Err(Failure::failed(nobody));
    }

    let picture = FleetPicture::new(snapshot, key, selector, now);
    match picture.rows.is_empty() {
        true => Err(nobody_serves(snapshot, fleet, key, selector)),
        false => Ok(()),
    }
}

/// What to say where no host is selected, and what to do; `None` where there is one.
pub(super) fn nobody_selected(
    snapshot: &Snapshot,
    fleet: &str,
    selector: &Selector,
) -> Option<String> {
    if snapshot.hosts.is_empty() {
        return Some(format!(
            "no host of the fleet {fleet} is known; set fleet_file in their hacheck.yml, and restart hacheck there"
        ));
    }

    if snapshot.selected(selector).next().is_some() {
        return None;
    }

    let why = unselected(snapshot, selector);
    Some(format!(
        "no host of the fleet {fleet} is selected by {selector}{why}"
    ))
}

fn nobody_serves(snapshot: &Snapshot, fleet: &str, key: &Key, selector: &Selector) -> Failure {
    let service = key.service_name().as_str();
    let meant = nearest_service(snapshot, service);
    let here = match selector.is_every_host() {
        true => String::new(),
        false => format!(" that is selected by {selector}"),
    };
    failed!("no host of the fleet {fleet}{here} serves {service}{meant}")
}

/// Why nobody is selected, as far as a single condition tells.
fn unselected(snapshot: &Snapshot, selector: &Selector) -> String {
    for (tag, _, values) in selector.conditions() {
        let known = values_of(snapshot, tag);
        if known.is_empty() {
            return no_such_tag(snapshot, tag);
        }
        if let Some(value) = values.iter().find(|value| !known.contains(*value)) {
            let meant = did_you_mean(value, &known);
            let known = listed(&known);
            return format!(": {tag} is never {value}{meant}; it is {known}");
        }
    }

    // Each condition is met by some host, and no host meets all of them: there is no one word to mend.
    String::new()
}

fn no_such_tag(snapshot: &Snapshot, tag: &str) -> String {
    let tags = tags(snapshot);
    let meant = did_you_mean(tag, &tags);
    let tags = listed(&tags);
    format!(": no host has the tag {tag}{meant}; there are {tags}")
}

/// The tags that hosts have, and `host`.
fn tags(snapshot: &Snapshot) -> BTreeSet<String> {
    let mut tags = BTreeSet::from([HOST_TAG.to_owned()]);
    for host in snapshot.hosts.values() {
        tags.extend(host.tags.keys().cloned());
    }

    tags
}

fn values_of(snapshot: &Snapshot, tag: &str) -> BTreeSet<String> {
    if tag == HOST_TAG {
        return snapshot.hosts.keys().cloned().collect();
    }

    let mut values = BTreeSet::new();
    for host in snapshot.hosts.values() {
        values.extend(host.tags.get(tag).cloned());
    }

    values
}

fn nearest_service(snapshot: &Snapshot, service: &str) -> String {
    let services = snapshot.hosts.values().flat_map(|host| &host.services);
    let services: BTreeSet<String> = services.cloned().collect();
    if services.is_empty() {
        return "; none of them was polled for any service lately".to_owned();
    }

    let meant = did_you_mean(service, &services);
    let services = listed(&services);
    format!("{meant}; there are {services}")
}

fn did_you_mean(word: &str, known: &BTreeSet<String>) -> String {
    match nearest(word, known.iter().map(String::as_str)) {
        Some(near) => format!(" (did you mean {near}?)"),
        None => String::new(),
    }
}

/// `a, b, c, d, e and 12 more`.
pub(super) fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<T> = names.into_iter().collect();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(NAMED);
    // One name is no longer than the words that would stand for it.
    if more <= 1 {
        return names.join(", ");
    }

    format!("{} and {more} more", names[..NAMED].join(", "))
}

/// `1 host`, `40 hosts`.
pub(super) fn hosts(count: usize) -> String {
    match count {
        1 => "1 host".to_owned(),
        n => format!("{n} hosts"),
    }
}

/// The services of the hosts that a key takes down: itself, or all of them.
pub(super) fn services(snapshot: &Snapshot, key: &Key, selector: &Selector) -> Vec<Key> {
    if key.service_name().as_str() != ALL {
        return vec![key.clone()];
    }

    let mut names = BTreeSet::new();
    // 'all' is no service that anybody polls: what it takes down are those of the hosts.
    for (_, record) in snapshot.selected(selector) {
        names.extend(&record.services);
    }

    // Hosts write their services themselves: what is no name can be the service of nobody.
    let keys = names.into_iter().filter_map(|name| Key::parse(name).ok());
    keys.collect()
}
