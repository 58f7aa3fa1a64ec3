//! What a command is to write, from what was read: which orders, and what the operator should know.
//!
//! Rule: pure; the same snapshot gives the same plan, but for ids. Only what was planned from what is compared is written.

use super::output::{described, described_order};
use super::request::FleetRequest;
use super::scope;
use crate::cli::failure::{Failure, failed};
use crate::cli::wait::acted::Goal;
use crate::fleet::picture::{FleetPicture, HostRow, has_done};
use crate::fleet::{
    HostRecord, Order, OrderState, Report, Selector, Snapshot, next_at, now_micros, register,
};
use crate::names::Key;
use crate::spool::{Mark, unix_now};

/// Who orders.
#[derive(Debug, Clone)]
pub(super) struct Author {
    /// The user, as the command line says.
    pub(super) by: String,
    /// The host of the command line.
    pub(super) from: String,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) orders: Vec<Order>,
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// Whether there is an order for a key.
    pub(super) fn lifts(&self, key: &Key) -> bool {
        self.orders.iter().any(|order| order.key == *key)
    }
}

/// Plans downtimes.
pub(super) fn down(
    request: &FleetRequest,
    snapshot: &Snapshot,
    fleet: &str,
    author: &Author,
) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    let mut failures = Vec::new();
    for key in &request.keys {
        if let Err(failure) = plan_down(request, snapshot, fleet, author, key, &mut plan) {
            failures.push(failure);
        }
    }
    // One that is refused keeps the others from being written, so that all or nothing is.
    Failure::unless_empty(&failures)?;
    Ok(plan)
}

fn plan_down(
    request: &FleetRequest,
    snapshot: &Snapshot,
    fleet: &str,
    author: &Author,
    key: &Key,
    plan: &mut Plan,
) -> Result<(), Failure> {
    let now = unix_now();
    let selector = &request.selector;
    if !request.force {
        let is_empty = scope::refuse_empty(snapshot, fleet, key, selector, now);
        is_empty.map_err(|failure| failure.and_line(NOTHING_FORCE))?;
    }
    let before = snapshot.orders.get(&register(key, selector));
    let before = before.filter(|order| order.holds(now));
    if let Some(before) = before {
        if request.if_up {
            return Err(failed!(
                "{key} is already down: {}; it stays as it is (--if-up)",
                described_order(before)
            ));
        }
        plan.notes.push(format!(
            "{key} was already ordered down: {}; replaced",
            described_order(before)
        ));
    }
    for sentence in emptied(snapshot, key, selector, now) {
        if request.wait.is_some() && !request.force {
            return Err(failed!("{sentence}; --force takes it down anyway"));
        }
        plan.notes.push(sentence);
    }
    let mut order = new_order(snapshot, key, selector, OrderState::Down, author);
    order.reason = request.reason.clone().unwrap_or_default();
    order.expiration = request.expiration;
    order.creation = Some(creation(before, &order.reason, now));
    order.soft = request.mark == Some(Mark::Soft);
    order.drain = request.mark == Some(Mark::Drain);
    order.hosts = count(FleetPicture::new(snapshot, key, selector, now).rows.len());
    plan.orders.push(order);
    Ok(())
}

const NOTHING_FORCE: &str = "nothing was ordered; --force orders it anyway";

/// When the downtime began: as before for an equal reason.
fn creation(before: Option<&Order>, reason: &str, now: f64) -> f64 {
    match before {
        Some(before) if before.reason == reason => before.creation.unwrap_or(now),
        _ => now,
    }
}

/// A sentence for each service that nobody would be left to serve.
fn emptied(snapshot: &Snapshot, key: &Key, selector: &Selector, now: f64) -> Vec<String> {
    let mut sentences = Vec::new();
    for service in scope::services(snapshot, key, selector) {
        let picture = FleetPicture::new(snapshot, &service, &Selector::every_host(), now);
        let is_emptied = picture.left_without(selector) == 0 && picture.sums().up > 0;
        if is_emptied {
            let who = who_goes(&picture, selector);
            sentences.push(format!("that leaves {service} without a server: {who}"));
        }
    }
    sentences
}

