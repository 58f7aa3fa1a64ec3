//! `hashowdowned`: all downtimes in force.

use std::io::ErrorKind;

use super::notes::{note_agent_only, note_missing_root};
use super::request::SwitchRequest;
use super::{Task, info, run};
use crate::cli::applet::{Applet, Call};
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

pub(super) fn act(call: &Call, request: &SwitchRequest) -> Result<u8, Failure> {
    let listing = listing(call, request)?;
    let ordered = ordered(call, request);
    let mut entries = Vec::new();
    for (key, downtime) in listing.downtimes.iter().chain(&ordered) {
        entries.push(EntryState {
            key,
            host: key.host(),
            names_port: true,
            downtime: Some(downtime.clone()),
            owner: downtimes::owner(&request.spool, key),
        });
    }

    if entries.is_empty() && request.format == OutputFormat::Table {
        call.note("nothing is down");
    } else {
        print(&entries, request)?;
    }

    tell_odd(call, request, &listing);
    Ok(0)
}

/// What the fleet has ordered here.
fn ordered(call: &Call, request: &SwitchRequest) -> Vec<(Key, Downtime)> {
    let Some(fleet) = &request.fleet_spool else {
        return Vec::new();
    };

    match fleet.list() {
        Ok(listing) => listing.downtimes,
        // Before the first order there is none.
        Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
        Err(e) => {
            call.note(&format!("cannot tell what the fleet has ordered here: {e}"));
            Vec::new()
        }
    }
}

fn print(entries: &[EntryState], request: &SwitchRequest) -> Result<(), Failure> {
    output::print(&entries::text(entries, request.format))
}

fn tell_odd(call: &Call, request: &SwitchRequest, listing: &Listing) {
    let root = request.spool.root().display();
    for (key, downtime) in &listing.downtimes {
        if request.format != OutputFormat::Json {
            note_agent_only(call, key, downtime);
        }
        if let Some(what) = &downtime.odd_end {
            call.note(&format!("'{key}': {what}"));
        }
    }

    for (name, why) in &listing.odd {
        call.note(&format!(
            "{name:?} in {root} cannot be read as a downtime: {why}"
        ));
    }
}

fn listing(call: &Call, request: &SwitchRequest) -> Result<Listing, Failure> {
    match request.spool.list() {
        Ok(listing) => Ok(listing),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            note_missing_root(call, &request.spool);
            Ok(Listing::default())
        }
        Err(e) => Err(Failure::failed(e)),
    }
}
