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

use self::shared::{Builder, Sharing};
use super::poll::entries;
use super::poll::route::PageName;
use super::shared_pages::PageKey;
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
    use Sharing::{UntilBegun, WhileNew};
    let query = request.uri.query().map(str::to_owned);
    let built = |name, query, sharing, build: Builder| {
        let is_for_host = from.is_loopback();
        let key = PageKey {
            name,
            query,
            is_for_host,
        };
        shared::page(state, key, sharing, build)
    };
    match name {
        PageName::Status => built("status", None, UntilBegun, status::page).await,
        PageName::Count => built("count", None, WhileNew, recent::count).await,
        PageName::Recent => match recent::refused(query.as_deref()) {
            Some(refused) => refused,
            None => built("recent", query, WhileNew, recent::page).await,
        },
        PageName::Pollers => built("pollers", query, UntilBegun, pollers::page).await,
        PageName::PollersHealth => pollers::health(state, query.as_deref(), from).await,
        PageName::Mutornadomon => match mutornadomon::refused(from) {
            Some(refused) => refused,
            None => built("mutornadomon", None, UntilBegun, mutornadomon::page).await,
        },
        PageName::Metrics => built("metrics", None, UntilBegun, metrics::page).await,
        PageName::Overview => built("overview", query, WhileNew, overview::page).await,
        PageName::Downtimes => built("downtimes", None, UntilBegun, overview::downtimes).await,
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

/// Whether a page is for some addresses only.
pub(super) fn is_for_some(name: PageName) -> bool {
    is_of_host(name) || matches!(name, PageName::PollersHealth | PageName::Mutornadomon)
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
