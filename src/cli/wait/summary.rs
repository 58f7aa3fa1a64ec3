//! What is so when a wait has come to its goal, in a sentence. Pure, but for a look at the downtime itself.
//!
//! Rule: what a balancer does not say is not said of it either.

use std::collections::BTreeSet;

use super::acted::Goal;
use super::balancers::Balancers;
use crate::cli::output::downtimes::{in_brief, owner};
use crate::cli::output::pollers::has_no_weight;
use crate::ledger::PollerRow;
use crate::names::text::{first_of, one_line};
use crate::spool::{ALL, Key, Spool};

/// `web is out of rotation on lb1, lb2; drained; down since 14:02 by alice`.
pub(super) fn sentence(key: &Key, balancers: &Balancers, spool: &Spool) -> String {
    let rows = balancers.rows_of(key.file_name());
    match balancers.rules.goal {
        Goal::Up => up(&subject(key), &rows),
        Goal::Out | Goal::Drained => out(&subject(key), &rows, &downtime(key, spool)),
    }
}

fn subject(key: &Key) -> String {
    match key.file_name() {
        name if name == ALL => "the whole host".to_owned(),
        name => name,
    }
}

fn downtime(key: &Key, spool: &Spool) -> String {
    match spool.read(key) {
        Ok(Some(downtime)) => in_brief(&downtime, owner(spool, key)),
        Ok(None) => "up again: its downtime has ended".to_owned(),
        Err(e) => format!("probably still down: {e}"),
    }
}

fn up(service: &str, rows: &[&PollerRow]) -> String {
    let mut parts = Vec::new();
    parts.extend(in_rotation(service, rows));
    parts.extend(without_weight(service, rows));
    parts.extend(told(rows, service, "up"));
    match parts.is_empty() {
        true => format!("{service} is up, and nobody polls it"),
        false => parts.join("; "),
    }
}

fn in_rotation(service: &str, rows: &[&PollerRow]) -> Option<String> {
    let sends = |row: &PollerRow| row.view.is_some() && !has_no_weight(row);
    let names = names_of(rows, sends)?;
    Some(format!("{service} is in rotation on {names}"))
}

fn without_weight(service: &str, rows: &[&PollerRow]) -> Option<String> {
    let is_weightless = |row: &PollerRow| row.view.is_some() && has_no_weight(row);
    let names = names_of(rows, is_weightless)?;
    Some(format!(
        "{service} is up with weight 0, so without traffic, on {names}"
    ))
}

fn out(service: &str, rows: &[&PollerRow], downtime: &str) -> String {
    let mut parts = Vec::new();
    parts.extend(out_of_rotation(service, rows));
    parts.extend(told(rows, service, "down"));
    match parts.is_empty() {
        true => format!("{service} is {downtime}"),
        false => format!("{}; {}; {downtime}", parts.join("; "), sessions(rows)),
    }
}

fn out_of_rotation(service: &str, rows: &[&PollerRow]) -> Option<String> {
    let names = names_of(rows, |row| row.view.is_some())?;
    Some(format!("{service} is out of rotation on {names}"))
}

/// Of balancers that do not say what they do it is known what they were told.
fn told(rows: &[&PollerRow], service: &str, state: &str) -> Option<String> {
    let names = names_of(rows, |row| row.view.is_none())?;
    Some(format!(
        "{names} was told often enough that {service} is {state}"
    ))
}

/// The balancers of the rows for which something is so; `None` where it is so for none.
fn names_of(rows: &[&PollerRow], is_so: fn(&PollerRow) -> bool) -> Option<String> {
    let rows = rows.iter().copied();
    let meant: Vec<&PollerRow> = rows.filter(|row| is_so(row)).collect();
    match meant.is_empty() {
        true => None,
        false => Some(names(&meant)),
    }
}

