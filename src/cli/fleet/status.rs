//! `hastatus --fleet`: how many hosts are what, and why.
//!
//! Rule: a host that gives no sign of life is never called up.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::client::FleetClient;
use super::output::{cause, json_lines, refuse_uber, tab_line};
use super::request::FleetRequest;
use super::scope;
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::entries::{OutputFormat, exact_end, moment};
use crate::cli::output::times;
use crate::fleet::picture::{FleetPicture, HostRow, HostState, is_local};
use crate::fleet::{Report, Snapshot};
use crate::names::Key;
use crate::names::sort::sort_by_key;
use crate::names::text::one_line;
use crate::spool::unix_now;

pub(crate) fn act(call: &Call, request: &FleetRequest) -> Result<u8, Failure> {
    refuse_uber(request.format)?;
    let mut client = FleetClient::open(call, &request.file)?;
    let snapshot = client.snapshot()?;
    let mut status = FleetStatus::new(call, request, &snapshot, &client.settings.fleet);
    for key in &request.keys {
        status.add(key);
    }

    output::print(&status.text())?;
    call.note_all(&snapshot.odd);
    // After the output, so that one that nobody serves does not hide the others.
    Failure::unless_empty(&status.failures)?;
    Ok(u8::from(!status.is_up))
}

/// What is told, key by key.
struct FleetStatus<'a> {
    call: &'a Call,
    request: &'a FleetRequest,
    snapshot: &'a Snapshot,
    fleet: &'a str,
    /// Whether every host is up so far.
    is_up: bool,
    objects: Vec<Value>,
    text: String,
    failures: Vec<Failure>,
}

impl<'a> FleetStatus<'a> {
    fn new(
        call: &'a Call,
        request: &'a FleetRequest,
        snapshot: &'a Snapshot,
        fleet: &'a str,
    ) -> Self {
        Self {
            call,
            request,
            snapshot,
            fleet,
            is_up: true,
            objects: Vec::new(),
            text: String::new(),
            failures: Vec::new(),
        }
    }

    fn add(&mut self, key: &Key) {
        let now = unix_now();
        let selector = &self.request.selector;
        if let Err(failure) = scope::refuse_empty(self.snapshot, self.fleet, key, selector, now) {
            self.failures.push(failure);
            return;
        }

        let status = KeyStatus {
            name: key.file_name(),
            snapshot: self.snapshot,
            picture: FleetPicture::new(self.snapshot, key, selector, now),
        };

        self.is_up &= status.is_up();
        self.show(&status);
        status.note_unknown(self.call);
    }

    fn show(&mut self, status: &KeyStatus<'_>) {
        match self.request.format {
            OutputFormat::Json => self.objects.push(status.json()),
            OutputFormat::Tsv => self.text += &status.lines(),
            OutputFormat::Table | OutputFormat::Uber => self.show_to_people(status),
        }
    }

    fn show_to_people(&mut self, status: &KeyStatus<'_>) {
        // One service needs no head.
        if self.request.keys.len() > 1 {
            self.text += &format!("{}:\n", status.name);
        }

        self.text += &status.for_people();
    }

    fn text(&self) -> String {
        match self.request.format {
            OutputFormat::Json => json_lines(&self.objects),
            _ => self.text.clone(),
        }
    }
}

/// Hosts of which the same is to be told.
struct HostGroup<'a> {
    state: HostState,
    until: String,
    text: String,
    /// Whose names are told: those that are not as ordered.
    names: Option<Vec<&'a str>>,
    count: usize,
}

impl<'a> HostGroup<'a> {
    /// Whether the same is to be told of another group.
    fn is_like(&self, other: &Self) -> bool {
        self.state == other.state
            && self.until == other.until
            && self.text == other.text
            && self.names.is_some() == other.names.is_some()
    }

    fn add(&mut self, name: &'a str) {
        self.count += 1;
        if let Some(names) = &mut self.names {
            names.push(name);
        }
    }

    /// `DOWN    2   until 20:05   web07, web12: local by carol: bad RAM`.
    fn line(&self, width: usize) -> String {
        let state = self.state.as_str();
        let (count, until) = (self.count, &self.until);
        let what = self.what();
        let line = format!("{state:<4}{count:>5}   {until:<width$}   {what}");
        format!("{}\n", line.trim_end())
    }

    /// The names, where they matter, and what is to be told.
    fn what(&self) -> String {
        let Some(names) = &self.names else {
            return self.text.clone();
        };

        let names = scope::listed(names.iter().copied());
        match self.text.is_empty() {
            true => names,
            false => format!("{names}: {}", self.text),
        }
    }
}

/// How many columns the ends take.
fn width_of_ends(groups: &[HostGroup<'_>]) -> usize {
    // Never less than a usual end, so that the columns of several services stand below each other.
    let mut width = "until 20:05".len();
    for group in groups {
        width = width.max(group.until.chars().count());
    }

    width
}

fn up_text(row: &HostRow<'_>) -> String {
    if let Some(waived) = row.waived {
        let by = one_line(&waived.by);
        return format!("waived by {by}: {}", one_line(&waived.reason));
    }

    match (row.order, row.knows) {
        (None, _) => String::new(),
        (Some(_), true) => "knows the order, and has not done it yet".to_owned(),
        (Some(_), false) => "does not know the order yet".to_owned(),
    }
}

fn lost_text(row: &HostRow<'_>) -> String {
    let mut parts = Vec::new();
    // etcd keeps no time at which a lease ended; so this is when the host last wrote, which is earlier.
    if row.record.seen > 0.0 {
        let seen = times::brief(row.record.seen);
        parts.push(format!("last heard of {seen}"));
    }

    if row.order.is_some() {
        let knew = match row.knows {
            true => "knew the order: yes",
            false => "knew the order: no",
        };
        parts.push(knew.to_owned());
    }

    parts.join(", ")
}

/// When a downtime ends, for programs; nothing where there is none.
fn row_end(row: &HostRow<'_>) -> String {
    match row.state {
        HostState::Down => exact_end(row.report.and_then(|report| report.until)),
        _ => String::new(),
    }
}

/// One key, and what is known of the hosts that serve it.
struct KeyStatus<'a> {
    name: String,
    snapshot: &'a Snapshot,
    picture: FleetPicture<'a>,
}

