//! `hashowdowned`: all downtimes in force.

use std::io::ErrorKind;

use argh::ArgsInfo as _;

use super::notes::note_missing_root;
use super::{Action, Request, options};
use crate::cli::applet::{Applet, Call};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::entries::{self, Entry};
use crate::cli::switch;
use crate::spool::Listing;

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "downed",
    alias: Some("hashowdowned"),
    usage: "[options]",
    about: "lists all downtimes in force",
    info: options::Args::get_args_info,
    uses: |option| Action::Downed.uses(option),
    run: |call| switch::run(call, Action::Downed),
};

pub(crate) fn act(call: &Call, request: &Request) -> Result<u8, Failure> {
    let listing = match request.spool.list() {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            note_missing_root(call, &request.spool);
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
    output::print(&entries::text(&entries, request.format))?;
    for (name, why) in &listing.odd {
        call.note(&format!(
            "{:?} in {} is no downtime that can be read: {why}",
            name,
            request.spool.root().display()
        ));
    }
    Ok(0)
}
