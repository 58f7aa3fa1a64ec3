//! The HTTP/2 client: one request over a given stream, and its response.
//!
//! Rule: everything that is read is bounded, and no task of the connection outlives the request.

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

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

/// Sends a request and reads the response, of its body at most `max_body` bytes.
///
/// # Errors
/// When no complete response came.
pub(crate) async fn ask<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    max_body: usize,
) -> Result<H2Response, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tasks = Tasks::default();
    let _end = AbortOnDrop(tasks.clone());
    let stream = TokioIo::new(stream);
    let (mut sender, connection) = builder(tasks).handshake(stream).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        read(response, max_body).await
    };
    drive(connection, exchange).await
}

fn builder(tasks: Tasks) -> http2::Builder<Tasks> {
    let mut builder = http2::Builder::new(tasks);
    builder
        .max_header_list_size(HEAD_MAX)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    builder
}

async fn read(response: Response<Incoming>, max_body: usize) -> Result<H2Response, hyper::Error> {
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = incoming.frame().await {
        match frame?.into_data() {
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
