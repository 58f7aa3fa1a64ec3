//! The pages about the daemon itself.

mod access;
mod metrics;
mod mutornadomon;
mod overview;
mod pollers;
mod recent;
mod shared;
mod status;
mod ui;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::http::request::Parts;

use self::shared::{alone, shared};
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
    let query = request.uri.query().map(str::to_owned);
    match name {
        PageName::Status => alone(state, status::page).await,
        PageName::Count => shared(state, ("count", None), recent::count).await,
        PageName::Recent => match recent::refused(query.as_deref()) {
            Some(refused) => refused,
            None => shared(state, ("recent", query), recent::page).await,
        },
        PageName::Pollers => alone(state, move |s| pollers::page(s, query.as_deref())).await,
        PageName::PollersHealth => pollers::health(state, query.as_deref(), from).await,
        PageName::Mutornadomon => alone(state, move |s| mutornadomon::page(s, from)).await,
        PageName::Metrics => alone(state, metrics::page).await,
        PageName::Overview => shared(state, ("overview", query), overview::page).await,
        PageName::Downtimes => alone(state, overview::downtimes).await,
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
