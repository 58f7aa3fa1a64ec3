//! What each host of a fleet is as a whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::fleet::picture::has_done;
use crate::fleet::{HostRecord, Order, OrderState, Report, Selector, Slot, Snapshot, WaivedOrder};
use crate::names::ALL;

/// What a host is as a whole, or for one service; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FleetState {
    /// It gives no sign of life.
    Lost,
    /// It lives, and has not done yet what was ordered.
    Late,
    /// All of it is down.
    Down,
    /// Some of it is down.
    Partly,
    /// It is up though the fleet has ordered it down: somebody there said so.
    Waived,
    /// Nothing of it is down.
    Up,
}

impl FleetState {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Late => "not done yet",
            Self::Down => "down",
            Self::Partly => "partly down",
            Self::Waived => "up by waiver",
            Self::Up => "up",
        }
    }

    /// A sign for a terminal, told apart without colour.
    pub(crate) fn sign(self) -> char {
        match self {
            Self::Lost => '!',
            Self::Late => '<',
            Self::Down => '-',
            Self::Partly => '~',
            Self::Waived => '>',
            Self::Up => '+',
        }
    }

    /// A letter, of which the strips of services are made.
    pub(super) fn letter(self) -> char {
        match self {
            Self::Lost => 'l',
            Self::Late => 'w',
            Self::Down | Self::Partly => 'd',
            Self::Waived | Self::Up => 'u',
        }
    }
}

/// A fleet, host by host.
pub(super) struct FleetSurvey<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) hosts: Vec<SurveyedHost<'a>>,
    /// The orders that hold something down now.
    pub(super) holding: Vec<&'a Order>,
    /// Registers that hosts hold and the engine lacks; some several times.
    pub(super) unknown: Vec<&'a str>,
    is_of_all: bool,
    /// Slots of hosts that have told nothing of themselves: they hold up others all the same.
    pub(super) strange_slots: Vec<(&'a str, &'a BTreeMap<String, Slot>)>,
}

/// A host.
pub(super) struct SurveyedHost<'a> {
    pub(super) name: &'a str,
    pub(super) record: &'a HostRecord,
    pub(super) state: FleetState,
    pub(super) is_alive: bool,
    pub(super) down: Option<&'a BTreeMap<String, Report>>,
    pub(super) slots: Option<&'a BTreeMap<String, Slot>>,
    /// The orders that select it and hold something down, but for those that it waives.
    pub(super) orders: Vec<&'a Order>,
    /// The orders, and lifts, that it has not done yet.
    pub(super) late: Vec<&'a Order>,
    /// What it does not obey: order and waiver.
    pub(super) waived: Vec<(&'a Order, &'a WaivedOrder)>,
}

impl<'a> FleetSurvey<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, scope: &Selector, now: f64) -> Self {
        let orders = snapshot.orders.values();
        let mut survey = Self {
            snapshot,
            hosts: Vec::new(),
            holding: orders.filter(|order| order.holds(now)).collect(),
            unknown: Vec::new(),
            is_of_all: scope.is_every_host(),
            strange_slots: Vec::new(),
        };

        // Without a record nobody knows what selects them.
        if survey.is_of_all {
            survey.note_strange_slots();
        }

        for (name, record) in snapshot.selected(scope) {
            let host = survey.look_at(name, record);
            survey.hosts.push(host);
        }

        survey
    }

    fn note_strange_slots(&mut self) {
        for (name, slots) in &self.snapshot.slots {
            if !self.snapshot.hosts.contains_key(name) {
                self.strange_slots.push((name, slots));
            }
        }
    }

    /// Whether a roll is of hosts that are looked at.
    pub(super) fn concerns(&self, roll: &str) -> bool {
        let Some(roll) = self.snapshot.rolls.get(roll) else {
            return self.is_of_all;
        };

        let is_here = |name: &String| self.hosts.binary_search_by(|host| host.name.cmp(name));
        self.is_of_all || roll.record.hosts.iter().any(|name| is_here(name).is_ok())
    }

    fn look_at(&mut self, name: &'a str, record: &'a HostRecord) -> SurveyedHost<'a> {
        let mut host = SurveyedHost::of(self.snapshot, name, record);
        for order in &self.holding {
            host.note_order(self.snapshot, order);
        }

        // A register that is no order any more is either a lift, or one that the engine has lost.
        for register in record.held.keys() {
            match self.snapshot.orders.get(register) {
                None => self.unknown.push(register),
                Some(order) => host.note_lift(self.snapshot, order),
            }
        }

        // Last: it follows from all else. What a lost host said last counts for nothing.
        if host.is_alive {
            host.state = host.living_state();
        }
        host
    }
}

