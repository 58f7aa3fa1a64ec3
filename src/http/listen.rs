//! The listener for pollers: accept, limits, drain.
//!
//! Rule: a new connection is never refused. When there are too many, the oldest one without a complete request makes
//! room, so that a flood of idle connections cannot blind the balancer; where all wait for an answer, the one that has
//! waited longest, so that pollers of hung services, who may be gone, cannot either.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::reply::Reply;

/// Connections that the kernel keeps ready to be accepted.
const BACKLOG: u32 = 4096;

/// Bytes of a request head that always fit; above twice that the answer is always 431.
const HEAD_MAX: usize = 32 << 10;

/// How long to wait after accepting failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How long a connection without a request may stay after the stop: the request may be on its way, and closing the
/// connection would lose it.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

/// How long a request is left to be answered although a new connection needs room. Pollers give up after a second or
/// two, which cannot be seen: they look like those that close their sending side behind the request.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// Opens a listening socket. Others may listen on the same port (`SO_REUSEPORT`), so that a new daemon can start
/// before the old one ends.
///
/// # Errors
/// When the address is not ours or the port is taken.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
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

    /// Answers one request of a poller.
    fn handle(&self, request: Request<Incoming>, poller: SocketAddr) -> impl Future<Output = Reply> + Send;
}

/// The connections of all listeners.
pub struct Connections {
    max: usize,
    header_timeout: Duration,
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, Connection>>,
    count: AtomicUsize,
    dropped: AtomicU64,
    /// Listeners that may still bring connections.
    accepting: AtomicUsize,
    closed: Notify,
    started: Instant,
}

struct Connection {
    busy: Arc<Busy>,
    task: AbortHandle,
}

/// When the request that is being answered was complete, in milliseconds from the start, plus one; 0 without one.
#[derive(Default)]
struct Busy(AtomicU64);

impl Connections {
    /// At most `max` connections; a request head must be complete, and the next one begun, within `header_timeout`.
    #[must_use]
    pub fn new(max: usize, header_timeout: Duration) -> Self {
        Self {
            max: max.max(1),
            header_timeout,
            next: AtomicU64::new(0),
            open: Mutex::default(),
            count: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            accepting: AtomicUsize::new(0),
            closed: Notify::new(),
            started: Instant::now(),
        }
    }

    /// Connections that are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Connections that had to make room for newer ones.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The most that are open at once.
    #[must_use]
    pub fn max(&self) -> usize {
        self.max
    }

    /// Waits until all listeners have stopped and all connections are closed.
    pub async fn drained(&self) {
        loop {
            let closed = self.closed.notified();
            // In this order: a listener enters its last connection before it goes.
            if self.accepting.load(Ordering::Acquire) == 0 && self.count() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Waits until one more may be open, closing one if need be.
    async fn room(&self) {
        loop {
            let closed = self.closed.notified();
            if self.count() < self.max {
                return;
            }
            match self.victim() {
                Ok(task) => {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                    task.abort();
                    closed.await;
                }
                // Elapsed or closed: both are reasons to look again.
                Err(grace) => drop(tokio::time::timeout(grace, closed).await),
            }
        }
    }

    /// The connection to close: the oldest one without a complete request, else the one that has waited longest for
    /// its answer. `Err` says after what time there will be one.
    fn victim(&self) -> Result<AbortHandle, Duration> {
        let open = self.open();
        let since = |c: &Connection| c.busy.0.load(Ordering::Relaxed);
        if let Some(idle) = open.values().find(|c| since(c) == 0) {
            return Ok(idle.task.clone());
        }
        let Some(longest) = open.values().min_by_key(|c| since(c)) else { return Err(ANSWER_GRACE) };
        let waited = self.now().saturating_sub(since(longest));
        match ANSWER_GRACE.checked_sub(Duration::from_millis(waited)) {
            None | Some(Duration::ZERO) => Ok(longest.task.clone()),
            Some(grace) => Err(grace),
        }
    }

    /// Milliseconds from the start, plus one.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Connection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a connection off the books, however its task ends.
struct Registered {
    all: Arc<Connections>,
    id: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.all.open().remove(&self.id);
        self.all.count.fetch_sub(1, Ordering::Relaxed);
        self.all.closed.notify_waiters();
    }
}

/// A listener that may still bring connections.
struct Accepting(Arc<Connections>);

impl Accepting {
    fn begin(all: &Arc<Connections>) -> Self {
        all.accepting.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(all))
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.accepting.fetch_sub(1, Ordering::Release);
        self.0.closed.notify_waiters();
    }
}

/// Serves a listener until `stop` turns true; then no connection is accepted any more, and those that are open end
/// after the request that they are at.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    all: Arc<Connections>,
    handler: H,
    mut stop: watch::Receiver<bool>,
) {
    let _accepting = Accepting::begin(&all);
    loop {
        let accepted = tokio::select! {
            biased;
            () = told_to(&mut stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, poller)) => {
                all.room().await;
                begin(stream, poller, &all, handler.clone(), stop.clone());
            }
            Err(e) => {
                // A connection that was reset before it was accepted is nothing; want of descriptors passes.
                if !matches!(e.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                    log::warn!("cannot accept a connection: {e}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Waits until the flag turns true, or nobody is left to turn it.
async fn told_to(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits for the flag, and then for the first request, which may be on its way, though not for long.
async fn told_to_and_begun(stop: &mut watch::Receiver<bool>, begun: &Notify) {
    told_to(stop).await;
    // A request that came before has left its mark.
    let _ = tokio::time::timeout(FIRST_REQUEST, begun.notified()).await;
}

fn begin<H: Handler>(
    stream: TcpStream,
    poller: SocketAddr,
    all: &Arc<Connections>,
    handler: H,
    stop: watch::Receiver<bool>,
) {
    // Answers are short: nothing is gained by waiting for more to send. Where it fails, the connection is gone.
    let _ = stream.set_nodelay(true);
    let id = all.next.fetch_add(1, Ordering::Relaxed);
    let busy = Arc::<Busy>::default();
    all.count.fetch_add(1, Ordering::Relaxed);
    let registered = Registered { all: Arc::clone(all), id };
    // The lock is held over the spawn, so that a connection that ends at once is removed after it was entered.
    let mut open = all.open();
    let timeout = all.header_timeout;
    let task = tokio::spawn(connection(stream, poller, timeout, handler, Arc::clone(&busy), stop, registered));
    open.insert(id, Connection { busy, task: task.abort_handle() });
}

async fn connection<H: Handler>(
    stream: TcpStream,
    poller: SocketAddr,
    header_timeout: Duration,
    handler: H,
    busy: Arc<Busy>,
    mut stop: watch::Receiver<bool>,
    registered: Registered,
) {
    let begun = Notify::new();
    let service = service_fn(|request| {
        begun.notify_one();
        let (handler, busy, now) = (handler.clone(), Arc::clone(&busy), registered.all.now());
        async move {
            busy.0.store(now, Ordering::Relaxed);
            let reply = handler.handle(request, poller).await;
            busy.0.store(0, Ordering::Relaxed);
            Ok::<_, Infallible>(reply)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_MAX)
        // Some checkers close their sending side behind the request.
        .half_close(H::HALF_CLOSE)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = told_to_and_begun(&mut stop, &begun) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(e) = ended {
        log::debug!("connection of {}: {e}", poller.ip());
    }
}
