//! The last-server guard: what balancers say of the servers that a downtime takes. Pure.
//!
//! Rule: of a server that is down HAProxy's `weight` tells its own and what is left of the backend, so that `1/1` means the
//! last one only of a server that is up.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::cli::failure::{Failure, failed};
use crate::cli::output::pollers::{label, polls_from};
use crate::ledger::{PollerRow, PollersPage, View};

/// A sentence for each balancer whose backend would be left without a server by what takes all of these down.
pub(crate) fn last_servers(page: &PollersPage) -> Vec<String> {
    // One that fell silent may speak of a backend as it was long ago.
    let rows: Vec<&PollerRow> = polling(page).collect();
    let mut sentences = Vec::new();
    for rows in backends(&rows).values() {
        if is_whole(rows) {
            sentences.push(sentence(rows, &page.pollers));
        }
    }

    sentences
}

/// Refuses to take down the last servers of a backend.
pub(crate) fn refuse_last_server(page: &PollersPage) -> Result<(), Failure> {
    // One is reason enough, and names what is meant.
    match last_servers(page).first() {
        None => Ok(()),
        Some(first) => Err(failed!(
            "refused, nothing was written: {first}. A backend whose other servers are backups looks like this too; \
             --force takes it down anyway"
        )),
    }
}

/// What is said of a backend that has no server left but these, which are being taken down.
pub(super) fn emptied(rows: &[&PollerRow], all: &[PollerRow]) -> Option<String> {
    let mut backends = backends(rows).into_values();
    let rows = backends.find(|rows| is_whole(rows) || is_empty(rows))?;
    // A backend is there because of a row.
    let balancer = label(rows[0], all);
    let from = polls_from(rows[0]);
    Some(format!(
        "{balancer} says that its backend has no other server left{from}"
    ))
}

/// Rows by what says them: an address and a node, and the backend that it speaks of.
type Backends<'a> = BTreeMap<(IpAddr, Option<&'a str>, &'a str), Vec<&'a PollerRow>>;

/// The backends that these speak of, each server once.
fn backends<'a>(rows: &[&'a PollerRow]) -> Backends<'a> {
    let mut backends = Backends::new();
    for row in rows {
        let balancer = (row.address, row.node.as_deref(), backend(row));
        let known = backends.entry(balancer).or_default();
        // Several checks of one server would count its weight several times.
        if !known.iter().any(|other| other.server == row.server) {
            known.push(row);
        }
    }

    backends
}

/// The backend of a `backend/server`.
fn backend(row: &PollerRow) -> &str {
    let server = row.server.as_deref().unwrap_or_default();
    server.split('/').next().unwrap_or_default()
}

/// Whether those of them that are up carry the whole backend.
fn is_whole(rows: &[&PollerRow]) -> bool {
    // Of a server that is down the weight says something else, as told above.
    let up = rows.iter().filter(|row| row.is_out() == Some(false));
    let mut own = 0;
    let mut whole = 0;
    // Two checks of one backend may be moments apart, so the larger whole is believed.
    for [weight, total] in up.filter_map(|row| row.weight) {
        own += u64::from(weight);
        whole = whole.max(u64::from(total));
    }

    own > 0 && own >= whole
}

/// Whether all of them are out, and nothing is left.
fn is_empty(rows: &[&PollerRow]) -> bool {
    let are_out = rows.iter().all(|row| row.is_out() == Some(true));
    are_out && rows.iter().any(|row| leaves_nothing(row))
}

/// Its backend has no weight left.
fn leaves_nothing(row: &PollerRow) -> bool {
    matches!(row.weight, Some([_own, 0]))
}

fn sentence(rows: &[&PollerRow], all: &[PollerRow]) -> String {
    // A backend is there because of a row.
    let from = polls_from(rows[0]);
    let balancers: Vec<String> = rows.iter().map(|row| label(row, all)).collect();
    let balancers = balancers.join(", ");
    match rows.len() {
        1 => format!(
            "{balancers} says that this server carries its whole backend{from}: it is the last one"
        ),
        _ => format!(
            "{balancers} say that these servers carry their whole backend{from}: no other would be left"
        ),
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

/// What agents are told of a soft downtime, where any ask: `down` would undo it.
pub(crate) fn agents_of_soft(page: &PollersPage) -> Option<&'static str> {
    let mut rows = polling(page);
    if !rows.any(PollerRow::is_agent) {
        return None;
    }

    Some(match page.agent_weights {
        true => "agents are told 'up 0%', which drains, as 'down' would undo --soft",
        false => "agents are told 'up', as 'down' would undo --soft; the checks' 404 does the rest",
    })
}

/// Where no agent asks, a downtime for agents alone changes nothing.
pub(crate) fn nobody_for_agent_only(page: &PollersPage) -> Option<&'static str> {
    match polling(page).any(PollerRow::is_agent) {
        true => None,
        false => Some("no agent asks here, so --agent-only tells nobody; checks go on passing"),
    }
}

fn polling(page: &PollersPage) -> impl Iterator<Item = &PollerRow> {
    let now = page.now;
    let pollers = page.pollers.iter();
    pollers.filter(move |row| !row.outside && row.is_polling(now))
}
