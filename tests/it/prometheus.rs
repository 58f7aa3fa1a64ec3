//! The alert rules under packaging/prometheus.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::support::daemon::Daemon;
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
fn the_alert_rules_speak_of_metrics_that_the_daemon_has() {
    let daemon = Daemon::start();
    daemon.get("/spool/web/80").is(200, "");
    let page = daemon.get("/metrics").body;
    let has: BTreeSet<&str> = page
        .lines()
        .filter_map(|l| l.split([' ', '{']).next())
        .collect();
    let rules = fs::read_to_string(RULES).unwrap();
    let expressions: Vec<&str> = rules
        .lines()
        .filter_map(|l| l.trim().strip_prefix("expr: "))
        .collect();
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
