//! The listener for pollers: accept, answer, drain.
//!
//! Rule: who may not ask is dropped before a byte is read; of all others a new connection is never refused (see
//! [`super::connections`]).

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpNoDelay;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Notify, watch};

use super::connections::Registered;
pub use super::connections::{Connections, Limits};
use super::reply::Reply;
use super::stall::Stalling;
use crate::os::logging::Seldom;

/// Connections that the kernel keeps ready to be accepted.
const BACKLOG: u32 = 4096;

/// Headers that hyper takes without being told; with this number it needs no memory of its own for them.
const USUAL_HEADERS: usize = 100;

/// How long to wait after accepting failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How long a connection without a request may stay after the stop: the request may be on its way, and closing the
/// connection would lose it.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

/// How often trouble with accepting is logged.
static TROUBLE: Seldom = Seldom::new();

/// Opens a listening socket. Others may listen on the same port (`SO_REUSEPORT`), so that a new daemon can start
/// before the old one ends.
///
/// # Errors
/// When the address is not ours or the port is taken.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers requests; cloned for each connection.
pub trait Handler: Clone + Send + Sync + 'static {
    /// Whether pollers may close their sending side and still get an answer. Where they may not, a request ends as
    /// soon as its poller is gone.
    const HALF_CLOSE: bool = true;

    /// Whether an address may ask; decided before anything is read.
    fn admits(&self, _poller: IpAddr) -> bool {
        true
    }

    /// Answers one request of a poller.
    fn handle(
        &self,
        request: Request<Incoming>,
        poller: SocketAddr,
        arrived: Instant,
    ) -> impl Future<Output = Reply> + Send;
}

/// Where connections come from.
pub trait Listener: Send {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Whether the peer's address says where it is; peers that are known to be on this host are always admitted.
    const REMOTE: bool;

    /// Sets what its connections inherit.
    fn prepare(&self) {}

    /// The next connection and its peer.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    const REMOTE: bool = true;

    fn prepare(&self) {
        // Answers are short: nothing is gained by waiting for more to send. Where it fails, they come a little later.
        let _ = setsockopt(self, TcpNoDelay, &true);
    }

    async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept().await
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    const REMOTE: bool = false;

    async fn next(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, _) = self.accept().await?;
        Ok((stream, (Ipv4Addr::LOCALHOST, 0).into()))
    }
}

/// Serves a listener until `stop` turns true; then no connection is accepted any more, and those that are open end
/// after the request that they are at.
pub async fn serve<L: Listener, H: Handler>(
    listener: L,
    all: Arc<Connections>,
    handler: H,
    stop: watch::Receiver<bool>,
) {
    let _accepting = all.accepting();
    all.sweep();
    listener.prepare();
    let mut told = pin!(told_to(stop.clone()));
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut told => return,
            accepted = listener.next() => accepted,
        };
        match accepted {
            Ok((_, poller)) if L::REMOTE && !handler.admits(poller.ip().to_canonical()) => {
                all.turn_away();
            }
            Ok((stream, poller)) => {
                // In this order: what was accepted is served, even when the stop has come meanwhile; only a wait for
                // room ends with it.
                tokio::select! {
                    biased;
                    () = all.room() => {}
                    () = &mut told => return,
                }
                begin(stream, poller, &all, handler.clone(), stop.clone());
            }
            Err(e) => failed(&e, &all).await,
        }
    }
}

/// A connection that was reset before it was accepted is nothing; want of descriptors passes, the sooner when a
/// connection that nobody uses gives one back.
async fn failed(e: &io::Error, all: &Connections) {
    if matches!(
        e.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    ) {
        return;
    }
    let wanting = [Errno::EMFILE, Errno::ENFILE].map(|e| e as i32);
    if e.raw_os_error().is_some_and(|code| wanting.contains(&code)) {
        all.shed();
    }
    if let Some(times) = TROUBLE.now() {
        log::warn!("cannot accept a connection: {e}{times}");
    }
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Waits until the flag turns true, or nobody is left to turn it.
async fn told_to(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits for the flag, and then for the first request, which may be on its way, though not for long.
async fn told_to_and_begun(stop: watch::Receiver<bool>, begun: &Notify) {
    told_to(stop).await;
    // A request that came before has left its mark.
    let _ = tokio::time::timeout(FIRST_REQUEST, begun.notified()).await;
}

fn begin<S: AsyncRead + AsyncWrite + Unpin + Send + 'static, H: Handler>(
    stream: S,
    poller: SocketAddr,
    all: &Arc<Connections>,
    handler: H,
    stop: watch::Receiver<bool>,
) {
    let limits = *all.limits();
    all.enter(poller.ip().to_canonical(), |registered| {
        tokio::spawn(connection(
            stream, poller, limits, handler, stop, registered,
        ))
        .abort_handle()
    });
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static, H: Handler>(
    stream: S,
    poller: SocketAddr,
    limits: Limits,
    handler: H,
    stop: watch::Receiver<bool>,
    registered: Arc<Registered>,
) {
    let begun = Notify::new();
    let service = service_fn(|request| {
        begun.notify_one();
        let arrived = Instant::now();
        registered.busy(arrived);
        let reply = handler.handle(request, poller, arrived);
        let registered = &*registered;
        async move {
            let reply = reply.await;
            registered.idle();
            Ok::<_, Infallible>(reply)
        }
    });
    let mut builder = http1::Builder::new();
    if limits.headers != USUAL_HEADERS {
        builder.max_headers(limits.headers);
    }
    let serving = builder
        // The books see to it (Connections::sweep).
        .header_read_timeout(None)
        .max_buf_size(limits.head)
        // Some checkers close their sending side behind the request.
        .half_close(H::HALF_CLOSE)
        .serve_connection(
            TokioIo::new(Stalling::new(
                stream,
                limits.write_timeout,
                Arc::clone(&registered),
            )),
            service,
        );
    tokio::pin!(serving);
    let ended = tokio::select! {
        biased;
        ended = serving.as_mut() => ended,
        () = registered.overdue() => return,
        () = told_to_and_begun(stop, &begun) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(e) = ended {
        log::debug!("connection of {}: {e}", poller.ip());
    }
}
