//! The sockets that the daemon listens on: those that the service manager passed, else its own.
//!
//! Rule: a passed socket replaces all of its kind that the daemon would open, so that nobody listens where the unit does
//! not say so. Passed ones stay open in the service manager while the daemon restarts, and connections wait in them.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::Options;
use crate::http::listen;
use crate::systemd::PassedSocket;

/// What to listen on.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For HTTP.
    pub http: Vec<TcpListener>,
    /// For HAProxy's agent checks: those named [`AGENT`] in their units.
    pub agent: Vec<TcpListener>,
}

/// `FileDescriptorName=` of sockets for the agent protocol; all others are for HTTP.
pub const AGENT: &str = "agent";

/// Takes the passed sockets, or opens those of the command line; `agent_ports` are those of the configuration, where
/// the command line has none.
///
/// # Errors
/// A sentence that names the address that cannot be had.
pub fn open(passed: Vec<PassedSocket>, options: &Options, agent_ports: &[u16]) -> Result<Sockets, String> {
    let mut sockets = Sockets::default();
    for PassedSocket { name, listener } in passed {
        let address = listener.local_addr().map_err(|e| format!("cannot use the passed socket {name}: {e}"))?;
        let (what, sockets) = match name.as_str() {
            AGENT => ("answering agent-checks", &mut sockets.agent),
            _ => ("listening", &mut sockets.http),
        };
        log::info!("{what} on {address}, a socket of the service manager ({name})");
        sockets.push(listener);
    }
    if sockets.http.is_empty() {
        sockets.http = bind_all(options, &options.ports, "listening")?;
    } else {
        log::info!("-p and -B are not used: the service manager says where to listen");
    }
    if sockets.agent.is_empty() {
        let ports = if options.agent_ports.is_empty() { agent_ports } else { &options.agent_ports };
        sockets.agent = bind_all(options, ports, "answering agent-checks")?;
    }
    Ok(sockets)
}

fn bind_all(options: &Options, ports: &[u16], what: &str) -> Result<Vec<TcpListener>, String> {
    let bind = |port: &u16| {
        let address = SocketAddr::new(options.bind_address, *port);
        let listener = listen::bind(address).map_err(|e| cannot_listen(address, &e))?;
        let socket = listener.into_std().map_err(|e| cannot_listen(address, &e))?;
        log::info!("{what} on {}", socket.local_addr().unwrap_or(address));
        Ok(socket)
    };
    ports.iter().map(bind).collect()
}

pub(super) fn cannot_listen(address: SocketAddr, e: &io::Error) -> String {
    let remedy = match e.kind() {
        io::ErrorKind::AddrNotAvailable => "the address is not one of this host's; see --bind-address",
        io::ErrorKind::AddrInUse => "another program listens there; stop it or choose another --port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need root or CAP_NET_BIND_SERVICE",
        _ => "see --bind-address and --port",
    };
    format!("cannot listen on {address}: {e}; {remedy}")
}
