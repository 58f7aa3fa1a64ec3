//! `hashowdowned`: all downtimes in force.

use std::io::ErrorKind;

use argh::ArgsInfo as _;

use super::show::{self, Entry};
use super::switch::{self, Action, Request};
use super::{Applet, Call, Failure, output, status};
use crate::spool::Listing;

/// The row of the table.
pub(super) const APPLET: Applet = Applet {
    name: "downed",
    alias: Some("hashowdowned"),
    usage: "[options]",
    about: "lists all downtimes in force",
    info: switch::Args::get_args_info,
    uses: |option| Action::Downed.uses(option),
    run: |call| switch::run(call, Action::Downed),
};

pub(super) fn act(call: &Call, request: &Request) -> Result<u8, Failure> {
    let listing = match request.spool.list() {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            status::note_missing_root(call, &request.spool);
            Listing::default()
        }
        listing => listing.map_err(|e| Failure::failed(e.to_string()))?,
    };
    let entries: Vec<_> = listing
        .downtimes
        .iter()
        .map(|(key, downtime)| Entry {
            key,
            host: key.host(),
            downtime: Some(downtime.clone()),
        })
        .collect();
    output::print(&show::text(&entries, request.format))?;
    for (name, why) in &listing.odd {
        call.note(&format!(
            "{:?} in {} is no downtime that can be read: {why}",
            name,
            request.spool.root().display()
        ));
    }
    Ok(0)
}
