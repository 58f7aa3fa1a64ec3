//! The picture of a fleet: from what the engine holds to the state of each host for one key of the spool, and the sums.
//!
//! Rules: pure. A host without a life sign is lost, and never counts as up. What a host reports is what it is; what is
//! ordered is what it will be.

use super::{HostRecord, Order, OrderState, Report, Selector, Slot, Snapshot, WaivedOrder};
use crate::names::{ALL, Key};

/// What a host is for a key of the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostState {
    /// It reports a downtime.
    Down,
    /// It lives, and reports none.
    Up,
    /// It gives no sign of life.
    Lost,
}

impl HostState {
    /// As it is shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "DOWN",
            Self::Up => "UP",
            Self::Lost => "LOST",
        }
    }
}

/// One host of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it says of itself.
    pub record: &'a HostRecord,
    /// What it is.
    pub state: HostState,
    /// The downtime that it reports, which may be one of everything on it.
    pub report: Option<&'a Report>,
    /// The key of the spool that this downtime is of.
    pub report_key: &'a str,
    /// Its place in a roll.
    pub slot: Option<&'a Slot>,
    /// The order that it would obey, but for a waiver, and that waiver.
    pub waived: Option<&'a WaivedOrder>,
    /// The newest order that holds it down, by what the engine says.
    pub order: Option<&'a Order>,
    /// Whether it knows all orders that hold it down.
    pub knows: bool,
}

impl HostRow<'_> {
    /// Whether the downtime that it reports is its own, not the fleet's.
    #[must_use]
    pub fn is_down_locally(&self) -> bool {
        self.state == HostState::Down && self.report.is_some_and(is_local)
    }
}

/// What the origin of a downtime begins with that the fleet ordered. The order's selector follows.
pub const FLEET_ORIGIN: &str = "fleet:";

/// Whether a downtime is one that somebody wrote on that host.
#[must_use]
pub fn is_local(report: &Report) -> bool {
    !report.origin.starts_with(FLEET_ORIGIN)
}

/// How many hosts are what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// All.
    pub hosts: usize,
    /// That report a downtime.
    pub down: usize,
    /// That live and report none.
    pub up: usize,
    /// That give no sign of life.
    pub lost: usize,
    /// That are up by a waiver.
    pub waived: usize,
}

impl Sums {
    fn add(&mut self, row: &HostRow<'_>) {
        self.hosts += 1;
        match row.state {
            HostState::Down => self.down += 1,
            HostState::Up => self.up += 1,
            HostState::Lost => self.lost += 1,
        }

        // A waiver keeps nobody up who took the host down by hand.
        if row.state == HostState::Up && row.waived.is_some() {
            self.waived += 1;
        }
    }
}

/// The hosts that serve a key, as far as a selector selects them.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetPicture<'a> {
    /// One for each host, by name.
    pub rows: Vec<HostRow<'a>>,
    /// The orders that hold the key down at some of the hosts.
    pub orders: Vec<&'a Order>,
    /// Registers that hosts hold, and that the engine does not have: it was wiped, or restored.
    pub unknown: Vec<String>,
}

impl<'a> FleetPicture<'a> {
    /// The picture of a key at a time of the wall clock, in seconds of unix time.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, key: &Key, scope: &Selector, now: f64) -> Self {
        let holding = Holding::new(snapshot, key, now);
        let mut rows = Vec::new();
        for (name, record) in snapshot.selected(scope) {
            if holding.serves(name, record) {
                rows.push(holding.row(name, record));
            }
        }

        Self {
            orders: holding.orders_for(&rows),
            unknown: holding.unknown(&rows),
            rows,
        }
    }

    /// The sums.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for row in &self.rows {
            sums.add(row);
        }

        sums
    }

    /// How many of the hosts a selector selects.
    #[must_use]
    pub fn selected_by(&self, selector: &Selector) -> usize {
        let rows = self.rows.iter();
        let selected = rows.filter(|row| selector.selects(row.name, &row.record.tags));
        selected.count()
    }

    /// The hosts that are up and not in another selector's scope: who serves when that goes down.
    #[must_use]
    pub fn left_without(&self, other: &Selector) -> usize {
        // One that is lost serves nobody, and one that is ordered down will not for long.
        let serves = |row: &&HostRow<'_>| row.state == HostState::Up && row.order.is_none();
        let serving = self.rows.iter().filter(serves);
        let left = serving.filter(|row| !other.selects(row.name, &row.record.tags));
        left.count()
    }
}

fn selects(order: &Order, row: &HostRow<'_>) -> bool {
    order.selector.selects(row.name, &row.record.tags)
}

/// What may hold a key down: the orders of everything, of the service, and of the instance.
struct Holding<'a> {
    snapshot: &'a Snapshot,
    /// The names of spool files that take the key down, the widest first.
    names: Vec<String>,
    /// The service; `None` for everything.
    service: Option<String>,
    orders: Vec<&'a Order>,
}

