//! `hastatus`: whether services have a downtime.
//!
//! Rule: it never says UP for an entry that it cannot read, and it changes nothing.

use std::path::Path;

use super::notes::{GLANCE, note_agent_only, note_end, note_missing_root};
use super::request::{Subject, SwitchRequest};
use super::{Task, info, run};
use crate::cli::applet::{Applet, Call};
use crate::cli::client;
use crate::cli::failure::Failure;
use crate::cli::fleet::local;
use crate::cli::output::entries::{self, EntryState, OutputFormat};
use crate::cli::output::{self, downtimes, times};
use crate::ledger::Told;
use crate::ledger::overview::CheckRow;
use crate::names::text::one_line;
use crate::spool::{ALL, Key, ServiceName};

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "status",
    alias: Some("hastatus"),
    usage: "[options] SERVICE...",
    about: "show whether services have a downtime; exit with 1 if one has",
    info,
    uses: |option| Task::Status.uses(option),
    run: |call| run(call, Task::Status),
};

pub(super) fn act(call: &Call, request: &SwitchRequest) -> Result<u8, Failure> {
    note_missing_root(call, &request.spool);
    let (entries, failures) = read(request);
    output::print(&entries::text(&entries, request.format))?;
    if request.format != OutputFormat::Json {
        note_ends(call, &entries);
    }

    note_wider_downtimes(call, request, &entries);
    note_failing_checks(call, request, &entries);
    // After the output, so that one entry that cannot be read does not hide the others.
    Failure::unless_empty(&failures)?;
    let is_down = entries.iter().any(|entry| entry.downtime.is_some());
    Ok(u8::from(is_down))
}

/// An UP line tells of downtimes alone; there is no traffic either where the service's own check fails.
fn note_failing_checks(call: &Call, request: &SwitchRequest, entries: &[EntryState]) {
    let up = entries.iter().filter(|entry| entry.downtime.is_none());
    let names = client::names(up.map(|entry| entry.key));
    if names.is_empty() {
        return;
    }

    // `all` is no service, and means each.
    let asked = match names.iter().any(|name| name == ALL) {
        true => &[],
        false => names.as_slice(),
    };

    // Where no daemon answers that obeys this spool, nothing is known of checks.
    let Ok(overview) = request.client.overview(asked, GLANCE) else {
        return;
    };

    if !request.spool.is_at(Path::new(&overview.spool.root)) {
        return;
    }

    for service in &overview.services {
        for check in service.checks.iter().filter(|check| fails(check, &names)) {
            call.note(&failing(&service.name, check));
        }
    }
}

/// Whether a check fails that belongs to one of these entries.
fn fails(check: &CheckRow, names: &[String]) -> bool {
    let is_named = names
        .iter()
        .any(|name| name == ALL || check.names.contains(name));
    check.told == Some(Told::Fail) && is_named
}

/// `'web': its check http 127.0.0.1:8080 fails since 14:02: 500 database is gone`.
fn failing(service: &str, check: &CheckRow) -> String {
    let since = match check.since {
        Some(since) => format!(" since {}", times::brief(since)),
        None => String::new(),
    };

    let text = one_line(&check.text);
    format!(
        "'{service}': its check {} fails{since}: {text}",
        check.check
    )
}

/// The states of all entries that can be read, and what is wrong with the others.
fn read(request: &SwitchRequest) -> (Vec<EntryState<'_>>, Vec<Failure>) {
    let mut entries = Vec::new();
    let mut failures = Vec::new();
    for subject in &request.subjects {
        let Subject { key, host, .. } = subject;
        let host = host.as_deref();
        match request.read_either(key) {
            Ok(downtime) => entries.push(EntryState {
                key,
                host,
                names_port: subject.names_port,
                owner: downtimes::owner(&request.spool, key),
                downtime,
            }),
            Err(e) => failures.push(Failure::failed(e)),
        }
    }

    (entries, failures)
}

fn note_ends(call: &Call, entries: &[EntryState]) {
    for entry in entries {
        if let Some(downtime) = &entry.downtime {
            if local::is_of_fleet(downtime) {
                call.note(&local::sentence(entry.key, entry.key, downtime));
                continue;
            }
            note_end(call, entry.key, downtime);
            note_agent_only(call, entry.key, downtime);
        }
    }
}

/// An UP line tells about the very entry that was asked for, as in the replaced tools; whether
/// there is traffic also depends on wider ones.
fn note_wider_downtimes(call: &Call, request: &SwitchRequest, entries: &[EntryState]) {
    let up = entries.iter().filter(|entry| entry.downtime.is_none());
    let up: Vec<&Key> = up.map(|entry| entry.key).collect();
    if up
        .iter()
        .any(|key| key.service_name().as_str() != ALL || key.port().is_some())
        && let Ok(all) = Key::parse(ALL)
    {
        note_wider(call, request, &all, "everything on this host");
    }

    for service in services_of_instances(&up) {
        let service = Key::service(service.clone());
        note_wider(call, request, &service, "every instance of it");
    }
}

/// The services that instances belong to, each once.
fn services_of_instances<'a>(keys: &[&'a Key]) -> Vec<&'a ServiceName> {
    let mut services = Vec::new();
    for key in keys {
        let service = key.service_name();
        let is_instance = key.port().is_some() && service.as_str() != ALL;
        if is_instance && !services.contains(&service) {
            services.push(service);
        }
    }

    services
}

fn note_wider(call: &Call, request: &SwitchRequest, key: &Key, what: &str) {
    let downtime = match request.read_either(key) {
        Ok(None) => return,
        Ok(Some(downtime)) => downtime,
        Err(e) => return call.note(&format!("cannot tell whether '{key}' is down: {e}")),
    };

    let reason = match downtime.one_line() {
        none if none.is_empty() => String::new(),
        reason => format!(": {reason}"),
    };
    call.note(&format!("'{key}' is down, and with it {what}{reason}"));
}
