//! Fleets as the engine holds them, and what is told of them.

use std::time::Instant;

use serde_json::{Value, json};

use super::*;
use crate::fleet::picture::tests::{Fleet, NOW};
use crate::fleet::{Record as _, RollRecord};

fn request() -> OverviewRequest {
    OverviewRequest {
        scope: Selector::every_host(),
        text: String::new(),
        hosts_max: 100,
    }
}

fn overview(fleet: &Fleet) -> FleetOverview {
    FleetOverview::new(&fleet.snapshot(), &request(), NOW)
}

fn value(fleet: &Fleet) -> Value {
    serde_json::to_value(overview(fleet)).unwrap()
}

fn none() -> Value {
    json!({})
}

/// The hosts in their order: `web01 lost`.
fn states(overview: &FleetOverview) -> Vec<String> {
    let hosts = overview.hosts.iter();
    hosts
        .map(|host| format!("{} {}", host.host, host.state.words()))
        .collect()
}

/// One host in each state.
fn mixed() -> Fleet {
    let waived = json!({"web/*": {"order": "5-id", "by": "bob", "reason": "last one"}});
    let record = json!({"v": 1, "services": ["web"], "waived": waived, "tags": {"zone": "b"}});
    Fleet::new()
        .order("web/*", 5, "down")
        .order("mail/zone=b", 6, "up")
        .host("web01", "a", &json!({"web/*": 5}))
        .down("web01", "web", "fleet:*")
        .host("web02", "a", &none())
        .put("hosts/web03", &record)
        .put("alive/web03", &"{}")
        .host("web04", "a", &json!({"web/*": 5}))
        .lost("web04")
        .host("web05", "b", &json!({"web/*": 5, "mail/zone=b": 4}))
        .down("web05", "web", "fleet:*")
        .down("web05", "all", "local")
}

#[test]
fn hosts_come_by_state_the_worst_first() {
    assert_eq!(
        states(&overview(&mixed())),
        [
            "web04 lost",
            "web02 not done yet",
            "web05 not done yet",
            "web01 down",
            "web03 up by waiver",
        ]
    );
    let fleet = Fleet::new()
        .host("web01", "a", &none())
        .down("web01", "mail", "local")
        .host("web02", "a", &none())
        .down("web02", "all", "local")
        .host("web03", "a", &none());
    assert_eq!(
        states(&overview(&fleet)),
        ["web02 down", "web01 partly down", "web03 up"]
    );
}

#[test]
fn what_a_host_has_not_done_is_told_with_whether_it_knows() {
    let answer = value(&mixed());
    let late = |host: usize| answer["hosts"][host]["late"].clone();
    assert_eq!(late(1)[0]["order"], "web/*");
    assert_eq!(
        (&late(1)[0]["state"], &late(1)[0]["knows"]),
        (&json!("down"), &json!(false))
    );
    assert_eq!(
        (&late(2)[0]["order"], &late(2)[0]["state"]),
        (&json!("mail/zone=b"), &json!("up"))
    );
}

#[test]
fn orders_tell_how_many_have_done_them_and_who_has_not() {
    let answer = value(&mixed());
    let orders = answer["orders"].as_array().unwrap();
    let web = orders.iter().find(|o| o["order"] == "web/*").unwrap();
    for (name, count) in [
        ("hosts", 5),
        ("done", 2),
        ("lost", 1),
        ("waived", 1),
        ("late_count", 1),
    ] {
        assert_eq!(web[name], count, "{name}");
    }
    assert_eq!(web["late"], json!(["web02"]));
    assert_eq!(web["advice"]["command"], json!(["haup", "--fleet", "web"]));
    // A lift is told until it is done.
    let lift = orders.iter().find(|o| o["order"] == "mail/zone=b").unwrap();
    assert_eq!(
        (&lift["state"], &lift["late"]),
        (&json!("up"), &json!(["web05"]))
    );
}

#[test]
fn services_tell_how_many_hosts_are_up_and_why_others_are_not() {
    let answer = value(&mixed());
    let web = &answer["services"][0];
    assert_eq!(
        (&web["name"], &web["hosts"], &web["serving"]),
        (&json!("web"), &json!(5), &json!(1))
    );
    assert_eq!(web["bars"], "dwuld");
    assert_eq!(web["state"], "lost");
    let out = web["out"].as_array().unwrap();
    let names: Vec<&Value> = out.iter().map(|out| &out["host"]).collect();
    assert_eq!(names, ["web04", "web02", "web01", "web05"]);
    assert_eq!(out[2]["down"]["reason"], "disk");
    assert_eq!(out[3]["down"]["key"], "all");
}

