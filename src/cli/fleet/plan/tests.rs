//! Fleets as they are read, and what is then written and told.

use std::collections::BTreeMap;

use super::standing::is_reached;
use super::*;
use crate::cli::fleet::request::{FleetFile, FleetRequest};
use crate::cli::output::entries::OutputFormat;
use crate::cli::wait::acted::Goal;
use crate::fleet::{HostRecord, Report};

const NAMES: [&str; 3] = ["web01", "web02", "web03"];

/// Three hosts that serve web, two of them in zone a.
fn fleet() -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (name, zone) in NAMES.into_iter().zip(["a", "a", "b"]) {
        let record = HostRecord {
            host: name.to_owned(),
            tags: BTreeMap::from([("zone".to_owned(), zone.to_owned())]),
            services: vec!["web".to_owned()],
            ..HostRecord::default()
        };
        snapshot.hosts.insert(name.to_owned(), record);
        snapshot.alive.insert(name.to_owned());
    }
    snapshot
}

fn request(key: &str, selector: &str) -> FleetRequest {
    FleetRequest {
        file: FleetFile::of(None),
        selector: Selector::parse(selector).unwrap(),
        keys: vec![Key::parse(key).unwrap()],
        reason: Some("disk".to_owned()),
        expiration: None,
        mark: None,
        if_up: false,
        force: false,
        wait: None,
        timeout: None,
        format: OutputFormat::Table,
    }
}

fn author() -> Author {
    Author {
        by: "bob".to_owned(),
        from: "ops1".to_owned(),
    }
}

fn order(register: &str, at: u64, state: OrderState) -> Order {
    let (key, selector) = register.split_once('/').unwrap();
    let selector = Selector::parse(selector).unwrap();
    let mut order = Order::new(at, state, Key::parse(key).unwrap(), selector);
    order.by = "alice".to_owned();
    order.reason = "disk".to_owned();
    order.creation = Some(1e9);
    order
}

fn put(snapshot: &mut Snapshot, order: &Order) {
    snapshot.orders.insert(order.register(), order.clone());
}

fn hold(snapshot: &mut Snapshot, host: &str, order: &Order) {
    let record = snapshot.hosts.get_mut(host).unwrap();
    record.held.insert(order.register(), order.at);
    let report = Report {
        origin: format!("fleet:{}", order.selector),
        order: order.id.clone(),
        ..Report::default()
    };
    let reports = snapshot.down.entry(host.to_owned()).or_default();
    reports.insert(order.key.file_name(), report);
}

fn report_local(snapshot: &mut Snapshot, host: &str, key: &str) {
    let report = Report {
        origin: "local".to_owned(),
        by: "carol".to_owned(),
        reason: "bad RAM".to_owned(),
        ..Report::default()
    };
    let reports = snapshot.down.entry(host.to_owned()).or_default();
    reports.insert(key.to_owned(), report);
}

fn plan_of(request: &FleetRequest, snapshot: &Snapshot) -> Plan {
    down(request, snapshot, "shop", &author()).unwrap_or_else(|e| panic!("{e}"))
}

fn refusal(request: &FleetRequest, snapshot: &Snapshot) -> String {
    let failure = down(request, snapshot, "shop", &author()).unwrap_err();
    assert_eq!(failure.code, 1);
    failure.message
}

#[test]
fn an_order_says_who_why_where_and_for_how_many() {
    let plan = plan_of(&request("web", "zone=a"), &fleet());
    let [order] = &plan.orders[..] else {
        panic!("{plan:?}");
    };
    assert_eq!(order.register(), "web/zone=a");
    assert_eq!((order.by.as_str(), order.from.as_str()), ("bob", "ops1"));
    assert_eq!((order.reason.as_str(), order.hosts), ("disk", 2));
    assert_eq!(order.state, OrderState::Down);
    assert!(plan.notes.is_empty(), "{:?}", plan.notes);
}

#[test]
fn the_same_selector_again_is_replaced_with_a_note_and_keeps_its_beginning_for_an_equal_reason() {
    let mut snapshot = fleet();
    put(&mut snapshot, &order("web/zone=a", 5, OrderState::Down));
    let mut request = request("web", "zone=a");
    let plan = plan_of(&request, &snapshot);
    assert_eq!(plan.orders[0].creation, Some(1e9));
    let note = &plan.notes[0];
    assert!(
        note.starts_with("web was already ordered down: fleet order by alice since 2001-09-0")
            && note.ends_with("for \"disk\"; replaced"),
        "{note}"
    );
    request.reason = Some("RAM".to_owned());
    let plan = plan_of(&request, &snapshot);
    assert!(plan.orders[0].creation > Some(1e9));
    request.if_up = true;
    let said = refusal(&request, &snapshot);
    assert!(
        said.starts_with("web is already down: fleet order by alice"),
        "{said}"
    );
    assert!(said.ends_with("it stays as it is (--if-up)"), "{said}");
}