/// `all 40 hosts that serve it`, or how many of them, where the others are out already.
fn who_goes(picture: &FleetPicture<'_>, selector: &Selector) -> String {
    let all = picture.rows.len();
    let is_taken = |name: &str, tags| selector.selects(name, tags);
    let taken = picture.rows.iter();
    let taken = taken
        .filter(|row| is_taken(row.name, &row.record.tags))
        .count();
    match taken == all {
        true if all == 1 => "the only host that serves it".to_owned(),
        true => format!("all {all} hosts that serve it"),
        false => format!("{taken} of {all} hosts that serve it, and the others are out already"),
    }
}

fn new_order(
    snapshot: &Snapshot,
    key: &Key,
    selector: &Selector,
    state: OrderState,
    author: &Author,
) -> Order {
    let register = register(key, selector);
    let held = snapshot.hosts.values();
    let held = held.filter_map(|host| host.held.get(&register).copied());
    let own = snapshot.orders.get(&register).map(|order| order.at);
    let at = next_at(now_micros(), held.chain(own));
    let mut order = Order::new(at, state, key.clone(), selector.clone());
    order.by.clone_from(&author.by);
    order.from.clone_from(&author.from);
    order
}

fn count(hosts: usize) -> u64 {
    u64::try_from(hosts).unwrap_or(u64::MAX)
}

/// Plans lifts: of every selector, or of exactly the one that is named.
pub(super) fn up(request: &FleetRequest, snapshot: &Snapshot, author: &Author) -> Plan {
    let mut plan = Plan::default();
    for key in &request.keys {
        let selectors = selectors_to_lift(request, snapshot, key);
        if selectors.is_empty() {
            plan.notes.push(not_ordered(request, key));
        }
        for selector in selectors {
            let mut order = new_order(snapshot, key, &selector, OrderState::Up, author);
            order.reason = request.reason.clone().unwrap_or_default();
            order.hosts = count(snapshot.selected(&selector).count());
            plan.orders.push(order);
        }
    }
    plan
}

fn not_ordered(request: &FleetRequest, key: &Key) -> String {
    match request.selector.is_every_host() {
        true => format!("{key} was not ordered down"),
        false => format!("{key} was not ordered down for {}", request.selector),
    }
}

/// The selectors of a key whose orders hold, in the engine or on any host.
fn selectors_to_lift(request: &FleetRequest, snapshot: &Snapshot, key: &Key) -> Vec<Selector> {
    let mut selectors = Vec::new();
    for order in snapshot.orders.values() {
        if order.key == *key && order.state == OrderState::Down {
            selectors.push(order.selector.clone());
        }
    }
    for register in snapshot.hosts.values().flat_map(|host| held_of(host, key)) {
        if !selectors.contains(&register) && is_not_lifted(snapshot, key, &register) {
            selectors.push(register);
        }
    }
    if !request.selector.is_every_host() {
        selectors.retain(|selector| *selector == request.selector);
    }
    selectors
}

/// The selectors of the orders of a key that a host holds.
fn held_of(host: &HostRecord, key: &Key) -> Vec<Selector> {
    let mut selectors = Vec::new();
    for register in host.held.keys() {
        let Some((name, selector)) = register.split_once('/') else {
            continue;
        };
        if name == key.file_name()
            && let Ok(selector) = Selector::parse(selector)
        {
            selectors.push(selector);
        }
    }
    selectors
}

/// Whether a host may hold an order that the engine has no newer lift of: a host that has not done the lift yet needs none.
fn is_not_lifted(snapshot: &Snapshot, key: &Key, selector: &Selector) -> bool {
    let register = register(key, selector);
    let Some(lift) = snapshot.orders.get(&register) else {
        return true;
    };
    let held = snapshot.hosts.values();
    let mut held = held.filter_map(|host| host.held.get(&register));
    held.any(|at| *at > lift.at)
}

/// What keeps hosts down after a lift, in a sentence each.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// Orders of other selectors, and of everything.
    pub(super) orders: Vec<String>,
    /// Downtimes that somebody wrote on a host.
    pub(super) local: Vec<String>,
}

/// What keeps hosts down that a selector selects, besides what was lifted.
pub(super) fn rest(snapshot: &Snapshot, key: &Key, lifts: &[&Order], selector: &Selector) -> Rest {
    let picture = FleetPicture::new(snapshot, key, selector, unix_now());
    let mut rest = Rest::default();
    for order in &picture.orders {
        // Of a register that was lifted, an order is a newer one.
        let is_ours = lifts.iter().any(|lift| lift.id == order.id);
        if !is_ours {
            rest.orders.push(still_ordered(order, key, &picture));
        }
    }
    for row in picture.rows.iter().filter(|row| row.is_down_locally()) {
        rest.local.push(still_local(row, key));
    }
    rest
}

