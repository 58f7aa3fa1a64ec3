//! The sums over all hosts: of each service, order, roll and tag.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entries::{RollEntry, ServiceEntry, down_entry, out_entry};
use super::survey::{FleetState, FleetSurvey, SurveyedHost};
use super::{INNER_MAX, NAME_MAX};
use crate::fleet::{Order, OrderState};
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
        *count += 1;
    }

    /// Those that serve: no order and no downtime keeps them from it.
    pub(crate) fn serving(&self) -> usize {
        self.up + self.waived
    }
}

/// All sums.
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
        let mut tallies = Self {
            all: Counts::default(),
            services: BTreeMap::new(),
            orders: Vec::new(),
            rolls: BTreeMap::new(),
            tags: BTreeMap::new(),
        };

        let mut orders = BTreeMap::new();
        for order in &survey.holding {
            orders.insert(order.register(), OrderTally::new(order));
        }

        for host in &survey.hosts {
            tallies.all.add(host.state);
            tallies.add_services(host);
            tallies.add_slots(host);
            tallies.add_tags(host);
            add_orders(&mut orders, host);
        }

        tallies.drop_tags_of_one();
        tallies.orders = orders.into_values().collect();
        tallies
            .orders
            .sort_by_key(|tally| (tally.is_done(), tally.order.register()));
        tallies
    }

    fn add_services(&mut self, host: &'a SurveyedHost<'a>) {
        for name in host.services() {
            let state = host.state_of(name);
            let tally = self.services.entry(name).or_default();
            tally.counts.add(state);
            tally.states.push(state);
            if state < FleetState::Waived {
                let out = tally.out.entry(state).or_default();
                if out.len() < INNER_MAX {
                    out.push(host);
                }
            }
        }
    }

    fn add_slots(&mut self, host: &'a SurveyedHost<'a>) {
        for (key, slot) in host.slots.into_iter().flatten() {
            let roll = self.rolls.entry(&slot.roll);
            roll.or_insert_with(|| RollEntry::new(slot))
                .add(host.name, key, slot);
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

        self.tags
            .retain(|(tag, _), _| (2..=VALUES_MAX).contains(&values[tag]));
    }
}

fn add_orders<'a>(orders: &mut BTreeMap<String, OrderTally<'a>>, host: &SurveyedHost<'a>) {
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

    let lifts = host
        .late
        .iter()
        .filter(|order| order.state == OrderState::Up);
    for lift in lifts {
        let tally = orders.entry(lift.register());
        tally
            .or_insert_with(|| OrderTally::new(lift))
            .add(host, lift);
    }
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
        } else if host.late.iter().any(|late| late.id == order.id) {
            self.late.push(host.name);
        } else {
            self.done += 1;
        }
    }

    fn is_done(&self) -> bool {
        self.late.is_empty()
    }
}

impl ServiceTally<'_> {
    pub(super) fn entry(&self, name: &str) -> ServiceEntry {
        let out = self.out.iter().flat_map(|(state, hosts)| {
            let name = name.to_owned();
            hosts.iter().map(move |host| {
                let report = host.report_of(&name);
                let report = report.map(|(key, report)| down_entry(key, report, None, None));
                out_entry(host.name, *state, report)
            })
        });
        let worst = self.out.keys().next().copied();
        ServiceEntry {
            name: shown(name, NAME_MAX),
            state: worst.unwrap_or(FleetState::Up),
            serving: self.counts.serving(),
            counts: self.counts.clone(),
            out: out.take(INNER_MAX).collect(),
            bars: self.bars(),
        }
    }

    /// A letter for each host, by name; of many hosts as many of each as there are in proportion, the worst first.
    fn bars(&self) -> String {
        if self.states.len() <= BARS_MAX {
            return self.states.iter().map(|state| state.letter()).collect();
        }

        let mut states = self.states.clone();
        states.sort();
        let at = |bar: usize| states[bar * (states.len() - 1) / (BARS_MAX - 1)];
        let mut bars: String = (0..BARS_MAX).map(|bar| at(bar).letter()).collect();
        // One host of thousands is seen too.
        for (bar, state) in self.out.keys().enumerate() {
            if !bars.contains(state.letter()) {
                bars.replace_range(bar..=bar, &state.letter().to_string());
            }
        }

        bars
    }
}
