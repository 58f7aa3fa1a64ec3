//! One accept loop for every listener, whether it speaks HTTP or the agent protocol.
//!
//! Rule: an address that may not ask is turned away before a byte is read. Every other connection gets in; if there are
//! too many, an older one is evicted (see [`super::connections`]).

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpNoDelay;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::connections::{Connections, OpenConnection};
use crate::os::cause::cause_text;
use crate::os::logging::Seldom;

/// Connections that the kernel queues until they are accepted.
const BACKLOG: u32 = 4096;

/// How long to wait after an error before accepting again.
const PAUSE: Duration = Duration::from_millis(20);

/// Limits how often errors of accepting are logged, over all listeners.
static ERRORS: Seldom = Seldom::new();

/// Opens a listening socket. Others may listen on the same port (`SO_REUSEPORT`), so that a new daemon can start
/// before the old one ends.
///
/// # Errors
/// When the address does not belong to this host or the port is taken.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket_for(address)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Opens a listening socket on a port that nobody else listens on.
///
/// # Errors
/// When the address does not belong to this host or the port is taken.
pub(crate) fn bind_alone(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket_for(address)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn socket_for(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A port whose last connections are still closing (TIME_WAIT) is free.
    socket.set_reuseaddr(true)?;
    Ok(socket)
}

/// A protocol that is served on a listener; cloned for each connection.
pub(crate) trait ConnectionHandler<S>: Clone + Send + Sync + 'static {
    /// Whether an address may ask; decided before anything is read.
    fn admits(&self, peer: IpAddr) -> bool;

    /// Serves one connection to its end.
    fn serve(self, accepted: Accepted<S>) -> impl Future<Output = ()> + Send;
}

/// A connection that was accepted.
pub(crate) struct Accepted<S> {
    pub(crate) stream: S,
    /// The address it came from; that of the loopback for a unix socket.
    pub(crate) peer: SocketAddr,
    /// Its entry among all open connections.
    pub(crate) open: Arc<OpenConnection>,
    /// Turns true when the daemon stops.
    pub(crate) stop: watch::Receiver<bool>,
}

impl<S> Accepted<S> {
    /// The same connection by another stream.
    pub(super) fn through<T>(self, wrap: impl FnOnce(S) -> T) -> Accepted<T> {
        Accepted {
            stream: wrap(self.stream),
            peer: self.peer,
            open: self.open,
            stop: self.stop,
        }
    }
}

/// A listening socket, TCP or unix.
pub(crate) trait Listener: Send {
    /// What it accepts.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Whether peers have addresses of their own. Those that have none are on this host and are always admitted.
    const REMOTE: bool;

    /// Sets options that accepted connections inherit.
    fn prepare(&self) {}

    /// Accepts one connection.
    fn accept_one(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    const REMOTE: bool = true;

    fn prepare(&self) {
        // Answers are short, so there is nothing to wait for. If it fails, they are sent a little later.
        let _ = setsockopt(self, TcpNoDelay, &true);
    }

    async fn accept_one(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept().await
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    const REMOTE: bool = false;

    async fn accept_one(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, _) = self.accept().await?;
        // No TCP connection comes from port 0, so it marks connections of the unix socket.
        Ok((stream, (Ipv4Addr::LOCALHOST, 0).into()))
    }
}

/// Accepts connections until `stop` turns true. Those that are open then end by themselves.
pub(crate) async fn run<L, P>(
    listener: L,
    connections: Arc<Connections>,
    service: P,
    stop: watch::Receiver<bool>,
) where
    L: Listener,
    P: ConnectionHandler<L::Stream>,
{
    let _accepting = connections.accepting();
    connections.enforce_limits();
    listener.prepare();
    let mut stopped = pin!(stopped(stop.clone()));
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = &mut stopped => return,
            accepted = accept_admitted(&listener, &connections, &service) => accepted,
        };
        // In this order: a connection that was accepted is served even if the stop came meanwhile, unless it would have
        // to wait for room.
        tokio::select! {
            biased;
            () = connections.room() => {}
            () = &mut stopped => return,
        }
        let start = |open| {
            let stop = stop.clone();
            let accepted = Accepted {
                stream,
                peer,
                open,
                stop,
            };
            start(service.clone(), accepted)
        };
        connections.enter(peer.ip().to_canonical(), start);
    }
}

/// Serves a connection in a task of its own, which can be aborted to evict it.
fn start<S, P>(service: P, accepted: Accepted<S>) -> AbortHandle
where
    S: Send + 'static,
    P: ConnectionHandler<S>,
{
    // Boxed, as tokio moves a task that has ended twice more, and this one is large.
    tokio::spawn(Box::pin(service.serve(accepted))).abort_handle()
}

/// Accepts the next connection whose peer may ask.
async fn accept_admitted<L, P>(
    listener: &L,
    connections: &Connections,
    service: &P,
) -> (L::Stream, SocketAddr)
where
    L: Listener,
    P: ConnectionHandler<L::Stream>,
{
    let admits = |peer: SocketAddr| !L::REMOTE || service.admits(peer.ip().to_canonical());
    loop {
        // A connection that is not admitted never enters the table, so it evicts nobody.
        match listener.accept_one().await {
            Ok((stream, peer)) if admits(peer) => return (stream, peer),
            Ok(_) => connections.turn_away(),
            Err(e) => pause_after(&e, connections).await,
        }
    }
}

/// Waits until the flag turns true, or nobody is left to turn it.
pub(super) async fn stopped(mut stop: watch::Receiver<bool>) {
    // If the sender is gone, so is the daemon: that counts as a stop.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Deals with an error of accepting. A connection that was reset before it was accepted needs nothing. File descriptors
/// that ran out come back when connections end, so an idle one is evicted.
async fn pause_after(e: &io::Error, connections: &Connections) {
    if is_gone(e) {
        return;
    }
    if is_out_of_files(e) {
        connections.shed();
    }
    // Seldom: while no descriptor is free, the same connection fails again every 20 ms.
    if let Some(times) = ERRORS.now() {
        log::warn!("cannot accept a connection: {}{times}", cause_text(e));
    }
    tokio::time::sleep(PAUSE).await;
}

fn is_gone(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};
    matches!(e.kind(), ConnectionAborted | ConnectionReset)
}

fn is_out_of_files(e: &io::Error) -> bool {
    let code = e.raw_os_error().map(Errno::from_raw);
    matches!(code, Some(Errno::EMFILE | Errno::ENFILE))
}
