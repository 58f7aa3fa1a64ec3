//! The alert rules under packaging/prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::daemon::{Daemon, Setup};
use crate::support::root::succeed;

const RULES: &str = "packaging/prometheus/hacheck.rules.yml";

#[test]
fn the_alert_rules_are_valid() {
    succeed(Command::new("promtool").args(["check", "rules", RULES]));
}

#[test]
fn the_alert_rules_fire_and_stay_quiet_as_their_tests_say() {
    succeed(
        Command::new("promtool")
            .args(["test", "rules", "hacheck.rules.test.yml"])
            .current_dir("packaging/prometheus"),
    );
}

#[test]
fn each_alert_has_a_case_where_it_fires_and_one_where_it_does_not() {
    let rules = yaml(RULES);
    let tests = yaml("packaging/prometheus/hacheck.rules.test.yml");
    let mut cases: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for test in tests["tests"].as_array().unwrap() {
        for case in test["alert_rule_test"].as_array().unwrap() {
            let fires = case["exp_alerts"] != json!([]);
            let name = case["alertname"].as_str().unwrap();
            cases.entry(name).or_default().insert(fires);
        }
    }
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        let name = rule["alert"].as_str().unwrap();
        assert_eq!(cases[name], BTreeSet::from([false, true]), "{name}");
    }
}

fn yaml(path: &str) -> Value {
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_alert_rules_speak_of_metrics_that_the_daemon_has() {
    // One in a fleet has all of them, though nobody answers it.
    let setup = Setup::new();
    let file = setup.spool.outside().join("fleet.yml");
    let state = setup.spool.outside().join("state");
    let fleet = format!(
        "fleet: f\nendpoints: ['http://127.0.0.1:1']\nstate_dir: {}",
        state.display()
    );
    fs::write(&file, fleet).unwrap();
    let daemon = setup
        .config(format!("fleet_file: {}", file.display()))
        .start();
    daemon.get("/spool/web/80").is(200, "");
    let page = daemon.get("/metrics").body;
    let has: BTreeSet<&str> = page
        .lines()
        .filter_map(|l| l.split([' ', '{']).next())
        .collect();
    let rules = yaml(RULES);
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    let expressions: Vec<&str> = rules.iter().filter_map(|r| r["expr"].as_str()).collect();
    assert!(expressions.len() >= 5, "{expressions:?}");
    for expression in expressions {
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in words.filter(|w| w.starts_with("hacheck_")) {
            assert!(
                has.contains(name),
                "{name} is no metric of the daemon: {expression}"
            );
        }
    }
}

#[test]
fn promtool_finds_no_fault_in_the_metrics() {
    let daemon = Daemon::start();
    let path = daemon.spool.outside().join("metrics");
    fs::write(&path, daemon.get("/metrics").body).unwrap();
    succeed(
        Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(fs::File::open(path).unwrap()),
    );
}
