//! HTTP towards pollers: the requests of a connection until it ends or the daemon stops. By HTTP/1 they come one after
//! the other, by HTTP/2 several at once.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode, Version};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};

use super::HttpSettings;
use super::accept::{Accepted, ConnectionHandler, stopped};
use super::connections::OpenConnection;
use super::foreign::Foreign;
use super::head_memory::HeadMemory;
use super::proxy::{self, Beginning, Begun, Proxied};
use super::reply::{self, Reply};
use super::tasks::{AbortOnDrop, Tasks};
use super::tls::{self, ClientCertificate, TlsServer};
use super::unread::UnreadTimeout;
use super::write_timeout::WriteTimeout;

/// The number of headers that hyper accepts by default. For this number it allocates no memory.
const DEFAULT_HEADERS: usize = 100;

/// Requests of one HTTP/2 connection at once.
const STREAMS: u32 = 32;

/// How much of a request's body is read ahead over HTTP/2, in bytes, and how much of an answer is put together.
const WINDOW: u32 = 64 << 10;

/// How long a connection without a request stays open after the stop. Its next request may be on its way, and closing the
/// connection would lose it; the answer to that one says that the connection ends.
const NEXT_REQUEST: Duration = Duration::from_millis(500);

/// Answers requests; cloned for each connection.
pub(crate) trait Handler: Clone + Send + Sync + 'static {
    /// Whether an address may ask; decided before anything is read.
    fn admits(&self, _poller: IpAddr) -> bool {
        true
    }

    /// Whether a connection from this address may begin with a header of the PROXY protocol.
    fn takes_proxy_header(&self, _peer: IpAddr) -> bool {
        false
    }

    /// What a listener with TLS needs, where there is one.
    fn tls(&self) -> Option<Arc<TlsServer>> {
        None
    }

    /// Answers one request of a poller.
    fn handle(
        &self,
        request: Request<Incoming>,
        poller: SocketAddr,
        arrived: Instant,
    ) -> impl Future<Output = Reply> + Send;
}

/// Serves a listener by HTTP.
#[derive(Clone)]
pub(crate) struct Http<H> {
    handler: H,
    has_tls: bool,
}

impl<H> Http<H> {
    /// In clear text.
    pub(crate) fn new(handler: H) -> Self {
        Self {
            handler,
            has_tls: false,
        }
    }

    /// Within TLS.
    pub(crate) fn with_tls(handler: H) -> Self {
        Self {
            handler,
            has_tls: true,
        }
    }
}

impl<S, H> ConnectionHandler<S> for Http<H>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    fn admits(&self, peer: IpAddr) -> bool {
        self.handler.admits(peer)
    }

    async fn serve(self, accepted: Accepted<S>) {
        let open = Arc::clone(&accepted.open);
        let serving = async {
            match self.takes_header(accepted.peer) {
                false => self.converse(accepted, Requests::new).await,
                // Boxed, so that it takes no part in the memory of each connection.
                true => Box::pin(self.serve_behind_proxy(accepted)).await,
            }
        };
        tokio::select! {
            biased;
            () = serving => {}
            () = open.overdue() => {}
        }
    }
}

impl<H: Handler> Http<H> {
    /// Whether the connection may begin with a header of the PROXY protocol. One by a unix socket, which has no port,
    /// stands for nobody.
    fn takes_header(&self, peer: SocketAddr) -> bool {
        peer.port() != 0 && self.handler.takes_proxy_header(peer.ip().to_canonical())
    }

    /// Serves a connection that may tell for whom it was made.
    async fn serve_behind_proxy<S>(self, accepted: Accepted<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Accepted {
            stream,
            peer,
            open,
            stop,
        } = accepted;
        // Who hangs up in the middle of it has nothing to be told.
        let Ok(Begun { beginning, stream }) = proxy::read_header(stream).await else {
            return;
        };
        let source = match beginning {
            Beginning::Broken => return open.is_foreign(Foreign::Proxy),
            Beginning::Wanting | Beginning::NoHeader | Beginning::Header(None, _) => None,
            Beginning::Header(source, _) => source,
        };
        if let Some(source) = source
            && !self.handler.admits(source.ip().to_canonical())
        {
            return open.turn_away();
        }
        let new = match source {
            Some(_) => Requests::proxied,
            None => Requests::new,
        };
        let accepted = Accepted {
            stream,
            peer: source.unwrap_or(peer),
            open,
            stop,
        };
        self.converse(accepted, new).await;
    }

    /// Serves a connection of a known poller.
    async fn converse<S>(self, accepted: Accepted<S>, new: NewRequests<H>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Accepted {
            stream,
            peer,
            open,
            stop,
        } = accepted;
        let limit = open.settings().write_timeout;
        let stream = WriteTimeout::new(stream, limit, Arc::clone(&open));
        let requests = new(self.handler, peer, &open);
        let unread = requests.unread.clone();
        let serving = async {
            match self.has_tls {
                false => requests.serve(stream, stop).await,
                true => Box::pin(requests.serve_tls(stream, stop)).await,
            }
        };
        tokio::select! {
            biased;
            () = serving => {}
            () = unread.elapsed() => {}
        }
    }
}

/// Makes the requests of a connection.
type NewRequests<H> = fn(H, SocketAddr, &Arc<OpenConnection>) -> Requests<H>;

/// The requests of one connection.
struct Requests<H> {
    handler: H,
    poller: SocketAddr,
    open: Arc<OpenConnection>,
    /// Notified by each request.
    begun: Arc<Notify>,
    tasks: Tasks,
    /// For answers over HTTP/2.
    unread: UnreadTimeout,
    /// The poller's, over TLS.
    certificate: Option<ClientCertificate>,
    is_encrypted: bool,
    /// The poller is known by a header of the PROXY protocol.
    is_proxied: bool,
    _end: AbortOnDrop,
}

