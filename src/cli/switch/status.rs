//! `hastatus`: whether services have a downtime.
//!
//! Rule: it never says UP for an entry that it cannot read, and it changes nothing.

use argh::ArgsInfo as _;

use super::notes::{note_end, note_missing_root};
use super::{Action, Request, Target, options};
use crate::cli::applet::{Applet, Call};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::entries::{self, Entry, Format};
use crate::cli::switch;
use crate::spool::{ALL, Key, ServiceName, Spool};

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "status",
    alias: Some("hastatus"),
    usage: "[options] SERVICE...",
    about: "tells whether services have a downtime; exit code 1 when one has",
    info: options::Args::get_args_info,
    uses: |option| Action::Status.uses(option),
    run: |call| switch::run(call, Action::Status),
};

pub(crate) fn act(call: &Call, request: &Request) -> Result<u8, Failure> {
    note_missing_root(call, &request.spool);
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    for Target { key, host } in &request.targets {
        match request.spool.read(key) {
            Ok(downtime) => entries.push(Entry {
                key,
                host: host.as_deref(),
                downtime,
            }),
            Err(e) => errors.push(e.to_string()),
        }
    }
    output::print(&entries::text(&entries, request.format))?;
    if request.format != Format::Json {
        entries
            .iter()
            .for_each(|e| e.downtime.iter().for_each(|d| note_end(call, e.key, d)));
    }
    note_wider_downtimes(call, &request.spool, &entries);
    switch::outcome(
        u8::from(entries.iter().any(|e| e.downtime.is_some())),
        &errors,
    )
}

/// An UP line tells of the entry asked for alone, as in the originals; traffic also depends on wider ones.
fn note_wider_downtimes(call: &Call, spool: &Spool, entries: &[Entry]) {
    let up = || entries.iter().filter(|e| e.downtime.is_none());
    let all = ServiceName::parse(ALL).ok().map(Key::service);
    if let Some(all) = all.filter(|all| up().any(|e| e.key != all)) {
        note_wider(call, spool, &all, "everything on this host");
    }
    let mut told = Vec::new();
    for service in up()
        .filter(|e| e.key.port().is_some())
        .map(|e| e.key.service_name())
    {
        if !told.contains(&service) && service.as_str() != ALL {
            told.push(service);
            note_wider(
                call,
                spool,
                &Key::service(service.clone()),
                "every instance of it",
            );
        }
    }
}

fn note_wider(call: &Call, spool: &Spool, key: &Key, what: &str) {
    match spool.read(key) {
        Ok(None) => {}
        Ok(Some(downtime)) => {
            let reason = Some(downtime.one_line()).filter(|r| !r.is_empty());
            let reason = reason.map(|r| format!(": {r}")).unwrap_or_default();
            call.note(&format!("'{key}' is down, and with it {what}{reason}"));
        }
        Err(e) => call.note(&format!("whether '{key}' is down is unknown: {e}")),
    }
}
