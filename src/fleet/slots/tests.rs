use super::*;
use crate::fleet::engine::{Found, Pair};
use crate::fleet::{Paths, Record as _};

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// A fleet of hosts that serve web: a line each, such as `web01 zone=a alive slot:web down:api`.
fn fleet(lines: &[&str]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for line in lines {
        let mut words = line.split(' ');
        let name = words.next().unwrap().to_owned();
        let mut record = HostRecord {
            services: vec!["web".to_owned()],
            ..HostRecord::default()
        };
        for word in words {
            if let Some((tag, value)) = word.split_once('=') {
                record.tags.insert(tag.to_owned(), value.to_owned());
            } else if let Some(taken) = word.strip_prefix("slot:") {
                let slots = snapshot.slots.entry(name.clone()).or_default();
                slots.insert(taken.to_owned(), Slot::default());
            } else if let Some(taken) = word.strip_prefix("down:") {
                let reports = snapshot.down.entry(name.clone()).or_default();
                reports.insert(taken.to_owned(), Report::default());
            } else if word == "idle" {
                record.services.clear();
            } else if word == "alive" {
                snapshot.alive.insert(name.clone());
            }
        }
        snapshot.hosts.insert(name, record);
    }
    snapshot
}

fn scope(selector: &str, per: Option<(&str, &str)>) -> SlotScope {
    SlotScope {
        selector: Selector::parse(selector).unwrap(),
        per: per.map(|(tag, value)| (tag.to_owned(), value.to_owned())),
    }
}

fn admission(snapshot: &Snapshot, max: &str) -> Admission {
    let max = MaxDown::parse(max).unwrap();
    Admission::new(snapshot, &key("web"), &scope("*", None), "me", max)
}

fn names(admission: &Admission) -> Vec<&str> {
    admission.out.iter().map(|out| out.name.as_str()).collect()
}

#[test]
fn limits_are_numbers_or_percents_and_never_nothing() {
    for (text, of_nine, of_forty) in [
        ("1", 1, 1),
        ("3", 3, 3),
        ("10%", 1, 4),
        ("33%", 2, 13),
        ("100%", 9, 40),
        ("1%", 1, 1),
    ] {
        let max = MaxDown::parse(text).unwrap();
        assert_eq!((max.of(9), max.of(40)), (of_nine, of_forty), "{text}");
    }
    for bad in [
        "",
        "0",
        "0%",
        "101%",
        "-1",
        "+1",
        "1.5",
        "%",
        "10 %",
        "many",
        "99999999999",
    ] {
        assert_eq!(MaxDown::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_host_is_out_with_a_slot_with_a_downtime_or_without_a_sign_of_life() {
    for (other, is_out) in [
        ("web01 alive", false),
        ("web01", true),
        ("web01 alive slot:web", true),
        ("web01 alive slot:all", true),
        ("web01 alive slot:web:80", true),
        ("web01 alive slot:api", false),
        ("web01 alive down:web", true),
        ("web01 alive down:all", true),
        ("web01 alive down:web:10.0.0.7:80", true),
        ("web01 alive down:api", false),
        // One that was not polled lately does not serve it, unless a roll has it.
        ("web01 idle", false),
        ("web01 idle alive slot:web", true),
    ] {
        let admission = admission(&fleet(&["me alive", other]), "1");
        assert_eq!(!admission.is_free(), is_out, "{other}");
    }
}

#[test]
fn one_more_may_go_down_while_fewer_others_are_out_than_may_be() {
    let fleet = fleet(&[
        "me slot:web down:web",
        "web01 alive slot:web",
        "web02",
        "web03 alive",
    ]);
    let two = admission(&fleet, "2");
    assert_eq!(
        (two.hosts, two.max, names(&two)),
        (4, 2, vec!["web01", "web02"])
    );
    assert!(!two.is_free() && admission(&fleet, "3").is_free());
    // 75 of a hundred of four are three.
    assert!(admission(&fleet, "75%").is_free() && !admission(&fleet, "74%").is_free());
    assert!(matches!(two.out[0].cause, OutCause::InSlot(_)));
    assert_eq!(two.out[1].cause, OutCause::Lost);
}

#[test]
fn only_hosts_that_are_selected_and_of_the_same_group_count() {
    let fleet = fleet(&[
        "me zone=a alive",
        "web01 zone=a alive down:web",
        "web02 zone=b alive down:web",
        "web03 alive down:web",
    ]);
    let max = MaxDown::Hosts(9);
    for (selector, per, hosts, out) in [
        ("*", None, 4, vec!["web01", "web02", "web03"]),
        ("zone=a", None, 2, vec!["web01"]),
        ("zone!=b", None, 3, vec!["web01", "web03"]),
        ("*", Some(("zone", "a")), 2, vec!["web01"]),
        ("host=me,web02", None, 2, vec!["web02"]),
    ] {
        let found = Admission::new(&fleet, &key("web"), &scope(selector, per), "me", max);
        assert_eq!(
            (found.hosts, names(&found)),
            (hosts, out),
            "{selector} {per:?}"
        );
    }
}

#[test]
fn everything_on_a_host_concerns_every_host_and_every_downtime() {
    let fleet = fleet(&["me alive", "web01 alive down:api idle", "web02 alive"]);
    let found = Admission::new(
        &fleet,
        &key("all"),
        &scope("*", None),
        "me",
        MaxDown::Hosts(1),
    );
    assert_eq!((found.hosts, names(&found)), (3, vec!["web01"]));
}

#[test]
fn what_cannot_be_read_counts_as_out() {
    let paths = Paths::new("/h", "f");
    let pair = |key: String, value: &str| Pair {
        key: key.into(),
        value: value.into(),
        mod_revision: 3,
        ..Pair::default()
    };
    for path in [
        paths.slot("web01", &key("web")),
        paths.down("web01", &key("web")),
        // A host of which nothing can be read is lost as well.
        paths.host("web01"),
    ] {
        let found = Found {
            pairs: vec![pair(path.clone(), r#"{"v":2}"#)],
            ..Found::default()
        };
        let snapshot = Snapshot::read(&paths, &found);
        let admission = admission(&snapshot, "1");
        assert_eq!(
            (admission.is_free(), names(&admission)),
            (false, vec!["web01"]),
            "{path}"
        );
        assert_eq!(snapshot.odd.len(), 1);
    }
    // Tags that are not known are no reason to leave a slot out.
    let slot = pair(paths.slot("web01", &key("web")), &Slot::default().to_json());
    let found = Found {
        pairs: vec![slot],
        ..Found::default()
    };
    let snapshot = Snapshot::read(&paths, &found);
    let scope = scope("zone=a", None);
    let found = Admission::new(&snapshot, &key("web"), &scope, "me", MaxDown::Hosts(1));
    assert!(!found.is_free());
}

#[test]
fn waits_grow_with_the_fleet_and_differ() {
    let mut admission = admission(&fleet(&["me alive"]), "1");
    for (hosts, most) in [(3, 1), (100, 1), (500, 5), (6000, 60), (1_000_000, 60)] {
        admission.hosts = hosts;
        let most = Duration::from_secs(most);
        let waits: Vec<Duration> = (0..50).map(|_| admission.wait()).collect();
        assert!(
            waits.iter().all(|wait| *wait >= most / 2 && *wait <= most),
            "{hosts}"
        );
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{hosts}");
    }
}
