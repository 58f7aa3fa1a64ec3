//! The answers of `hacheck fleet --serve`: three fixed files, and what they show.
//!
//! Rules: read-only. What is served as HTML is fixed bytes of the binary; a browser that was led here by another name is
//! refused.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use tokio::sync::Semaphore;

use super::board::{Board, LastRead};
use super::reading::{EngineState, FleetAnswer};
use super::site::Site;
use crate::fleet::overview::FleetOverview;
use crate::http::memory::MemoryBudget;
use crate::http::named_host::{is_this_host, named_host};
use crate::http::page_file::{self, PageFile, PageKind};
use crate::http::reply::{self, Reply};
use crate::http::server::Handler;
use crate::names::text::shown;
use crate::os::host_names::HostNames;

/// Most characters of a text that hosts are searched for, and of a name that a refusal repeats.
const TEXT_MAX: usize = 100;

const PAGE: PageFile = PageFile {
    parts: &[include_bytes!("page/fleet.html")],
    kind: PageKind::Html,
};

const SCRIPT: PageFile = PageFile {
    parts: &[page_file::SCRIPT, include_bytes!("page/fleet.js")],
    kind: PageKind::Script,
};

const STYLE: PageFile = PageFile {
    parts: &[page_file::STYLE, include_bytes!("page/fleet.css")],
    kind: PageKind::Style,
};

/// Answers browsers.
#[derive(Clone)]
pub(super) struct FleetPages {
    fleet: Arc<str>,
    board: Arc<Board>,
    site: Arc<Site>,
    own: Arc<HostNames>,
    memory: Arc<MemoryBudget>,
    /// Searches take turns: each takes a moment for many hosts.
    searching: Arc<Semaphore>,
}

impl Handler for FleetPages {
    fn admits(&self, peer: IpAddr) -> bool {
        self.site.admits(peer)
    }

    async fn handle(&self, request: Box<Request<Incoming>>, _: SocketAddr, _: Instant) -> Reply {
        let (head, _) = request.into_parts();
        match self.refused(&head) {
            Some(refused) => refused,
            None => self.page(&head).await,
        }
    }
}

impl FleetPages {
    pub(super) fn new(
        fleet: &str,
        board: Arc<Board>,
        site: Site,
        memory: Arc<MemoryBudget>,
    ) -> Self {
        Self {
            fleet: fleet.into(),
            board,
            site: Arc::new(site),
            own: Arc::new(HostNames::read()),
            memory,
            searching: Arc::new(Semaphore::new(1)),
        }
    }

    fn refused(&self, request: &Parts) -> Option<Reply> {
        // Without a name it is no browser, and so nobody was led here.
        let named = named_host(request);
        if let Some(host) = named.filter(|host| !is_this_host(host, &self.own)) {
            return Some(other_name(host));
        }

        match request.method {
            Method::GET | Method::HEAD => None,
            _ => Some(reply::method_not_allowed("GET, HEAD")),
        }
    }

    async fn page(&self, request: &Parts) -> Reply {
        let headers = &request.headers;
        match request.uri.path() {
            "/" | "/ui" | "/fleet" => PAGE.reply(headers),
            "/fleet.js" => SCRIPT.reply(headers),
            "/fleet.css" => STYLE.reply(headers),
            "/fleet.json" => self.answer(&wanted(request.uri.query())).await,
            _ => reply::text(StatusCode::NOT_FOUND, "see / and /fleet.json\n"),
        }
    }

    async fn answer(&self, text: &str) -> Reply {
        let (read, engine) = self.board.look();
        if text.is_empty() {
            return self.json(&engine, text, &read.overview);
        }

        match self.search(read, text).await {
            Some(overview) => self.json(&engine, text, &overview),
            None => reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the search broke off\n"),
        }
    }

    fn json(&self, engine: &EngineState, text: &str, overview: &FleetOverview) -> Reply {
        let answer = FleetAnswer::new(&self.fleet, engine, text, overview);
        reply::json_page(&answer, &self.memory)
    }

    /// The hosts that hold a text; `None` where the search panicked.
    async fn search(&self, read: Arc<LastRead>, text: &str) -> Option<FleetOverview> {
        // Only a semaphore that is closed gives none, and nobody closes this one.
        let _turn = self.searching.acquire().await;
        let (board, text) = (Arc::clone(&self.board), text.to_owned());

        // On a thread of its own: thousands of hosts take longer than others should wait.
        let search = tokio::task::spawn_blocking(move || board.search(&read, text));
        search.await.ok()
    }
}

fn other_name(host: &str) -> Reply {
    let host = shown(host, TEXT_MAX);
    let text = format!("'{host}' is no name of this host: ask by an address\n");
    reply::text(StatusCode::FORBIDDEN, text)
}

/// The text of `?text=`, as long as one may be.
fn wanted(query: Option<&str>) -> String {
    let query = query.unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    match pairs.find(|(name, _)| name == "text") {
        Some((_, text)) => text.trim().chars().take(TEXT_MAX).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_names_no_other_host() {
        // A name of XML, and what begins a link to the page of a host.
        PageFile::assert_small_and_safe([PAGE, SCRIPT, STYLE], 2);
    }

    #[test]
    fn what_is_searched_for_is_short() {
        assert_eq!(wanted(Some("a=b&text=+web%3D1+")), "web=1");
        assert_eq!(
            wanted(Some(&format!("text={}", "x".repeat(999)))).len(),
            100
        );
        assert_eq!(wanted(None), "");
    }
}