impl<'a> Holding<'a> {
    fn new(snapshot: &'a Snapshot, key: &Key, now: f64) -> Self {
        let names = covering(key);
        let mut orders = Vec::new();
        for order in snapshot.orders.values() {
            if order.holds(now) && names.contains(&order.key.file_name()) {
                orders.push(order);
            }
        }

        Self {
            snapshot,
            names,
            service: service_of(key),
            orders,
        }
    }

    /// The orders that select one of these hosts at least.
    fn orders_for(&self, rows: &[HostRow<'_>]) -> Vec<&'a Order> {
        let mut orders = self.orders.clone();
        orders.retain(|order| rows.iter().any(|row| selects(order, row)));
        orders
    }

    /// Whether a host serves the key, or has it down: one that was not polled since its daemon began is still down.
    fn serves(&self, name: &str, record: &HostRecord) -> bool {
        match &self.service {
            Some(service) => record.services.contains(service) || self.own_report(name).is_some(),
            None => true,
        }
    }

    /// The report of the key itself, not of everything.
    fn own_report(&self, host: &str) -> Option<&'a Report> {
        let reports = self.snapshot.down.get(host)?;
        let mut own = self.names.iter().filter(|name| *name != ALL);
        own.find_map(|name| reports.get(name))
    }

    fn report(&self, host: &str) -> Option<(&'a str, &'a Report)> {
        let reports = self.snapshot.down.get(host)?;
        let mut names = self.names.iter();
        let (key, report) = names.find_map(|name| reports.get_key_value(name))?;
        Some((key, report))
    }

    fn slot(&self, host: &str) -> Option<&'a Slot> {
        let slots = self.snapshot.slots.get(host)?;
        self.names.iter().find_map(|name| slots.get(name))
    }

    fn row(&self, name: &'a str, record: &'a HostRecord) -> HostRow<'a> {
        let report = self.report(name);
        let mut row = HostRow {
            name,
            record,
            state: self.state(name, report.is_some()),
            report: report.map(|(_, report)| report),
            report_key: report.map_or("", |(key, _)| key),
            slot: self.slot(name),
            waived: None,
            order: None,
            knows: true,
        };

        for order in &self.orders {
            if selects(order, &row) {
                note_order(&mut row, order);
            }
        }

        row
    }

    fn state(&self, name: &str, is_down: bool) -> HostState {
        // First of all: what a host that is lost reported last, nobody knows to be so still.
        if !self.snapshot.alive.contains(name) {
            return HostState::Lost;
        }

        match is_down {
            true => HostState::Down,
            false => HostState::Up,
        }
    }

    /// Registers of this key that hosts hold, and that are not in the engine.
    fn unknown(&self, rows: &[HostRow<'_>]) -> Vec<String> {
        let mut unknown = Vec::new();
        for register in rows.iter().flat_map(|row| row.record.held.keys()) {
            // Each once: what the engine has lost, many hosts hold.
            if self.is_unknown(register) && !unknown.contains(register) {
                unknown.push(register.clone());
            }
        }

        unknown
    }

    fn is_unknown(&self, register: &str) -> bool {
        let name = match register.split_once('/') {
            Some((key, _)) => key,
            None => "",
        };
        let is_of_key = self.names.iter().any(|own| own == name);
        is_of_key && !self.snapshot.orders.contains_key(register)
    }
}

/// The service of a key; `None` for everything.
fn service_of(key: &Key) -> Option<String> {
    match key.service_name().as_str() {
        ALL => None,
        service => Some(service.to_owned()),
    }
}

/// What an order that selects a host is for it: waived, or to be obeyed.
fn note_order<'a>(row: &mut HostRow<'a>, order: &'a Order) {
    // Another order of the key may still hold, so the row goes on with those.
    if let Some(waived) = order.waiver(&row.record.waived) {
        row.waived = Some(waived);
        return;
    }

    // All of them, as each holds the key down by itself.
    row.knows &= knows(row.record, order);
    if row.order.is_none_or(|other| order.is_newer_than(other)) {
        row.order = Some(order);
    }
}

/// The names of the spool files that take a key down, the widest first.
#[must_use]
pub fn covering(key: &Key) -> Vec<String> {
    let mut names = vec![ALL.to_owned()];
    for name in [key.service_name().as_str().to_owned(), key.file_name()] {
        if !names.contains(&name) {
            names.push(name);
        }
    }

    names
}

/// Whether a host knows an order: it holds it, or a later one of the same register.
pub(in crate::fleet) fn knows(record: &HostRecord, order: &Order) -> bool {
    let held = record.held.get(&order.register());
    held.is_some_and(|at| *at >= order.at)
}

/// Whether a host has done what an order says: taken its key down, or lifted what that register held.
#[must_use]
pub fn has_done(snapshot: &Snapshot, host: &str, record: &HostRecord, order: &Order) -> bool {
    match order.state {
        OrderState::Down => {
            // Both: it may know an order that it could not write, and report a downtime that is its own.
            let is_reported = snapshot.report(host, &order.key).is_some();
            knows(record, order) && is_reported
        }
        OrderState::Up => {
            // A host that never held it has nothing to lift.
            let held = record.held.get(&order.register());
            held.is_none_or(|at| *at > order.at)
        }
    }
}

#[cfg(test)]
pub(in crate::fleet) mod tests;
