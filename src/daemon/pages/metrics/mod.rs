//! `/metrics`: the text for Prometheus, one file for each family.

mod cache;
mod daemon;
mod exposition;
mod fleet;
mod groups;
mod histogram;
mod host;
mod limits;
mod memory;
mod pollers;
mod probes;
mod process;
mod requests;
mod spool;

use self::exposition::Exposition;
use super::{DaemonState, SPOOL_TROUBLE, overview};
use crate::daemon::counters::get;
use crate::http::reply::{self, Reply};

pub(super) fn page(state: &DaemonState, _: Option<&str>) -> Reply {
    let mut page = Exposition::new();
    let live = state.live();
    // Copied before the text is made, so that polls wait for no formatting.
    let known = state.ledger().figures(state.now());
    let services = overview::services(state);
    daemon::add(&mut page, state);
    requests::add(&mut page, &state.counters);
    probes::add(&mut page, state);
    cache::add(&mut page, state.checker.cache());
    spool::add(&mut page, state);
    fleet::add(&mut page, state);
    pollers::add(&mut page, &known, &services);
    host::add(&mut page, &live.config, &services, &known.changes);
    groups::add(&mut page, state);
    process::add(&mut page, state);
    memory::add(&mut page, &state.memory);
    limits::add(&mut page, state);
    reply::metrics(page.finish())
}
