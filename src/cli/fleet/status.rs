//! `hastatus --fleet`: how many hosts are what, and why.
//!
//! Rule: a host that gives no sign of life is never called up.

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
use crate::fleet::Snapshot;
use crate::fleet::picture::{FleetPicture, HostRow, HostState, is_local};
use crate::names::text::one_line;
use crate::spool::unix_now;

pub(crate) fn act(call: &Call, request: &FleetRequest) -> Result<u8, Failure> {
    refuse_uber(request.format)?;
    let mut client = FleetClient::open(call, &request.file)?;
    let snapshot = client.snapshot()?;
    let mut failures = Vec::new();
    let mut is_up = true;
    let mut objects = Vec::new();
    let mut text = String::new();
    for key in &request.keys {
        let now = unix_now();
        let known = scope::refuse_empty(
            &snapshot,
            &client.settings.fleet,
            key,
            &request.selector,
            now,
        );
        if let Err(failure) = known {
            failures.push(failure);
            continue;
        }
        let picture = FleetPicture::new(&snapshot, key, &request.selector, now);
        let sums = picture.sums();
        is_up &= sums.up == sums.hosts;
        let name = key.file_name();
        match request.format {
            OutputFormat::Json => objects.push(json_of(&name, &snapshot, &picture)),
            OutputFormat::Tsv => text += &lines(&name, &snapshot, &picture),
            OutputFormat::Table | OutputFormat::Uber => {
                if request.keys.len() > 1 {
                    text += &format!("{name}:\n");
                }
                text += &for_people(&snapshot, &picture);
            }
        }
        note_unknown(call, &name, &picture);
    }
    if request.format == OutputFormat::Json {
        text = json_lines(&objects);
    }
    output::print(&text)?;
    snapshot.odd.iter().for_each(|odd| call.note(odd));
    // After the output, so that one that nobody serves does not hide the others.
    Failure::unless_empty(&failures)?;
    Ok(u8::from(!is_up))
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
    let width = groups.iter().map(|group| group.until.chars().count()).max();
    let width = width.unwrap_or_default().max("until 20:05".len());
    let mut text = String::new();
    for group in groups {
        let state = group.state.as_str();
        let what = group.what();
        let line = format!(
            "{state:<4}{:>5}   {:<width$}   {what}",
            group.count, group.until
        );
        text += line.trim_end();
        text.push('\n');
    }
    text
}

impl HostGroup<'_> {
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
        let is_same = |group: &&mut HostGroup<'_>| {
            group.state == new.state
                && group.until == new.until
                && group.text == new.text
                && group.names.is_some() == new.names.is_some()
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => {
                group.count += 1;
                if let Some(names) = &mut group.names {
                    names.push(row.name);
                }
            }
            None => groups.push(new),
        }
    }
    groups.sort_by_key(|group| (group.state, std::cmp::Reverse(group.count)));
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
            group.text = down_text(snapshot, row);
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

fn down_text(snapshot: &Snapshot, row: &HostRow<'_>) -> String {
    let Some(report) = row.report else {
        return String::new();
    };
    let cause = cause(snapshot, report);
    match row.slot {
        Some(slot) => format!(
            "slot {}, {}: {cause}",
            one_line(&slot.roll),
            one_line(&slot.phase)
        ),
        None => cause,
    }
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
    let heard = match row.record.seen {
        seen if seen > 0.0 => format!("last heard of {}", times::brief(seen)),
        _ => String::new(),
    };
    let knew = match (row.order, row.knows) {
        (None, _) => "",
        (Some(_), true) => "knew the order: yes",
        (Some(_), false) => "knew the order: no",
    };
    let parts = [heard.as_str(), knew]
        .into_iter()
        .filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(", ")
}

/// A line for each host: `DOWN\t<until or inf>\tweb01\tweb\tfleet:*\talice\tnew disk`.
fn lines(name: &str, snapshot: &Snapshot, picture: &FleetPicture<'_>) -> String {
    let mut text = String::new();
    for row in &picture.rows {
        let report = row.report;
        let until = match (row.state, report.and_then(|report| report.until)) {
            (HostState::Down, Some(end)) => format!("{end:.6}"),
            (HostState::Down, None) => "inf".to_owned(),
            _ => String::new(),
        };
        let reason = match (row.state, report) {
            (HostState::Down, Some(report)) => report.reason.clone(),
            (HostState::Down, None) => String::new(),
            _ => group(snapshot, row).text,
        };
        text += &tab_line(&[
            row.state.as_str().to_owned(),
            until,
            row.name.to_owned(),
            name.to_owned(),
            report
                .map(|report| report.origin.clone())
                .unwrap_or_default(),
            report.map(|report| report.by.clone()).unwrap_or_default(),
            reason,
        ]);
    }
    text
}

fn json_of(name: &str, snapshot: &Snapshot, picture: &FleetPicture<'_>) -> Value {
    let sums = picture.sums();
    let rows: Vec<Value> = picture
        .rows
        .iter()
        .map(|row| row_json(snapshot, row))
        .collect();
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
