//! Fleets as the engine holds them, and the pictures that they make.

use std::time::Instant;

use serde_json::json;

use super::*;
use crate::fleet::engine::{Found, Pair};
use crate::fleet::{Paths, next_at};

pub(in crate::fleet) const NOW: f64 = 1_795_632_137.0;

/// A fleet in the making.
pub(in crate::fleet) struct Fleet(Vec<(String, String)>);

impl Fleet {
    pub(in crate::fleet) fn new() -> Self {
        Self(Vec::new())
    }

    pub(in crate::fleet) fn put(mut self, path: &str, value: &impl ToString) -> Self {
        self.0.push((format!("/p/f/{path}"), value.to_string()));
        self
    }

    /// A host that serves web, in a zone.
    pub(in crate::fleet) fn host(self, name: &str, zone: &str, held: &serde_json::Value) -> Self {
        let record = json!({"v": 1, "host": name, "tags": {"zone": zone}, "services": ["web"], "held": held});
        self.put(&format!("hosts/{name}"), &record)
            .put(&format!("alive/{name}"), &"{}")
    }

    pub(in crate::fleet) fn order(self, register: &str, at: u64, state: &str) -> Self {
        let (key, selector) = register.split_once('/').unwrap();
        let key = Key::parse(key).unwrap();
        let mut order = Order::new(
            at,
            OrderState::Down,
            key,
            Selector::parse(selector).unwrap(),
        );
        if state == "up" {
            order.state = OrderState::Up;
        }
        order.id = format!("{at}-id");
        self.put(&format!("orders/{register}"), &order.to_value())
    }

    pub(in crate::fleet) fn down(self, host: &str, key: &str, origin: &str) -> Self {
        let report =
            json!({"v": 1, "since": NOW, "origin": origin, "by": "alice", "reason": "disk"});
        self.put(&format!("down/{host}/{key}"), &report)
    }

    pub(in crate::fleet) fn lost(mut self, host: &str) -> Self {
        let alive = format!("/p/f/alive/{host}");
        self.0.retain(|(path, _)| *path != alive);
        self
    }

    pub(in crate::fleet) fn snapshot(&self) -> Snapshot {
        let pairs = self.0.iter().map(|(key, value)| pair(key, value, 7));
        let found = Found {
            revision: 9,
            pairs: pairs.collect(),
            ..Found::default()
        };
        let paths = Paths::new("/p", "f");
        let mut snapshot = Snapshot::read(&paths, &found);
        snapshot.take_rolls(&paths, &snapshot.roll_ids(), &found);
        snapshot
    }
}

fn pair(key: &str, value: &str, mod_revision: i64) -> Pair {
    Pair {
        key: key.into(),
        value: value.into(),
        mod_revision,
        ..Pair::default()
    }
}

/// The rows as text: `web01 DOWN`, with marks for what else there is to tell.
fn rows(fleet: &Fleet, key: &str, scope: &str) -> Vec<String> {
    let snapshot = fleet.snapshot();
    assert!(snapshot.odd.is_empty(), "{:?}", snapshot.odd);
    let (key, scope) = (Key::parse(key).unwrap(), Selector::parse(scope).unwrap());
    let picture = FleetPicture::new(&snapshot, &key, &scope, NOW);
    picture.rows.iter().map(shown).collect()
}

fn shown(row: &HostRow<'_>) -> String {
    let mut text = format!("{} {}", row.name, row.state.as_str());
    if row.is_down_locally() {
        text += " locally";
    }
    if row.waived.is_some() {
        text += " waived";
    }
    if let Some(order) = row.order {
        text += &format!(" by {}", order.register());
    }
    if !row.knows {
        text += " unknowing";
    }
    text
}

