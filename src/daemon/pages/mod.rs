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

pub(super) use self::overview::services;
use self::shared::Builder;
use self::shared::Sharing::{self, UntilBegun, WhileNew};
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
    // Before any work: who may not see a page must not be able to have it built.
    if is_of_host(name)
        && let Some(refused) = access::refused(state, from, request)
    {
        return refused;
    }

    if tells_of_spool(name) {
        look_at_spool(state).await;
    }

    let caller = Caller {
        state,
        query: request.uri.query(),
        from,
    };

    match name {
        PageName::Status => caller.gets("status", UntilBegun, status::page).await,
        PageName::Count => caller.gets("count", WhileNew, recent::count).await,
        PageName::Recent => caller.gets_recent().await,
        PageName::Pollers => {
            caller
                .gets_asked("pollers", UntilBegun, pollers::page)
                .await
        }
        PageName::PollersHealth => pollers::health(state, caller.query, from).await,
        PageName::Mutornadomon => caller.gets_mutornadomon().await,
        PageName::Metrics => caller.gets("metrics", UntilBegun, metrics::page).await,
        PageName::Overview => {
            caller
                .gets_asked("overview", WhileNew, overview::page)
                .await
        }
        PageName::Downtimes => {
            caller
                .gets("downtimes", UntilBegun, overview::downtimes)
                .await
        }
        PageName::Ui => ui::PAGE.reply(&request.headers),
        PageName::UiScript => ui::SCRIPT.reply(&request.headers),
        PageName::UiStyle => ui::STYLE.reply(&request.headers),
    }
}

/// Who asks for a page, and with which query string.
struct Caller<'a> {
    state: &'a Arc<DaemonState>,
    query: Option<&'a str>,
    from: IpAddr,
}

impl Caller<'_> {
    /// A page that takes no query: one for all, or made-up queries would have it built again and again.
    async fn gets(&self, name: &'static str, sharing: Sharing, build: Builder) -> Reply {
        let key = self.key(name, None);
        shared::page(self.state, key, sharing, build).await
    }

    /// A page that the query has a say in.
    async fn gets_asked(&self, name: &'static str, sharing: Sharing, build: Builder) -> Reply {
        let key = self.key(name, self.query);
        shared::page(self.state, key, sharing, build).await
    }

    fn key(&self, name: &'static str, query: Option<&str>) -> PageKey {
        PageKey {
            name,
            query: query.map(str::to_owned),
            is_for_host: self.from.is_loopback(),
        }
    }

    async fn gets_recent(&self) -> Reply {
        match recent::refused(self.query) {
            Some(refused) => refused,
            None => self.gets_asked("recent", WhileNew, recent::page).await,
        }
    }

    async fn gets_mutornadomon(&self) -> Reply {
        match mutornadomon::refused(self.from) {
            Some(refused) => refused,
            None => {
                self.gets("mutornadomon", UntilBegun, mutornadomon::page)
                    .await
            }
        }
    }
}

/// The services that a query names, by `?service=`; none for all.
fn asked_services(query: Option<&str>) -> Vec<String> {
    let query = query.unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes());
    let services = pairs.filter(|(name, _)| name == "service");
    services.map(|(_, value)| value.into_owned()).collect()
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