#[test]
fn a_host_counts_once_for_a_service_of_which_several_instances_are_down() {
    let fleet = Fleet::new()
        .host("web01", "a", &none())
        .down("web01", "mail:25", "local")
        .down("web01", "mail:465", "local")
        .put("hosts/web02", &json!({"v": 1, "services": ["web", "web"]}))
        .put("alive/web02", &"{}");
    let services = overview(&fleet).services;
    let counts: Vec<(&str, usize)> = services
        .iter()
        .map(|service| (service.name.as_str(), service.counts.hosts))
        .collect();
    assert_eq!(counts, [("mail", 1), ("web", 2)]);
}

#[test]
fn the_verdict_names_what_is_wrong_and_holds_no_time() {
    assert_eq!(
        overview(&mixed()).verdict.text,
        "web04 is lost. web02 and web05 have not done yet what was ordered. web01 is down. \
         1 of 1 service lacks hosts; fewest: web, 1 of 5."
    );
    for (fleet, tone, text) in [
        (Fleet::new(), "mute", "No such host is known."),
        (
            Fleet::new()
                .host("web01", "a", &none())
                .host("web02", "a", &none()),
            "good",
            "Its service has all its hosts.",
        ),
        (
            Fleet::new()
                .host("web01", "a", &none())
                .down("web01", "web", "local"),
            "bad",
            "No host is up for web. web01 is down. 1 of 1 service lacks hosts; fewest: web, 0 of 1.",
        ),
        (
            Fleet::new().host("web01", "a", &json!({"web/*": 3})),
            "bad",
            "Hosts hold orders that etcd has lost. Its service has all its hosts.",
        ),
    ] {
        let verdict = value(&fleet)["verdict"].clone();
        assert_eq!(
            (&verdict["tone"], &verdict["text"]),
            (&json!(tone), &json!(text))
        );
    }
}

#[test]
fn many_hosts_are_counted_and_few_are_named() {
    let mut fleet = Fleet::new();
    for n in 0..500 {
        let name = format!("web{n:03}");
        fleet = fleet.host(&name, ["a", "b"][n % 2], &none());
        if n < 4 {
            fleet = fleet.lost(&name);
        }
    }
    let overview = overview(&fleet);
    assert_eq!(overview.hosts.len(), 100);
    assert_eq!(
        (overview.left_out.hosts, overview.left_out.hosts_up),
        (400, 400)
    );
    assert!(overview.verdict.text.starts_with("4 hosts are lost. "));
    let bars = &overview.services[0].bars;
    assert_eq!((bars.len(), bars.contains('l')), (60, true), "{bars}");
    let tags: Vec<String> = overview
        .tags
        .iter()
        .map(|tag| {
            format!(
                "{}={} {} {}",
                tag.tag, tag.value, tag.counts.hosts, tag.counts.lost
            )
        })
        .collect();
    assert_eq!(tags, ["zone=a 250 2", "zone=b 250 2"]);
}

#[test]
fn a_text_chooses_hosts_by_whatever_is_told_of_them() {
    for (text, hosts) in [
        ("WEB04", &["web04 lost"][..]),
        ("zone=b", &["web05 not done yet", "web03 up by waiver"]),
        ("local", &["web05 not done yet"]),
        ("nowhere", &[]),
    ] {
        let request = OverviewRequest {
            text: text.to_owned(),
            ..request()
        };
        let overview = FleetOverview::new(&mixed().snapshot(), &request, NOW);
        assert_eq!(states(&overview), hosts, "{text}");
        assert_eq!(overview.left_out.hosts_unlike, 5 - hosts.len());
        // What is told of the whole fleet stays.
        assert_eq!(overview.sums.hosts, 5);
    }
}

#[test]
fn a_selector_chooses_whom_the_whole_answer_is_about() {
    let request = OverviewRequest {
        scope: Selector::parse("zone=b").unwrap(),
        ..request()
    };
    let overview = FleetOverview::new(&mixed().snapshot(), &request, NOW);
    assert_eq!(
        (overview.sums.hosts, overview.scope.as_str()),
        (2, "zone=b")
    );
    assert_eq!(overview.services[0].counts.hosts, 2);
}

