//! `halist --pollers`: who polls, how often, what it sees and what it was told.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Request;
use crate::cli::applet::Call;
use crate::cli::client::{self, Daemon};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::entries::Format;
use crate::cli::output::pollers::{ago, label, told};
use crate::ledger::{Page, Row};

/// How long the daemon may take.
const LIMIT: Duration = Duration::from_secs(3);

pub(crate) fn act(call: &Call, request: &Request) -> Result<u8, Failure> {
    let keys = client::names(request.targets.iter().map(|t| &t.key));
    let page = Daemon { port: request.port }
        .pollers(&keys, LIMIT)
        .map_err(Failure::failed)?;
    if page.pollers.is_empty() {
        call.note("nobody has polled lately");
    }
    match request.format {
        // Texts and numbers always fit into JSON.
        Format::Json => output::print(&format!(
            "{}\n",
            serde_json::to_string(&page).unwrap_or_default()
        )),
        Format::Tsv | Format::Uber => output::print(&text(&page)),
    }
    .map(|()| 0)
}

fn text(page: &Page) -> String {
    let mut text = String::new();
    for row in &page.pollers {
        text.push_str(&format!(
            "{}\t{}\n",
            row.service,
            line(row, &page.pollers, page.now)
        ));
    }
    for (service, views) in disagreements(page) {
        text.push_str(&format!(
            "{service}\tbalancers disagree: {}\n",
            views.join(", ")
        ));
    }
    text
}

/// `lb1 web/s1 every 2.0 s, sees UP, 13 sessions, told 200 0.4 s ago`.
fn line(row: &Row, all: &[Row], now: f64) -> String {
    let mut line = label(row, all);
    let age = now - row.polled_at;
    if !row.is_polling(now) {
        return format!("{line} stopped polling {} ago", ago(age));
    }
    match row.interval.filter(|_| !row.is_person()) {
        None if row.by_hand => line.push_str(" asked by hand"),
        Some(interval) => line.push_str(&format!(" every {}", ago(interval))),
        None => line.push_str(" polled once"),
    }
    if let Some(state) = &row.state {
        line.push_str(&format!(", sees {state}"));
    }
    if row.view.is_some() && row.weight.is_some_and(|[own, _]| own == 0) {
        line.push_str(" with weight 0");
    }
    match row.sessions {
        Some([1, _]) => line.push_str(", 1 session"),
        Some([own, _]) => line.push_str(&format!(", {own} sessions")),
        None => {}
    }
    if row.told.is_some() {
        line.push_str(&format!(
            ", told {} {} ago",
            told(row),
            ago(now - row.told_at)
        ));
    }
    line
}

/// Services that some balancers send traffic to and others do not, with the view of each.
fn disagreements(page: &Page) -> Vec<(&str, Vec<String>)> {
    let mut services: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    for row in page
        .pollers
        .iter()
        .filter(|r| r.is_polling(page.now) && r.is_out().is_some())
    {
        services
            .entry((&row.service, &row.check))
            .or_default()
            .push(row);
    }
    let differ = |rows: &Vec<&Row>| rows.iter().any(|r| r.is_out() != rows[0].is_out());
    let view = |r: &&Row| format!("{} sees {}", r.label(), r.state.as_deref().unwrap_or("?"));
    services
        .into_iter()
        .filter(|(_, rows)| differ(rows))
        .map(|((service, _), rows)| (service, rows.iter().map(view).collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Root, Told, View};

    fn row(node: &str, view: View, state: &str) -> Row {
        Row {
            service: "web".into(),
            check: "http 127.0.0.1:80".into(),
            names: vec!["web".into()],
            address: [10, 0, 0, 1].into(),
            node: Some(node.into()),
            server: Some("web/s1".into()),
            interval: Some(2.0),
            by_hand: false,
            polls: 5,
            polled_at: 99.5,
            view: Some(view),
            state: Some(state.into()),
            sessions: Some([13, 20]),
            weight: Some([1, 2]),
            told: Some(Told::Up),
            code: 200,
            told_at: 99.6,
            run: 5,
            after_closed: false,
        }
    }

    #[test]
    fn a_line_tells_of_a_poller_what_an_operator_asks() {
        let up = row("lb1", View::Up, "UP");
        let silent = Row {
            polled_at: 60.0,
            ..row("lb2", View::Up, "UP")
        };
        let unknown = Row {
            node: None,
            server: None,
            state: None,
            view: None,
            sessions: None,
            ..up.clone()
        };
        let page = Page {
            now: 100.0,
            daemon: "1".into(),
            spool: Root {
                path: "s".into(),
                id: None,
            },
            agent_weights: false,
            pollers: vec![
                up.clone(),
                silent,
                row("lb3", View::Down, "DOWN 1/2"),
                unknown,
            ],
            forgotten: 0,
        };
        let expected = "web\tlb1 web/s1 every 2.0 s, sees UP, 13 sessions, told 200 0.4 s ago\n\
                        web\tlb2 web/s1 stopped polling 40 s ago\n\
                        web\tlb3 web/s1 every 2.0 s, sees DOWN 1/2, 13 sessions, told 200 0.4 s ago\n\
                        web\t10.0.0.1 every 2.0 s, told 200 0.4 s ago\n\
                        web\tbalancers disagree: lb1 web/s1 sees UP, lb3 web/s1 sees DOWN 1/2\n";
        assert_eq!(text(&page), expected);
    }
}