impl<H: Handler> Requests<H> {
    fn new(handler: H, poller: SocketAddr, open: &Arc<OpenConnection>) -> Self {
        let tasks = Tasks::default();
        let limit = open.settings().write_timeout;
        Self {
            handler,
            poller,
            open: Arc::clone(open),
            begun: Arc::default(),
            unread: UnreadTimeout::new(limit, tasks.clone()),
            certificate: None,
            is_encrypted: false,
            is_proxied: false,
            _end: AbortOnDrop(tasks.clone()),
            tasks,
        }
    }

    /// Those of a poller that a proxy connected for.
    fn proxied(handler: H, poller: SocketAddr, open: &Arc<OpenConnection>) -> Self {
        Self {
            is_proxied: true,
            ..Self::new(handler, poller, open)
        }
    }

    /// Answers them all within TLS.
    async fn serve_tls<S>(mut self, stream: S, stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(server) = self.handler.tls() else {
            return;
        };
        let shaken = tokio::select! {
            biased;
            shaken = tls::shake_hands(&server, stream, &self.open) => shaken,
            () = stopped_between(stop.clone(), &self.begun, &self.open) => None,
        };
        if let Some((stream, certificate)) = shaken {
            self.is_encrypted = true;
            self.certificate = certificate;
            self.serve(stream, stop).await;
        }
    }

    /// Answers them all.
    async fn serve<S>(&self, stream: S, stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = HeadMemory::new(stream, Arc::clone(&self.open));
        let stopping = stop.clone();
        let answer = service_fn(|request| self.answer(request, *stopping.borrow()));
        let builder = builder(self.open.settings(), self.tasks.clone());
        let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), answer));
        let ended = tokio::select! {
            biased;
            ended = serving.as_mut() => ended,
            () = stopped_between(stop, &self.begun, &self.open) => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(e) = ended {
            self.note_broken(&*e);
        }
    }

    fn note_broken(&self, e: &(dyn Error + 'static)) {
        let from = self.poller.ip().to_canonical();
        log::debug!("connection of {from}: {e}");
        note_foreign(&self.open, self.is_encrypted, e);
    }

    /// Answers one, which may be the last before the stop. What it needs is its own: over HTTP/2 it is a task.
    fn answer(
        &self,
        mut request: Request<Incoming>,
        is_last: bool,
    ) -> impl Future<Output = Result<Reply, Infallible>> + Send + use<H> {
        self.begun.notify_one();
        let arrived = Instant::now();
        let asked = self.open.busy(arrived);
        let (handler, poller) = (self.handler.clone(), self.poller);
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        if self.is_proxied {
            request.extensions_mut().insert(Proxied);
        }
        let open = Arc::clone(&self.open);
        let http2 = (request.version() == Version::HTTP_2).then(|| self.unread.clone());
        if http2.is_some() {
            open.speaks_http2();
        }
        async move {
            let is_head = request.method() == Method::HEAD;
            let reply = match has_too_many_headers(&request, open.settings()) {
                true => reply::text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, ""),
                false => handler.handle(request, poller, arrived).await,
            };
            open.note_established(reply.body().is_for_established());
            drop(asked);
            Ok(match http2 {
                // hyper leaves out the body over HTTP/1 only.
                Some(_) if is_head => reply::without_body(reply),
                Some(unread) => unread.watch(reply::placed(reply, open.memory())),
                None if is_last => reply::last(reply::placed(reply, open.memory())),
                None => reply::placed(reply, open.memory()),
            })
        }
    }
}

/// Over HTTP/2 nobody else counts them.
fn has_too_many_headers(request: &Request<Incoming>, settings: &HttpSettings) -> bool {
    request.headers().len() > settings.max_headers
}

/// Counts a connection that ended because hyper could not read what came. No handler has seen that.
fn note_foreign(open: &OpenConnection, is_encrypted: bool, e: &(dyn Error + 'static)) {
    let Some(e) = e.downcast_ref::<hyper::Error>() else {
        return;
    };
    // Whoever asks for too much is told so, by 414 or 431.
    if !e.is_parse() || e.is_parse_too_large() {
        return;
    }
    match open.spoke() {
        None => {}
        Some(Foreign::Http) => open.is_foreign(Foreign::BadRequest),
        // The first bytes are those of the handshake.
        Some(_) if is_encrypted => open.is_foreign(Foreign::BadRequest),
        Some(kind) => open.is_foreign(kind),
    }
}

fn builder(settings: &HttpSettings, tasks: Tasks) -> auto::Builder<Tasks> {
    let mut builder = auto::Builder::new(tasks);
    let mut http1 = builder.http1();
    http1
        // OpenConnection::overdue does that.
        .header_read_timeout(None)
        .max_buf_size(settings.max_head)
        // Pollers may close their sending side and still get an answer.
        .half_close(true);
    if settings.max_headers != DEFAULT_HEADERS {
        http1.max_headers(settings.max_headers);
    }
    // At most 1 MiB.
    let max_head = u32::try_from(settings.max_head).unwrap_or(u32::MAX);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(max_head)
        .max_send_buf_size(WINDOW as usize)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    match settings.http2 {
        true => builder,
        false => builder.http1_only(),
    }
}

/// Waits for the stop and, where no request is being answered, for the next one, though not for long.
async fn stopped_between(stop: watch::Receiver<bool>, begun: &Notify, open: &OpenConnection) {
    stopped(stop).await;
    // The permit that the last request left says nothing of the next one.
    let _ = begun.notified().now_or_never();
    if !open.is_busy() {
        let _ = tokio::time::timeout(NEXT_REQUEST, begun.notified()).await;
    }
}
