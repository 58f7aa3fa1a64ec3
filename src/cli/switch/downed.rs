//! `hashowdowned`: all downtimes in force.

use std::io::ErrorKind;

use super::notes::{note_agent_only, note_missing_root};
use super::request::SwitchRequest;
use super::{Task, info, run};
use crate::cli::applet::Applet;
use crate::cli::failure::Failure;
use crate::cli::output::entries::{self, EntryState, OutputFormat};
use crate::cli::output::{self, downtimes};
use crate::spool::{Downtime, Key, Listing};

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "downed",
    alias: Some("hashowdowned"),
    usage: "[options]",
    about: "list all downtimes in force",
    info,
    uses: |option| Task::Downed.uses(option),
    run: |call| run(call, Task::Downed),
};

pub(super) fn act(request: &SwitchRequest) -> Result<u8, Failure> {
    let listing = listing(request)?;
    let ordered = ordered(request);
    let mut entries = Vec::new();
    for (key, downtime) in listing.downtimes.iter().chain(&ordered) {
        entries.push(entry(request, key, downtime));
    }

    print(request, &entries)?;
    note_odd(request, &listing);
    Ok(0)
}

fn entry<'a>(request: &SwitchRequest, key: &'a Key, downtime: &Downtime) -> EntryState<'a> {
    EntryState {
        key,
        host: key.host(),
        // Nothing was typed here that could be left out.
        names_port: true,
        downtime: Some(downtime.clone()),
        owner: downtimes::owner(&request.spool, key),
    }
}

fn print(request: &SwitchRequest, entries: &[EntryState]) -> Result<(), Failure> {
    // A table of nothing would be its heads alone; programs get their empty output.
    if entries.is_empty() && request.format == OutputFormat::Table {
        request.note("nothing is down");
        return Ok(());
    }

    output::print(&entries::text(entries, request.format))
}

/// What the fleet has ordered here.
fn ordered(request: &SwitchRequest) -> Vec<(Key, Downtime)> {
    let Some(fleet) = &request.fleet_spool else {
        return Vec::new();
    };

    match fleet.list() {
        Ok(listing) => listing.downtimes,
        // Before the first order there is none.
        Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
        Err(e) => {
            request.note(&format!("cannot tell what the fleet has ordered here: {e}"));
            Vec::new()
        }
    }
}

fn note_odd(request: &SwitchRequest, listing: &Listing) {
    for (key, downtime) in &listing.downtimes {
        note_odd_downtime(request, key, downtime);
    }

    let root = request.spool.root().display();
    for (name, why) in &listing.odd {
        request.note(&format!(
            "{name:?} in {root} cannot be read as a downtime: {why}"
        ));
    }
}

fn note_odd_downtime(request: &SwitchRequest, key: &Key, downtime: &Downtime) {
    // JSON has a field for it.
    if request.format != OutputFormat::Json {
        note_agent_only(request, key, downtime);
    }

    if let Some(what) = &downtime.odd_end {
        request.note(&format!("'{key}': {what}"));
    }
}

fn listing(request: &SwitchRequest) -> Result<Listing, Failure> {
    match request.spool.list() {
        Ok(listing) => Ok(listing),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            note_missing_root(request);
            Ok(Listing::default())
        }
        Err(e) => Err(Failure::failed(e)),
    }
}
