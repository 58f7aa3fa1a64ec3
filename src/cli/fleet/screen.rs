//! The fleet as lines of a terminal: what is wrong first, and under each state what to type.

use super::reading::EngineState;
use super::screen_hosts::hosts;
use super::screen_rows::{order_lines, roll_lines, service_line};
use crate::cli::live::{LivePicture, with_clock};
use crate::cli::output::pollers::age;
use crate::cli::output::times;
use crate::fleet::overview::FleetOverview;
use crate::spool::unix_now;

/// What there is to show.
pub(super) struct FleetScreen {
    fleet: String,
    /// The last reading; `None` before the first answer.
    overview: Option<FleetOverview>,
    engine: EngineState,
}

impl FleetScreen {
    pub(super) fn new(fleet: &str) -> Self {
        Self {
            fleet: fleet.to_owned(),
            overview: None,
            engine: EngineState::default(),
        }
    }

    /// Why the engine cannot be read now.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.engine.error.as_deref()
    }

    /// Name, verdict and time of day; the verdict goes on below where there is no room for all of it.
    fn head(&self, overview: &FleetOverview, read: f64, width: usize) -> Vec<String> {
        let clock = times::clock(read);
        let left = format!(" {} ", self.fleet);
        let room = width.saturating_sub(clock.len() + 2);
        let mut lines = wrapped(left, &overview.verdict.text, room);
        lines[0] = with_clock(&lines[0], &clock, width);
        lines
    }

    /// That what stands here is old, and why.
    fn stale(&self) -> Option<String> {
        let trouble = self.trouble()?;
        let Some(read) = self.engine.read else {
            return Some(format!("! nothing is known: {trouble}"));
        };

        let old = age(unix_now() - read);
        Some(format!("! what stands here is {old} old: {trouble}"))
    }
}

impl LivePicture<(FleetOverview, EngineState)> for FleetScreen {
    const REMEDY: &'static str = "choose hosts by --where or --hosts";

    fn take(&mut self, (overview, engine): (FleetOverview, EngineState)) {
        self.overview = Some(overview);
        self.engine = engine;
    }

    fn lines(&self, width: usize) -> Vec<String> {
        let mut lines: Vec<String> = self.stale().into_iter().collect();
        let (Some(overview), Some(read)) = (&self.overview, self.engine.read) else {
            return lines;
        };

        lines.extend(self.head(overview, read, width));
        lines.extend(notes(overview));
        lines.extend(hosts(overview));
        lines.extend(services(overview));
        lines.extend(orders(overview));
        lines.extend(rolls(overview));
        lines
    }
}

fn notes(overview: &FleetOverview) -> Vec<String> {
    let mut notes = Vec::new();
    for register in &overview.unknown {
        let key = register.split('/').next().unwrap_or_default();
        notes.push(format!(
            "! hosts hold {register}, which etcd does not have (any more); 'haup --fleet {key}' lifts it"
        ));
    }

    notes.extend(overview.odd.iter().map(|odd| format!("! {odd}")));
    notes
}

/// A text behind a beginning, as lines that are no wider than this where words allow it.
fn wrapped(begin: String, text: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(begin.chars().count());
    let mut lines = vec![begin];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let is_full = lines[last].chars().count() + 1 + word.chars().count() > width;
        match is_full && lines[last].len() > indent.len() {
            true => lines.push(format!("{indent} {word}")),
            false => lines[last] += &format!(" {word}"),
        }
    }

    lines
}

fn services(overview: &FleetOverview) -> Vec<String> {
    if overview.services.is_empty() {
        return Vec::new();
    }

    let mut lines = vec![format!("Services  {}", overview.services.len())];
    lines.extend(overview.services.iter().map(service_line));
    lines.extend(more(overview.left_out.services, "services"));
    lines
}

fn orders(overview: &FleetOverview) -> Vec<String> {
    if overview.orders.is_empty() {
        return Vec::new();
    }

    let mut lines = vec![format!("Orders    {} in force", overview.orders.len())];
    lines.extend(overview.orders.iter().flat_map(order_lines));
    lines.extend(more(overview.left_out.orders, "orders"));
    lines
}

fn rolls(overview: &FleetOverview) -> Vec<String> {
    if overview.rolls.is_empty() {
        return Vec::new();
    }

    let mut lines = vec![format!("Rolls     {} under way", overview.rolls.len())];
    lines.extend(overview.rolls.iter().flat_map(roll_lines));
    lines.extend(more(overview.left_out.rolls, "rolls"));
    lines
}

fn more(count: usize, what: &str) -> Option<String> {
    (count > 0).then(|| format!("  and {count} more {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_goes_on_below_its_beginning() {
        let lines = |width| wrapped(" shop ".to_owned(), "web01 is lost. All is.", width);
        assert_eq!(lines(80), [" shop  web01 is lost. All is."]);
        assert_eq!(
            lines(16),
            [" shop  web01 is", "       lost. All", "       is."]
        );
        assert_eq!(lines(0).len(), 5);
    }
}