#[test]
fn what_was_lifted_or_is_over_is_no_downtime_that_is_replaced() {
    let mut snapshot = fleet();
    put(&mut snapshot, &order("web/zone=a", 5, OrderState::Up));
    let mut over = order("web/host=web01", 5, OrderState::Down);
    over.expiration = Some(1e9);
    put(&mut snapshot, &over);
    for selector in ["zone=a", "host=web01"] {
        let mut request = request("web", selector);
        request.if_up = true;
        assert!(plan_of(&request, &snapshot).notes.is_empty(), "{selector}");
    }
}

#[test]
fn a_new_order_is_later_than_what_any_clock_has_stamped() {
    let ahead = 9_000_000_000_000_000;
    let mut snapshot = fleet();
    put(&mut snapshot, &order("web/*", ahead, OrderState::Up));
    hold(
        &mut snapshot,
        "web02",
        &order("web/*", ahead + 7, OrderState::Down),
    );
    let plan = plan_of(&request("web", "*"), &snapshot);
    // 2^53 - 1 is the last stamp.
    assert_eq!(plan.orders[0].at, ahead + 8);
}

/// One host's word must not end the order of all later ones.
#[test]
fn a_stamp_at_the_end_of_time_that_a_host_claims_counts_for_nothing() {
    let last = (1 << 53) - 2;
    let mut snapshot = fleet();
    hold(
        &mut snapshot,
        "web02",
        &order("web/*", last, OrderState::Down),
    );
    let plan = plan_of(&request("web", "*"), &snapshot);
    assert!(
        plan.orders[0].at < last - 1_000_000,
        "{}",
        plan.orders[0].at
    );
}

#[test]
fn the_last_hosts_of_a_service_are_noted_and_with_wait_refused_unless_forced() {
    let snapshot = fleet();
    let sentence = "that leaves web without a server: all 3 hosts that serve it";
    let mut wide = request("web", "*");
    assert_eq!(plan_of(&wide, &snapshot).notes, [sentence]);
    wide.wait = Some(Goal::Out);
    assert_eq!(
        refusal(&wide, &snapshot),
        format!("{sentence}; --force takes it down anyway")
    );
    wide.force = true;
    assert_eq!(plan_of(&wide, &snapshot).notes, [sentence]);

    let mut partly = fleet();
    report_local(&mut partly, "web03", "web");
    let plan = plan_of(&request("web", "zone=a"), &partly);
    assert_eq!(
        plan.notes,
        [
            "that leaves web without a server: 2 of 3 hosts that serve it, and the others are out already"
        ]
    );
    // Everything on these hosts takes their services down, too.
    let plan = plan_of(&request("all", "zone=a"), &partly);
    assert_eq!(plan.notes.len(), 1, "{:?}", plan.notes);
    assert!(
        plan_of(&request("all", "zone=a"), &snapshot)
            .notes
            .is_empty()
    );
}

#[test]
fn a_slip_of_the_finger_orders_nothing_unless_forced() {
    let snapshot = fleet();
    for (key, selector, said) in [
        (
            "wbe",
            "*",
            "no host of the fleet shop serves wbe (did you mean web?); there are web",
        ),
        (
            "web",
            "zone=north",
            "no host of the fleet shop is selected by zone=north: zone is never north; it is a, b",
        ),
        (
            "web",
            "zoen=a",
            "no host of the fleet shop is selected by zoen=a: no host has the tag zoen (did you mean zone?); there are host, zone",
        ),
        (
            "web",
            "host=web1",
            "no host of the fleet shop is selected by host=web1: host is never web1 (did you mean web01?); it is web01, web02, web03",
        ),
    ] {
        let mut request = request(key, selector);
        let refused = refusal(&request, &snapshot);
        assert_eq!(
            refused,
            format!("{said}\nnothing was ordered; --force orders it anyway")
        );
        request.force = true;
        assert_eq!(plan_of(&request, &snapshot).orders.len(), 1);
    }
    let nobody = refusal(&request("web", "*"), &Snapshot::default());
    assert!(
        nobody.starts_with("no host of the fleet shop is known; set fleet_file"),
        "{nobody}"
    );
}

#[test]
fn one_service_that_is_refused_keeps_the_others_from_being_ordered() {
    let mut request = request("web", "*");
    request.keys.push(Key::parse("mail").unwrap());
    let said = refusal(&request, &fleet());
    assert!(
        said.contains("serves mail") && !said.contains("serves web"),
        "{said}"
    );
}

