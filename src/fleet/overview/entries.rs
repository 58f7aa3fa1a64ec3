//! The rows of the overview.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use super::advice::{self, Advice};
use super::survey::{FleetState, FleetSurvey, SurveyedHost};
use super::tallies::{Counts, OrderTally};
use super::{INNER_MAX, NAME_MAX, REASON_MAX};
use crate::fleet::picture::is_local;
use crate::fleet::{Order, OrderState, Report, Slot, Snapshot, WaivedOrder};
use crate::names::text::shown;

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

/// A roll, as far as hosts have slots for it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RollEntry {
    pub(crate) roll: String,
    pub(crate) by: String,
    pub(crate) from: String,
    pub(crate) since: f64,
    pub(crate) slots: Vec<SlotEntry>,
    /// How many slots there are.
    pub(crate) count: usize,
}

/// The hosts with one value of a tag.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TagEntry {
    pub(crate) tag: String,
    pub(crate) value: String,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

impl FleetSurvey<'_> {
    pub(super) fn entry(&self, host: &SurveyedHost<'_>) -> HostEntry {
        let down = host.down.into_iter().flatten();
        let down = down.map(|(key, report)| self.down_entry(host, key, report));
        let slots = host.slots.into_iter().flatten();
        let slots = slots.map(|(key, slot)| slot_entry(host.name, key, slot));
        let late = host.late.iter().map(|order| late_entry(host, order));
        let waived = host.waived.iter().map(|(order, w)| waiver_entry(order, w));
        let record = host.record;
        let tags = record.tags.iter().take(INNER_MAX);
        let problems = record.problems.iter().take(INNER_MAX);
        HostEntry {
            host: host.name.to_owned(),
            state: host.state,
            port: record.port,
            seen: record.seen,
            started: record.since,
            version: shown(&record.version, NAME_MAX),
            tags: tags.map(|(tag, v)| (name(tag), name(v))).collect(),
            services: record.services.len(),
            down: down.take(INNER_MAX).collect(),
            late: late.take(INNER_MAX).collect(),
            waived: waived.take(INNER_MAX).collect(),
            slots: slots.take(INNER_MAX).collect(),
            problems: problems.map(|p| shown(p, REASON_MAX)).collect(),
            left_out: host.down.map_or(0, BTreeMap::len).saturating_sub(INNER_MAX),
            advice: advice::for_host(host),
        }
    }

    fn down_entry(&self, host: &SurveyedHost<'_>, key: &str, report: &Report) -> DownEntry {
        let slot = host.slots.and_then(|slots| slots.get(key));
        down_entry(key, report, order_of(self.snapshot, report), slot)
    }
}

/// The order that a downtime follows, where the engine still has it.
fn order_of<'a>(snapshot: &'a Snapshot, report: &Report) -> Option<&'a Order> {
    let mut orders = snapshot.orders.values();
    match is_local(report) {
        true => None,
        false => orders.find(|order| order.id == report.order),
    }
}

pub(super) fn down_entry(
    key: &str,
    report: &Report,
    order: Option<&Order>,
    slot: Option<&Slot>,
) -> DownEntry {
    DownEntry {
        key: name(key),
        since: report.since,
        until: report.until,
        reason: shown(&report.reason, REASON_MAX),
        by: name(&report.by),
        from: order.map_or_else(String::new, |order| name(&order.from)),
        origin: name(&report.origin),
        is_local: is_local(report),
        pollers: report.pollers,
        acted: report.acted,
        sessions: report.sessions,
        roll: slot.map(|slot| name(&slot.roll)),
    }
}

pub(super) fn out_entry(host: &str, state: FleetState, down: Option<DownEntry>) -> OutEntry {
    OutEntry {
        host: host.to_owned(),
        state,
        down,
    }
}

fn late_entry(host: &SurveyedHost<'_>, order: &Order) -> LateEntry {
    let held = host.record.held.get(&order.register());
    LateEntry {
        order: name(&order.register()),
        key: name(&order.key.file_name()),
        state: order.state,
        by: name(&order.by),
        at: seconds(order.at),
        knows: order.state == OrderState::Down && held.is_some_and(|at| *at >= order.at),
    }
}

fn waiver_entry(order: &Order, waiver: &WaivedOrder) -> WaiverEntry {
    WaiverEntry {
        order: name(&order.register()),
        key: name(&order.key.file_name()),
        by: name(&waiver.by),
        reason: shown(&waiver.reason, REASON_MAX),
        since: waiver.since,
    }
}

fn slot_entry(host: &str, key: &str, slot: &Slot) -> SlotEntry {
    SlotEntry {
        host: host.to_owned(),
        key: name(key),
        roll: name(&slot.roll),
        phase: name(&slot.phase),
        // Other programs tell only when they got it.
        since: slot.phase_since.max(slot.since),
    }
}

impl ServiceEntry {
    /// Those that lack most hosts first, then by name.
    pub(super) fn worst_first(&self, other: &Self) -> Ordering {
        // Compared as fractions, without dividing: a of b is less than c of d when a·d is less than c·b.
        let own = self.serving * other.counts.hosts;
        let others = other.serving * self.counts.hosts;
        own.cmp(&others).then_with(|| self.name.cmp(&other.name))
    }
}

impl OrderEntry {
    pub(super) fn of(tally: &OrderTally<'_>) -> Self {
        let order = tally.order;
        let late = tally.late.iter().take(INNER_MAX);
        Self {
            order: name(&order.register()),
            key: name(&order.key.file_name()),
            selector: shown(&order.selector.to_string(), REASON_MAX),
            state: order.state,
            by: name(&order.by),
            from: name(&order.from),
            reason: shown(&order.reason, REASON_MAX),
            since: order.creation.unwrap_or_else(|| seconds(order.at)),
            until: order.expiration,
            mark: match (order.soft, order.drain) {
                (true, _) => Some("soft"),
                (_, true) => Some("drain"),
                _ => None,
            },
            hosts: tally.hosts,
            done: tally.done,
            waived: tally.waived,
            lost: tally.lost,
            late: late.map(|host| (*host).to_owned()).collect(),
            late_count: tally.late.len(),
            advice: advice::for_order(order),
        }
    }
}

impl RollEntry {
    pub(super) fn new(slot: &Slot) -> Self {
        Self {
            roll: name(&slot.roll),
            by: name(&slot.by),
            from: name(&slot.from),
            since: slot.since,
            slots: Vec::new(),
            count: 0,
        }
    }

    pub(super) fn add(&mut self, host: &str, key: &str, slot: &Slot) {
        self.count += 1;
        self.since = self.since.min(slot.since);
        if self.slots.len() < INNER_MAX {
            self.slots.push(slot_entry(host, key, slot));
        }
    }
}

impl TagEntry {
    pub(super) fn of(((tag, value), counts): (&(&str, &str), &Counts)) -> Self {
        Self {
            tag: name(tag),
            value: name(value),
            counts: counts.clone(),
        }
    }
}

fn name(text: &str) -> String {
    shown(text, NAME_MAX)
}

/// Microseconds as seconds.
#[allow(clippy::cast_precision_loss)] // a loss is less than a microsecond until the year 2255
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
