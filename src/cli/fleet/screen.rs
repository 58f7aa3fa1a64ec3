//! The fleet as lines of a terminal: what is wrong first, and under each state what to type.

use super::reading::EngineState;
use super::scope::{self, listed};
use super::screen_rows::{order_lines, roll_line, service_line};
use crate::cli::live::{LivePicture, with_clock};
use crate::cli::output::pollers::age;
use crate::cli::output::terminal::shortened;
use crate::cli::output::times;
use crate::fleet::OrderState;
use crate::fleet::overview::{
    Advice, Counts, DownEntry, FleetOverview, FleetState, HostEntry, LateEntry,
};
use crate::spool::unix_now;

/// Columns of names.
pub(super) const NAME: usize = 16;

/// Columns of states.
const STATE: usize = 14;

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

    pub(super) fn show(&mut self, overview: FleetOverview, engine: EngineState) {
        self.overview = Some(overview);
        self.engine = engine;
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
        self.show(overview, engine);
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

/// Hosts of which the same is to be told.
struct Alike<'a> {
    state: FleetState,
    text: String,
    names: Vec<String>,
    advice: Option<&'a Advice>,
}

fn hosts(overview: &FleetOverview) -> Vec<String> {
    let mut groups: Vec<Alike<'_>> = Vec::new();
    for host in &overview.hosts {
        let text = host_text(host);
        match groups.last_mut() {
            Some(last) if last.state == host.state && last.text == text => {
                last.names.push(host.host.clone());
                last.advice = last.advice.or(host.advice.as_ref());
            }
            _ => groups.push(Alike {
                state: host.state,
                text,
                names: vec![host.host.clone()],
                advice: host.advice.as_ref(),
            }),
        }
    }

    let mut lines = vec![format!("Hosts     {}", sums(&overview.sums))];
    for group in &groups {
        lines.push(group.line());
        lines.extend(group.advice.map(advice_line));
    }

    lines
}

impl Alike<'_> {
    fn line(&self) -> String {
        let (name, rest) = match self.names.as_slice() {
            [one] => (one.clone(), self.text.clone()),
            many if self.text.is_empty() => (scope::hosts(many.len()), listed(many)),
            many => (
                scope::hosts(many.len()),
                format!("{} ({})", self.text, listed(many)),
            ),
        };

        let line = format!(
            "{} {} {:STATE$} {rest}",
            self.state.sign(),
            column(&name, NAME),
            self.state.words()
        );
        line.trim_end().to_owned()
    }
}

/// `40 known: 38 up, 1 down, 1 lost`.
fn sums(counts: &Counts) -> String {
    let mut parts = Vec::new();
    for (count, state) in [
        (counts.up, FleetState::Up),
        (counts.waived, FleetState::Waived),
        (counts.partly, FleetState::Partly),
        (counts.down, FleetState::Down),
        (counts.late, FleetState::Late),
        (counts.lost, FleetState::Lost),
    ] {
        if count > 0 {
            parts.push(format!("{count} {}", state.words()));
        }
    }

    match parts.is_empty() {
        true => "none is known".to_owned(),
        false => format!("{} known: {}", counts.hosts, parts.join(", ")),
    }
}

/// What is the matter with a host: nothing where it is up.
pub(super) fn host_text(host: &HostEntry) -> String {
    let mut parts = Vec::new();
    if host.state == FleetState::Lost && host.seen > 0.0 {
        parts.push(format!("last heard of {}", times::brief(host.seen)));
    }

    parts.extend(host.late.iter().map(late_text));
    parts.extend(host.down.iter().map(down_text));
    if host.left_out > 0 {
        parts.push(format!("and {} more downtimes", host.left_out));
    }

    for waiver in &host.waived {
        let (key, by, why) = (&waiver.key, &waiver.by, &waiver.reason);
        parts.push(format!("{key} waived by {by}: {why}"));
    }

    for slot in &host.slots {
        let since = times::brief(slot.since);
        let (key, roll, phase) = (&slot.key, &slot.roll, &slot.phase);
        parts.push(format!("{key} in roll {roll}: {phase} since {since}"));
    }

    parts.extend(host.problems.iter().cloned());
    parts.join("; ")
}

fn late_text(late: &LateEntry) -> String {
    let what = match late.state {
        OrderState::Down => "ordered down",
        OrderState::Up => "lifted",
    };

    let by = match late.by.as_str() {
        "" => String::new(),
        by => format!(" by {by}"),
    };

    let knows = if late.knows {
        "it knows"
    } else {
        "it has not heard of it"
    };

    format!(
        "{} {what}{by} at {}, {knows}",
        late.key,
        times::brief(late.at)
    )
}

/// `web by alice@ops1: new disk, since 18:05 until 20:05`.
pub(super) fn down_text(down: &DownEntry) -> String {
    let mut text = down.key.clone();
    if down.is_local {
        text += " locally";
    }

    text += &by(&down.by, &down.from);
    if !down.reason.is_empty() {
        text += &format!(": {}", down.reason);
    }

    if let Some(since) = down.since {
        text += &format!(", since {}", times::brief(since));
    }

    if let Some(until) = down.until {
        text += &format!(" until {}", times::brief(until));
    }

    text
}

/// ` by alice@ops1`, as far as it is known.
pub(super) fn by(by: &str, from: &str) -> String {
    match (by, from) {
        ("", _) => String::new(),
        (by, "") => format!(" by {by}"),
        (by, from) => format!(" by {by}@{from}"),
    }
}

/// `    web02$ haup --wait web   # puts it back`.
pub(super) fn advice_line(advice: &Advice) -> String {
    let words: Vec<String> = advice.command.iter().map(|word| quoted(word)).collect();
    let on = advice.on.as_deref().unwrap_or_default();
    format!("    {on}$ {}   # {}", words.join(" "), advice.effect)
}

/// A word for a shell: what a stranger made up must not become one of its own.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
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
    lines.extend(overview.rolls.iter().map(roll_line));
    lines.extend(more(overview.left_out.rolls, "rolls"));
    lines
}

fn more(count: usize, what: &str) -> Option<String> {
    (count > 0).then(|| format!("  and {count} more {what}"))
}

/// A text as wide as its column.
pub(super) fn column(text: &str, width: usize) -> String {
    format!("{:width$}", shortened(text, width))
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

    #[test]
    fn a_word_of_a_stranger_stays_one_word() {
        for (word, shown) in [
            ("web:80", "web:80"),
            ("a b", "'a b'"),
            ("$(reboot)", "'$(reboot)'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
