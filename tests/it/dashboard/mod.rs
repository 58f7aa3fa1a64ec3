//! The dashboard under packaging/grafana: what can be known of it without Grafana.

mod board;
mod lab;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::process::Command;

use regex::Regex;
use serde_json::{Value, json};

use self::board::{Board, Query};
use self::lab::Lab;
use crate::support::daemon::Daemon;
use crate::support::root::succeed;

#[test]
fn panels_have_numbers_of_their_own_and_lie_beside_each_other() {
    let board = Board::read();
    let mut numbers = BTreeSet::new();
    let mut cells = HashMap::new();
    for panel in board.panels() {
        let title = panel["title"].as_str().unwrap();
        assert!(numbers.insert(panel["id"].as_u64().unwrap()), "{title}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title} is wider than the grid");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                let other = cells.insert((x, y), title);
                assert_eq!(other, None, "{title} lies on another");
            }
        }
    }
}

#[test]
fn each_panel_says_what_it_is_and_takes_the_chosen_data_source() {
    let board = Board::read();
    let chosen = json!({"type": "prometheus", "uid": "${datasource}"});
    for panel in board.panels().iter().filter(|p| p["type"] != "row") {
        assert!(panel["description"].is_string(), "{}", panel["title"]);
        assert_eq!(panel["datasource"], chosen, "{}", panel["title"]);
    }
    let declared: Vec<&str> = board.variables();
    let used = Regex::new(r"\$\{?(\w+)").unwrap();
    for query in board.queries() {
        for name in used.captures_iter(&query.text).map(|c| c[1].to_owned()) {
            let is_known = declared.contains(&name.as_str()) || name.starts_with("__");
            assert!(is_known, "${name} of {query:?} is not declared");
        }
    }
}

#[test]
fn the_queries_are_valid() {
    let rules: Vec<Value> = Board::read()
        .queries()
        .iter()
        .enumerate()
        .map(|(i, query)| json!({"record": format!("board:q{i}"), "expr": query.filled_in()}))
        .collect();
    let rules = json!({"groups": [{"name": "board", "rules": rules}]});
    let daemon = Daemon::start();
    let path = daemon.spool.outside().join("rules.yml");
    fs::write(&path, rules.to_string()).unwrap();
    succeed(Command::new("promtool").args(["check", "rules"]).arg(path));
}

#[test]
fn each_query_has_data_once_each_kind_of_event_has_happened() {
    let board = Board::read();
    let lab = Lab::start();
    let metrics = Metrics::of(&lab.everything_happens());
    for query in board.queries() {
        metrics.check(&query);
    }
    lab.have_data(&board.queries());
}

/// The metrics of a page, each with its kind and its labels.
struct Metrics {
    kinds: BTreeMap<String, String>,
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Metrics {
    fn of(page: &str) -> Self {
        let kinds = page.lines().filter_map(|line| {
            let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            Some((name.to_owned(), kind.to_owned()))
        });
        let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let label = Regex::new("(\\w+)=\"").unwrap();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            let found = label.captures_iter(line).map(|c| c[1].to_owned());
            labels.entry(name.to_owned()).or_default().extend(found);
        }
        Self {
            kinds: kinds.collect(),
            labels,
        }
    }

    /// A query uses metrics and labels that there are, and counters by their growth.
    fn check(&self, query: &Query) {
        let metric = Regex::new(r"\b((?:hacheck|process)_\w+)(?:\{([^}]*)\})?").unwrap();
        let label = Regex::new(r"(\w+)\s*[=!]").unwrap();
        for found in metric.captures_iter(&query.text) {
            let name = &found[1];
            let kind = self.kind(name);
            let kind = kind.unwrap_or_else(|| panic!("{name} of {query:?} is no metric"));
            let wanted = found.get(2).map_or("", |m| m.as_str());
            for label in label.captures_iter(wanted).map(|c| c[1].to_owned()) {
                let is_known = label == "job" || label == "instance";
                let is_known = is_known || self.labels[name].contains(&label);
                assert!(is_known, "{name} of {query:?} has no label {label}");
            }
            let grows = ["rate", "increase", "resets", "changes"];
            let grows = grows
                .iter()
                .any(|f| query.text.contains(&format!("{f}({name}")));
            assert!(
                kind != "counter" || grows,
                "{name} of {query:?} without rate"
            );
        }
    }

    /// The kind of a metric, of which a histogram has three names.
    fn kind(&self, name: &str) -> Option<&str> {
        let parts = ["", "_bucket", "_sum", "_count"];
        let mut names = parts.iter().filter_map(|part| name.strip_suffix(part));
        names
            .find_map(|name| self.kinds.get(name))
            .map(String::as_str)
    }
}
