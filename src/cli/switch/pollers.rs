//! `halist --pollers`: who polls, how often, what it sees and what it was told.

use std::collections::BTreeMap;

use super::notes::note_unpolled;
use super::request::SwitchRequest;
use crate::cli::client::ANSWER_TIME;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::entries::OutputFormat;
use crate::cli::output::pollers::line;
use crate::ledger::{PollerRow, PollersPage};
use crate::names::sort::sort_by_key;

pub(super) fn act(request: &SwitchRequest) -> Result<u8, Failure> {
    let page = request.client.pollers(&request.names(), ANSWER_TIME)?;
    if page.pollers.is_empty() {
        note_nobody(request)?;
    }

    let text = match request.format {
        OutputFormat::Json => json(&page),
        OutputFormat::Tsv | OutputFormat::Uber | OutputFormat::Table => text(&page),
    };

    output::print(&text)?;
    Ok(0)
}

/// Says that nobody polls, or that only others are polled, one of which may be meant.
fn note_nobody(request: &SwitchRequest) -> Result<(), Failure> {
    if request.subjects.is_empty() {
        request.note("nobody has polled lately");
        return Ok(());
    }

    let names = request.names();
    let everybody = request.client.everybody(&names, ANSWER_TIME)?;
    note_unpolled(request, &everybody);
    Ok(())
}

fn json(page: &PollersPage) -> String {
    // Texts and numbers always fit into JSON.
    let json = serde_json::to_string(page).unwrap_or_default();
    format!("{json}\n")
}

fn text(page: &PollersPage) -> String {
    let mut text = String::new();
    for row in sorted_rows(page) {
        let line = line(row, &page.pollers, page.now);
        text.push_str(&format!("{}\t{line}\n", row.service));
    }

    for (service, views) in disagreements(page) {
        let views = views.join(", ");
        text.push_str(&format!("{service}\tbalancers disagree: {views}\n"));
    }

    text
}

/// Those that still poll come first: they are what matters, and others may be many.
fn sorted_rows(page: &PollersPage) -> Vec<&PollerRow> {
    let mut rows: Vec<&PollerRow> = page.pollers.iter().collect();
    sort_by_key(&mut rows, |row| !row.is_polling(page.now));
    rows
}

/// Services that some balancers send traffic to and others do not, with the view of each.
fn disagreements(page: &PollersPage) -> Vec<(&str, Vec<String>)> {
    let mut disagreements = Vec::new();
    for ((service, _), rows) in rows_by_check(page) {
        if disagree(&rows) {
            let views = rows.into_iter().map(view);
            disagreements.push((service, views.collect()));
        }
    }

    disagreements
}

fn disagree(rows: &[&PollerRow]) -> bool {
    // A check stands in the map because of a row.
    let is_first_out = rows[0].is_out();
    rows.iter().any(|row| row.is_out() != is_first_out)
}

/// By service and check: two checks of one service may rightly differ.
type RowsByCheck<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a PollerRow>>;

/// The pollers that tell their view.
fn rows_by_check(page: &PollersPage) -> RowsByCheck<'_> {
    let mut checks = RowsByCheck::new();
    for row in &page.pollers {
        if row.is_polling(page.now) && row.is_out().is_some() {
            let check = (row.service.as_str(), row.check.as_str());
            checks.entry(check).or_default().push(row);
        }
    }

    checks
}

fn view(row: &PollerRow) -> String {
    let state = row.state.as_deref().unwrap_or("?");
    format!("{} sees {state}", row.label())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::View;

    fn row(node: &str, view: View, state: &str) -> PollerRow {
        PollerRow {
            node: Some(node.into()),
            polled_at: 99.5,
            view: Some(view),
            state: Some(state.into()),
            sessions: Some([13, 20]),
            told_at: 99.6,
            ..PollerRow::example()
        }
    }

    #[test]
    fn a_line_tells_of_a_poller_what_an_operator_asks() {
        let up = row("lb1", View::Up, "UP");
        let silent = PollerRow {
            polled_at: 60.0,
            ..row("lb2", View::Up, "UP")
        };
        let unknown = PollerRow {
            node: None,
            server: None,
            state: None,
            view: None,
            sessions: None,
            ..up.clone()
        };
        let page = PollersPage::example(vec![
            up.clone(),
            silent,
            row("lb3", View::Down, "DOWN 1/2"),
            unknown,
        ]);
        let expected = "web\tlb1 web/s1 every 2.0 s, sees UP, 13 sessions, told 200 0.4 s ago\n\
                        web\tlb3 web/s1 every 2.0 s, sees DOWN 1/2, 13 sessions, told 200 0.4 s ago\n\
                        web\t10.0.0.1 every 2.0 s, told 200 0.4 s ago\n\
                        web\tlb2 web/s1 stopped polling 40 s ago\n\
                        web\tbalancers disagree: lb1 web/s1 sees UP, lb3 web/s1 sees DOWN 1/2\n";
        assert_eq!(text(&page), expected);
    }
}