#[test]
fn slots_are_told_by_their_rolls_and_keep_their_advice() {
    let slot = json!({"v": 1, "roll": "r-5k2", "by": "deploy", "from": "ops1", "since": NOW - 9.0, "phase": "command"});
    let fleet = Fleet::new()
        .host("web01", "a", &none())
        .down("web01", "web", "local")
        .put("slots/web01/web", &slot)
        .host("web02", "a", &none())
        .put("slots/web02/web", &slot);
    // A host that has told nothing of itself holds up others as well.
    let fleet = fleet.put("slots/web09/web", &slot);
    let answer = value(&fleet);
    let roll = &answer["rolls"][0];
    assert_eq!(
        (&roll["roll"], &roll["by"], &roll["count"]),
        (&json!("r-5k2"), &json!("deploy"), &json!(3))
    );
    assert_eq!(roll["slots"][0]["phase"], "command");
    let web01 = &answer["hosts"][0];
    assert_eq!(web01["down"][0]["roll"], "r-5k2");
    let command = json!(["hacheck", "fleet", "release", "-r", "WHY", "web01"]);
    assert_eq!(web01["advice"]["command"], command);
}

/// A roll over five hosts: one is done, one has failed and has its slot, one is tried again, one waits, one was refused.
fn rolled(fleet: Fleet) -> (Fleet, String) {
    let record = json!({
        "v": 1, "id": "", "key": "web", "max_down": "2", "max_failed": 1, "command": ["true"], "by": "deploy",
        "from": "ops1", "at": 1_795_632_000_000_000_u64, "hosts": ["web01", "web02", "web03", "web04", "web05"],
    });
    let record: RollRecord = serde_json::from_value(record).unwrap();
    let record = record.with_id();
    let slot = |phase: &str| json!({"v": 1, "roll": record.id, "by": "deploy", "from": "ops1", "since": NOW, "phase": phase});
    let result = |state: &str| json!({"v": 1, "state": state, "at": 1});
    let path = format!("rolls/{}", record.id);
    let fleet = fleet
        .put(&path, &record.to_json())
        .put(&format!("{path}/web01"), &result("done"))
        .put(&format!("{path}/web02"), &result("failed"))
        .put("slots/web02/web", &slot("failed"))
        .put(&format!("{path}/web03"), &result("failed"))
        .put("slots/web03/web", &slot("command"))
        .put(&format!("{path}/web05"), &result("failed"));
    (fleet, record.id)
}

fn lock(fleet: Fleet, roll: &str) -> Fleet {
    let lock = json!({"v": 1, "roll": roll, "by": "bob", "from": "ops2", "since": NOW - 5.0});
    fleet.put("rolls/lock/web", &lock)
}

#[test]
fn a_roll_tells_how_far_it_is_and_who_runs_it_or_how_to_go_on() {
    let (fleet, id) = rolled(Fleet::new().host("web01", "a", &none()));
    let roll = value(&fleet)["rolls"][0].clone();
    let progress = json!({
        "key": "web", "max_down": "2", "hosts": 5, "done": 1, "failed": 2, "under_way": 1, "waiting": 1,
    });
    assert_eq!(
        (&roll["progress"], &roll["held"]),
        (&progress, &Value::Null)
    );
    let command = json!(["haroll", "--fleet", "--resume", id]);
    assert_eq!(roll["advice"]["command"], command);
    let roll = value(&lock(fleet, &id))["rolls"][0].clone();
    let held = json!({"by": "bob", "from": "ops2", "since": NOW - 5.0});
    assert_eq!((&roll["held"], &roll["advice"]), (&held, &Value::Null));
    assert_eq!(
        (&roll["by"], &roll["since"]),
        (&json!("deploy"), &json!(1_795_632_000.0))
    );
}

#[test]
fn a_roll_is_told_between_two_hosts_too_and_only_where_it_concerns_the_hosts_that_are_shown() {
    let fleet = Fleet::new()
        .host("web04", "a", &none())
        .host("api01", "b", &none());
    let (fleet, id) = rolled(fleet);
    let mut snapshot = lock(fleet, &id).snapshot();
    snapshot.slots.clear();
    let rolls = |scope: &str| {
        let scope = Selector::parse(scope).unwrap();
        let request = OverviewRequest { scope, ..request() };
        FleetOverview::new(&snapshot, &request, NOW).rolls
    };
    assert_eq!(
        (rolls("*")[0].roll.as_str(), rolls("*")[0].count),
        (id.as_str(), 0)
    );
    assert_eq!((rolls("zone=a").len(), rolls("zone=b").len()), (1, 0));
    // A record that somebody changed is none.
    let spoiled = Fleet::new()
        .put(&format!("rolls/{id}"), &"{}")
        .host("web01", "a", &none());
    let roll = value(&lock(spoiled, &id))["rolls"][0].clone();
    assert_eq!(
        (&roll["by"], &roll["progress"]),
        (&json!("bob"), &Value::Null)
    );
    let odd = Fleet::new().put("rolls/lock/web", &"{}");
    let odd = overview(&odd).odd;
    assert!(
        odd[0].starts_with("/p/f/rolls/lock/web cannot be read: "),
        "{odd:?}"
    );
}