fn sessions(rows: &[&PollerRow]) -> String {
    let mut left = 0;
    for row in rows {
        match row.known_sessions() {
            // Of one that goes DOWN just now they were told before that.
            Some(own) if row.is_out() == Some(true) => left += own,
            _ => return "whether sessions are left is unknown".to_owned(),
        }
    }

    match left {
        0 => "drained".to_owned(),
        1 => "1 session left".to_owned(),
        left => format!("{left} sessions left"),
    }
}

/// The balancers that these rows are of, each once.
fn names(rows: &[&PollerRow]) -> String {
    let mut names = BTreeSet::new();
    for row in rows {
        names.insert(name(row, rows));
    }

    first_of(&names)
}

/// Its node, with the address where several have the same, else the address.
fn name(row: &PollerRow, rows: &[&PollerRow]) -> String {
    let Some(node) = &row.node else {
        return row.address.to_string();
    };

    let mut others = rows.iter();
    let is_namesake = |other: &&PollerRow| other.node == row.node && other.address != row.address;
    match others.any(is_namesake) {
        true => one_line(&format!("{node} ({})", row.address)),
        false => one_line(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::View;

    fn row(node: Option<&str>, address: u8, view: Option<View>) -> PollerRow {
        PollerRow {
            address: [10, 0, 0, address].into(),
            node: node.map(str::to_owned),
            server: None,
            view,
            sessions: view.map(|_| [0, 9]),
            weight: view.map(|_| [1, 2]),
            told: None,
            after_closed: true,
            ..PollerRow::example()
        }
    }

    const DOWN: &str = "down since 14:02 by alice";

    #[test]
    fn each_balancer_is_named_once_by_what_is_known_of_it() {
        let [lb1, lb2] = [1, 2].map(|n| row(Some(&format!("lb{n}")), n, Some(View::Down)));
        let silent = row(None, 7, None);
        assert_eq!(
            out("web", &[&lb2, &lb1, &lb1], DOWN),
            "web is out of rotation on lb1, lb2; drained; down since 14:02 by alice"
        );
        assert_eq!(
            out("web", &[&lb1, &silent], DOWN),
            "web is out of rotation on lb1; 10.0.0.7 was told often enough that web is down; whether sessions are left is \
             unknown; down since 14:02 by alice"
        );
        assert_eq!(out("web", &[], DOWN), "web is down since 14:02 by alice");
        let namesake = row(Some("lb1"), 3, Some(View::Down));
        assert_eq!(names(&[&lb1, &namesake]), "lb1 (10.0.0.1), lb1 (10.0.0.3)");
    }

    #[test]
    fn many_balancers_are_counted() {
        let rows: Vec<PollerRow> = (0..41).map(|n| row(None, n, Some(View::Down))).collect();
        let rows: Vec<&PollerRow> = rows.iter().collect();
        assert!(names(&rows).ends_with(" and 33 more"), "{}", names(&rows));
    }

    #[test]
    fn sessions_that_are_left_are_told() {
        let left = |count| PollerRow {
            sessions: Some([count, 9]),
            ..row(Some("lb1"), 1, Some(View::Down))
        };
        assert_eq!(sessions(&[&left(1), &left(0)]), "1 session left");
        assert_eq!(sessions(&[&left(1), &left(2)]), "3 sessions left");
    }

    #[test]
    fn what_is_up_without_a_weight_is_not_said_to_be_in_rotation() {
        let lb1 = row(Some("lb1"), 1, Some(View::Up));
        let weightless = PollerRow {
            weight: Some([0, 2]),
            ..row(Some("lb2"), 2, Some(View::Up))
        };
        assert_eq!(
            up("web", &[&lb1, &weightless]),
            "web is in rotation on lb1; web is up with weight 0, so without traffic, on lb2"
        );
        assert_eq!(
            up("web", &[&row(None, 7, None)]),
            "10.0.0.7 was told often enough that web is up"
        );
        assert_eq!(up("web", &[]), "web is up, and nobody polls it");
    }
}