/// The registers that a lift writes.
fn lifts(snapshot: &Snapshot, selector: &str) -> Vec<String> {
    let plan = up(&request("web", selector), snapshot, &author());
    let lifts = plan.orders.iter();
    assert!(
        plan.orders
            .iter()
            .all(|order| order.state == OrderState::Up)
    );
    lifts.map(Order::register).collect()
}

#[test]
fn a_lift_without_where_is_of_every_selector_in_the_engine_or_on_any_host() {
    let mut snapshot = fleet();
    put(&mut snapshot, &order("web/*", 5, OrderState::Down));
    put(&mut snapshot, &order("web/zone=a", 6, OrderState::Down));
    put(&mut snapshot, &order("web/zone=b", 6, OrderState::Up));
    put(&mut snapshot, &order("mail/*", 6, OrderState::Down));
    // What the engine has lost, and what a host has not lifted yet.
    hold(
        &mut snapshot,
        "web03",
        &order("web/host=web03", 7, OrderState::Down),
    );
    hold(
        &mut snapshot,
        "web03",
        &order("web/zone=b", 4, OrderState::Down),
    );
    assert_eq!(
        lifts(&snapshot, "*"),
        ["web/*", "web/zone=a", "web/host=web03"]
    );
    assert_eq!(lifts(&snapshot, "zone=a"), ["web/zone=a"]);
    assert_eq!(lifts(&snapshot, "zone=c"), [""; 0]);
    // Restored from a backup: the host holds what is newer than the lift.
    hold(
        &mut snapshot,
        "web03",
        &order("web/zone=b", 9, OrderState::Down),
    );
    assert!(lifts(&snapshot, "*").contains(&"web/zone=b".to_owned()));
    let plan = up(&request("api", "*"), &snapshot, &author());
    assert_eq!(plan.notes, ["api was not ordered down"]);
}

#[test]
fn after_a_lift_what_still_holds_is_named_with_its_remedy() {
    let mut snapshot = fleet();
    let wide = order("web/*", 5, OrderState::Down);
    put(&mut snapshot, &wide);
    put(&mut snapshot, &order("all/zone=b", 6, OrderState::Down));
    report_local(&mut snapshot, "web01", "web");
    hold(&mut snapshot, "web02", &wide);
    let lift = order("web/zone=a", 9, OrderState::Up);
    put(&mut snapshot, &lift);
    let web = Key::parse("web").unwrap();
    let of = |selector: &str| {
        let selector = Selector::parse(selector).unwrap();
        rest(&snapshot, &web, &[&lift], &selector)
    };
    let narrow = of("zone=a");
    assert_eq!(narrow.orders.len(), 1);
    let said = &narrow.orders[0];
    assert!(
        said.starts_with("web stays down on 2 hosts: fleet order by alice since ")
            && said.ends_with("for \"disk\"; 'haup --fleet web' lifts it"),
        "{said}"
    );
    let local = "web01: web stays down: local by carol, for \"bad RAM\"; 'haup web' there lifts it";
    assert_eq!(narrow.local, [local]);
    let all = of("*");
    assert!(
        all.orders[0].ends_with("'haup --fleet --where 'zone=b' all' lifts it"),
        "{:?}",
        all.orders
    );
}

#[test]
fn hosts_are_counted_as_done_missing_and_lost() {
    let mut snapshot = fleet();
    let wide = order("web/*", 5, OrderState::Down);
    put(&mut snapshot, &wide);
    hold(&mut snapshot, "web01", &wide);
    snapshot.alive.remove("web03");
    let web = Key::parse("web").unwrap();
    let scope = scope(&snapshot, &web, &[&wide]);
    assert_eq!(scope, NAMES);
    let found = standing(&snapshot, &scope, &[&wide], None);
    let expected = HostsStanding {
        done: 1,
        missing: vec!["web02".to_owned()],
        lost: vec!["web03".to_owned()],
    };
    assert_eq!(found, expected);
}

#[test]
fn balancers_are_waited_for_by_what_the_hosts_report() {
    let report = |acted, sessions| Report {
        pollers: 3,
        acted,
        sessions,
        ..Report::default()
    };
    for (goal, acted, sessions, reached) in [
        (None, 0, Some(9), true),
        (Some(Goal::Out), 2, None, false),
        (Some(Goal::Out), 3, Some(9), true),
        (Some(Goal::Drained), 3, Some(9), false),
        (Some(Goal::Drained), 3, Some(0), true),
        (Some(Goal::Drained), 3, None, true),
        (Some(Goal::Up), 3, None, false),
    ] {
        let found = is_reached(goal, Some(&report(acted, sessions)));
        assert_eq!(found, reached, "{goal:?} {acted} {sessions:?}");
    }
    assert!(is_reached(Some(Goal::Up), None) && !is_reached(Some(Goal::Out), None));
}
