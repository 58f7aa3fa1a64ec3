//! The lines of services, orders and rolls.

use super::output::span;
use super::screen_hosts::{NAME, advice_line, by, down_text};
use crate::cli::output::terminal::column;
use crate::cli::output::times;
use crate::fleet::OrderState;
use crate::fleet::overview::{
    FleetState, OrderEntry, OutEntry, ProgressEntry, RollEntry, ServiceEntry, SlotEntry,
};

/// Columns of `38 of 40 up`.
const COUNT: usize = 14;

/// Columns of the strip of hosts.
const BARS: usize = 12;

/// Most hosts that a service's line tells of.
const TOLD: usize = 3;

/// `- web   38 of 40 up   █▅▂▂▂▂▂▂▂▂▂▂ web07 lost, web02 down by alice: new disk`.
pub(super) fn service_line(service: &ServiceEntry) -> String {
    // Nobody serves it, whatever the state of its hosts.
    let sign = match service.serving {
        0 => FleetState::Lost.sign(),
        _ => service.state.sign(),
    };

    let count = format!("{} of {} up", service.serving, service.counts.hosts);
    let line = format!(
        "{sign} {} {count:COUNT$} {} {}",
        column(&service.name, NAME),
        strip(&service.bars),
        out(service)
    );
    line.trim_end().to_owned()
}

fn out(service: &ServiceEntry) -> String {
    let mut parts: Vec<String> = service.out.iter().take(TOLD).map(out_text).collect();
    let more = service.counts.hosts - service.serving - parts.len();
    if more > 0 {
        parts.push(format!("and {more} more"));
    }

    parts.join("; ")
}

fn out_text(out: &OutEntry) -> String {
    match &out.down {
        Some(down) if out.state == FleetState::Down => format!("{} {}", out.host, down_text(down)),
        _ => format!("{} {}", out.host, out.state.words()),
    }
}

/// The worst of as many hosts as a column stands for.
fn strip(bars: &str) -> String {
    let letters: Vec<char> = bars.chars().collect();
    let each = letters.len().div_ceil(BARS).max(1);
    let strip: String = letters.chunks(each).map(bar).collect();
    format!("{strip:BARS$}")
}

fn bar(letters: &[char]) -> char {
    if letters.contains(&'l') {
        '█'
    } else if letters.contains(&'w') {
        '▇'
    } else if letters.contains(&'d') {
        '▅'
    } else {
        '▂'
    }
}

/// `  web on zone=a down by alice@ops1 since 18:05 until 20:05: new disk; 38 of 40 have done it, not yet web03`.
pub(super) fn order_lines(order: &OrderEntry) -> Vec<String> {
    let mut text = format!("  {} on {}", order.key, whom(&order.selector));
    text += match order.state {
        OrderState::Down => " down",
        OrderState::Up => " up",
    };

    text += &by(&order.by, &order.from);
    text += &span(Some(order.since), order.until);
    if let Some(mark) = order.mark {
        text += &format!(" ({mark})");
    }

    if !order.reason.is_empty() {
        text += &format!(": {}", order.reason);
    }

    text += &format!("; {}", progress(order));
    let mut lines = vec![text];
    lines.extend(order.advice.as_ref().map(advice_line));
    lines
}

/// Whom an order is for.
fn whom(selector: &str) -> &str {
    match selector {
        "*" => "every host",
        conditions => conditions,
    }
}

fn progress(order: &OrderEntry) -> String {
    let mut text = format!("{} of {} have done it", order.done, order.hosts);
    for (count, words) in [(order.lost, "lost"), (order.waived, "waived")] {
        if count > 0 {
            text += &format!(", {count} {words}");
        }
    }

    if order.late_count > 0 {
        text += &format!(", not yet {}", order.late.join(", "));
    }

    let more = order.late_count - order.late.len();
    if more > 0 {
        text += &format!(" and {more} more");
    }

    text
}

/// `  r-5k2 by deploy@ops1 since 18:20: all, 3 of 40 done, 1 under way, 36 waiting; web13 all: command since 18:22`.
pub(super) fn roll_lines(roll: &RollEntry) -> Vec<String> {
    let mut parts: Vec<String> = roll.progress.iter().map(roll_progress).collect();
    match &roll.held {
        Some(held) if roll.progress.is_some() => {
            let since = times::brief(held.since);
            parts.push(format!("run{} since {since}", by(&held.by, &held.from)));
        }
        None if roll.progress.is_some() => parts.push("nobody runs it".to_owned()),
        _ => {}
    }

    parts.extend(roll.slots.iter().map(slot_text));
    let more = roll.count - roll.slots.len();
    if more > 0 {
        parts.push(format!("and {more} more"));
    }

    let by = by(&roll.by, &roll.from);
    let since = times::brief(roll.since);
    let line = format!("  {}{by} since {since}: {}", roll.roll, parts.join("; "));
    let mut lines = vec![line];
    lines.extend(roll.advice.as_ref().map(advice_line));
    lines
}

fn roll_progress(progress: &ProgressEntry) -> String {
    let mut text = format!(
        "{}, at most {} down, {} of {} done",
        progress.key, progress.max_down, progress.done, progress.hosts
    );
    for (count, words) in [
        (progress.failed, "failed"),
        (progress.under_way, "under way"),
        (progress.waiting, "waiting"),
    ] {
        if count > 0 {
            text += &format!(", {count} {words}");
        }
    }

    text
}

fn slot_text(slot: &SlotEntry) -> String {
    let since = times::brief(slot.since);
    format!("{} {}: {} since {since}", slot.host, slot.key, slot.phase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_shows_the_worst_of_the_hosts_that_a_bar_stands_for() {
        assert_eq!(strip("uldw"), "▂█▅▇        ");
        let many = "u".repeat(23) + "l";
        assert_eq!(strip(&many), "▂▂▂▂▂▂▂▂▂▂▂█");
        assert_eq!(strip(""), "            ");
    }
}
