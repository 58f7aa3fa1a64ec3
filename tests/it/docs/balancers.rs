//! The table of load balancers names the cases of tests/balancers that show each row.

use std::collections::BTreeSet;
use std::fs;

use super::markdown::table;

const DOCUMENT: &str = "docs/balancers.md";

/// The files of cases that tests/balancers/run runs.
const CASES: [&str; 2] = ["tests/balancers/real.py", "tests/balancers/clouds.py"];

/// The names of the functions that are marked as cases.
fn cases() -> BTreeSet<String> {
    let texts = CASES.map(|file| fs::read_to_string(file).unwrap());
    let marked = texts.iter().flat_map(|text| text.split("\n@case\ndef "));
    let names = marked.filter_map(|part| part.split_once("():\n"));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// What stands in backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_row_of_the_table_of_load_balancers_names_cases_that_exist() {
    let cases = cases();
    for row in table(DOCUMENT, "Load balancers") {
        let named = quoted(row.last().unwrap());
        assert!(!named.is_empty(), "{DOCUMENT}: no case shows {}", row[0]);
        for name in named {
            assert!(
                cases.contains(name),
                "{DOCUMENT}: {} is shown by {name}, which is no case of {CASES:?}",
                row[0]
            );
        }
    }
}
