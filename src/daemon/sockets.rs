//! The sockets that the daemon listens on: those that the service manager passed, else its own.
//!
//! Rule: passed sockets replace `-p` and `-B` altogether, so that nobody listens where the unit does not say so. They
//! stay open in the service manager while the daemon restarts, and connections wait in them.

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

/// Takes the passed sockets, or opens those of the command line.
///
/// # Errors
/// A sentence that names the address that cannot be had.
pub fn open(passed: Vec<PassedSocket>, options: &Options) -> Result<Sockets, String> {
    let mut sockets = Sockets::default();
    for PassedSocket { name, listener } in passed {
        let address = listener.local_addr().map_err(|e| format!("cannot use the passed socket {name}: {e}"))?;
        log::info!("listening on {address}, a socket of the service manager ({name})");
        if name == AGENT { sockets.agent.push(listener) } else { sockets.http.push(listener) }
    }
    if !sockets.http.is_empty() {
        log::info!("-p and -B are not used: the service manager says where to listen");
        return Ok(sockets);
    }
    for port in &options.ports {
        let address = SocketAddr::new(options.bind_address, *port);
        let listener = listen::bind(address).map_err(|e| cannot_listen(address, &e))?;
        let socket = listener.into_std().map_err(|e| cannot_listen(address, &e))?;
        log::info!("listening on {}", socket.local_addr().unwrap_or(address));
        sockets.http.push(socket);
    }
    Ok(sockets)
}

fn cannot_listen(address: SocketAddr, e: &io::Error) -> String {
    let remedy = match e.kind() {
        io::ErrorKind::AddrNotAvailable => "the address is not one of this host's; see --bind-address",
        io::ErrorKind::AddrInUse => "another program listens there; stop it or choose another --port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need root or CAP_NET_BIND_SERVICE",
        _ => "see --bind-address and --port",
    };
    format!("cannot listen on {address}: {e}; {remedy}")
}
