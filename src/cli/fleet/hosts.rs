//! `hacheck fleet hosts`: who is there, and what each says of itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::applet::FleetCall;
use super::client::FleetClient;
use super::output::print_listed;
use super::scope::nobody_selected;
use crate::cli::failure::Failure;
use crate::fleet::{HostRecord, Selector, Snapshot};
use crate::names::text::one_line;

const HEADS: [&str; 8] = [
    "host", "state", "address", "tags", "services", "held", "waived", "version",
];

pub(super) fn show(fleet: &FleetCall<'_>) -> Result<u8, Failure> {
    let mut client = FleetClient::open(fleet.call, &fleet.file)?;
    let snapshot = client.snapshot()?;
    let hosts = selected(&snapshot, &fleet.selector);
    print_listed(fleet.format, HEADS, &hosts, cells, json_of)?;
    let name = &client.settings.fleet;
    if let Some(nobody) = nobody_selected(&snapshot, name, &fleet.selector) {
        fleet.call.note(&nobody);
    }

    for host in &hosts {
        host.note_problems(fleet);
    }

    // Last, as it is seldom what was asked for.
    fleet.call.note_all(&snapshot.odd);
    Ok(0)
}

/// A host, and what is known of it.
struct HostOfSnapshot<'a> {
    name: &'a str,
    record: &'a HostRecord,
    is_alive: bool,
}

fn selected<'a>(snapshot: &'a Snapshot, selector: &Selector) -> Vec<HostOfSnapshot<'a>> {
    let mut hosts = Vec::new();
    for (name, record) in snapshot.selected(selector) {
        hosts.push(HostOfSnapshot {
            name,
            record,
            is_alive: snapshot.alive.contains(name),
        });
    }

    hosts
}

impl HostOfSnapshot<'_> {
    fn state(&self) -> &'static str {
        match self.is_alive {
            true => "alive",
            false => "lost",
        }
    }

    fn note_problems(&self, fleet: &FleetCall<'_>) {
        for problem in &self.record.problems {
            let problem = one_line(problem);
            fleet.call.note(&format!("{}: {problem}", self.name));
        }
    }
}

fn cells(host: &HostOfSnapshot<'_>) -> [String; 8] {
    let record = host.record;
    let cells = [
        host.name.to_owned(),
        host.state().to_owned(),
        format!("{}:{}", record.address, record.port),
        tags(&record.tags),
        record.services.join(","),
        keys(&record.held),
        keys(&record.waived),
        record.version.clone(),
    ];
    // Hosts write all of it themselves, and one of them may write anything.
    cells.map(|cell| one_line(&cell))
}

fn tags(tags: &BTreeMap<String, String>) -> String {
    let mut words = Vec::new();
    for (tag, value) in tags {
        words.push(format!("{tag}={value}"));
    }

    words.join(",")
}

fn keys<T>(map: &BTreeMap<String, T>) -> String {
    let keys: Vec<&str> = map.keys().map(String::as_str).collect();
    keys.join(",")
}

fn json_of(host: &HostOfSnapshot<'_>) -> Value {
    json!({"host": host.name, "state": host.state(), "record": host.record})
}