#[test]
fn each_host_is_what_it_reports_and_a_silent_one_is_lost() {
    let held = json!({"web/*": 5});
    let fleet = Fleet::new()
        .order("web/*", 5, "down")
        .host("web01", "a", &held)
        .down("web01", "web", "fleet:*")
        .host("web02", "a", &held)
        .down("web02", "web", "local")
        .host("web03", "b", &json!({}))
        .host("web04", "b", &held)
        .down("web04", "web", "fleet:*")
        .lost("web04")
        .host("web05", "b", &json!({}))
        .lost("web05");
    assert_eq!(
        rows(&fleet, "web", "*"),
        [
            "web01 DOWN by web/*",
            "web02 DOWN locally by web/*",
            "web03 UP by web/* unknowing",
            "web04 LOST by web/*",
            "web05 LOST by web/* unknowing",
        ]
    );
    assert_eq!(rows(&fleet, "web", "zone=a").len(), 2);
    assert_eq!(rows(&fleet, "web", "host=web03,web09").len(), 1);
    assert!(rows(&fleet, "web", "zone=c").is_empty());
    assert!(rows(&fleet, "mail", "*").is_empty());
    assert_eq!(rows(&fleet, "all", "*").len(), 5);
    let snapshot = fleet.snapshot();
    let web = Key::parse("web").unwrap();
    let sums = FleetPicture::new(&snapshot, &web, &Selector::every_host(), NOW).sums();
    let expected = Sums {
        hosts: 5,
        down: 2,
        up: 1,
        lost: 2,
        waived: 0,
    };
    assert_eq!(sums, expected);
}

