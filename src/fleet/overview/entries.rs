//! The rows of the overview.

use std::collections::BTreeMap;

use serde::Serialize;

use super::advice::Advice;
use super::survey::FleetState;
use super::tallies::Counts;
use crate::fleet::OrderState;

/// A host.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct HostEntry {
    pub(crate) host: String,
    pub(crate) state: FleetState,
    /// Where its own page is; 0 when it did not tell.
    pub(crate) port: u16,
    /// When it last said something new, in seconds of unix time.
    pub(crate) seen: f64,
    /// When its daemon began.
    pub(crate) started: f64,
    pub(crate) version: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// How many services it has.
    pub(crate) services: usize,
    pub(crate) down: Vec<DownEntry>,
    pub(crate) late: Vec<LateEntry>,
    pub(crate) waived: Vec<WaiverEntry>,
    pub(crate) slots: Vec<SlotEntry>,
    /// What it says is wrong with it.
    pub(crate) problems: Vec<String>,
    /// How many downtimes are not shown.
    pub(crate) left_out: usize,
    /// What to type; none where the next host has the same.
    pub(crate) advice: Option<Advice>,
}

/// A downtime of a host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct DownEntry {
    pub(crate) key: String,
    pub(crate) since: Option<f64>,
    pub(crate) until: Option<f64>,
    pub(crate) reason: String,
    pub(crate) by: String,
    /// The host of the command line, of an order.
    pub(crate) from: String,
    /// `local`, or `fleet:` and a selector.
    pub(crate) origin: String,
    pub(crate) is_local: bool,
    pub(crate) pollers: u64,
    pub(crate) acted: u64,
    pub(crate) sessions: Option<u64>,
    /// For which roll.
    pub(crate) roll: Option<String>,
}

/// An order that a host has not done.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LateEntry {
    pub(crate) order: String,
    pub(crate) key: String,
    /// To be down, or up.
    pub(crate) state: OrderState,
    pub(crate) by: String,
    /// Since when, in seconds of unix time.
    pub(crate) at: f64,
    /// Whether it has heard of it.
    pub(crate) knows: bool,
}

/// An order that a host does not obey.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct WaiverEntry {
    pub(crate) order: String,
    pub(crate) key: String,
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) since: f64,
}

/// A slot of a host.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SlotEntry {
    pub(crate) host: String,
    pub(crate) key: String,
    pub(crate) roll: String,
    /// What is done now, and since when.
    pub(crate) phase: String,
    pub(crate) since: f64,
}

/// A service.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ServiceEntry {
    pub(crate) name: String,
    /// The worst of its hosts.
    pub(crate) state: FleetState,
    /// How many hosts serve it.
    pub(crate) serving: usize,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// The first of those that do not.
    pub(crate) out: Vec<OutEntry>,
    /// A letter for each host: `u`p, `d`own, not done yet (`w`), `l`ost.
    pub(crate) bars: String,
}

/// A host that does not serve a service.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OutEntry {
    pub(crate) host: String,
    pub(crate) state: FleetState,
    pub(crate) down: Option<DownEntry>,
}

/// An order in force, or a lift that somebody has not done yet.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OrderEntry {
    pub(crate) order: String,
    pub(crate) key: String,
    #[serde(rename = "where")]
    pub(crate) selector: String,
    pub(crate) state: OrderState,
    pub(crate) by: String,
    pub(crate) from: String,
    pub(crate) reason: String,
    pub(crate) since: f64,
    pub(crate) until: Option<f64>,
    /// `soft` or `drain`.
    pub(crate) mark: Option<&'static str>,
    pub(crate) hosts: usize,
    pub(crate) done: usize,
    pub(crate) waived: usize,
    pub(crate) lost: usize,
    /// The first of those that have not done it, and how many there are.
    pub(crate) late: Vec<String>,
    pub(crate) late_count: usize,
    pub(crate) advice: Option<Advice>,
}

/// A roll that somebody runs, or that hosts have slots for.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RollEntry {
    pub(crate) roll: String,
    pub(crate) by: String,
    pub(crate) from: String,
    pub(crate) since: f64,
    pub(crate) slots: Vec<SlotEntry>,
    /// How many slots there are.
    pub(crate) count: usize,
    /// Who runs it; nobody does, or each host for itself, where there is none.
    pub(crate) held: Option<HolderEntry>,
    /// How far it is; none of a roll of one host alone.
    pub(crate) progress: Option<ProgressEntry>,
    pub(crate) advice: Option<Advice>,
}

/// Who runs a roll over the fleet.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct HolderEntry {
    pub(crate) by: String,
    pub(crate) from: String,
    pub(crate) since: f64,
}

/// How many hosts of a roll are what.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ProgressEntry {
    pub(crate) key: String,
    /// How many may be out, as it was typed.
    pub(crate) max_down: String,
    pub(crate) hosts: usize,
    pub(crate) done: usize,
    pub(crate) failed: usize,
    pub(crate) under_way: usize,
    pub(crate) waiting: usize,
}

/// The hosts with one value of a tag.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TagEntry {
    pub(crate) tag: String,
    pub(crate) value: String,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}
