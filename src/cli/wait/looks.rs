//! Who asked lately without being a balancer, as far as can be told: a person, a tool, a monitor's first look. Pure.

use crate::cli::output::pollers::label;
use crate::ledger::{PollerRow, PollersPage};

/// Who looked longer ago is not spoken of, in seconds.
const LATELY: f64 = 60.0;

/// Most of them that are named.
const NAMED_MAX: usize = 5;

/// A sentence for each that is not waited for, though it could be taken for a poller.
pub(super) fn sentences(page: &PollersPage) -> Vec<String> {
    let looks: Vec<&PollerRow> = looks(page).collect();
    let mut sentences = Vec::new();
    for row in looks.iter().take(NAMED_MAX) {
        sentences.push(sentence(row, &page.pollers));
    }

    let more = looks.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        sentences.push(format!("and {more} more like them"));
    }

    sentences
}

fn looks(page: &PollersPage) -> impl Iterator<Item = &PollerRow> {
    let rows = page.pollers.iter();
    rows.filter(|row| is_look(row, page.now))
}

fn is_look(row: &PollerRow, now: f64) -> bool {
    // Who asks by hand knows it, and of the others the operator has said that they do not count.
    let is_known = row.by_hand || row.outside || row.expected.counts.is_some();
    !is_known && !row.counts() && now - row.polled_at < LATELY
}

fn sentence(row: &PollerRow, all: &[PollerRow]) -> String {
    let label = label(row, all);
    let asked = match row.polls {
        1 => "asked once".to_owned(),
        polls => format!("asked {polls} times without a rhythm"),
    };
    format!("{label} {asked} and is not waited for")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(user_agent: &str, polls: u64, polled_at: f64) -> PollerRow {
        PollerRow {
            node: None,
            server: None,
            user_agent: Some(user_agent.into()),
            polls,
            rhythm: Some(false),
            polled_at,
            ..PollerRow::example()
        }
    }

    #[test]
    fn those_that_asked_lately_and_not_by_hand_are_named_and_many_are_counted() {
        let by_hand = PollerRow {
            by_hand: true,
            ..look("curl/8", 1, 100.0)
        };
        let mut page = PollersPage::example(vec![
            PollerRow::example(),
            by_hand,
            look("ansible", 1, 100.0),
            look("monitor", 4, 99.0),
            look("old", 1, 20.0),
        ]);
        let said = [
            "10.0.0.1 ansible asked once and is not waited for",
            "10.0.0.1 monitor asked 4 times without a rhythm and is not waited for",
        ];
        assert_eq!(sentences(&page), said);
        page.pollers = (0..8).map(|i| look(&format!("u{i}"), 1, 100.0)).collect();
        assert_eq!(sentences(&page).last().unwrap(), "and 3 more like them");
    }
}
