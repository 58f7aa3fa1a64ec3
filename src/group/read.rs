//! Reading `groups:`, and what is wrong with groups among each other.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::{Group, GroupCheck, Groups, Require};
use crate::names::{Key, ServiceName};
use crate::os::process::Argv;
use crate::probe::settings::LONGEST;
use crate::settings::{Fields, Reader, command};

/// The commands of `exec` checks, by name.
type Commands = BTreeMap<String, Argv>;

/// The keys of a group.
const FIELDS: [&str; 11] = [
    "checks",
    "require",
    "timeout",
    "listen",
    "every",
    "rise",
    "fall",
    "on_up",
    "on_down",
    "action_timeout",
    "down_spool",
];

/// Most checks of a group.
const CHECKS_MAX: usize = 256;

/// Reads all groups, whose checks may run these commands.
pub fn read(commands: &Commands, reader: &Reader<'_>) -> Option<Groups> {
    let entries = reader.entries()?;
    let mut groups = BTreeMap::new();
    let mut good = true;
    for (name, value) in &entries {
        if !ServiceName::parse(name).is_ok_and(|n| n.fits_url()) {
            value.fault_of_key(
                "is no name for a group",
                "use letters, digits, '.', '_' and '-'",
            );
            good = false;
        }
        match group(value) {
            Some(group) => {
                groups.insert((*name).to_owned(), group);
            }
            None => good = false,
        }
    }
    let known = |name: &str| entries.iter().any(|(n, _)| *n == name);
    for (name, value) in &entries {
        let Some(group) = groups.get(*name) else {
            continue;
        };
        good &= references(commands, group, value, &known);
        if let Some(way) = cycle(&groups, name) {
            let way = way.join(" -> ");
            value.fault_of_key(
                format_args!("checks itself: {way}"),
                "take one of these checks out",
            );
            good = false;
        }
    }
    good &= listeners(&entries, &groups);
    good.then_some(groups)
}

fn group(reader: &Reader<'_>) -> Option<Group> {
    let fields = reader.fields(&FIELDS)?;
    let mut group = Group::default();
    let mut good = true;
    let checks = fields.get("checks").map(|value| value.each(check));
    match checks {
        None => reader.fault_of_key("has no checks", "write checks: [tcp://localhost:5432]"),
        Some(Some(list)) if list.is_empty() || list.len() > CHECKS_MAX => {
            reader.fault_of_key(
                format_args!("has {} checks", list.len()),
                format_args!("write 1 to {CHECKS_MAX}"),
            );
        }
        Some(Some(list)) => group.checks = list,
        Some(None) => {}
    }
    let mut take = |read: bool| good &= read;
    let field = |name| fields.get(name);
    take(set(
        &mut group.timeout,
        field("timeout").map(|v| v.seconds(0.001, LONGEST).map(Some)),
    ));
    take(set(
        &mut group.listen,
        field("listen").map(|v| listen(v).map(Some)),
    ));
    take(set(
        &mut group.every,
        field("every").map(|v| v.seconds(0.05, 2_592_000.0).map(Some)),
    ));
    take(set(&mut group.rise, field("rise").map(times)));
    take(set(&mut group.fall, field("fall").map(times)));
    take(set(
        &mut group.on_up,
        field("on_up").map(|v| command(v).map(|c| vec![c])),
    ));
    take(set(
        &mut group.on_down,
        field("on_down").map(|v| command(v).map(|c| vec![c])),
    ));
    take(set(
        &mut group.action_timeout,
        field("action_timeout").map(|v| v.seconds(0.05, 86_400.0)),
    ));
    take(set(
        &mut group.down_spool,
        field("down_spool").map(|v| spool_name(v).map(Some)),
    ));
    take(set(
        &mut group.require,
        field("require").map(|v| require(v, group.checks.len())),
    ));
    idle_settings(&group, &fields);
    (good && !group.checks.is_empty()).then_some(group)
}

/// Puts a value that was read where it belongs; `false` when a fault was noted.
fn set<T>(field: &mut T, value: Option<Option<T>>) -> bool {
    match value {
        None => true,
        Some(None) => false,
        Some(Some(value)) => {
            *field = value;
            true
        }
    }
}

fn check(reader: &Reader<'_>) -> Option<GroupCheck> {
    let text = reader.text()?;
    GroupCheck::parse(&text)
        .map_err(|e| reader.fault(e.what, e.remedy))
        .ok()
}

fn listen(reader: &Reader<'_>) -> Option<SocketAddr> {
    let remedy = "write address and port, such as 0.0.0.0:5500 or [::]:5500";
    reader.parsed("is no address to listen on", remedy, |t| {
        t.trim().parse().ok().filter(|a: &SocketAddr| a.port() != 0)
    })
}

fn times(reader: &Reader<'_>) -> Option<u32> {
    reader.whole(1, 1000).and_then(|n| u32::try_from(n).ok())
}

fn require(reader: &Reader<'_>, checks: usize) -> Option<Require> {
    match reader.word().as_deref() {
        Some("all") => return Some(Require::All),
        Some("any") => return Some(Require::Any),
        _ => {}
    }
    // Where the checks are at fault, their number is not known.
    let most = if checks == 0 { CHECKS_MAX } else { checks };
    reader
        .whole_or(1, most as u64, ", the number of checks, or 'all' or 'any'")
        .and_then(|n| usize::try_from(n).ok())
        .map(Require::Number)
}

fn spool_name(reader: &Reader<'_>) -> Option<String> {
    let remedy = "write the name of a service, or service:port";
    reader.parsed("cannot be a downtime", remedy, |t| {
        Key::parse(t).ok().map(|key| key.file_name())
    })
}

/// What does nothing without `every`.
fn idle_settings(group: &Group, fields: &Fields<'_>) {
    if group.every.is_some() {
        return;
    }
    for key in [
        "rise",
        "fall",
        "on_up",
        "on_down",
        "action_timeout",
        "down_spool",
    ] {
        if let Some(reader) = fields.get(key) {
            reader.warn("this does nothing without 'every', since the group is checked only when it is asked for");
        }
    }
}

/// Whether everything that a group's checks name is there.
fn references(
    commands: &Commands,
    group: &Group,
    reader: &Reader<'_>,
    known: &dyn Fn(&str) -> bool,
) -> bool {
    let mut good = true;
    for check in &group.checks {
        if let Some(name) = check.command().filter(|name| !commands.contains_key(*name)) {
            let names = commands
                .keys()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            let there = if names.is_empty() {
                "there are none".into()
            } else {
                format!("there are {names}")
            };
            let what = format!("checks {}, and exec has no command {name}", check.text);
            reader.fault_of_key(what, format_args!("add it; {there}"));
            good = false;
        }
        if let Some(name) = check.group().filter(|name| !known(name)) {
            reader.fault_of_key(
                format_args!("checks {}, and there is no group {name}", check.text),
                "add it, or mend the name",
            );
            good = false;
        }
    }
    good
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

fn listeners(entries: &[(&str, Reader<'_>)], groups: &Groups) -> bool {
    let mut first: HashMap<SocketAddr, &str> = HashMap::new();
    let mut good = true;
    for (name, reader) in entries {
        let Some(address) = groups.get(*name).and_then(|g| g.listen) else {
            continue;
        };
        if let Some(other) = first.insert(address, name) {
            let what = format!("listens on {address}, as group {other} does");
            reader.fault_of_key(what, "give one of the two another port");
            good = false;
        }
    }
    good
}