/// `web12: web stays down: local by carol since 09:12, for "bad RAM"; 'haup web' there lifts it`.
fn still_local(row: &HostRow<'_>, key: &Key) -> String {
    let name = row.name;
    let local = match row.report {
        Some(report) => described("local", &report.by, (report.since, None), &report.reason),
        None => "local".to_owned(),
    };
    let there = row.report_key;
    format!("{name}: {key} stays down: {local}; 'haup {there}' there lifts it")
}

fn still_ordered(order: &Order, key: &Key, picture: &FleetPicture<'_>) -> String {
    let selects = |name: &str, tags| order.selector.selects(name, tags);
    let rows = picture.rows.iter();
    let held = rows
        .filter(|row| selects(row.name, &row.record.tags))
        .count();
    let held = scope::hosts(held);
    let selector = match order.selector.is_every_host() {
        true => String::new(),
        false => format!(" --where '{}'", order.selector),
    };
    format!(
        "{key} stays down on {held}: {}; 'haup --fleet{selector} {}' lifts it",
        described_order(order),
        order.key
    )
}

/// How far the hosts that orders are for are with them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct HostsStanding {
    pub(super) done: usize,
    /// Live ones that have not done it.
    pub(super) missing: Vec<String>,
    pub(super) lost: Vec<String>,
}

/// The hosts that the orders of a key are for: those that serve it, or all where nobody does.
pub(super) fn scope(snapshot: &Snapshot, key: &Key, orders: &[&Order]) -> Vec<String> {
    let is_meant = |name: &str, record: &HostRecord| {
        let mut selectors = orders.iter().map(|order| &order.selector);
        selectors.any(|selector| selector.selects(name, &record.tags))
    };
    let picture = FleetPicture::new(snapshot, key, &Selector::every_host(), unix_now());
    let rows = picture.rows.iter();
    let serving = rows.filter(|row| is_meant(row.name, row.record));
    let serving: Vec<String> = serving.map(|row| row.name.to_owned()).collect();
    if !serving.is_empty() {
        return serving;
    }
    let all = snapshot.hosts.iter();
    let meant = all.filter(|(name, record)| is_meant(name, record));
    meant.map(|(name, _)| name.clone()).collect()
}

/// How far some hosts are with the orders of a key, and with what is waited for besides.
pub(super) fn standing(
    snapshot: &Snapshot,
    scope: &[String],
    orders: &[&Order],
    goal: Option<Goal>,
) -> HostsStanding {
    let mut standing = HostsStanding::default();
    for name in scope {
        // One that was forgotten meanwhile is none.
        let Some(record) = snapshot.hosts.get(name) else {
            continue;
        };
        if !snapshot.alive.contains(name) {
            standing.lost.push(name.clone());
        } else if is_done(snapshot, name, record, orders, goal) {
            standing.done += 1;
        } else {
            standing.missing.push(name.clone());
        }
    }
    standing
}

fn is_done(
    snapshot: &Snapshot,
    name: &str,
    record: &HostRecord,
    orders: &[&Order],
    goal: Option<Goal>,
) -> bool {
    let mut own = orders
        .iter()
        .filter(|order| order.selector.selects(name, &record.tags));
    own.all(|order| {
        let report = snapshot.report(name, &order.key);
        has_done(snapshot, name, record, order) && is_reached(goal, report)
    })
}

/// Whether a host's balancers have done what is waited for, by what it reports.
fn is_reached(goal: Option<Goal>, report: Option<&Report>) -> bool {
    match (goal, report) {
        (None, _) => true,
        (Some(Goal::Up), report) => report.is_none(),
        (Some(Goal::Out | Goal::Drained), None) => false,
        (Some(Goal::Out), Some(report)) => report.acted >= report.pollers,
        (Some(Goal::Drained), Some(report)) => {
            report.acted >= report.pollers && report.sessions.unwrap_or(0) == 0
        }
    }
}

#[cfg(test)]
mod tests;
