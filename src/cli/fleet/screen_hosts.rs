//! The lines of hosts: those of which the same is to be told share one, with what to type under it.

use std::collections::HashMap;

use super::scope::{self, listed};
use crate::cli::output::terminal::column;
use crate::cli::output::times;
use crate::fleet::OrderState;
use crate::fleet::overview::{
    Advice, Counts, DownEntry, FleetOverview, FleetState, HostEntry, LateEntry, SlotEntry,
    WaiverEntry,
};
use crate::os::process::shell_line;

/// Columns of names.
pub(super) const NAME: usize = 16;

/// Columns of states.
const STATE: usize = 14;

/// Hosts of which the same is to be told.
struct Alike<'a> {
    state: FleetState,
    text: String,
    names: Vec<String>,
    advice: Option<&'a Advice>,
}

/// All hosts, by state.
pub(super) fn hosts(overview: &FleetOverview) -> Vec<String> {
    let mut lines = vec![format!("Hosts     {}", sums(&overview.sums))];
    for group in groups(overview) {
        lines.push(group.line());
        lines.extend(group.advice.map(advice_line));
    }

    lines
}

/// The groups in the order of their first hosts.
fn groups(overview: &FleetOverview) -> Vec<Alike<'_>> {
    let mut groups: Vec<Alike<'_>> = Vec::new();
    let mut places = HashMap::new();
    for host in &overview.hosts {
        let text = host_text(host);
        let place = places.entry((host.state, text.clone()));
        let place = *place.or_insert(groups.len());
        if place == groups.len() {
            groups.push(Alike::new(host.state, text));
        }

        groups[place].add(host);
    }

    groups
}

impl<'a> Alike<'a> {
    fn new(state: FleetState, text: String) -> Self {
        Self {
            state,
            text,
            names: Vec::new(),
            advice: None,
        }
    }

    fn add(&mut self, host: &'a HostEntry) {
        self.names.push(host.host.clone());
        // One command is enough to show how it is done.
        self.advice = self.advice.or(host.advice.as_ref());
    }

    fn line(&self) -> String {
        let name = column(&self.name(), NAME);
        let (sign, state) = (self.state.sign(), self.state.words());
        let rest = self.rest();
        let line = format!("{sign} {name} {state:STATE$} {rest}");
        line.trim_end().to_owned()
    }

    fn name(&self) -> String {
        match self.names.as_slice() {
            [one] => one.clone(),
            many => scope::hosts(many.len()),
        }
    }

    /// What is the matter, and with whom where these are several.
    fn rest(&self) -> String {
        let text = &self.text;
        match self.names.as_slice() {
            [_] => text.clone(),
            many if text.is_empty() => listed(many),
            many => format!("{text} ({})", listed(many)),
        }
    }
}

/// `40 known: 38 up, 1 down, 1 lost`.
fn sums(counts: &Counts) -> String {
    let parts = parts_of(counts);
    match parts.is_empty() {
        true => "none is known".to_owned(),
        false => format!("{} known: {}", counts.hosts, parts.join(", ")),
    }
}

/// `38 up`, `1 down`: the states that there are.
fn parts_of(counts: &Counts) -> Vec<String> {
    let all = [
        (counts.up, FleetState::Up),
        (counts.waived, FleetState::Waived),
        (counts.partly, FleetState::Partly),
        (counts.down, FleetState::Down),
        (counts.late, FleetState::Late),
        (counts.lost, FleetState::Lost),
    ];

    let mut parts = Vec::new();
    for (count, state) in all {
        if count > 0 {
            parts.push(format!("{count} {}", state.words()));
        }
    }

    parts
}

/// What is the matter with a host: nothing where it is up.
pub(super) fn host_text(host: &HostEntry) -> String {
    let mut parts = Vec::new();
    parts.extend(lost_text(host));
    parts.extend(host.late.iter().map(late_text));
    parts.extend(host.down.iter().map(down_text));
    if host.left_out > 0 {
        parts.push(format!("and {} more downtimes", host.left_out));
    }

    parts.extend(host.waived.iter().map(waiver_text));
    parts.extend(host.slots.iter().map(slot_text));
    parts.extend(host.problems.iter().cloned());
    parts.join("; ")
}

fn lost_text(host: &HostEntry) -> Option<String> {
    // A host that was never heard of has a record that somebody else wrote.
    let is_known = host.state == FleetState::Lost && host.seen > 0.0;
    is_known.then(|| format!("last heard of {}", times::brief(host.seen)))
}

fn waiver_text(waiver: &WaiverEntry) -> String {
    let (key, by, why) = (&waiver.key, &waiver.by, &waiver.reason);
    format!("{key} waived by {by}: {why}")
}

fn slot_text(slot: &SlotEntry) -> String {
    let (key, roll, phase) = (&slot.key, &slot.roll, &slot.phase);
    format!(
        "{key} in roll {roll}: {phase} since {}",
        times::brief(slot.since)
    )
}

fn late_text(late: &LateEntry) -> String {
    let what = match late.state {
        OrderState::Down => "ordered down",
        OrderState::Up => "lifted",
    };

    let knows = match late.knows {
        true => "it knows",
        false => "it has not heard of it",
    };

    let (key, by) = (&late.key, by(&late.by, ""));
    let at = times::brief(late.at);
    format!("{key} {what}{by} at {at}, {knows}")
}

/// `web by alice@ops1: new disk, since 18:05 until 20:05`.
pub(super) fn down_text(down: &DownEntry) -> String {
    let mut text = down.key.clone();
    if down.is_local {
        text += " locally";
    }

    text += &by(&down.by, &down.from);
    if !down.reason.is_empty() {
        text += &format!(": {}", down.reason);
    }

    if let Some(since) = down.since {
        text += &format!(", since {}", times::brief(since));
    }

    if let Some(until) = down.until {
        text += &format!(" until {}", times::brief(until));
    }

    text
}

/// ` by alice@ops1`, as far as it is known.
pub(super) fn by(by: &str, from: &str) -> String {
    match (by, from) {
        ("", _) => String::new(),
        (by, "") => format!(" by {by}"),
        (by, from) => format!(" by {by}@{from}"),
    }
}

/// `    web02$ haup --wait web   # puts it back`. What a stranger made up must not become a word of its own.
pub(super) fn advice_line(advice: &Advice) -> String {
    let command = shell_line(&advice.command);
    let on = advice.on.as_deref().unwrap_or_default();
    format!("    {on}$ {command}   # {}", advice.effect)
}