impl<'a> SurveyedHost<'a> {
    fn of(snapshot: &'a Snapshot, name: &'a str, record: &'a HostRecord) -> Self {
        Self {
            name,
            record,
            state: FleetState::Lost,
            is_alive: snapshot.alive.contains(name),
            // A list without entries is what a watch leaves of the last one.
            down: snapshot.down.get(name).filter(|down| !down.is_empty()),
            slots: snapshot.slots.get(name).filter(|slots| !slots.is_empty()),
            orders: Vec::new(),
            late: Vec::new(),
            waived: Vec::new(),
        }
    }

    /// The order of a register that it holds: it may be a lift that it has not done.
    fn note_lift(&mut self, snapshot: &Snapshot, order: &'a Order) {
        let is_lift = order.state == OrderState::Up;
        if is_lift && !has_done(snapshot, self.name, self.record, order) {
            self.late.push(order);
        }
    }

    fn note_order(&mut self, snapshot: &Snapshot, order: &'a Order) {
        if !order.selector.selects(self.name, &self.record.tags) {
            return;
        }

        // Not late, whatever it has done: somebody there has decided it.
        if let Some(waiver) = order.waiver(&self.record.waived) {
            self.waived.push((order, waiver));
            return;
        }

        self.orders.push(order);
        if !has_done(snapshot, self.name, self.record, order) {
            self.late.push(order);
        }
    }

    fn living_state(&self) -> FleetState {
        if !self.late.is_empty() {
            return FleetState::Late;
        }

        match self.down {
            Some(down) if self.is_whole(down) => FleetState::Down,
            Some(_) => FleetState::Partly,
            None if self.waived.is_empty() => FleetState::Up,
            None => FleetState::Waived,
        }
    }

    /// Whether these downtimes are of everything on it.
    fn is_whole(&self, down: &BTreeMap<String, Report>) -> bool {
        if down.contains_key(ALL) {
            return true;
        }

        // Of a host that was not polled yet nobody knows what else it serves.
        let services = &self.record.services;
        let are_down = services.iter().all(|service| down.contains_key(service));
        are_down && !services.is_empty()
    }

    /// What it serves, and what it has down without being asked for it; each once.
    pub(super) fn services(&self) -> BTreeSet<&'a str> {
        let mut names = BTreeSet::new();
        names.extend(self.record.services.iter().map(String::as_str));
        // Several instances of a service may be down, each with a key of its own.
        let down = self.down.into_iter().flat_map(BTreeMap::keys);
        let services = down.map(|key| service_of(key));
        names.extend(services.filter(|name| *name != ALL));
        names
    }

    /// What it is for one service.
    pub(super) fn state_of(&self, service: &str) -> FleetState {
        // In this order: an order that was not obeyed yet says more than what the host still reports.
        if !self.is_alive {
            FleetState::Lost
        } else if self.is_late_for(service) {
            FleetState::Late
        } else if self.report_of(service).is_some() {
            FleetState::Down
        } else if self.waives_for(service) {
            FleetState::Waived
        } else {
            FleetState::Up
        }
    }

    fn is_late_for(&self, service: &str) -> bool {
        self.late.iter().any(|order| concerns(order, service))
    }

    fn waives_for(&self, service: &str) -> bool {
        let mut waived = self.waived.iter();
        waived.any(|(order, _)| concerns(order, service))
    }

    /// The downtime that takes a service down, the widest first.
    pub(super) fn report_of(&self, service: &str) -> Option<(&'a str, &'a Report)> {
        let down = self.down?;
        let (key, report) = match down.get_key_value(ALL) {
            Some(widest) => widest,
            None => down.get_key_value(service)?,
        };
        Some((key, report))
    }

    /// Whether a text in lower case stands in what is told of it.
    pub(super) fn holds(&self, text: &str) -> bool {
        let mut services = self.record.services.iter();
        stands_in(self.name, text)
            || stands_in(self.state.words(), text)
            || self.tags_hold(text)
            || services.any(|name| stands_in(name, text))
            || self.downtimes_hold(text)
    }

    fn tags_hold(&self, text: &str) -> bool {
        // As people type them for `--where`.
        let mut tags = self.record.tags.iter();
        tags.any(|(tag, value)| stands_in(&format!("{tag}={value}"), text))
    }

    fn downtimes_hold(&self, text: &str) -> bool {
        for (key, report) in self.down.into_iter().flatten() {
            let parts = [key, &report.by, &report.reason, &report.origin];
            if parts.iter().any(|part| stands_in(part, text)) {
                return true;
            }
        }

        false
    }
}

fn stands_in(part: &str, text: &str) -> bool {
    part.to_lowercase().contains(text)
}

/// Whether an order is for a service, for an instance of it, or for everything.
fn concerns(order: &Order, service: &str) -> bool {
    let name = order.key.service_name().as_str();
    name == ALL || name == service
}

/// The service of a key of the spool.
pub(super) fn service_of(key: &str) -> &str {
    key.split(':').next().unwrap_or_default()
}
