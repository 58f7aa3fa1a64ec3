//! Whether anybody polls a service, and which one was meant where nobody does. Pure.

use std::collections::BTreeSet;

use crate::ledger::{PollerRow, PollersPage};
use crate::names::nearest::nearest;
use crate::names::text::{first_of, one_line};
use crate::spool::{ALL, Key};

/// Services that nobody polls.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unpolled {
    /// Other services are polled; a sentence for each one that is not.
    AmongOthers(Vec<String>),
    /// Nobody polls anything.
    Everything,
}

/// Which of these are polled by nobody, by what the daemon says of all pollers; `None` where each is polled.
pub(crate) fn unpolled(everybody: &PollersPage, keys: &[Key]) -> Option<Unpolled> {
    let polled = polled_names(everybody);
    if polled.is_empty() {
        return Some(Unpolled::Everything);
    }

    let services = services(everybody);
    let mut sentences = Vec::new();
    for name in keys.iter().map(Key::file_name) {
        // Whatever is polled on this host, `all` is polled with it.
        if name != ALL && !polled.contains(&name) {
            sentences.push(sentence(&name, &polled, &services));
        }
    }

    match sentences.is_empty() {
        true => None,
        false => Some(Unpolled::AmongOthers(sentences)),
    }
}

/// All names of spool entries that can take a polled check down.
fn polled_names(page: &PollersPage) -> BTreeSet<String> {
    let names = polling(page).flat_map(|row| row.names.iter());
    names.cloned().collect()
}

fn services(page: &PollersPage) -> BTreeSet<String> {
    polling(page).map(|row| row.service.clone()).collect()
}

fn polling(page: &PollersPage) -> impl Iterator<Item = &PollerRow> {
    let rows = page.pollers.iter();
    rows.filter(|row| row.is_polling(page.now) && row.counts())
}

/// `nobody polls 'wbe' here; polled: api, web (did you mean web?)`.
fn sentence(name: &str, polled: &BTreeSet<String>, services: &BTreeSet<String>) -> String {
    let meant = meant(name, polled, services);
    let name = one_line(name);
    let services = first_of(services);
    format!("nobody polls '{name}' here; polled: {services}{meant}")
}

/// ` (did you mean web?)`.
fn meant(name: &str, polled: &BTreeSet<String>, services: &BTreeSet<String>) -> String {
    // Services first: of two that are as near the plain name is likelier.
    let known = services.iter().chain(polled).map(String::as_str);
    match nearest(name, known) {
        Some(meant) => format!(" (did you mean {}?)", one_line(meant)),
        None => String::new(),
    }
}
