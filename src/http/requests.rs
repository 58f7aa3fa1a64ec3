//! The requests of one connection: each is answered, until the connection ends or the daemon stops.
//!
//! Rule: a request that has arrived is answered, also during the stop; the answer then says that it is the last one.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode, Version};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::sync::{Notify, watch};

use super::HttpSettings;
use super::accept::stopped;
use super::any_stream::AnyStream;
use super::connections::{OpenConnection, RequestInFlight};
use super::foreign::Foreign;
use super::head_memory::HeadMemory;
use super::proxy::Proxied;
use super::reply::{self, Reply};
use super::server::Handler;
use super::tasks::{AbortOnDrop, Tasks};
use super::tls::{self, ClientCertificate};
use super::unread::UnreadTimeout;

/// The number of headers that hyper accepts by default. For this number it allocates no memory.
const DEFAULT_HEADERS: usize = 100;

/// Requests of one HTTP/2 connection at once.
const STREAMS: u32 = 32;

/// How much of a request's body is read ahead over HTTP/2, in bytes, and how much of an answer is put together.
const WINDOW: u32 = 64 << 10;

/// How long a connection without a request stays open after the stop. Its next request may be on its way, and closing the
/// connection would lose it; the answer to that one says that the connection ends.
const NEXT_REQUEST: Duration = Duration::from_millis(500);

/// The requests of one connection.
pub(super) struct Requests<H> {
    handler: H,
    poller: SocketAddr,
    open: Arc<OpenConnection>,
    /// Notified by each request.
    begun: Arc<Notify>,
    tasks: Tasks,
    /// For answers over HTTP/2.
    pub(super) unread: UnreadTimeout,
    /// The poller's, over TLS.
    certificate: Option<ClientCertificate>,
    is_encrypted: bool,
    /// The poller is known by a header of the PROXY protocol.
    is_proxied: bool,
    _end: AbortOnDrop,
}

impl<H: Handler> Requests<H> {
    pub(super) fn new(handler: H, poller: SocketAddr, open: &Arc<OpenConnection>) -> Self {
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
    pub(super) fn proxied(handler: H, poller: SocketAddr, open: &Arc<OpenConnection>) -> Self {
        Self {
            is_proxied: true,
            ..Self::new(handler, poller, open)
        }
    }

    /// Answers them all within TLS.
    pub(super) async fn serve_tls(mut self, stream: AnyStream, stop: watch::Receiver<bool>) {
        // A reload may have removed the certificate; the listener stays until a restart.
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
            self.serve(AnyStream::new(stream), stop).await;
        }
    }

    /// Answers them all.
    pub(super) async fn serve(&self, stream: AnyStream, stop: watch::Receiver<bool>) {
        let stopping = stop.clone();
        let answer = |request| self.answer(request, *stopping.borrow());
        let answering = Answering {
            open: &self.open,
            begun: &self.begun,
            tasks: &self.tasks,
            answer: &answer,
        };
        if let Err(e) = answering.run(stream, stop).await {
            self.note_broken(&*e);
        }
    }

    fn note_broken(&self, e: &(dyn Error + 'static)) {
        let from = self.poller.ip().to_canonical();
        log::debug!("connection of {from}: {e}");
        note_foreign(&self.open, self.is_encrypted, e);
    }

    /// Answers one, which may be the last before the stop. What it needs is its own: over HTTP/2 it is a task.
    fn answer(&self, mut request: Request<Incoming>, is_last: bool) -> Answer {
        self.begun.notify_one();
        let arrived = Instant::now();
        let in_flight = self.open.busy(arrived);
        self.mark(&mut request);
        let exchange = self.exchange(&request, arrived, is_last);
        // Both boxed, as each is moved several times on its way to where it is polled.
        Box::pin(exchange.run(Box::new(request), in_flight))
    }

    /// Puts into a request what the connection knows of its poller.
    fn mark(&self, request: &mut Request<Incoming>) {
        let marks = request.extensions_mut();
        if let Some(certificate) = &self.certificate {
            marks.insert(certificate.clone());
        }
        if self.is_proxied {
            marks.insert(Proxied);
        }
    }

    fn exchange(
        &self,
        request: &Request<Incoming>,
        arrived: Instant,
        is_last: bool,
    ) -> Exchange<H> {
        let is_http2 = request.version() == Version::HTTP_2;
        if is_http2 {
            self.open.speaks_http2();
        }
        Exchange {
            handler: self.handler.clone(),
            poller: self.poller,
            open: Arc::clone(&self.open),
            arrived,
            is_head: request.method() == Method::HEAD,
            is_last,
            http2: is_http2.then(|| self.unread.clone()),
        }
    }
}

/// An answer that is being made.
type Answer = Pin<Box<dyn Future<Output = Result<Reply, Infallible>> + Send>>;

/// A connection whose requests are answered. The same for all handlers, so that hyper's server is compiled once.
struct Answering<'a> {
    open: &'a Arc<OpenConnection>,
    begun: &'a Notify,
    tasks: &'a Tasks,
    answer: &'a (dyn Fn(Request<Incoming>) -> Answer + Send + Sync),
}

