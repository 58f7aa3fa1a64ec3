//! The pages about the daemon itself.

mod exposition;
mod metrics;
mod mutornadomon;
mod pollers;
mod recent;
mod status;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::poll::entries;
use super::poll::route::PageName;
use super::state::DaemonState;
use crate::http::reply::Reply;

/// How long a spool that could not be read counts as unreadable after the last failure.
const SPOOL_TROUBLE: Duration = Duration::from_secs(10);

/// A page, for a caller at this address.
pub(super) async fn page(
    name: PageName,
    state: &Arc<DaemonState>,
    query: Option<&str>,
    from: IpAddr,
) -> Reply {
    match name {
        PageName::Status => status::page(state),
        PageName::Count => recent::count(state),
        PageName::Recent => recent::page(state, query),
        PageName::Pollers => pollers::page(state, query),
        PageName::PollersHealth => pollers::health(state, query, from).await,
        PageName::Mutornadomon => mutornadomon::page(state, from),
        PageName::Metrics => metrics::page(state),
    }
}
