//! What several of the five tell on standard error.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::request::SwitchRequest;
use crate::cli::output::times;
use crate::cli::wait::polled::{Unpolled, unpolled};
use crate::ledger::PollersPage;
use crate::spool::{ALL, Downtime, Key, Mark};

/// Says when a timed downtime ends, in a form for people.
pub(super) fn note_end(request: &SwitchRequest, key: &Key, downtime: &Downtime) {
    if let Some(end) = times::in_calendar(downtime.expiration) {
        let end = times::show(end);
        request.note(&format!("the downtime of '{key}' ends at {end}"));
    }
}

/// Says who is told, where not everybody is: the line looks like that of any downtime, as in the replaced tools.
pub(super) fn note_agent_only(request: &SwitchRequest, key: &Key, downtime: &Downtime) {
    if downtime.mark() == Some(Mark::AgentOnly) {
        request.note(&format!(
            "the downtime of '{key}' is told to HAProxy's agents only; checks say what they find"
        ));
    }
}

/// How long a command without `--wait` looks at what the daemon says, after it is done.
pub(super) const GLANCE: Duration = Duration::from_secs(1);

/// What the daemon says of all pollers; `None` where none answers that obeys this spool. Tells what an operator may not
/// expect: that it is another spool, that nobody polls what was named.
pub(super) fn glance(request: &SwitchRequest) -> Option<PollersPage> {
    // A daemon that does not answer is no news: the change is made, and read when it starts.
    let page = request.client.everybody(&request.names(), GLANCE).ok()?;
    if let Err(other) = request.client.check_spool(&page, &request.spool) {
        request.note(&format!("{other}; it does not see this change"));
        return None;
    }

    note_unpolled(request, &page);
    Some(page)
}

/// Tells which of what was named nobody polls, by what the daemon says of all pollers.
pub(super) fn note_unpolled(request: &SwitchRequest, everybody: &PollersPage) {
    match unpolled(everybody, &request.keys()) {
        None => {}
        Some(Unpolled::Everything) => request.note("nobody polls anything here"),
        Some(Unpolled::AmongOthers(sentences)) => request.note_all(&sentences),
    }
}

/// No folder is no downtime, but perhaps also the wrong folder.
pub(super) fn note_missing_root(request: &SwitchRequest) {
    let root = request.spool.root();
    if is_missing(root) {
        request.note(&format!(
            "there is no spool folder {}, so nothing is down there",
            root.display()
        ));
    }
}

fn is_missing(root: &Path) -> bool {
    // Without following links: a link to nothing is there, and is another fault.
    match fs::symlink_metadata(root) {
        Ok(_) => false,
        Err(e) => e.kind() == ErrorKind::NotFound,
    }
}

/// The name that takes the whole host down is written in one way only.
pub(super) fn note_other_case(request: &SwitchRequest) {
    let mut keys = request.subjects.iter().map(|subject| &subject.key);
    // Once, whatever else is named: two such notes tell no more than one.
    if let Some(key) = keys.find(|key| is_all_in_other_case(key)) {
        let name = key.service_name().as_str();
        request.note(&format!(
            "'{name}' is a service like any other; the name for everything on this host is '{ALL}'"
        ));
    }
}

fn is_all_in_other_case(key: &Key) -> bool {
    let name = key.service_name().as_str();
    name != ALL && name.eq_ignore_ascii_case(ALL)
}
