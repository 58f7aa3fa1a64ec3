//! The HTTP/2 client: one request over a given stream and its response, or a connection that is kept for many.
//!
//! Rule: everything that is read is bounded, and no task of a connection outlives it.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::rt::Executor as _;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::any_stream::AnyStream;
use super::client::drive;
use super::tasks::{AbortOnDrop, Tasks};

/// Most bytes of a response's headers, and of its trailers.
const HEAD_MAX: u32 = 64 << 10;

/// How much a server may send before it is read, in bytes.
const WINDOW: u32 = 64 << 10;

/// What a server answered.
pub(crate) struct H2Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// What fits into the limit. If there is more, nothing behind it is read.
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

/// A request with a whole message as its body.
pub(crate) type MessageRequest = Request<Full<Bytes>>;

/// Sends a request and reads the response, of its body at most `max_body` bytes.
///
/// # Errors
/// When no complete response came.
pub(crate) async fn ask(
    stream: AnyStream,
    request: MessageRequest,
    max_body: usize,
) -> Result<H2Response, hyper::Error> {
    // hyper runs parts of a connection as tasks; they end with this request, however it ends.
    let tasks = Tasks::default();
    let _end = AbortOnDrop(tasks.clone());
    let (mut sender, connection) = builder(tasks).handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        read(response, max_body).await
    };
    drive(Box::pin(connection), pin!(exchange)).await
}

/// How often a kept connection is asked whether it is still there, and how long it may take to say so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ping {
    pub(crate) every: Duration,
    pub(crate) limit: Duration,
}

/// A connection for many requests, also at once. It ends when it is dropped.
pub(crate) struct H2Connection {
    sender: http2::SendRequest<Full<Bytes>>,
    _end: AbortOnDrop,
}

impl H2Connection {
    /// Begins a connection over a stream.
    ///
    /// # Errors
    /// When the stream fails.
    pub(crate) async fn open(stream: AnyStream, ping: Ping) -> Result<Self, hyper::Error> {
        let tasks = Tasks::default();
        let end = AbortOnDrop(tasks.clone());
        let mut builder = builder(tasks.clone());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(ping.every)
            .keep_alive_timeout(ping.limit)
            .keep_alive_while_idle(true);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        tasks.execute(connection);
        Ok(Self { sender, _end: end })
    }

    /// Sends a request; its response's body is still to be read.
    ///
    /// # Errors
    /// When no response came.
    pub(crate) async fn send(
        &self,
        request: MessageRequest,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.sender.clone().send_request(request).await
    }
}

fn builder(tasks: Tasks) -> http2::Builder<Tasks> {
    let mut builder = http2::Builder::new(tasks);
    // A server may send no more than the window allows, so a small one bounds the memory of an endless answer.
    builder
        .max_header_list_size(HEAD_MAX)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    builder
}

/// Reads a response, of its body at most `max_body` bytes.
///
/// # Errors
/// When it does not come whole.
pub(crate) async fn read(
    response: Response<Incoming>,
    max_body: usize,
) -> Result<H2Response, hyper::Error> {
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = incoming.frame().await {
        match frame?.into_data() {
            // No answer that is meant is that long. The rest is not read, so a call of gRPC has no status then, and fails.
            Ok(data) if body.len() + data.len() > max_body => break,
            Ok(data) => body.extend_from_slice(&data),
            Err(other) => trailers = other.into_trailers().unwrap_or_default(),
        }
    }
    Ok(H2Response {
        status: head.status,
        headers: head.headers,
        body: body.freeze(),
        trailers,
    })
}
