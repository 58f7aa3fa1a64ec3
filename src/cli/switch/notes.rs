//! What several of the five tell on standard error.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use super::request::SwitchRequest;
use crate::cli::applet::Call;
use crate::cli::output::times;
use crate::cli::wait::polled::{Unpolled, unpolled};
use crate::ledger::PollersPage;
use crate::spool::{ALL, Downtime, Key, Mark, Spool};

/// Says when a timed downtime ends, in a form for people.
pub(super) fn note_end(call: &Call, key: &Key, downtime: &Downtime) {
    match downtime.expiration {
        // Beyond the calendar is never.
        Some(end) if end <= times::LATEST => {
            let end = times::show(end);
            call.note(&format!("the downtime of '{key}' ends at {end}"));
        }
        _ => {}
    }
}

/// Says who is told, where not everybody is: the line looks like that of any downtime, as in the replaced tools.
pub(super) fn note_agent_only(call: &Call, key: &Key, downtime: &Downtime) {
    if downtime.mark() == Some(Mark::AgentOnly) {
        call.note(&format!(
            "the downtime of '{key}' is told to HAProxy's agents only; checks say what they find"
        ));
    }
}

/// How long a command without `--wait` looks at what the daemon says, after it is done.
pub(super) const GLANCE: Duration = Duration::from_secs(1);

/// What the daemon says of all pollers; `None` where none answers that obeys this spool. Tells what an operator may not
/// expect: that it is another spool, that nobody polls what was named.
pub(super) fn glance(call: &Call, request: &SwitchRequest) -> Option<PollersPage> {
    let page = request.client.everybody(&request.names(), GLANCE).ok()?;
    if let Err(other) = request.client.check_spool(&page, &request.spool) {
        call.note(&format!("{other}; it does not see this change"));
        return None;
    }

    match unpolled(&page, &request.keys()) {
        None => {}
        Some(Unpolled::Everything) => call.note("nobody polls anything here"),
        Some(Unpolled::AmongOthers(sentences)) => {
            for sentence in sentences {
                call.note(&sentence);
            }
        }
    }

    Some(page)
}

/// No folder is no downtime, but perhaps also the wrong folder.
pub(super) fn note_missing_root(call: &Call, spool: &Spool) {
    // Without following links: a link to nothing is there, and is another fault.
    match fs::symlink_metadata(spool.root()) {
        Err(e) if e.kind() == ErrorKind::NotFound => call.note(&format!(
            "there is no spool folder {}, so nothing is down there",
            spool.root().display()
        )),
        _ => {}
    }
}

/// The name that takes the whole host down is written in one way only.
pub(super) fn note_other_case(call: &Call, request: &SwitchRequest) {
    for subject in &request.subjects {
        let name = subject.key.service_name().as_str();
        if name != ALL && name.eq_ignore_ascii_case(ALL) {
            call.note(&format!(
                "'{name}' is a service like any other; the name for everything on this host is '{ALL}'"
            ));
            return;
        }
    }
}
