//! The lines of one service: its state, its last hour, and why; under it who polls, where that wants a look.

use crate::cli::output::pollers::age;
use crate::cli::output::terminal::column;
use crate::ledger::Told;
use crate::ledger::overview::{CheckRow, DowntimeRow, Overview, PollingRow, Rotation, ServiceRow};
use crate::names::ALL;

/// Minutes that one bar of the strip stands for.
const MINUTES_PER_BAR: usize = 3;

/// Columns of names.
const NAME: usize = 16;

/// Columns of states.
const STATE: usize = 12;

/// Columns of sessions.
const SESSIONS: usize = 18;

/// The service's line, and those of its pollers.
pub(super) fn lines(overview: &Overview, service: &ServiceRow) -> Vec<String> {
    let mut lines = vec![format!(
        "{} {} {} {} {}",
        service.state.sign(),
        column(&service.name, NAME),
        column(service.state.words(), STATE),
        strip(&service.checks),
        says(overview, service)
    )];
    if service.state != Rotation::In {
        let pollers = service.pollers().map(|p| poller_line(p, overview.now));
        lines.extend(pollers);
    }

    lines
}

/// The last hour of all checks, the worst of each three minutes as one bar.
fn strip(checks: &[CheckRow]) -> String {
    let firsts = (0..60).step_by(MINUTES_PER_BAR);
    firsts.map(|first| bar(&flags(checks, first))).collect()
}

/// The flags of the minutes that a bar stands for.
fn flags(checks: &[CheckRow], first: usize) -> Vec<u8> {
    let minutes = first..first + MINUTES_PER_BAR;
    let hours = checks.iter().map(|check| check.hour.as_bytes());
    let flags = hours.filter_map(|hour| hour.get(minutes.clone()));
    flags.flatten().copied().collect()
}

fn bar(flags: &[u8]) -> char {
    if flags.contains(&b'f') {
        '█'
    } else if flags.contains(&b'd') {
        '▅'
    } else if flags.contains(&b'u') {
        '▂'
    } else {
        '·'
    }
}

/// Cause, who and why, and since when.
fn says(overview: &Overview, service: &ServiceRow) -> String {
    let worst = service.checks.first();
    let name = match worst {
        Some(check) => check.downtime.as_deref(),
        None => Some(service.name.as_str()),
    };

    let downtime = overview
        .downtimes
        .iter()
        .find(|row| Some(row.name.as_str()) == name);
    match (downtime, worst) {
        (Some(downtime), _) if downtime.name == ALL => "with the whole host".to_owned(),
        (Some(downtime), _) => why(downtime, overview.now),
        (None, Some(check)) if service.state == Rotation::Failing => failure(check, overview.now),
        (None, _) => balancers(service),
    }
}

/// `alice: deploy 413, 94 s`.
fn why(downtime: &DowntimeRow, now: f64) -> String {
    let mut text = match downtime.author() {
        Some(user) => format!("{user}: {}", downtime.reason),
        None => downtime.reason.clone(),
    };

    if let Some(since) = downtime.since {
        text.push_str(&format!(", {}", age(now - since)));
    }

    if let Some(until) = downtime.until {
        text.push_str(&format!(", {} left", age(until - now)));
    }

    text
}

fn failure(check: &CheckRow, now: f64) -> String {
    match check.since {
        Some(since) => format!("{}: {}", age(now - since), check.text),
        None => check.text.clone(),
    }
}

/// Who polls it.
fn balancers(service: &ServiceRow) -> String {
    let polling = service.pollers().filter(|poller| poller.polling);
    let mut names: Vec<String> = polling.map(PollingRow::name).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

/// `    lb1  DOWN  8 of 13 sessions  polled 1.1 s ago, every 2.0 s`.
fn poller_line(poller: &PollingRow, now: f64) -> String {
    let every = match poller.interval {
        Some(interval) => format!(", every {}", age(interval)),
        None => String::new(),
    };

    format!(
        "    {} {} {} polled {} ago{every}",
        column(&poller.name(), NAME - 2),
        column(&sees(poller), STATE),
        column(&sessions(poller), SESSIONS),
        age(now - poller.polled)
    )
}

fn sees(poller: &PollingRow) -> String {
    match (&poller.state, poller.polling) {
        (_, false) => "stopped".to_owned(),
        (Some(state), true) => state.clone(),
        (None, true) => format!("{} x{}", told(poller.told), poller.run),
    }
}

fn told(told: Option<Told>) -> &'static str {
    match told {
        Some(Told::Up) => "told up",
        Some(Told::Fail) => "told fail",
        Some(Told::Down) => "told down",
        Some(Told::Drain) => "told drain",
        None => "told nothing",
    }
}

fn sessions(poller: &PollingRow) -> String {
    match (poller.sessions, poller.sessions_at_close) {
        (None, _) => String::new(),
        (Some(now), Some(before @ 1..)) => format!("{now} of {before} sessions"),
        (Some(1), _) => "1 session".to_owned(),
        (Some(now), _) => format!("{now} sessions"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_three_minutes_is_a_bar() {
        let bars: String = [&b"---"[..], b"-uu", b"udu", b"dfu"]
            .into_iter()
            .map(bar)
            .collect();
        assert_eq!(bars, "·▂▅█");
    }
}
