//! `hastatus --fleet`: how many hosts are what, and why.
//!
//! Rule: a host that gives no sign of life is never called up.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::client::FleetClient;
use super::output::{cause, end, json_lines, refuse_uber, tab_line};
use super::request::FleetRequest;
use super::scope;
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::entries::OutputFormat;
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
    snapshot.odd.iter().for_each(|odd| call.note(odd));
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

        let picture = FleetPicture::new(self.snapshot, key, selector, now);
        let sums = picture.sums();
        self.is_up &= sums.up == sums.hosts;
        let name = key.file_name();
        self.show(&name, &picture);
        note_unknown(self.call, &name, &picture);
    }

    fn show(&mut self, name: &str, picture: &FleetPicture<'_>) {
        match self.request.format {
            OutputFormat::Json => {
                let object = json_of(name, self.snapshot, picture);
                self.objects.push(object);
            }
            OutputFormat::Tsv => self.text += &lines(name, self.snapshot, picture),
            OutputFormat::Table | OutputFormat::Uber => {
                if self.request.keys.len() > 1 {
                    self.text += &format!("{name}:\n");
                }
                self.text += &for_people(self.snapshot, picture);
            }
        }
    }

    fn text(&self) -> String {
        match self.request.format {
            OutputFormat::Json => json_lines(&self.objects),
            _ => self.text.clone(),
        }
    }
}

/// What hosts hold and the engine has lost.
fn note_unknown(call: &Call, name: &str, picture: &FleetPicture<'_>) {
    for register in &picture.unknown {
        call.note(&format!(
            "hosts hold {register}, which etcd does not have (any more); they keep it until 'haup --fleet {name}' lifts it"
        ));
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

fn for_people(snapshot: &Snapshot, picture: &FleetPicture<'_>) -> String {
    let groups = groups(snapshot, picture);
    let width = width_of_ends(&groups);
    let mut text = String::new();
    for group in groups {
        let state = group.state.as_str();
        let (count, until) = (group.count, &group.until);
        let what = group.what();
        let line = format!("{state:<4}{count:>5}   {until:<width$}   {what}");
        text += line.trim_end();
        text.push('\n');
    }

    text
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

    /// The names, where they matter, and what is to be told.
    fn what(&self) -> String {
        let Some(names) = &self.names else {
            return self.text.clone();
        };

        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let names = scope::listed(&names);
        match self.text.is_empty() {
            true => names,
            false => format!("{names}: {}", self.text),
        }
    }
}

/// The groups: by state, the largest first.
fn groups<'a>(snapshot: &Snapshot, picture: &FleetPicture<'a>) -> Vec<HostGroup<'a>> {
    let mut groups: Vec<HostGroup<'a>> = Vec::new();
    for row in &picture.rows {
        let new = group(snapshot, row);
        match groups.iter_mut().find(|group| group.is_like(&new)) {
            Some(group) => group.add(row.name),
            None => groups.push(new),
        }
    }

    sort_by_key(&mut groups, |group| (group.state, Reverse(group.count)));
    groups
}

fn group<'a>(snapshot: &Snapshot, row: &HostRow<'a>) -> HostGroup<'a> {
    let mut group = HostGroup {
        state: row.state,
        until: String::new(),
        text: String::new(),
        names: Some(vec![row.name]),
        count: 1,
    };

    match (row.state, row.report) {
        (HostState::Down, Some(report)) => {
            group.until = format!("until {}", end(report.until));
            group.text = down_text(snapshot, row, report);
            if !is_local(report) && row.slot.is_none() {
                group.names = None;
            }
        }
        (HostState::Lost, _) => group.text = lost_text(row),
        _ => {
            group.text = up_text(row);
            if group.text.is_empty() {
                group.names = None;
            }
        }
    }

    group
}

fn down_text(snapshot: &Snapshot, row: &HostRow<'_>, report: &Report) -> String {
    let cause = cause(snapshot, report);
    let Some(slot) = row.slot else {
        return cause;
    };

    let roll = one_line(&slot.roll);
    let phase = one_line(&slot.phase);
    format!("slot {roll}, {phase}: {cause}")
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

    match (row.order, row.knows) {
        (None, _) => {}
        (Some(_), true) => parts.push("knew the order: yes".to_owned()),
        (Some(_), false) => parts.push("knew the order: no".to_owned()),
    }

    parts.join(", ")
}

/// A line for each host: `DOWN\t<until or inf>\tweb01\tweb\tfleet:*\talice\tnew disk`.
fn lines(name: &str, snapshot: &Snapshot, picture: &FleetPicture<'_>) -> String {
    let mut text = String::new();
    for row in &picture.rows {
        let (origin, by) = match row.report {
            Some(report) => (report.origin.as_str(), report.by.as_str()),
            None => ("", ""),
        };
        text += &tab_line(&[
            row.state.as_str(),
            &exact_end(row),
            row.name,
            name,
            origin,
            by,
            &reason(snapshot, row),
        ]);
    }

    text
}

/// When a downtime ends, for programs; nothing where there is none.
fn exact_end(row: &HostRow<'_>) -> String {
    if row.state != HostState::Down {
        return String::new();
    }

    match row.report.and_then(|report| report.until) {
        Some(end) => format!("{end:.6}"),
        None => "inf".to_owned(),
    }
}

fn reason(snapshot: &Snapshot, row: &HostRow<'_>) -> String {
    match (row.state, row.report) {
        (HostState::Down, Some(report)) => report.reason.clone(),
        (HostState::Down, None) => String::new(),
        _ => group(snapshot, row).text,
    }
}

fn json_of(name: &str, snapshot: &Snapshot, picture: &FleetPicture<'_>) -> Value {
    let sums = picture.sums();
    let rows = picture.rows.iter();
    let rows: Vec<Value> = rows.map(|row| row_json(snapshot, row)).collect();
    json!({
        "service": name,
        "hosts": sums.hosts,
        "down": sums.down,
        "up": sums.up,
        "lost": sums.lost,
        "waived": sums.waived,
        "orders": picture.orders,
        "unknown": picture.unknown,
        "rows": rows,
    })
}

fn row_json(snapshot: &Snapshot, row: &HostRow<'_>) -> Value {
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
        "text": group(snapshot, row).text,
    })
}
