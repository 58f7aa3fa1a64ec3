//! `hacheck fleet --serve`: the page of the fleet, for browsers on this host.
//!
//! Rules: read-only, and on loopback unless somebody says who else may look. One thread reads the engine for all viewers.
//! What is served as HTML is fixed bytes of the binary; a browser that was led here by another name is refused.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::applet::FleetCall;
use super::board::Board;
use super::client::{FleetClient, runtime};
use super::reading::FleetAnswer;
use crate::cli::failure::{Failure, failed, usage};
use crate::cli::output::complain;
use crate::http::HttpSettings;
use crate::http::accept;
use crate::http::connections::Connections;
use crate::http::memory::MemoryBudget;
use crate::http::named_host::{is_this_host, named_host};
use crate::http::page_file::{self, PageFile, PageKind};
use crate::http::reply::{self, Reply};
use crate::http::server::{Handler, Http};
use crate::names::text::shown;
use crate::net::Network;
use crate::os::cause::cause_text;
use crate::os::host_names::HostNames;
use crate::os::signals::StopSignals;

/// Most connections at once; the one that is idle longest makes room.
const CONNECTIONS_MAX: usize = 256;

/// Memory for answers that wait for slow readers.
const MEMORY: usize = 16 << 20;

/// Most characters of a text that hosts are searched for, and of a name that a refusal repeats.
const TEXT_MAX: usize = 100;

/// How long answers may take to be sent after Ctrl-C.
const DRAIN: Duration = Duration::from_secs(1);

/// The port where none is given.
const PORT: u16 = 3380;

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

/// Where the page is, and who may see it besides this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    address: SocketAddr,
    from: Vec<Network>,
}

impl Site {
    /// By the words of a command line.
    pub(super) fn of(address: &str, from: &[String]) -> Result<Self, Failure> {
        let mut networks = Vec::new();
        for text in from {
            networks.extend(networks_of(text)?);
        }
        let site = Self {
            address: address_of(address)?,
            from: networks,
        };
        if site.from.is_empty() && !is_loopback(site.address.ip()) {
            return Err(usage!(
                "--serve: {} is no address of loopback, so others could see the fleet; add --from with who may, or serve 127.0.0.1:{}",
                site.address,
                site.address.port()
            ));
        }
        Ok(site)
    }

    fn admits(&self, peer: IpAddr) -> bool {
        is_loopback(peer) || Network::any_contains(&self.from, peer)
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn networks_of(text: &str) -> Result<Vec<Network>, Failure> {
    match text {
        "private" => Ok(Network::private()),
        "any" => Ok(Network::any()),
        other => match Network::parse(other) {
            Some(network) => Ok(vec![network]),
            None => Err(usage!(
                "--from: {other:?} is not a network; give one such as 10.0.0.0/8, or private, or any"
            )),
        },
    }
}

/// `127.0.0.1:3380`, `[::1]:3380`, `127.0.0.1`, `3380`.
fn address_of(text: &str) -> Result<SocketAddr, Failure> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Ok(port) = text.parse() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let host = text.replace("localhost", "127.0.0.1");
    match (host.parse::<SocketAddr>(), host.parse::<IpAddr>()) {
        (Ok(address), _) => Ok(address),
        (_, Ok(ip)) => Ok((ip, PORT).into()),
        _ => Err(usage!(
            "--serve: {text:?} is not an address with a port; give one such as 127.0.0.1:{PORT}"
        )),
    }
}

/// Serves until Ctrl-C or SIGTERM.
pub(super) fn serve(fleet: &FleetCall<'_>, site: Site) -> Result<u8, Failure> {
    let client = FleetClient::open(fleet.call, &fleet.file)?;
    let name = client.settings.fleet.clone();
    let board = Arc::new(Board::new(fleet.selector.clone()));
    let pages = FleetPages {
        fleet: name.into(),
        board: Arc::clone(&board),
        site: Arc::new(site),
        own: Arc::new(HostNames::read()),
        memory: MemoryBudget::new(MEMORY),
        searching: Arc::new(Semaphore::new(1)),
    };
    // Before the runtime below: the client has one of its own, which must not end within another.
    let reader = thread::Builder::new().name("engine".into());
    let reading = reader.spawn(move || board.keep(client));
    reading.map_err(|e| failed!("cannot begin to read: {}", cause_text(&e)))?;
    runtime()?.block_on(async {
        let mut signals = StopSignals::listen().map_err(Failure::failed)?;
        let socket = bind(pages.site.address)?;
        announce(fleet.call.program.as_str(), &pages, &socket);
        accept_until(pages, socket, &mut signals).await;
        Ok(0)
    })
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    accept::bind_alone(address).map_err(|e| {
        failed!(
            "cannot listen on {address}: {}; stop what listens there, or choose another address",
            cause_text(&e)
        )
    })
}

fn announce(program: &str, pages: &FleetPages, socket: &TcpListener) {
    // The port may have been 0.
    let address = socket.local_addr().unwrap_or(pages.site.address);
    let fleet = &pages.fleet;
    complain(&format!(
        "{program}: the fleet {fleet} is shown at http://{address}/"
    ));
}

async fn accept_until(pages: FleetPages, socket: TcpListener, signals: &mut StopSignals) {
    let memory = Arc::clone(&pages.memory);
    let settings = HttpSettings::default();
    let connections = Arc::new(Connections::new(CONNECTIONS_MAX, settings, memory));
    let (stopping, stopped) = watch::channel(false);
    let (table, http) = (Arc::clone(&connections), Http::new(pages));
    tokio::spawn(accept::run(socket, table, http, stopped));
    signals.any().await;
    // The receiver lives as long as it accepts.
    let _ = stopping.send(true);
    // Who still reads is broken off.
    let _ = tokio::time::timeout(DRAIN, connections.drained()).await;
}

/// Answers browsers.
#[derive(Clone)]
struct FleetPages {
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

