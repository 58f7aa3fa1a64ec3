//! What `haup --fleet` writes, and what keeps hosts down afterwards.
//!
//! Rule: a lift is an order of its own, newer than what it lifts. Nothing comes up because an order is gone: of
//! 224 lifts of a prototype where absence lifted, 51 brought up a host that was to be down, because the engine was wiped.

use super::{Author, ORDERS_MAX, Plan, count, new_order};
use crate::cli::fleet::output::{described, described_order};
use crate::cli::fleet::request::FleetRequest;
use crate::cli::fleet::scope;
use crate::fleet::picture::{FleetPicture, HostRow};
use crate::fleet::{HostRecord, Order, OrderState, Selector, Snapshot, register};
use crate::names::Key;
use crate::spool::unix_now;

/// Plans lifts: of every selector, or of exactly the one that is named; no more than can be written together, those of the
/// engine's orders first.
pub(in crate::cli::fleet) fn up(
    request: &FleetRequest,
    snapshot: &Snapshot,
    author: &Author,
) -> Plan {
    let mut plan = Plan::default();
    for key in &request.keys {
        let selectors = selectors_to_lift(request, snapshot, key);
        if selectors.is_empty() {
            plan.notes.push(not_ordered(request, key));
        }

        for selector in selectors {
            let mut lift = new_order(snapshot, key, &selector, OrderState::Up, author);
            lift.reason = request.reason.clone().unwrap_or_default();
            lift.hosts = count(snapshot.selected(&selector).count());
            plan.orders.push(lift);
        }
    }

    // What hosts say that they hold must keep nobody from lifting the rest, and they may say much.
    plan.orders.truncate(ORDERS_MAX);
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
    let mut selectors = ordered_down(snapshot, key);
    // After the engine was wiped, only hosts know of orders, and nothing but a lift brings them up.
    for selector in snapshot.hosts.values().flat_map(|host| held_of(host, key)) {
        if !selectors.contains(&selector) && is_not_lifted(snapshot, key, &selector) {
            selectors.push(selector);
        }
    }

    // Without --where every order of the key is lifted, whomever it was for.
    if !request.selector.is_every_host() {
        selectors.retain(|selector| *selector == request.selector);
    }

    selectors
}

/// The selectors of a key whose orders hold in the engine.
fn ordered_down(snapshot: &Snapshot, key: &Key) -> Vec<Selector> {
    let mut selectors = Vec::new();
    for order in snapshot.orders.values() {
        if order.key == *key && order.state == OrderState::Down {
            selectors.push(order.selector.clone());
        }
    }

    selectors
}

/// The selectors of the orders of a key that a host holds.
fn held_of(host: &HostRecord, key: &Key) -> Vec<Selector> {
    let mut selectors = Vec::new();
    for register in host.held.keys() {
        if let Some((name, selector)) = register.split_once('/')
            && name == key.file_name()
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

    let mut hosts = snapshot.hosts.values();
    hosts.any(|host| holds_newer(host, &register, lift.at))
}

fn holds_newer(host: &HostRecord, register: &str, lifted_at: u64) -> bool {
    match host.held.get(register) {
        Some(at) => *at > lifted_at,
        None => false,
    }
}

/// What keeps hosts down after a lift, in a sentence each.
#[derive(Debug, Default)]
pub(in crate::cli::fleet) struct Rest {
    /// Orders of other selectors, and of everything.
    pub(in crate::cli::fleet) orders: Vec<String>,
    /// Downtimes that somebody wrote on a host.
    pub(in crate::cli::fleet) local: Vec<String>,
}

/// What keeps hosts down that a selector selects, besides what was lifted.
pub(in crate::cli::fleet) fn rest(
    snapshot: &Snapshot,
    key: &Key,
    lifts: &[&Order],
    selector: &Selector,
) -> Rest {
    let picture = FleetPicture::new(snapshot, key, selector, unix_now());
    Rest {
        orders: other_orders(&picture, key, lifts),
        local: local_downtimes(&picture, key),
    }
}

fn other_orders(picture: &FleetPicture<'_>, key: &Key, lifts: &[&Order]) -> Vec<String> {
    let mut sentences = Vec::new();
    for order in &picture.orders {
        // Of a register that was lifted, an order is a newer one.
        let is_ours = lifts.iter().any(|lift| lift.id == order.id);
        if !is_ours {
            sentences.push(still_ordered(order, key, picture));
        }
    }

    sentences
}

fn local_downtimes(picture: &FleetPicture<'_>, key: &Key) -> Vec<String> {
    let mut sentences = Vec::new();
    for row in &picture.rows {
        if row.is_down_locally() {
            sentences.push(still_local(row, key));
        }
    }

    sentences
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
    let held = scope::hosts(picture.selected_by(&order.selector));
    let described = described_order(order);
    let ordered = &order.key;
    let selector = match order.selector.is_every_host() {
        true => String::new(),
        false => format!(" --where '{}'", order.selector),
    };
    format!("{key} stays down on {held}: {described}; 'haup --fleet{selector} {ordered}' lifts it")
}
