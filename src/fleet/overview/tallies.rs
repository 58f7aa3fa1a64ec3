//! The sums over all hosts: of each service, order, roll and tag.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use super::entries::{OutEntry, RollEntry, ServiceEntry};
use super::fill::down_entry;
use super::survey::{FleetState, FleetSurvey, SurveyedHost};
use super::{INNER_MAX, NAME_MAX};
use crate::fleet::{Order, OrderState, Slot};
use crate::names::sort::sort_by_key;
use crate::names::text::shown;

/// A tag with more values than this tells hosts apart, and does not sum them up.
const VALUES_MAX: usize = 50;

/// Most bars of a service.
const BARS_MAX: usize = 60;

/// Hosts by what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) hosts: usize,
    pub(crate) up: usize,
    pub(crate) waived: usize,
    pub(crate) down: usize,
    pub(crate) partly: usize,
    pub(crate) late: usize,
    pub(crate) lost: usize,
}

impl Counts {
    pub(super) fn add(&mut self, state: FleetState) {
        self.hosts += 1;
        let count = match state {
            FleetState::Lost => &mut self.lost,
            FleetState::Late => &mut self.late,
            FleetState::Down => &mut self.down,
            FleetState::Partly => &mut self.partly,
            FleetState::Waived => &mut self.waived,
            FleetState::Up => &mut self.up,
        };
        // Each host is in one of them, so that they add up to all.
        *count += 1;
    }

    /// Those that serve: no order and no downtime keeps them from it.
    pub(crate) fn serving(&self) -> usize {
        self.up + self.waived
    }

    pub(super) fn lacks_some(&self) -> bool {
        self.serving() < self.hosts
    }

    /// Of which fewer serve, in proportion.
    pub(super) fn by_share(&self, other: &Self) -> Ordering {
        // Compared as fractions, without dividing: a of b is less than c of d when a·d is less than c·b.
        let own = self.serving() * other.hosts;
        let others = other.serving() * self.hosts;
        own.cmp(&others)
    }
}

/// All sums.
#[derive(Default)]
pub(super) struct Tallies<'a> {
    pub(super) all: Counts,
    pub(super) services: BTreeMap<&'a str, ServiceTally<'a>>,
    pub(super) orders: Vec<OrderTally<'a>>,
    pub(super) rolls: BTreeMap<&'a str, RollEntry>,
    /// By tag and value.
    pub(super) tags: BTreeMap<(&'a str, &'a str), Counts>,
}

/// One service.
#[derive(Default)]
pub(super) struct ServiceTally<'a> {
    pub(super) counts: Counts,
    /// Those that do not serve, the first few of each state.
    out: BTreeMap<FleetState, Vec<&'a SurveyedHost<'a>>>,
    /// What each host is, by name.
    states: Vec<FleetState>,
}

/// One order.
pub(super) struct OrderTally<'a> {
    pub(super) order: &'a Order,
    pub(super) hosts: usize,
    pub(super) done: usize,
    pub(super) waived: usize,
    pub(super) lost: usize,
    pub(super) late: Vec<&'a str>,
}

impl<'a> Tallies<'a> {
    pub(super) fn of(survey: &'a FleetSurvey<'a>) -> Self {
        let mut tallies = Self::default();
        let mut orders = OrderTallies::new();
        for order in &survey.holding {
            orders.insert(order.register(), OrderTally::new(order));
        }

        for host in &survey.hosts {
            tallies.add(host);
            add_orders(&mut orders, host);
        }

        // They hold up rolls as others do, so they must be seen where rolls are.
        for (name, slots) in &survey.strange_slots {
            tallies.add_slots(name, slots);
        }

        tallies.add_rolls(survey);
        // Only now, as all hosts together show what a tag tells.
        tallies.drop_tags_of_one();
        tallies.orders = orders.into_values().collect();
        sort_by_key(&mut tallies.orders, OrderTally::rank);
        tallies
    }

    fn add(&mut self, host: &'a SurveyedHost<'a>) {
        self.all.add(host.state);
        for name in host.services() {
            let tally = self.services.entry(name).or_default();
            // By the service, and not by the host: one that is partly down serves the others.
            tally.add(host, host.state_of(name));
        }

        if let Some(slots) = host.slots {
            self.add_slots(host.name, slots);
        }
        self.add_tags(host);
    }

    fn add_slots(&mut self, host: &str, slots: &'a BTreeMap<String, Slot>) {
        for (key, slot) in slots {
            let roll = self.rolls.entry(&slot.roll);
            let roll = roll.or_insert_with(|| RollEntry::new(slot));
            roll.add(host, key, slot);
        }
    }

    /// Adds who runs the rolls, and how far they are.
    fn add_rolls(&mut self, survey: &'a FleetSurvey<'a>) {
        let snapshot = survey.snapshot;
        for lock in snapshot.locks.values() {
            if survey.concerns(&lock.roll) {
                let roll = self.rolls.entry(&lock.roll);
                let roll = roll.or_insert_with(|| RollEntry::of_lock(lock));
                roll.take_lock(lock);
            }
        }

        for (id, roll) in &mut self.rolls {
            if let Some(known) = snapshot.rolls.get(*id) {
                roll.take_progress(snapshot, known);
            }
        }
    }

