//! The sockets that the daemon listens on: those that the service manager passed, else its own.
//!
//! Rule: a passed socket replaces all of its kind that the daemon would open, so that nobody listens where the unit does
//! not say so. Passed ones stay open in the service manager while the daemon restarts, and connections wait in them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::Options;
use super::error::{ListenError, SetupError, StartError};
use super::handler::HttpHandler;
use super::state::DaemonState;
use crate::config::Config;
use crate::http::accept::Listener;
use crate::http::server::Http;
use crate::http::{accept, unix};
use crate::os::systemd::PassedSocket;

/// What to listen on.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// For HTTP.
    pub http: Listeners,
    /// For HAProxy's agent checks: those named [`AGENT`] in their units.
    pub agent: Vec<TcpListener>,
}

/// Listening sockets for HTTP, of which each thread has its own handles.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    ports: Vec<TcpListener>,
    /// Those with TLS.
    tls: Vec<TcpListener>,
    unix: Option<UnixListener>,
    /// Kept by one of the threads.
    name: Option<unix::Name>,
}

impl Sockets {
    /// The addresses of all that have one.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let sockets = self.listening().into_iter();
        sockets.filter_map(|s| s.local_addr().ok()).collect()
    }

    /// All that have an address.
    pub(crate) fn listening(&self) -> Vec<&TcpListener> {
        let http = self.http.ports.iter().chain(&self.http.tls);
        http.chain(&self.agent).collect()
    }

    /// One port for two things would be two sockets, of which the kernel gives a connection to either.
    fn expect_unused(&self, setting: &'static str, ports: &[u16]) -> Result<(), StartError> {
        let mut used = self.addresses().into_iter().map(|address| address.port());
        match used.find(|port| ports.contains(port)) {
            Some(port) => Err(StartError::PortTwice { setting, port }),
            None => Ok(()),
        }
    }

    /// Opens those of the kinds that were not passed.
    fn open_rest(&mut self, options: &Options, config: &Config) -> Result<(), StartError> {
        if self.http.ports.is_empty() {
            self.http.ports = bind_all(options, &options.ports, LISTENING)?;
        } else {
            log::info!("the service manager says where to listen, and not -p or -B");
        }

        if self.http.tls.is_empty() {
            let ports = &config.daemon.listen_tls;
            self.expect_unused("listen_tls", ports)?;
            self.http.tls = bind_all(options, ports, LISTENING_TLS)?;
        }

        if self.agent.is_empty() {
            let ports = agent_ports(options, config);
            self.expect_unused("agent_ports", ports)?;
            self.agent = bind_all(options, ports, ANSWERING_AGENTS)?;
        }

        Ok(())
    }

    /// Takes a socket of the service manager.
    fn take(&mut self, socket: PassedSocket) -> Result<(), StartError> {
        let address = address_of(&socket)?;
        let PassedSocket { name, listener } = socket;
        let (what, sockets) = match name.as_str() {
            AGENT => (ANSWERING_AGENTS, &mut self.agent),
            TLS => (LISTENING_TLS, &mut self.http.tls),
            _ => (LISTENING, &mut self.http.ports),
        };

        log::info!("{what} on {address}, a socket of the service manager ({name})");
        sockets.push(listener);
        Ok(())
    }
}

fn address_of(socket: &PassedSocket) -> Result<SocketAddr, StartError> {
    let address = socket.listener.local_addr();
    address.map_err(|e| StartError::Socket(format!("use the passed socket {}", socket.name), e))
}

impl Listeners {
    /// The name of the unix socket, where there is one.
    pub(crate) fn unix_path(&self) -> Option<&Path> {
        self.name.as_ref().map(unix::Name::path)
    }

    fn open_unix(&mut self, path: &Path, mode: u32) -> Result<(), StartError> {
        let opened = unix::bind(path, mode);
        let (socket, name) = opened.map_err(|e| StartError::ListenUnix(path.to_owned(), e))?;
        log::info!("the unix socket {} takes connections", path.display());
        (self.unix, self.name) = (Some(socket), Some(name));
        Ok(())
    }

    /// Handles for another thread.
    ///
    /// # Errors
    /// When file descriptors are wanting.
    pub(crate) fn share(&self) -> io::Result<Self> {
        let unix = self.unix.as_ref().map(UnixListener::try_clone);
        Ok(Self {
            ports: clones(&self.ports)?,
            tls: clones(&self.tls)?,
            unix: unix.transpose()?,
            // Whoever has it removes the socket's name when it ends, so there is one.
            name: None,
        })
    }