impl Answering<'_> {
    async fn run(
        self,
        stream: AnyStream,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let stream = HeadMemory::new(stream, Arc::clone(self.open));
        let builder = builder(self.open.settings(), self.tasks.clone());
        let answer = service_fn(self.answer);
        let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), answer));
        tokio::select! {
            // The connection is polled first: a request that has arrived is answered even if the stop came meanwhile.
            biased;
            ended = serving.as_mut() => ended,
            () = stopped_between(stop, self.begun, self.open) => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        }
    }
}

/// One request and its answer.
struct Exchange<H> {
    handler: H,
    poller: SocketAddr,
    open: Arc<OpenConnection>,
    arrived: Instant,
    is_head: bool,
    /// The daemon stops, and with it this connection.
    is_last: bool,
    /// Where it came by HTTP/2: what watches over its being read.
    http2: Option<UnreadTimeout>,
}

impl<H: Handler> Exchange<H> {
    async fn run(
        self,
        request: Box<Request<Incoming>>,
        in_flight: RequestInFlight,
    ) -> Result<Reply, Infallible> {
        let reply = self.reply(request).await;
        let is_established = reply.body().is_for_established();
        self.open.note_established(is_established);
        // The answer is ready, so this no longer waits for hacheck. Slow reading is tracked elsewhere.
        drop(in_flight);
        Ok(self.finished(reply))
    }

    async fn reply(&self, request: Box<Request<Incoming>>) -> Reply {
        let headers = request.headers().len();
        // Over HTTP/1 hyper refuses such a request itself; over HTTP/2 nobody else counts headers.
        if headers > self.open.settings().max_headers {
            return reply::text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "");
        }
        self.handler
            .handle(request, self.poller, self.arrived)
            .await
    }

    /// The answer as the connection is to send it.
    fn finished(self, reply: Reply) -> Reply {
        let memory = self.open.memory();
        match self.http2 {
            // hyper leaves out the body over HTTP/1 only.
            Some(_) if self.is_head => reply::without_body(reply),
            Some(unread) => unread.watch(reply::placed(reply, memory)),
            // HTTP/2 announces the end by GOAWAY and forbids this header (RFC 9113 section 8.2.2).
            None if self.is_last => reply::last(reply::placed(reply, memory)),
            None => reply::placed(reply, memory),
        }
    }
}

/// Counts a connection that ended because hyper could not read what came. No handler has seen that.
fn note_foreign(open: &OpenConnection, is_encrypted: bool, e: &(dyn Error + 'static)) {
    // Other errors are of the transport, such as a poller that hung up.
    let Some(e) = e.downcast_ref::<hyper::Error>() else {
        return;
    };
    // A request that is too large is answered by 414 or 431.
    if e.is_parse()
        && !e.is_parse_too_large()
        && let Some(spoken) = open.spoke()
    {
        open.is_foreign(kind_of_broken(spoken, is_encrypted));
    }
}

/// What a connection that hyper could not read is, by its first bytes.
fn kind_of_broken(spoken: Foreign, is_encrypted: bool) -> Foreign {
    // Within TLS the first bytes are those of the handshake, which went well.
    match is_encrypted || spoken == Foreign::Http {
        true => Foreign::BadRequest,
        false => spoken,
    }
}

fn builder(settings: &HttpSettings, tasks: Tasks) -> auto::Builder<Tasks> {
    let mut builder = auto::Builder::new(tasks);
    set_up_http1(&mut builder.http1(), settings);
    set_up_http2(&mut builder.http2(), settings);
    match settings.http2 {
        true => builder,
        false => builder.http1_only(),
    }
}

fn set_up_http1(http1: &mut auto::Http1Builder<'_, Tasks>, settings: &HttpSettings) {
    http1
        // OpenConnection::overdue does that.
        .header_read_timeout(None)
        .max_buf_size(settings.max_head)
        // Pollers may close their sending side and still get an answer.
        .half_close(true);
    if settings.max_headers != DEFAULT_HEADERS {
        http1.max_headers(settings.max_headers);
    }
}

fn set_up_http2(http2: &mut auto::Http2Builder<'_, Tasks>, settings: &HttpSettings) {
    // At most 1 MiB.
    let max_head = u32::try_from(settings.max_head).unwrap_or(u32::MAX);
    // Together these bound what one connection can hold.
    http2
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(max_head)
        .max_send_buf_size(WINDOW as usize)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
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
