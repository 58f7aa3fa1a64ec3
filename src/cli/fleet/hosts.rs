//! `hacheck fleet hosts`: who is there, and what each says of itself.

use serde_json::{Value, json};

use super::applet::FleetCall;
use super::client::FleetClient;
use super::output::listed_rows;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::fleet::{HostRecord, Snapshot};
use crate::names::text::one_line;

const HEADS: [&str; 8] = [
    "host", "state", "address", "tags", "services", "held", "waived", "version",
];

pub(super) fn show(fleet: &FleetCall<'_>) -> Result<u8, Failure> {
    let mut client = FleetClient::open(fleet.call, &fleet.file)?;
    let snapshot = client.snapshot()?;
    let hosts: Vec<(&String, &HostRecord)> = snapshot.selected(&fleet.selector).collect();
    let rows: Vec<[String; 8]> = hosts.iter().map(|host| cells(&snapshot, *host)).collect();
    let objects = hosts.iter().map(|host| json_of(&snapshot, *host));
    output::print(&listed_rows(fleet.format, HEADS, &rows, objects))?;
    if hosts.is_empty() {
        let (name, selector) = (&client.settings.fleet, &fleet.selector);
        fleet.call.note(&format!(
            "no host of the fleet {name} is selected by {selector}"
        ));
    }
    for (name, record) in hosts {
        for problem in &record.problems {
            fleet.call.note(&format!("{name}: {}", one_line(problem)));
        }
    }
    snapshot.odd.iter().for_each(|odd| fleet.call.note(odd));
    Ok(0)
}

fn state(snapshot: &Snapshot, name: &str) -> &'static str {
    match snapshot.alive.contains(name) {
        true => "alive",
        false => "lost",
    }
}

fn cells(snapshot: &Snapshot, (name, record): (&String, &HostRecord)) -> [String; 8] {
    let tags = record
        .tags
        .iter()
        .map(|(tag, value)| format!("{tag}={value}"));
    let tags: Vec<String> = tags.collect();
    let held: Vec<&str> = record.held.keys().map(String::as_str).collect();
    let waived: Vec<&str> = record.waived.keys().map(String::as_str).collect();
    let cells = [
        name.clone(),
        state(snapshot, name).to_owned(),
        format!("{}:{}", record.address, record.port),
        tags.join(","),
        record.services.join(","),
        held.join(","),
        waived.join(","),
        record.version.clone(),
    ];
    cells.map(|cell| one_line(&cell))
}

fn json_of(snapshot: &Snapshot, (name, record): (&String, &HostRecord)) -> Value {
    json!({"host": name, "state": state(snapshot, name), "record": record})
}
