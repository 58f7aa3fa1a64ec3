//! What several of the five tell on standard error.

use std::io::ErrorKind;

use crate::cli::applet::Call;
use crate::cli::output::times;
use crate::spool::{Downtime, Key, Spool};

/// Says when a timed downtime ends, in a form for people.
pub(crate) fn note_end(call: &Call, key: &Key, downtime: &Downtime) {
    // Beyond the calendar is never.
    if let Some(end) = downtime.expiration.filter(|end| *end <= times::LATEST) {
        call.note(&format!(
            "the downtime of '{key}' ends at {}",
            times::show(end)
        ));
    }
}

/// No folder is no downtime, but perhaps also the wrong folder.
pub(crate) fn note_missing_root(call: &Call, spool: &Spool) {
    let missing = |e: &std::io::Error| e.kind() == ErrorKind::NotFound;
    if std::fs::symlink_metadata(spool.root()).is_err_and(|e| missing(&e)) {
        call.note(&format!(
            "there is no spool folder {}, so nothing is down there",
            spool.root().display()
        ));
    }
}
