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
        check_name(name, value);
        // A group at fault is left out, and reading goes on, so that all faults are reported together.
        if let Some(group) = Group::read(value) {
            groups.insert((*name).to_owned(), group);
        }
    }

    check_together(&entries, &groups, commands);
    groups
}

/// What is wrong with groups that are right by themselves.
fn check_together(entries: &Entries<'_>, groups: &Groups, commands: &Commands) {
    check_references(entries, groups, commands);
    check_circles(entries, groups);
    check_listeners(entries, groups);
}

fn check_name(name: &str, reader: &Reader<'_>) {
    let is_name = ServiceName::parse(name).is_ok_and(|name| name.fits_url());
    if !is_name {
        reader.fault_of_key(
            "is no name for a group",
            "use letters, digits, '.', '_' and '-'",
        );
    }
}

/// Whether everything that the groups' checks name is there.
fn check_references(entries: &Entries<'_>, groups: &Groups, commands: &Commands) {
    for (_, reader, group) in good(entries, groups) {
        for check in &group.checks {
            check_command(check, commands, reader);
            check_group(check, entries, reader);
        }
    }
}

/// The groups that are not at fault themselves.
fn good<'a>(
    entries: &'a Entries<'a>,
    groups: &'a Groups,
) -> impl Iterator<Item = (&'a str, &'a Reader<'a>, &'a Group)> {
    entries.iter().filter_map(|(name, reader)| {
        let group = groups.get(*name)?;
        Some((*name, reader, group))
    })
}

fn check_command(check: &GroupCheck, commands: &Commands, reader: &Reader<'_>) {
    if let Some(command) = check.command()
        && !commands.contains_key(command)
    {
        let what = format!("checks {}, and exec has no command {command}", check.text);
        let remedy = format!("add it; {}", there_are(commands));
        reader.fault_of_key(what, remedy);
    }
}

fn check_group(check: &GroupCheck, entries: &Entries<'_>, reader: &Reader<'_>) {
    // Looked up in the file: a group that is itself at fault exists all the same.
    if let Some(group) = check.group()
        && !entries.iter().any(|(name, _)| *name == group)
    {
        let what = format!("checks {}, and there is no group {group}", check.text);
        reader.fault_of_key(what, "add it, or mend the name");
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
fn cycle<'a>(groups: &'a Groups, start: &'a str) -> Option<Vec<&'a str>> {
    let mut search = Search::from(groups, start);
    if !search.go_on_from(start) {
        return None;
    }

    // Each cycle is told once, at its first name.
    let is_first = search.way.iter().all(|name| *name >= start);
    is_first.then_some(search.way)
}

/// A search for a way back to where it began.
struct Search<'a> {
    groups: &'a Groups,
    way: Vec<&'a str>,
    /// Groups from which no way led back, or is being looked for.
    seen: Vec<&'a str>,
}

impl<'a> Search<'a> {
    fn from(groups: &'a Groups, start: &'a str) -> Self {
        Self {
            groups,
            way: vec![start],
            seen: Vec::new(),
        }
    }

    /// Goes on from the end of the way; gives whether the way led back, and is whole.
    fn go_on_from(&mut self, last: &str) -> bool {
        for next in groups_within(self.groups, last) {
            if Some(&next) == self.way.first() {
                self.way.push(next);
                return true;
            }
            if self.leads_back(next) {
                return true;
            }
        }

        false
    }

    fn leads_back(&mut self, next: &'a str) -> bool {
        // Each group is visited once: there can be exponentially many ways, but not that many groups.
        if self.seen.contains(&next) {
            return false;
        }

        self.seen.push(next);
        self.way.push(next);
        let found = self.go_on_from(next);
        if !found {
            self.way.pop();
        }

        found
    }
}

/// The groups that a group checks.
fn groups_within<'a>(groups: &'a Groups, name: &str) -> Vec<&'a str> {
    match groups.get(name) {
        Some(group) => group.checks.iter().filter_map(GroupCheck::group).collect(),
        None => Vec::new(),
    }
}

/// Finds fault with a group that would listen on the address of another.
fn check_listeners(entries: &Entries<'_>, groups: &Groups) {
    let mut first: HashMap<SocketAddr, &str> = HashMap::new();
    for (name, reader, group) in good(entries, groups) {
        let Some(address) = group.listen else {
            continue;
        };
        if let Some(other) = first.insert(address, name) {
            let what = format!("listens on {address}, as group {other} does");
            reader.fault_of_key(what, "give one of the two another port");
        }
    }
}
