//! Reading `groups:`, and what is wrong with groups among each other.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::{Group, GroupCheck, Groups};
use crate::names::ServiceName;
use crate::os::process::Argv;
use crate::settings::Reader;

/// The commands of `exec` checks, by name.
type Commands = BTreeMap<String, Argv>;

/// Groups as they stand in the file: by name, in its order.
type Entries<'a> = [(&'a str, Reader<'a>)];

/// Reads all groups, whose checks may run these commands, or notes faults.
pub fn read(commands: &Commands, reader: &Reader<'_>) -> Groups {
    let mut groups = Groups::new();
    let Some(entries) = reader.entries() else {
        return groups;
    };
    for (name, value) in &entries {
        let is_name = ServiceName::parse(name).is_ok_and(|name| name.fits_url());
        if !is_name {
            value.fault_of_key(
                "is no name for a group",
                "use letters, digits, '.', '_' and '-'",
            );
        }
        if let Some(group) = Group::read(value) {
            groups.insert((*name).to_owned(), group);
        }
    }
    check_references(&entries, &groups, commands);
    check_circles(&entries, &groups);
    check_listeners(&entries, &groups);
    groups
}

/// Whether everything that the groups' checks name is there.
fn check_references(entries: &Entries<'_>, groups: &Groups, commands: &Commands) {
    for (name, reader) in entries {
        for check in groups.get(*name).into_iter().flat_map(|g| &g.checks) {
            if let Some(command) = check.command().filter(|c| !commands.contains_key(*c)) {
                let what = format!("checks {}, and exec has no command {command}", check.text);
                reader.fault_of_key(what, format_args!("add it; {}", there_are(commands)));
            }
            let is_known = |group: &str| entries.iter().any(|(name, _)| *name == group);
            if let Some(group) = check.group().filter(|group| !is_known(group)) {
                let what = format!("checks {}, and there is no group {group}", check.text);
                reader.fault_of_key(what, "add it, or mend the name");
            }
        }
    }
}

fn there_are(commands: &Commands) -> String {
    if commands.is_empty() {
        return "there are none".into();
    }
    let names: Vec<&str> = commands.keys().map(String::as_str).collect();
    format!("there are {}", names.join(", "))
}

/// Whether a group checks itself, through others or not.
fn check_circles(entries: &Entries<'_>, groups: &Groups) {
    for (name, reader) in entries {
        if let Some(way) = cycle(groups, name) {
            let what = format!("checks itself: {}", way.join(" -> "));
            reader.fault_of_key(what, "take one of these checks out");
        }
    }
}

/// The way from a group back to itself, if there is one and no earlier group of it was complained about.
fn cycle(groups: &Groups, start: &str) -> Option<Vec<String>> {
    fn search<'a>(groups: &'a Groups, way: &mut Vec<&'a str>, seen: &mut Vec<&'a str>) -> bool {
        let Some(last) = way.last().copied() else {
            return false;
        };
        for next in groups
            .get(last)
            .into_iter()
            .flat_map(|g| g.checks.iter().filter_map(GroupCheck::group))
        {
            if Some(&next) == way.first() {
                way.push(next);
                return true;
            }
            if !seen.contains(&next) {
                seen.push(next);
                way.push(next);
                if search(groups, way, seen) {
                    return true;
                }
                way.pop();
            }
        }
        false
    }
    let mut way = vec![start];
    let found = search(groups, &mut way, &mut Vec::new());
    // Each cycle is told once, at its first name.
    (found && way.iter().all(|name| *name >= start))
        .then(|| way.into_iter().map(str::to_owned).collect())
}

/// Whether two groups would listen on the same address.
fn check_listeners(entries: &Entries<'_>, groups: &Groups) {
    let mut first: HashMap<SocketAddr, &str> = HashMap::new();
    for (name, reader) in entries {
        let Some(address) = groups.get(*name).and_then(|g| g.listen) else {
            continue;
        };
        if let Some(other) = first.insert(address, name) {
            let what = format!("listens on {address}, as group {other} does");
            reader.fault_of_key(what, "give one of the two another port");
        }
    }
}