#[test]
fn advice_is_for_the_state_and_stands_once_where_several_hosts_share_it() {
    let fleet = Fleet::new()
        .host("web01", "a", &none())
        .down("web01", "web", "local")
        .host("web02", "a", &none())
        .lost("web02")
        .order("web/zone=b", 5, "down");
    let answer = value(&fleet);
    let advice = |host: usize| answer["hosts"][host]["advice"].clone();
    assert_eq!(
        advice(0)["command"],
        json!(["hacheck", "fleet", "forget", "web02"])
    );
    assert_eq!(advice(1)["command"], json!(["haup", "--wait", "web"]));
    assert_eq!(advice(1)["on"], "web01");
    let command = json!(["haup", "--fleet", "--where", "zone=b", "web"]);
    assert_eq!(answer["orders"][0]["advice"]["command"], command);
}

#[test]
fn texts_of_others_are_short_and_turn_nothing() {
    let long = "é".repeat(5000);
    let report = json!({"v": 1, "origin": "local", "by": "a\u{202e}b\nc", "reason": long});
    let fleet = Fleet::new()
        .host("web01", "a", &none())
        .put("down/web01/web", &report);
    let overview = overview(&fleet);
    let down = &overview.hosts[0].down[0];
    assert_eq!(down.by, "ab c");
    assert_eq!(down.reason.chars().count(), REASON_MAX);
}

#[test]
fn the_answer_is_bounded_whatever_the_engine_holds() {
    let mut fleet = Fleet::new();
    for n in 0..300 {
        let host = format!("web{n:03}");
        fleet = fleet.host(&host, &n.to_string(), &json!({format!("gone{n}/*"): 1}));
        for key in 0..20 {
            fleet = fleet.down(&host, &format!("s{n}-{key}"), "local");
        }
        fleet = fleet.order(&format!("o{n}/*"), 5, "down");
        fleet = fleet.put(&format!("hosts/-{n}"), &"{}");
    }
    let overview = overview(&fleet);
    let left_out = &overview.left_out;
    assert_eq!((overview.services.len(), left_out.services), (200, 5801));
    assert_eq!((overview.orders.len(), left_out.orders), (200, 100));
    assert_eq!((overview.unknown.len(), left_out.unknown), (8, 292));
    assert_eq!((overview.odd.len(), left_out.odd), (8, 292));
    assert_eq!(
        (overview.hosts[0].down.len(), overview.hosts[0].left_out),
        (8, 12)
    );
    assert!(
        overview.tags.is_empty(),
        "a value for each host sums up nothing"
    );
    let size = serde_json::to_vec(&overview).unwrap().len();
    assert!(size < 1 << 20, "{size} bytes");
}

/// A measurement, run by hand: `cargo test --release --lib ten_thousand -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn how_long_an_overview_of_ten_thousand_hosts_takes() {
    let services: Vec<String> = (0..10).map(|n| format!("service{n}")).collect();
    let mut fleet = Fleet::new().order("web/*", 5, "down");
    for n in 0..10_000 {
        let name = format!("web{n:05}");
        let zone = ["a", "b", "c"][n % 3];
        let tags = json!({"zone": zone});
        let record =
            json!({"v": 1, "host": name, "tags": tags, "services": services, "held": {"web/*": 5}});
        fleet = fleet
            .put(&format!("hosts/{name}"), &record)
            .put(&format!("alive/{name}"), &"{}")
            .down(&name, "web", "fleet:*");
    }
    let began = Instant::now();
    let snapshot = fleet.snapshot();
    let read = began.elapsed();
    let overview = FleetOverview::new(&snapshot, &request(), NOW);
    let made = began.elapsed() - read;
    let size = serde_json::to_vec(&overview).unwrap().len();
    println!("read {read:?}, overview {made:?}, {size} bytes");
}
