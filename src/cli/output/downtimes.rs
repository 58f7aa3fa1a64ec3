//! A downtime in words for people.

use crate::cli::output::times;
use crate::names::text::one_line;
use crate::os::users;
use crate::spool::{Downtime, Key, Spool};

/// Who wrote an entry, as far as the file system knows.
pub(crate) fn owner(spool: &Spool, key: &Key) -> Option<String> {
    users::owner(&spool.root().join(key.file_name()))
}

/// `since 2026-12-01 18:00:00 +00:00 until …, by alice, for "reason"`.
pub(crate) fn description(downtime: &Downtime, owner: Option<String>) -> String {
    let since = since(downtime);
    let until = until(downtime);
    let by = author(downtime, owner);
    // Quoted below, so that spaces at its ends show.
    let reason = downtime.one_line();
    if reason.is_empty() {
        format!("{since}{until}{by}, without a reason")
    } else {
        format!("{since}{until}{by}, for {reason:?}")
    }
}

/// `down since 14:02 until 18:00 by alice`.
pub(crate) fn in_brief(downtime: &Downtime, owner: Option<String>) -> String {
    let mut text = match downtime.mark() {
        Some(mark) => format!("down ({})", mark.as_str()),
        None => "down".to_owned(),
    };

    let named = downtime.by().map(str::to_owned);
    text.push_str(&brief("since", downtime.creation));
    text.push_str(&brief("until", downtime.expiration));
    if let Some(by) = named.or(owner) {
        text.push_str(&format!(" by {}", one_line(&by)));
    }

    text
}

fn brief(word: &str, time: Option<f64>) -> String {
    match time {
        Some(time) => format!(" {word} {}", times::brief(time)),
        None => String::new(),
    }
}

fn since(downtime: &Downtime) -> String {
    match downtime.creation {
        Some(creation) => format!("since {}", times::show(creation)),
        None => "since an unknown time".to_owned(),
    }
}

fn until(downtime: &Downtime) -> String {
    match downtime.expiration {
        Some(end) => format!(" until {}", times::show(end)),
        None => String::new(),
    }
}

fn author(downtime: &Downtime, owner: Option<String>) -> String {
    let named = downtime.by().map(str::to_owned);
    match named.or(owner) {
        Some(by) => format!(", by {}", one_line(&by)),
        None => String::new(),
    }
}
