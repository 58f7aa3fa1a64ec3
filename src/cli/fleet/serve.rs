//! `hacheck fleet --serve`: the page of the fleet, for browsers on this host.
//!
//! Rule: one thread reads the engine for all viewers, and what they hold of connections and memory is bounded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::applet::FleetCall;
use super::board::Board;
use super::client::{FleetClient, runtime};
use super::pages::FleetPages;
use super::site::Site;
use crate::cli::failure::{Failure, failed};
use crate::cli::output::complain;
use crate::http::HttpSettings;
use crate::http::accept;
use crate::http::connections::Connections;
use crate::http::memory::MemoryBudget;
use crate::http::server::Http;
use crate::os::cause::cause_text;
use crate::os::signals::StopSignals;

/// Most connections at once; the one that is idle longest makes room.
const CONNECTIONS_MAX: usize = 256;

/// Memory for answers that wait for slow readers.
const MEMORY: usize = 16 << 20;

/// How long answers may take to be sent after Ctrl-C.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves until Ctrl-C or SIGTERM.
pub(super) fn serve(fleet: &FleetCall<'_>, site: Site) -> Result<u8, Failure> {
    let client = FleetClient::open(fleet.call, &fleet.file)?;
    let name = client.settings.fleet.clone();
    let board = Arc::new(Board::new(fleet.selector.clone()));
    // Before the runtime below: the client has one of its own, which must not end within another.
    keep(&board, client)?;

    runtime()?.block_on(serve_until_stopped(&fleet.call.program, &name, board, site))?;
    Ok(0)
}

async fn serve_until_stopped(
    program: &str,
    fleet: &str,
    board: Arc<Board>,
    site: Site,
) -> Result<(), Failure> {
    // First: whoever finds the socket open may also end this process in order.
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    let socket = bind(site.address)?;
    announce(program, fleet, &socket);

    let memory = MemoryBudget::new(MEMORY);
    let pages = FleetPages::new(fleet, board, site, Arc::clone(&memory));
    accept_until(pages, socket, memory, &mut signals).await;
    Ok(())
}

/// Has a thread read the engine until this process ends.
fn keep(board: &Arc<Board>, client: FleetClient) -> Result<(), Failure> {
    let board = Arc::clone(board);
    let thread = thread::Builder::new().name("engine".into());
    match thread.spawn(move || board.keep(client)) {
        Ok(_) => Ok(()),
        Err(e) => Err(failed!("cannot begin to read: {}", cause_text(&e))),
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    match accept::bind_alone(address) {
        Ok(socket) => Ok(socket),
        Err(e) => Err(failed!(
            "cannot listen on {address}: {}; stop what listens there, or choose another address",
            cause_text(&e)
        )),
    }
}

/// Tells where it is, once it is there: the port may have been 0.
fn announce(program: &str, fleet: &str, socket: &TcpListener) {
    if let Ok(address) = socket.local_addr() {
        complain(&format!(
            "{program}: the fleet {fleet} is shown at http://{address}/"
        ));
    }
}

async fn accept_until(
    pages: FleetPages,
    socket: TcpListener,
    memory: Arc<MemoryBudget>,
    signals: &mut StopSignals,
) {
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