#[test]
fn what_takes_everything_down_takes_a_service_down_and_a_service_its_instances() {
    let fleet = Fleet::new()
        .host("web01", "a", &json!({}))
        .down("web01", "all", "local")
        .host("web02", "a", &json!({}))
        .down("web02", "web", "local")
        .host("web03", "a", &json!({}))
        .down("web03", "web:80", "local");
    let states = |key: &str| {
        let snapshot = fleet.snapshot();
        let key = Key::parse(key).unwrap();
        let picture = FleetPicture::new(&snapshot, &key, &Selector::every_host(), NOW);
        let states = picture.rows.iter().map(|row| row.state.as_str());
        states.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(states("all"), "DOWN UP UP");
    assert_eq!(states("web"), "DOWN DOWN UP");
    assert_eq!(states("web:80"), "DOWN DOWN DOWN");
    assert_eq!(states("web:81"), "DOWN DOWN UP");
}

#[test]
fn a_waiver_is_of_one_order_and_void_when_that_is_replaced() {
    let waived = |id: &str| {
        let record = json!({"v": 1, "services": ["web"], "waived": {"web/*": {"order": id, "by": "bob", "reason": "last one"}}});
        Fleet::new()
            .order("web/*", 5, "down")
            .put("hosts/web05", &record)
            .put("alive/web05", &"{}")
    };
    assert_eq!(rows(&waived("5-id"), "web", "*"), ["web05 UP waived"]);
    assert_eq!(
        rows(&waived("4-id"), "web", "*"),
        ["web05 UP by web/* unknowing"]
    );
}

#[test]
fn orders_hold_the_hosts_that_they_select_until_their_end_and_lifts_hold_none() {
    let fleet = Fleet::new()
        .host("web01", "a", &json!({"web/zone=a": 7, "all/*": 4}))
        .host("web02", "b", &json!({}))
        .order("web/zone=a", 7, "down")
        .order("web/*", 6, "up")
        .order("all/*", 4, "up")
        .order("mail/*", 3, "down");
    assert_eq!(
        rows(&fleet, "web", "*"),
        ["web01 UP by web/zone=a", "web02 UP"]
    );
    let snapshot = fleet.snapshot();
    let web = Key::parse("web").unwrap();
    let all = Selector::every_host();
    let picture = FleetPicture::new(&snapshot, &web, &all, NOW);
    assert_eq!(picture.orders.len(), 1);
    assert_eq!(picture.left_without(&Selector::parse("zone=a").unwrap()), 1);
    assert_eq!(picture.left_without(&Selector::parse("zone=b").unwrap()), 0);
}

#[test]
fn what_hosts_hold_and_the_engine_has_lost_is_told() {
    let fleet = Fleet::new()
        .host("web01", "a", &json!({"web/*": 5, "mail/*": 5}))
        .down("web01", "web", "fleet:*")
        .host("web02", "a", &json!({"web/*": 5}));
    let snapshot = fleet.snapshot();
    let web = Key::parse("web").unwrap();
    let picture = FleetPicture::new(&snapshot, &web, &Selector::every_host(), NOW);
    assert_eq!(picture.unknown, ["web/*"]);
}

#[test]
fn a_value_that_cannot_be_read_is_told_and_hides_no_other() {
    let fleet = Fleet::new()
        .host("web01", "a", &json!({}))
        .put("orders/web/*", &"{}")
        .put("hosts/web02", &"x")
        .put("hosts/-oProxyCommand=x", &"{}")
        .put("down/web01/web", &"[1");
    let snapshot = fleet.snapshot();
    assert_eq!(snapshot.hosts.len(), 1);
    assert_eq!(snapshot.odd.len(), 4, "{:?}", snapshot.odd);
    assert!(snapshot.odd[0].starts_with("/p/f/orders/web/* cannot be read: "));
    assert_eq!(snapshot.mod_revision("/p/f/orders/web/*"), 7);
    assert_eq!(snapshot.mod_revision("/p/f/orders/web/zone=a"), 0);
}

#[test]
fn a_host_has_done_an_order_when_it_holds_it_and_says_so() {
    let web = Key::parse("web").unwrap();
    let order = |at, state| Order::new(at, state, web.clone(), Selector::every_host());
    for (held, is_down, at, state, done) in [
        (json!({"web/*": 5}), true, 5, OrderState::Down, true),
        (json!({"web/*": 6}), true, 5, OrderState::Down, true),
        (json!({"web/*": 4}), true, 5, OrderState::Down, false),
        (json!({"web/*": 5}), false, 5, OrderState::Down, false),
        (json!({}), true, 5, OrderState::Down, false),
        (json!({}), false, 5, OrderState::Up, true),
        (json!({}), true, 5, OrderState::Up, true),
        (json!({"web/*": 4}), true, 5, OrderState::Up, false),
        (json!({"web/*": 6}), true, 5, OrderState::Up, true),
    ] {
        let mut fleet = Fleet::new().host("web01", "a", &held);
        if is_down {
            fleet = fleet.down("web01", "web", "fleet:*");
        }
        let snapshot = fleet.snapshot();
        let record = &snapshot.hosts["web01"];
        let found = has_done(&snapshot, "web01", record, &order(at, state));
        assert_eq!(found, done, "{held} {is_down} {at} {state:?}");
    }
}

#[test]
fn a_snapshot_follows_changes() {
    let paths = Paths::new("/p", "f");
    let fleet = Fleet::new()
        .host("web01", "a", &json!({}))
        .down("web01", "web", "local")
        .order("web/*", next_at(1, []), "down");
    let mut snapshot = fleet.snapshot();
    for path in ["down/web01/web", "alive/web01", "orders/web/*"] {
        snapshot.drop_key(&paths, format!("/p/f/{path}").as_bytes());
    }
    assert!(snapshot.alive.is_empty() && snapshot.orders.is_empty());
    assert_eq!(snapshot.report("web01", &Key::parse("web").unwrap()), None);
    snapshot.take(&paths, &pair("/p/f/alive/web01", "{}", 12));
    assert_eq!(snapshot.mod_revision("/p/f/alive/web01"), 12);
}

/// A measurement, run by hand: `cargo test --release --lib ten_thousand -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn how_long_a_picture_of_ten_thousand_hosts_takes() {
    let mut fleet = Fleet::new().order("web/*", 5, "down");
    for n in 0..10_000 {
        let name = format!("web{n:05}");
        let zone = ["a", "b", "c"][n % 3];
        fleet = fleet
            .host(&name, zone, &json!({"web/*": 5}))
            .down(&name, "web", "fleet:*");
    }
    let began = Instant::now();
    let snapshot = fleet.snapshot();
    let read = began.elapsed();
    let web = Key::parse("web").unwrap();
    let picture = FleetPicture::new(&snapshot, &web, &Selector::parse("zone=a,b").unwrap(), NOW);
    let sums = picture.sums();
    println!(
        "read {read:?}, picture {:?}, {sums:?}",
        began.elapsed() - read
    );
}
