//! The pages about the daemon itself.

mod access;
mod metrics;
mod mutornadomon;
mod overview;
mod pollers;
mod recent;
mod status;
mod ui;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::http::request::Parts;

use super::poll::entries;
use super::poll::route::PageName;
use super::spool_watch::SPOOL_TROUBLE;
use super::state::DaemonState;
use crate::http::reply::Reply;

/// How long a page waits for a look at the spool, before it goes by the last one.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// A page, for a caller at this address.
pub(super) async fn page(
    name: PageName,
    state: &Arc<DaemonState>,
    request: &Parts,
    from: IpAddr,
) -> Reply {
    if is_of_host(name)
        && let Some(refused) = access::refused(state, from, request)
    {
        return refused;
    }
    if tells_of_spool(name) {
        look_at_spool(state).await;
    }
    let query = request.uri.query();
    match name {
        PageName::Status => status::page(state),
        PageName::Count => recent::count(state),
        PageName::Recent => recent::page(state, query),
        PageName::Pollers => pollers::page(state, query),
        PageName::PollersHealth => pollers::health(state, query, from).await,
        PageName::Mutornadomon => mutornadomon::page(state, from),
        PageName::Metrics => metrics::page(state),
        PageName::Overview => overview::page(state, query),
        PageName::Downtimes => overview::downtimes(state),
        PageName::Ui => ui::file(&ui::PAGE, &request.headers),
        PageName::UiScript => ui::file(&ui::SCRIPT, &request.headers),
        PageName::UiStyle => ui::file(&ui::STYLE, &request.headers),
    }
}

/// Whether a page belongs to the one that people open in a browser.
fn is_of_host(name: PageName) -> bool {
    use PageName::{Downtimes, Overview, Ui, UiScript, UiStyle};
    matches!(name, Overview | Downtimes | Ui | UiScript | UiStyle)
}

fn tells_of_spool(name: PageName) -> bool {
    use PageName::{Downtimes, Metrics, Overview, Status};
    matches!(name, Overview | Downtimes | Metrics | Status)
}

/// Looks at the spool on a thread that may hang.
async fn look_at_spool(state: &Arc<DaemonState>) {
    let looking = Arc::clone(state);
    let look = tokio::task::spawn_blocking(move || looking.look_at_spool());
    // What hangs is told by the last look; nothing is to be done about it here.
    let _ = tokio::time::timeout(LOOK_MAX, look).await;
}