    async fn handle(&self, request: Request<Incoming>, _: SocketAddr, _: Instant) -> Reply {
        let (head, _) = request.into_parts();
        match self.refused(&head) {
            Some(refused) => refused,
            None => self.page(&head).await,
        }
    }
}

impl FleetPages {
    fn refused(&self, request: &Parts) -> Option<Reply> {
        if let Some(host) = named_host(request).filter(|host| !is_this_host(host, &self.own)) {
            let host = shown(host, TEXT_MAX);
            let text = format!("'{host}' is no name of this host: ask by an address\n");
            return Some(reply::text(StatusCode::FORBIDDEN, text));
        }
        match request.method {
            Method::GET | Method::HEAD => None,
            _ => Some(reply::method_not_allowed("GET, HEAD")),
        }
    }

    async fn page(&self, request: &Parts) -> Reply {
        let headers: &HeaderMap = &request.headers;
        match request.uri.path() {
            "/" | "/ui" | "/fleet" => PAGE.reply(headers),
            "/fleet.js" => SCRIPT.reply(headers),
            "/fleet.css" => STYLE.reply(headers),
            "/fleet.json" => self.answer(&wanted(request.uri.query())).await,
            _ => reply::text(StatusCode::NOT_FOUND, "see / and /fleet.json\n"),
        }
    }

    async fn answer(&self, text: &str) -> Reply {
        let (known, engine) = self.board.look();
        if text.is_empty() {
            let answer = FleetAnswer::new(&self.fleet, &engine, text, &known.overview);
            return reply::json_page(&answer, &self.memory);
        }
        // Only a semaphore that is closed gives none, and nobody closes this one.
        let _turn = self.searching.acquire().await;
        let (board, wanted) = (Arc::clone(&self.board), text.to_owned());
        let search = tokio::task::spawn_blocking(move || board.search(&known, wanted));
        match search.await {
            Ok(overview) => {
                let answer = FleetAnswer::new(&self.fleet, &engine, text, &overview);
                reply::json_page(&answer, &self.memory)
            }
            Err(_) => reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the search broke off\n"),
        }
    }
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

    fn site(address: &str, from: &[&str]) -> Result<Site, Failure> {
        let from: Vec<String> = from.iter().map(|text| (*text).to_owned()).collect();
        Site::of(address, &from)
    }

    #[test]
    fn the_page_is_on_loopback_unless_somebody_says_who_may_see_it() {
        for (address, is) in [
            ("127.0.0.1:3380", "127.0.0.1:3380"),
            ("localhost:81", "127.0.0.1:81"),
            ("localhost", "127.0.0.1:3380"),
            ("[::1]:80", "[::1]:80"),
            ("::1", "[::1]:3380"),
            ("3390", "127.0.0.1:3390"),
        ] {
            assert_eq!(site(address, &[]).unwrap().address.to_string(), is);
        }
        for address in [
            "0.0.0.0:80",
            "10.0.0.1:80",
            "[::]:80",
            "[::ffff:10.0.0.1]:80",
        ] {
            let failure = site(address, &[]).unwrap_err();
            assert!(failure.message.contains("add --from"), "{failure}");
            assert!(site(address, &["private"]).is_ok());
        }
        for address in ["", "x:80", "127.0.0.1:x", "127.0.0.1:99999"] {
            assert_eq!(site(address, &[]).unwrap_err().code, 2, "{address}");
        }
        assert_eq!(site("127.0.0.1:80", &["x"]).unwrap_err().code, 2);
    }

    #[test]
    fn this_host_is_admitted_and_who_is_listed() {
        let site = site("10.0.0.1:80", &["10.1.0.0/16"]).unwrap();
        for (peer, is_admitted) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("::1", true),
            ("10.1.2.3", true),
            ("10.2.2.3", false),
        ] {
            assert_eq!(site.admits(peer.parse().unwrap()), is_admitted, "{peer}");
        }
    }

    #[test]
    fn the_page_is_small_and_names_no_other_host() {
        let all = [PAGE, SCRIPT, STYLE].map(|file| file.parts.concat());
        let size: usize = all.iter().map(Vec::len).sum();
        assert!(size <= 30_000, "{size} bytes");
        let text = all.map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        // A name of XML, and what begins a link to the page of a host.
        assert_eq!(text.matches("://").count(), 2);
        assert!(!text.contains("innerHTML"));
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
