//! A downtime in words for people.

use crate::cli::output::times;
use crate::os::sys;
use crate::spool::{Downtime, Key, Spool};

/// Who wrote an entry, as far as the file system knows.
pub(crate) fn owner(spool: &Spool, key: &Key) -> Option<String> {
    sys::owner(&spool.root().join(key.file_name()))
}

/// `since 2026-12-01 18:00:00 +00:00 until …, by alice, for "reason"`.
pub(crate) fn description(downtime: &Downtime, owner: Option<String>) -> String {
    let since = downtime
        .creation
        .map_or("since an unknown time".to_owned(), |t| {
            format!("since {}", times::show(t))
        });
    let until = downtime
        .expiration
        .map(|t| format!(" until {}", times::show(t)))
        .unwrap_or_default();
    let by = downtime.by().map(str::to_owned).or(owner);
    let by = by
        .map(|by| format!(", by {}", by.replace(char::is_control, " ")))
        .unwrap_or_default();
    let reason = downtime.one_line();
    format!(
        "{since}{until}{by}, {}",
        if reason.is_empty() {
            "without a reason".to_owned()
        } else {
            format!("for {reason:?}")
        }
    )
}
