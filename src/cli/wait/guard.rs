//! The last-server guard: what a balancer says before a server is taken down. Pure.

use crate::cli::failure::{Failure, failed};
use crate::cli::output::pollers::{label, polls_from};
use crate::ledger::{PollerRow, PollersPage, View};

/// A sentence for each balancer whose backend would be left without a server.
pub(crate) fn last_servers(page: &PollersPage) -> Vec<String> {
    let mut sentences = Vec::new();
    // One that fell silent may speak of a backend as it was long ago.
    for row in polling(page).filter(|row| row.is_last()) {
        let balancer = label(row, &page.pollers);
        sentences.push(format!(
            "{balancer} says that this server carries its whole backend{}: it is the last one",
            polls_from(row)
        ));
    }
    sentences
}

/// Refuses to take down the last server of a backend.
pub(crate) fn refuse_last_server(page: &PollersPage) -> Result<(), Failure> {
    match last_servers(page).first() {
        None => Ok(()),
        Some(first) => Err(failed!(
            "refused, nothing was written: {first}. A backend whose other servers are backups looks like this too; \
             --force takes it down anyway"
        )),
    }
}

/// A sentence for each balancer for which a 404 changes nothing, since it sent no traffic before.
pub(crate) fn deaf_to_soft(page: &PollersPage) -> Vec<String> {
    let mut sentences = Vec::new();
    for row in polling(page).filter(|row| row.view == Some(View::Down)) {
        let balancer = label(row, &page.pollers);
        sentences.push(format!(
            "{balancer} says DOWN, so --soft changes nothing there"
        ));
    }
    sentences
}

fn polling(page: &PollersPage) -> impl Iterator<Item = &PollerRow> {
    let now = page.now;
    let pollers = page.pollers.iter();
    pollers.filter(move |row| !row.outside && row.is_polling(now))
}