    fn add_tags(&mut self, host: &'a SurveyedHost<'a>) {
        for (tag, value) in &host.record.tags {
            let counts = self.tags.entry((tag, value)).or_default();
            counts.add(host.state);
        }
    }

    /// Leaves out tags that say the same of all hosts, and those that differ from host to host.
    fn drop_tags_of_one(&mut self) {
        let mut values: BTreeMap<&str, usize> = BTreeMap::new();
        for (tag, _) in self.tags.keys() {
            *values.entry(tag).or_default() += 1;
        }

        let tags = &mut self.tags;
        tags.retain(|(tag, _), _| (2..=VALUES_MAX).contains(&values[tag]));
    }
}

/// Orders by their registers.
type OrderTallies<'a> = BTreeMap<String, OrderTally<'a>>;

fn add_orders<'a>(orders: &mut OrderTallies<'a>, host: &SurveyedHost<'a>) {
    for (order, _) in &host.waived {
        if let Some(tally) = orders.get_mut(&order.register()) {
            tally.hosts += 1;
            tally.waived += 1;
        }
    }

    for order in &host.orders {
        if let Some(tally) = orders.get_mut(&order.register()) {
            tally.add(host, order);
        }
    }

    for order in &host.late {
        if order.state == OrderState::Up {
            add_lift(orders, host, order);
        }
    }
}

fn add_lift<'a>(orders: &mut OrderTallies<'a>, host: &SurveyedHost<'a>, lift: &'a Order) {
    // Only now: a lift that every host has done is no order in force, and is not shown.
    let tally = orders.entry(lift.register());
    let tally = tally.or_insert_with(|| OrderTally::new(lift));
    tally.add(host, lift);
}

impl<'a> OrderTally<'a> {
    fn new(order: &'a Order) -> Self {
        Self {
            order,
            hosts: 0,
            done: 0,
            waived: 0,
            lost: 0,
            late: Vec::new(),
        }
    }

    fn add(&mut self, host: &SurveyedHost<'a>, order: &Order) {
        self.hosts += 1;
        if !host.is_alive {
            self.lost += 1;
        // By the id: a host may be late with another order of the same register.
        } else if host.late.iter().any(|late| late.id == order.id) {
            self.late.push(host.name);
        } else {
            self.done += 1;
        }
    }

    /// Those that somebody has not done come first.
    fn rank(&self) -> (bool, String) {
        (self.late.is_empty(), self.order.register())
    }
}

impl<'a> ServiceTally<'a> {
    fn add(&mut self, host: &'a SurveyedHost<'a>, state: FleetState) {
        self.counts.add(state);
        self.states.push(state);
        if state >= FleetState::Waived {
            return;
        }

        // Thousands may be down, and only a few of each state are named.
        let out = self.out.entry(state).or_default();
        if out.len() < INNER_MAX {
            out.push(host);
        }
    }

    pub(super) fn entry(&self, name: &str) -> ServiceEntry {
        let worst = self.out.keys().next().copied();

        ServiceEntry {
            name: shown(name, NAME_MAX),
            state: worst.unwrap_or(FleetState::Up),
            serving: self.counts.serving(),
            counts: self.counts.clone(),
            out: self.out(name),
            bars: self.bars(),
        }
    }

    /// The first of those that do not serve, the worst first.
    fn out(&self, name: &str) -> Vec<OutEntry> {
        let mut out = Vec::new();
        for (state, hosts) in &self.out {
            out.extend(hosts.iter().map(|host| out_entry(host, *state, name)));
        }

        out.truncate(INNER_MAX);
        out
    }

    /// A letter for each host, by name; of many hosts as many of each as there are in proportion, the worst first.
    fn bars(&self) -> String {
        if self.states.len() <= BARS_MAX {
            return letters(&self.states);
        }

        let mut bars = self.sample();
        // One host of thousands is in no sample, and must be seen.
        for (bar, state) in self.out.keys().enumerate() {
            if !bars.contains(state) {
                bars[bar] = *state;
            }
        }

        letters(&bars)
    }

    /// As many states as there are bars, in proportion.
    fn sample(&self) -> Vec<FleetState> {
        let mut states = self.states.clone();
        states.sort();

        // The first and the last are in it, so that the worst and the best are seen.
        let last = states.len() - 1;
        let bars = 0..BARS_MAX;
        bars.map(|bar| states[bar * last / (BARS_MAX - 1)])
            .collect()
    }
}

fn letters(states: &[FleetState]) -> String {
    states.iter().map(|state| state.letter()).collect()
}

fn out_entry(host: &SurveyedHost<'_>, state: FleetState, service: &str) -> OutEntry {
    let report = host.report_of(service);

    OutEntry {
        host: host.name.to_owned(),
        state,
        // Order and slot stand with the host itself.
        down: report.map(|(key, report)| down_entry(key, report, None, None)),
    }
}
