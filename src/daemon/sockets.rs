//! Where the daemon listens: the sockets that the service manager passed, else ports of its own; and a unix socket for
//! callers on this host.
//!
//! Rule: a passed socket replaces all of its kind that the daemon would open, so that nobody listens where the unit does
//! not say so. Passed ones stay open in the service manager while the daemon restarts, and connections wait in them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::Options;
use super::handler::Pollers;
use super::state::State;
use crate::config::Config;
use crate::http::{listen, unix};
use crate::systemd::PassedSocket;

/// Listening sockets, of which each thread has its own handles.
#[derive(Default)]
pub struct Sockets {
    /// For HTTP.
    http: Vec<std::net::TcpListener>,
    /// For HAProxy's agent checks: those named [`AGENT`] in their units. The main thread serves them.
    pub agent: Vec<std::net::TcpListener>,
    unix: Option<std::os::unix::net::UnixListener>,
    /// Kept by one of the threads.
    name: Option<unix::Name>,
}

/// `FileDescriptorName=` of sockets for the agent protocol; all others are for HTTP.
pub const AGENT: &str = "agent";

impl Sockets {
    /// The addresses of all that have one.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.http.iter().chain(&self.agent).filter_map(|s| s.local_addr().ok()).collect()
    }

    /// Takes the passed sockets, or opens those of the command line and the configuration.
    ///
    /// # Errors
    /// A sentence that says which one cannot be opened, and the remedy.
    pub fn open(passed: Vec<PassedSocket>, options: &Options, config: &Config) -> Result<Self, String> {
        let mut sockets = Self::default();
        for PassedSocket { name, listener } in passed {
            let address = listener.local_addr().map_err(|e| format!("cannot use the passed socket {name}: {e}"))?;
            let (what, sockets) = match name.as_str() {
                AGENT => ("answering agent-checks", &mut sockets.agent),
                _ => ("listening", &mut sockets.http),
            };
            log::info!("{what} on {address}, a socket of the service manager ({name})");
            sockets.push(listener);
        }
        if let Some(path) = &config.listen_unix {
            let (socket, name) = unix::bind(path, config.listen_unix_mode).map_err(|e| {
                format!("cannot listen on {}: {e}; see listen_unix, and make its folder writable", path.display())
            })?;
            log::info!("the unix socket {} takes connections", path.display());
            (sockets.unix, sockets.name) = (Some(socket), Some(name));
        }
        if sockets.http.is_empty() {
            sockets.http = bind_all(options, &options.ports, "listening")?;
        } else {
            log::info!("-p and -B are not used: the service manager says where to listen");
        }
        if sockets.agent.is_empty() {
            let ports = if options.agent_ports.is_empty() { &config.agent_ports } else { &options.agent_ports };
            sockets.agent = bind_all(options, ports, "answering agent-checks")?;
        }
        Ok(sockets)
    }

    /// Handles for another thread.
    ///
    /// # Errors
    /// When file descriptors are wanting.
    pub fn share(&self) -> io::Result<Self> {
        Ok(Self {
            http: self.http.iter().map(std::net::TcpListener::try_clone).collect::<io::Result<_>>()?,
            unix: self.unix.as_ref().map(std::os::unix::net::UnixListener::try_clone).transpose()?,
            ..Self::default()
        })
    }

    /// Starts accepting from all of them, but for agents, on this thread's runtime; gives the unix socket's name to be
    /// kept.
    ///
    /// # Errors
    /// When file descriptors are wanting.
    pub fn accept_all(self, state: &Arc<State>, stopped: &watch::Receiver<bool>) -> io::Result<Option<unix::Name>> {
        let pollers = || (Arc::clone(&state.connections), Pollers(Arc::clone(state)), stopped.clone());
        for socket in self.http {
            let (connections, pollers, stopped) = pollers();
            tokio::spawn(listen::serve(TcpListener::from_std(socket)?, connections, pollers, stopped));
        }
        if let Some(socket) = self.unix {
            let (connections, pollers, stopped) = pollers();
            tokio::spawn(listen::serve(UnixListener::from_std(socket)?, connections, pollers, stopped));
        }
        Ok(self.name)
    }
}

fn bind_all(options: &Options, ports: &[u16], what: &str) -> Result<Vec<std::net::TcpListener>, String> {
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
