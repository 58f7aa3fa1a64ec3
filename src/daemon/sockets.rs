//! Where the daemon listens: ports, and a unix socket for callers on this host.

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

/// Listening sockets, of which each thread has its own handles.
pub struct Sockets {
    ports: Vec<std::net::TcpListener>,
    unix: Option<std::os::unix::net::UnixListener>,
    /// Kept by one of the threads.
    name: Option<unix::Name>,
}

impl Sockets {
    /// Opens them all.
    ///
    /// # Errors
    /// A sentence that says which one cannot be opened, and the remedy.
    pub fn open(options: &Options, config: &Config) -> Result<Self, String> {
        let mut sockets = Self { ports: Vec::new(), unix: None, name: None };
        if let Some(path) = &config.listen_unix {
            let (socket, name) = unix::bind(path, config.listen_unix_mode).map_err(|e| {
                format!("cannot listen on {}: {e}; see listen_unix, and make its folder writable", path.display())
            })?;
            log::info!("the unix socket {} takes connections", path.display());
            (sockets.unix, sockets.name) = (Some(socket), Some(name));
        }
        for port in &options.ports {
            let address = SocketAddr::new(options.bind_address, *port);
            let listener = listen::bind(address).map_err(|e| cannot_listen(address, &e))?;
            let socket = listener.into_std().map_err(|e| cannot_listen(address, &e))?;
            log::info!("listening on {}", socket.local_addr().unwrap_or(address));
            sockets.ports.push(socket);
        }
        Ok(sockets)
    }

    /// Handles for another thread.
    ///
    /// # Errors
    /// When file descriptors are wanting.
    pub fn share(&self) -> io::Result<Self> {
        Ok(Self {
            ports: self.ports.iter().map(std::net::TcpListener::try_clone).collect::<io::Result<_>>()?,
            unix: self.unix.as_ref().map(std::os::unix::net::UnixListener::try_clone).transpose()?,
            name: None,
        })
    }

    /// Starts accepting from all of them on this thread's runtime; gives the unix socket's name to be kept.
    ///
    /// # Errors
    /// When file descriptors are wanting.
    pub fn accept_all(self, state: &Arc<State>, stopped: &watch::Receiver<bool>) -> io::Result<Option<unix::Name>> {
        let pollers = || (Arc::clone(&state.connections), Pollers(Arc::clone(state)), stopped.clone());
        for socket in self.ports {
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

fn cannot_listen(address: SocketAddr, e: &io::Error) -> String {
    let remedy = match e.kind() {
        io::ErrorKind::AddrNotAvailable => "the address is not one of this host's; see --bind-address",
        io::ErrorKind::AddrInUse => "another program listens there; stop it or choose another --port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need root or CAP_NET_BIND_SERVICE",
        _ => "see --bind-address and --port",
    };
    format!("cannot listen on {address}: {e}; {remedy}")
}
