//! The last-server guard: what a balancer says before a server is taken down. Pure.

use crate::cli::output::pollers::label;
use crate::ledger::{Page, View};

/// A sentence for each balancer whose backend would be left without a server.
pub(crate) fn last_servers(page: &Page) -> Vec<String> {
    let last = page
        .pollers
        .iter()
        .filter(|row| row.is_polling(page.now) && row.is_last());
    let sentence = |row| {
        format!(
            "{} says that this server carries its whole backend: it is the last one",
            label(row, &page.pollers)
        )
    };
    last.map(sentence).collect()
}

/// Why a server is not taken down.
pub(crate) fn refusal(page: &Page) -> Option<String> {
    let last = last_servers(page);
    let first = last.first()?;
    Some(format!(
        "refused, nothing was written: {first}. A backend whose other servers are backups looks like this too; \
         --force takes it down anyway"
    ))
}

/// Balancers for which a 404 changes nothing, since they sent no traffic before.
pub(crate) fn deaf_to_soft(page: &Page) -> Vec<String> {
    let down = page
        .pollers
        .iter()
        .filter(|row| row.is_polling(page.now) && row.view == Some(View::Down));
    down.map(|row| {
        format!(
            "{} says DOWN, where --soft changes nothing",
            label(row, &page.pollers)
        )
    })
    .collect()
}