    /// Starts accepting from all of them on this thread's runtime; gives the unix socket's name to be kept.
    ///
    /// # Errors
    /// When file descriptors are wanting.
    pub(crate) fn accept_all(
        self,
        state: &Arc<DaemonState>,
        stopped: &watch::Receiver<bool>,
    ) -> io::Result<Option<unix::Name>> {
        let handler = HttpHandler(Arc::clone(state));
        let (clear, tls) = (Http::new(handler.clone()), Http::with_tls(handler));
        accept_tcp(self.ports, &clear, state, stopped)?;
        accept_tcp(self.tls, &tls, state, stopped)?;
        if let Some(socket) = self.unix {
            let socket = tokio::net::UnixListener::from_std(socket)?;
            accept(socket, &clear, state, stopped);
        }

        Ok(self.name)
    }
}

fn clones(sockets: &[TcpListener]) -> io::Result<Vec<TcpListener>> {
    sockets.iter().map(TcpListener::try_clone).collect()
}

fn accept_tcp(
    sockets: Vec<TcpListener>,
    service: &Http<HttpHandler>,
    state: &Arc<DaemonState>,
    stopped: &watch::Receiver<bool>,
) -> io::Result<()> {
    for socket in sockets {
        let socket = tokio::net::TcpListener::from_std(socket)?;
        accept(socket, service, state, stopped);
    }

    Ok(())
}

fn accept<L: Listener + Sync + 'static>(
    listener: L,
    service: &Http<HttpHandler>,
    state: &Arc<DaemonState>,
    stopped: &watch::Receiver<bool>,
) {
    let connections = Arc::clone(&state.connections);
    let running = accept::run(listener, connections, service.clone(), stopped.clone());
    tokio::spawn(running);
}

/// What the log says of sockets for HTTP.
const LISTENING: &str = "listening";

/// What the log says of sockets for HTTP within TLS.
const LISTENING_TLS: &str = "listening with TLS";

/// What the log says of sockets for the agent protocol.
const ANSWERING_AGENTS: &str = "answering agent-checks";

/// `FileDescriptorName=` of sockets for the agent protocol. All others but `tls` are for HTTP in clear text.
pub(crate) const AGENT: &str = "agent";

/// `FileDescriptorName=` of sockets for HTTP within TLS.
const TLS: &str = "tls";

/// Takes the passed sockets, or opens those of the command line; the configuration names
/// the agent's ports where the command line has none, and the unix socket.
///
/// # Errors
/// When an address cannot be had.
pub(crate) fn open(
    passed: Vec<PassedSocket>,
    options: &Options,
    config: &Config,
) -> Result<Sockets, StartError> {
    let mut sockets = Sockets::default();
    if let Some(path) = &config.daemon.listen_unix {
        let mode = config.daemon.listen_unix_mode;
        sockets.http.open_unix(path, mode)?;
    }

    // Before any is opened here, as they decide which kinds are.
    for socket in passed {
        sockets.take(socket)?;
    }

    sockets.open_rest(options, config)?;
    // Asked of the sockets, as one that was passed may be for TLS without a setting.
    let has_certificate = config.daemon.tls_cert_file.is_some();
    match sockets.http.tls.is_empty() || has_certificate {
        true => Ok(sockets),
        false => Err(StartError::Setup(SetupError::NoCertificate)),
    }
}

/// The command line wins over the configuration.
fn agent_ports<'a>(options: &'a Options, config: &'a Config) -> &'a [u16] {
    if options.agent_ports.is_empty() {
        &config.daemon.agent_ports
    } else {
        &options.agent_ports
    }
}

fn bind_all(options: &Options, ports: &[u16], what: &str) -> Result<Vec<TcpListener>, StartError> {
    let mut sockets = Vec::new();
    for port in ports {
        let address = SocketAddr::new(options.bind_address, *port);
        let socket = bind(address)?;
        // Of port 0 the kernel chooses one.
        log::info!("{what} on {}", socket.local_addr().unwrap_or(address));
        sockets.push(socket);
    }

    Ok(sockets)
}

fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    // Into a socket of the standard library, as each thread has a runtime of its own to use it with.
    let listener = accept::bind(address).and_then(tokio::net::TcpListener::into_std);
    listener.map_err(|cause| StartError::Listen(ListenError { address, cause }))
}
