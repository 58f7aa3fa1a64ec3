//! How a poller and what it was told are named.

use crate::ledger::{PollerRow, Told};

/// The name, with the address where several pollers have the same name.
pub(crate) fn label(row: &PollerRow, all: &[PollerRow]) -> String {
    let label = row.label();
    let is_namesake = |other: &PollerRow| other.label() == label && other.address != row.address;
    if all.iter().any(is_namesake) {
        format!("{label} ({})", row.address)
    } else {
        label
    }
}

/// Where it polls from, in brackets, unless its name says so: anybody can make up the name.
pub(crate) fn polls_from(row: &PollerRow) -> String {
    let address = row.address.to_string();
    match row.label().contains(&address) {
        true => String::new(),
        false => format!(" (it polls from {address})"),
    }
}

/// What the poller was told: the status code, else the agent's word; `told to drain` after `hadown --drain`.
pub(crate) fn told(row: &PollerRow) -> String {
    match (row.code, row.told) {
        (_, Some(Told::Drain)) => "to drain".to_owned(),
        (0, Some(Told::Up)) => "up".to_owned(),
        (0, _) => "down".to_owned(),
        (code, _) => code.to_string(),
    }
}

/// Whether the balancer says that its weight for this server is 0.
pub(crate) fn has_no_weight(row: &PollerRow) -> bool {
    matches!(row.weight, Some([0, _]))
}

/// `0.4 s`, `40 s`, `12 min`, `5 h`, `3 d`.
pub(crate) fn age(seconds: f64) -> String {
    match seconds {
        // Two clocks are compared, so it may be a little below zero.
        s if s < 10.0 => format!("{:.1} s", s.max(0.0)),
        s if s < 600.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// `lb1 web/s1 every 2.0 s, sees UP, 13 sessions, told 200 0.4 s ago`.
pub(crate) fn line(row: &PollerRow, all: &[PollerRow], now: f64) -> String {
    let mut label = label(row, all);
    if row.outside {
        label.push_str(" (outside pollers_from, not waited for)");
    } else if row.expected.counts == Some(false) {
        label.push_str(" (not waited for, by the setting pollers)");
    }

    if !row.is_polling(now) {
        let silence = age(now - row.polled_at);
        return format!("{label} stopped polling {silence} ago");
    }

    let mut parts = vec![format!("{label} {}", rhythm(row))];
    parts.extend(sight(row));
    parts.extend(sessions(row));
    if row.namesakes.is_some() {
        parts.push("two processes under this name".to_owned());
    }

    if row.told.is_some() {
        let ago = age(now - row.told_at);
        parts.push(format!("told {} {ago} ago", told(row)));
    }

    parts.join(", ")
}

/// What it sees.
fn sight(row: &PollerRow) -> Option<String> {
    let state = row.state.as_ref()?;
    if row.view.is_some() && has_no_weight(row) {
        Some(format!("sees {state} with weight 0"))
    } else {
        Some(format!("sees {state}"))
    }
}

fn sessions(row: &PollerRow) -> Option<String> {
    match row.sessions? {
        [1, _] => Some("1 session".to_owned()),
        [own, _] => Some(format!("{own} sessions")),
    }
}

/// How often it polls.
fn rhythm(row: &PollerRow) -> String {
    match row.interval {
        Some(interval) if !row.is_person() => format!("every {}", age(interval)),
        _ if row.by_hand => "asked by hand".to_owned(),
        _ => "polled once".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::View;

    fn row(node: &str, view: View, state: &str) -> PollerRow {
        PollerRow {
            node: Some(node.into()),
            view: Some(view),
            state: Some(state.into()),
            ..PollerRow::example()
        }
    }

    #[test]
    fn ages_are_short() {
        for (seconds, text) in [
            (-1.0, "0.0 s"),
            (0.44, "0.4 s"),
            (94.0, "94 s"),
            (720.0, "12 min"),
            (18_000.0, "5 h"),
            (259_200.0, "3 d"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn balancers_with_the_same_name_are_told_apart_by_their_address() {
        let (a, b) = (
            row("host", View::Up, "UP"),
            PollerRow {
                address: [10, 0, 0, 2].into(),
                ..row("host", View::Up, "UP")
            },
        );
        assert_eq!(label(&a, &[a.clone(), b.clone()]), "host web/s1 (10.0.0.1)");
        assert_eq!(label(&a, std::slice::from_ref(&a)), "host web/s1");
    }
}
