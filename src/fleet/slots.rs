//! Slots: how many hosts rolls may take out of rotation at once (`haroll --max-down`).
//!
//! Rules: a slot belongs to a host, not to a lease: one whose holder died counts until it recovers, or until an operator says
//! otherwise. A host is out when it has a slot, reports a downtime, or gives no sign of life; hosts whose checks fail are not
//! counted. The limit is not stored: each roll brings its own.

mod ending;
mod grant;
mod holder;

use std::collections::BTreeMap;
use std::time::Duration;

pub use ending::Ending;
pub use grant::{OwnDowntimes, SlotLook};
pub use holder::{SlotHolder, SlotRequest};

use super::order::jittered;
use super::picture::covering;
use super::{HostRecord, Report, Selector, Slot, Snapshot};
use crate::names::{ALL, Key};

/// The least and the longest wait between two looks.
const POLL_MIN: Duration = Duration::from_secs(1);
const POLL_MAX: Duration = Duration::from_secs(60);

/// So many waiting hosts look once a second.
const LOOKS_A_SECOND: f64 = 100.0;

/// How many hosts may be out at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxDown {
    /// So many.
    Hosts(u32),
    /// So many of a hundred in scope, rounded down; at least one.
    Percent(u32),
}

impl MaxDown {
    /// Reads `2` or `10%`; neither can be zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(number) => positive(number).filter(|n| *n <= 100).map(Self::Percent),
            None => positive(text).map(Self::Hosts),
        }
    }

    /// How many of so many hosts.
    #[must_use]
    pub fn of(self, hosts: usize) -> usize {
        match self {
            Self::Hosts(n) => count(n),
            // At least one, or in a small fleet nothing could ever begin.
            Self::Percent(n) => (hosts.saturating_mul(count(n)) / 100).max(1),
        }
    }
}

fn count(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn positive(digits: &str) -> Option<u32> {
    // `parse` alone would take a sign, too: `+2`.
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| is_number)?;
    (number > 0).then_some(number)
}

/// The hosts among which so many may be out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlotScope {
    /// `--where`.
    pub selector: Selector,
    /// `--per`: only hosts whose tag has this value count.
    pub per: Option<(String, String)>,
}

impl SlotScope {
    /// Whether a host is one of them, by its name and its tags.
    #[must_use]
    pub fn selects(&self, host: &str, tags: &BTreeMap<String, String>) -> bool {
        let is_in_group = match &self.per {
            Some((tag, value)) => tags.get(tag) == Some(value),
            None => true,
        };
        is_in_group && self.selector.selects(host, tags)
    }
}

/// Why a host is out.
#[derive(Debug, Clone, PartialEq)]
pub enum OutCause {
    /// It gives no sign of life.
    Lost,
    /// A roll has it, or had it and failed.
    InSlot(Slot),
    /// It reports a downtime.
    Down(Report),
}

/// A host that is out.
#[derive(Debug, Clone, PartialEq)]
pub struct OutHost {
    /// Its name.
    pub name: String,
    /// Why.
    pub cause: OutCause,
}

/// What speaks for and against a host's going down.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// What is to go down.
    pub key: Key,
    /// How many hosts are in scope, this one among them.
    pub hosts: usize,
    /// How many of them may be out.
    pub max: usize,
    /// The others that are, by name.
    pub out: Vec<OutHost>,
}

impl Admission {
    /// Judges whether a host may go down, by what the engine holds.
    #[must_use]
    pub fn new(
        snapshot: &Snapshot,
        key: &Key,
        scope: &SlotScope,
        host: &str,
        max: MaxDown,
    ) -> Self {
        let counting = Counting {
            snapshot,
            names: covering(key),
            key,
            scope,
        };

        // The host itself is left out: what it is already is no reason against it, see `Ground`.
        let mut others = counting.hosts();
        others.retain(|name| *name != host);
        let out = others.iter().filter_map(|name| counting.out(name));
        // It is in scope even where nobody has asked it for the service yet.
        let hosts = others.len() + 1;
        Self {
            key: key.clone(),
            hosts,
            max: max.of(hosts),
            out: out.collect(),
        }
    }

