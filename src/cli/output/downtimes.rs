//! A downtime in words for people.

use crate::cli::output::times;
use crate::names::text::one_line;
use crate::os::sys;
use crate::spool::{Downtime, Key, Spool};

/// Who wrote an entry, as far as the file system knows.
pub(crate) fn owner(spool: &Spool, key: &Key) -> Option<String> {
    sys::owner(&spool.root().join(key.file_name()))
}

/// `since 2026-12-01 18:00:00 +00:00 until …, by alice, for "reason"`.
pub(crate) fn description(downtime: &Downtime, owner: Option<String>) -> String {
    let mut text = match downtime.creation {
        Some(creation) => format!("since {}", times::show(creation)),
        None => "since an unknown time".to_owned(),
    };
    if let Some(end) = downtime.expiration {
        text.push_str(&format!(" until {}", times::show(end)));
    }
    let author = downtime.by().map(str::to_owned);
    if let Some(by) = author.or(owner) {
        let by = one_line(&by);
        text.push_str(&format!(", by {by}"));
    }
    let reason = downtime.one_line();
    if reason.is_empty() {
        text.push_str(", without a reason");
    } else {
        text.push_str(&format!(", for {reason:?}"));
    }
    text
}
