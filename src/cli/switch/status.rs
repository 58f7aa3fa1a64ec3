//! `hastatus`: whether services have a downtime.
//!
//! Rule: it never says UP for an entry that it cannot read, and it changes nothing.

use std::path::Path;

use super::notes::{GLANCE, note_agent_only, note_end, note_missing_root};
use super::request::SwitchRequest;
use super::subjects::Subject;
use super::{Task, info, run};
use crate::cli::applet::Applet;
use crate::cli::client;
use crate::cli::failure::Failure;
use crate::cli::fleet::local;
use crate::cli::output::entries::{self, EntryState, OutputFormat};
use crate::cli::output::{self, downtimes, times};
use crate::ledger::Told;
use crate::ledger::overview::{CheckRow, Overview};
use crate::names::text::one_line;
use crate::spool::{ALL, Downtime, Key, ServiceName};

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

pub(super) fn act(request: &SwitchRequest) -> Result<u8, Failure> {
    note_missing_root(request);
    let (entries, failures) = read(request);
    output::print(&entries::text(&entries, request.format))?;
    // JSON has the end and the mark in fields of their own.
    if request.format != OutputFormat::Json {
        note_ends(request, &entries);
    }

    let up = keys_of_up(&entries);
    note_wider_downtimes(request, &up);
    note_failing_checks(request, &up);
    // After the output, so that one entry that cannot be read does not hide the others.
    Failure::unless_empty(&failures)?;
    Ok(u8::from(up.len() < entries.len()))
}

fn keys_of_up<'a>(entries: &[EntryState<'a>]) -> Vec<&'a Key> {
    let up = entries.iter().filter(|entry| entry.downtime.is_none());
    up.map(|entry| entry.key).collect()
}

/// An UP line tells of downtimes alone; there is no traffic either where the service's own check fails.
fn note_failing_checks(request: &SwitchRequest, up: &[&Key]) {
    let names = client::names(up.iter().copied());
    if names.is_empty() {
        return;
    }

    // Where no daemon answers that obeys this spool, nothing is known of checks.
    let Some(overview) = overview(request, &names) else {
        return;
    };

    for service in &overview.services {
        for check in &service.checks {
            if fails(check, &names) {
                request.note(&failing(&service.name, check));
            }
        }
    }
}

/// What the daemon of this spool says of the services.
fn overview(request: &SwitchRequest, names: &[String]) -> Option<Overview> {
    // `all` is no service, and means each.
    let asked = match names.iter().any(|name| name == ALL) {
        true => &[],
        false => names,
    };

    let overview = request.client.overview(asked, GLANCE).ok()?;
    let root = Path::new(&overview.spool.root);
    match request.spool.is_at(root) {
        true => Some(overview),
        false => None,
    }
}

/// Whether a check fails that belongs to one of these entries.
fn fails(check: &CheckRow, names: &[String]) -> bool {
    let mut names = names.iter();
    check.told == Some(Told::Fail) && names.any(|name| name == ALL || check.names.contains(name))
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
type States<'a> = (Vec<EntryState<'a>>, Vec<Failure>);

fn read<'a>(request: &'a SwitchRequest<'_>) -> States<'a> {
    let mut entries = Vec::new();
    let mut failures = Vec::new();
    for subject in &request.subjects {
        match request.read_either(&subject.key) {
            Ok(downtime) => entries.push(state(request, subject, downtime)),
            Err(e) => failures.push(Failure::failed(e)),
        }
    }

    (entries, failures)
}

fn state<'a>(
    request: &SwitchRequest,
    subject: &'a Subject,
    downtime: Option<Downtime>,
) -> EntryState<'a> {
    EntryState {
        key: &subject.key,
        host: subject.host.as_deref(),
        names_port: subject.names_port,
        owner: downtimes::owner(&request.spool, &subject.key),
        downtime,
    }
}

fn note_ends(request: &SwitchRequest, entries: &[EntryState]) {
    for entry in entries {
        if let Some(downtime) = &entry.downtime {
            note_how_it_ends(request, entry.key, downtime);
        }
    }
}

fn note_how_it_ends(request: &SwitchRequest, key: &Key, downtime: &Downtime) {
    // An order of the fleet ends by other means than a downtime of this host, and names them itself.
    if local::is_of_fleet(downtime) {
        request.note(&local::sentence(key, key, downtime));
    } else {
        note_end(request, key, downtime);
        note_agent_only(request, key, downtime);
    }
}

/// An UP line tells about the very entry that was asked for, as in the replaced tools; whether
/// there is traffic also depends on wider ones.
fn note_wider_downtimes(request: &SwitchRequest, up: &[&Key]) {
    // What is said of `all` itself stands in its own line.
    let is_narrower = up.iter().any(|key| !is_all(key));
    if is_narrower && let Ok(all) = Key::parse(ALL) {
        note_wider(request, &all, "everything on this host");
    }

    for service in services_of_instances(up) {
        let service = Key::service(service.clone());
        note_wider(request, &service, "every instance of it");
    }
}

fn is_all(key: &Key) -> bool {
    key.service_name().as_str() == ALL && key.port().is_none()
}

/// The services that instances belong to, each once.
fn services_of_instances<'a>(keys: &[&'a Key]) -> Vec<&'a ServiceName> {
    let mut services = Vec::new();
    for key in keys {
        let service = key.service_name();
        let is_instance = key.port().is_some() && service.as_str() != ALL;
        // Several instances of one service are held by the same downtime, which is told once.
        if is_instance && !services.contains(&service) {
            services.push(service);
        }
    }

    services
}

fn note_wider(request: &SwitchRequest, key: &Key, what: &str) {
    match request.read_either(key) {
        Ok(None) => {}
        Ok(Some(downtime)) => {
            let reason = reason(&downtime);
            request.note(&format!("'{key}' is down, and with it {what}{reason}"));
        }
        Err(e) => request.note(&format!("cannot tell whether '{key}' is down: {e}")),
    }
}

fn reason(downtime: &Downtime) -> String {
    match downtime.one_line() {
        none if none.is_empty() => String::new(),
        reason => format!(": {reason}"),
    }
}