    /// Whether one more may go down.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.out.len() < self.max
    }

    /// How long to wait before the next look: the more hosts, the longer, and not all at once.
    #[must_use]
    pub fn wait(&self) -> Duration {
        #[allow(clippy::cast_precision_loss)] // some million hosts at most
        let seconds = self.hosts as f64 / LOOKS_A_SECOND;
        let longest = Duration::from_secs_f64(seconds).clamp(POLL_MIN, POLL_MAX);
        jittered(longest)
    }
}

/// Who counts.
struct Counting<'a> {
    snapshot: &'a Snapshot,
    /// The names of spool files that take the key down.
    names: Vec<String>,
    key: &'a Key,
    scope: &'a SlotScope,
}

impl<'a> Counting<'a> {
    /// The hosts in scope by name, each once.
    fn hosts(&self) -> Vec<&'a str> {
        let mut names = Vec::new();
        for (name, record) in &self.snapshot.hosts {
            if self.counts(name, record) {
                names.push(name.as_str());
            }
        }

        names.extend(self.strangers());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Hosts that are out and have no record, some of them several times. Of these nobody knows the tags, and so they count
    /// everywhere: one that was forgotten too early must not let the limit be passed.
    fn strangers(&self) -> impl Iterator<Item = &'a str> {
        let snapshot = self.snapshot;
        let taken = snapshot.down.keys().chain(snapshot.slots.keys());
        let named = taken.chain(&snapshot.unread_hosts);
        let strangers = named.filter(|name| self.is_out_stranger(name));
        strangers.map(String::as_str)
    }

    fn counts(&self, name: &str, record: &HostRecord) -> bool {
        if !self.scope.selects(name, &record.tags) {
            return false;
        }

        // One that was not polled since its daemon began names no service, and may still be down.
        self.serves(record) || self.is_taken(name)
    }

    fn serves(&self, record: &HostRecord) -> bool {
        let service = self.key.service_name().as_str();
        service == ALL || record.services.iter().any(|name| name == service)
    }

    fn is_out_stranger(&self, name: &str) -> bool {
        let is_unread = self.snapshot.unread_hosts.contains(name);
        let is_known = self.snapshot.hosts.contains_key(name);
        !is_known && (is_unread || self.is_taken(name))
    }

    /// Whether a roll or a downtime has it.
    fn is_taken(&self, name: &str) -> bool {
        self.slot(name).is_some() || self.report(name).is_some()
    }

    fn out(&self, name: &str) -> Option<OutHost> {
        // Before all else: what a lost host said last may no longer be so, and it serves nobody.
        let is_lost = !self.snapshot.alive.contains(name);
        let cause = match (self.slot(name), self.report(name)) {
            _ if is_lost => OutCause::Lost,
            (Some(slot), _) => OutCause::InSlot(slot.clone()),
            (None, Some(report)) => OutCause::Down(report.clone()),
            (None, None) => return None,
        };

        let name = name.to_owned();
        Some(OutHost { name, cause })
    }

    fn slot(&self, name: &str) -> Option<&'a Slot> {
        let slots = self.snapshot.slots.get(name)?;
        self.first_of(slots)
    }

    fn report(&self, name: &str) -> Option<&'a Report> {
        let reports = self.snapshot.down.get(name)?;
        self.first_of(reports)
    }

    /// The first of what a host has taken, by keys of the spool, that concerns the key.
    fn first_of<T>(&self, taken: &'a BTreeMap<String, T>) -> Option<&'a T> {
        for (key, value) in taken {
            if self.concerns(key) {
                return Some(value);
            }
        }

        None
    }

    /// Whether what is taken there takes the key, or a part of it: `all` takes web, and `web:80` is a part of it.
    fn concerns(&self, taken: &str) -> bool {
        let takes_key = self.names.iter().any(|name| name == taken);
        takes_key || self.is_part(taken)
    }

    fn is_part(&self, taken: &str) -> bool {
        match Key::parse(taken) {
            Ok(taken) => covering(&taken).contains(&self.key.file_name()),
            // None such stands in a snapshot.
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