impl<'a> KeyStatus<'a> {
    fn is_up(&self) -> bool {
        let sums = self.picture.sums();
        sums.up == sums.hosts
    }

    /// What hosts hold and the engine has lost.
    fn note_unknown(&self, call: &Call) {
        let name = &self.name;
        for register in &self.picture.unknown {
            call.note(&format!(
                "hosts hold {register}, which etcd does not have (any more); they keep it until 'haup --fleet {name}' lifts it"
            ));
        }
    }

    fn for_people(&self) -> String {
        let groups = self.groups();
        let width = width_of_ends(&groups);
        groups.iter().map(|group| group.line(width)).collect()
    }

    /// The groups: by state, the largest first.
    fn groups(&self) -> Vec<HostGroup<'a>> {
        let mut groups: Vec<HostGroup<'a>> = Vec::new();
        for row in &self.picture.rows {
            let new = self.group(row);
            match groups.iter_mut().find(|group| group.is_like(&new)) {
                Some(group) => group.add(row.name),
                None => groups.push(new),
            }
        }

        sort_by_key(&mut groups, |group| (group.state, Reverse(group.count)));
        groups
    }

    /// The group of one host.
    fn group(&self, row: &HostRow<'a>) -> HostGroup<'a> {
        let text = self.row_text(row);
        HostGroup {
            state: row.state,
            until: shown_end(row),
            names: match is_as_ordered(row, &text) {
                true => None,
                false => Some(vec![row.name]),
            },
            text,
            count: 1,
        }
    }

    /// What is to be told of a host.
    fn row_text(&self, row: &HostRow<'_>) -> String {
        match (row.state, row.report) {
            (HostState::Down, Some(report)) => self.down_text(row, report),
            (HostState::Lost, _) => lost_text(row),
            _ => up_text(row),
        }
    }

    fn down_text(&self, row: &HostRow<'_>, report: &Report) -> String {
        let cause = cause(self.snapshot, report);
        let Some(slot) = row.slot else {
            return cause;
        };

        let roll = one_line(&slot.roll);
        let phase = one_line(&slot.phase);
        format!("slot {roll}, {phase}: {cause}")
    }

    /// A line for each host: `DOWN\t<until or inf>\tweb01\tweb\tfleet:*\talice\tnew disk`.
    fn lines(&self) -> String {
        let rows = self.picture.rows.iter();
        rows.map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &HostRow<'_>) -> String {
        let (origin, by) = match row.report {
            Some(report) => (report.origin.as_str(), report.by.as_str()),
            None => ("", ""),
        };
        tab_line(&[
            row.state.as_str(),
            &row_end(row),
            row.name,
            &self.name,
            origin,
            by,
            &self.reason(row),
        ])
    }

    /// The reason alone, where there is one: a program has the author in a field of its own.
    fn reason(&self, row: &HostRow<'_>) -> String {
        match (row.state, row.report) {
            (HostState::Down, Some(report)) => report.reason.clone(),
            (HostState::Down, None) => String::new(),
            _ => self.row_text(row),
        }
    }

    fn json(&self) -> Value {
        let sums = self.picture.sums();
        let rows = self.picture.rows.iter();
        let rows: Vec<Value> = rows.map(|row| self.row_json(row)).collect();
        json!({
            "service": self.name,
            "hosts": sums.hosts,
            "down": sums.down,
            "up": sums.up,
            "lost": sums.lost,
            "waived": sums.waived,
            "orders": self.picture.orders,
            "unknown": self.picture.unknown,
            "rows": rows,
        })
    }

    fn row_json(&self, row: &HostRow<'_>) -> Value {
        let state = row.state.as_str().to_lowercase();
        json!({
            "host": row.name,
            "state": state,
            "report": row.report,
            "of": row.report.map(|_| row.report_key),
            "slot": row.slot,
            "waived": row.waived,
            "order": row.order.map(|order| &order.id),
            "knows": row.order.map(|_| row.knows),
            "text": self.row_text(row),
        })
    }
}

/// `until 20:05`; nothing where the host is not down.
fn shown_end(row: &HostRow<'_>) -> String {
    match (row.state, row.report) {
        (HostState::Down, Some(report)) => format!("until {}", moment(report.until, "inf")),
        _ => String::new(),
    }
}

/// Whether a host is as it was ordered, so that only the number of such hosts matters.
fn is_as_ordered(row: &HostRow<'_>, text: &str) -> bool {
    match (row.state, row.report) {
        (HostState::Down, Some(report)) => !is_local(report) && row.slot.is_none(),
        (HostState::Lost, _) => false,
        _ => text.is_empty(),
    }
}
