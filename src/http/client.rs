//! The HTTP/1 client of probes: one request over a given stream, and its response.
//!
//! Rule: everything that is read is bounded, and nothing is followed, kept open or tried again. The caller sets the
//! deadline; the connection is driven by the caller's task and ends with it.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_ENCODING, HeaderMap, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;

use super::any_stream::AnyStream;
use super::memory::{BodyBuffer, MemoryFull};
use super::read_after_write::ReadAfterWrite;
use super::unpack::{self, UnpackError};
use crate::os::cause::cause_text;

/// Most bytes of a response's head.
const HEAD_MAX: usize = 64 << 10;

/// Most headers of a response. hyper makes room for all of them each time.
const HEADERS_MAX: usize = 256;

/// What an upstream answered.
#[derive(Debug, Clone)]
pub(crate) struct UpstreamResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Cut at the limit.
    pub(crate) body: Bytes,
}

/// Why there is no response.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// The path cannot stand in a request.
    Path,
    /// The connection broke.
    Connection(String),
    /// It was closed before the response was complete.
    Incomplete,
    /// The response's head is malformed.
    Malformed(hyper::Error),
    /// The head is too long.
    LongHead,
    /// The body cannot be read, e.g. because it is not chunked as its head says.
    Body(String),
    /// The upstream changed the protocol (101).
    Switched,
    /// The body is not gzip as its head says.
    Gzip(io::Error),
    /// There is no memory for the body.
    Full(MemoryFull),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())?;
        match self.cause() {
            Some(cause) => write!(f, ": {cause}"),
            // hyper does not say which of the two limits it was.
            None if matches!(self, Self::LongHead) => write!(f, " or {HEADERS_MAX} headers"),
            None => Ok(()),
        }
    }
}

impl ClientError {
    fn cause(&self) -> Option<String> {
        match self {
            Self::Path | Self::Incomplete | Self::Switched | Self::LongHead => None,
            Self::Connection(cause) | Self::Body(cause) => Some(cause.clone()),
            Self::Malformed(e) => Some(cause_text(e)),
            Self::Gzip(e) => Some(cause_text(e)),
            Self::Full(e) => Some(e.to_string()),
        }
    }

    /// What went wrong, without its cause.
    fn what(&self) -> &'static str {
        match self {
            Self::Path => "the path cannot be asked for: it has spaces or control characters",
            Self::Connection(_) => "the connection broke",
            Self::Incomplete => "the upstream closed the connection before its answer was complete",
            Self::Malformed(_) => "the upstream's answer is not HTTP/1",
            Self::LongHead => "the head of the upstream's answer has more than 64 KiB",
            Self::Body(_) => "the upstream's body cannot be read",
            Self::Switched => "the upstream answered 101 Switching Protocols",
            Self::Gzip(_) => "the upstream's body is not gzip, as it says",
            Self::Full(_) => "the upstream's body was not read",
        }
    }
}

impl std::error::Error for ClientError {}

impl From<MemoryFull> for ClientError {
    fn from(e: MemoryFull) -> Self {
        Self::Full(e)
    }
}

impl From<UnpackError> for ClientError {
    fn from(e: UnpackError) -> Self {
        match e {
            UnpackError::Gzip(e) => Self::Gzip(e),
            UnpackError::Full(e) => Self::Full(e),
        }
    }
}

impl From<hyper::Error> for ClientError {
    fn from(e: hyper::Error) -> Self {
        // Checked first, as hyper counts this among the parse errors too.
        if e.is_parse_too_large() {
            return Self::LongHead;
        }
        if e.is_parse() {
            return Self::Malformed(e);
        }
        match is_closed_early(&e) {
            true => Self::Incomplete,
            false => Self::Connection(cause(&e)),
        }
    }
}

/// Whether the upstream closed in the head, before the request was sent, or in the body.
fn is_closed_early(e: &hyper::Error) -> bool {
    e.is_incomplete_message() || e.is_canceled() || is_end_of_file(e)
}

/// A request without a body.
pub(crate) type BodilessRequest = Request<Empty<Bytes>>;

/// Makes a request. It asks to close the connection, whatever its headers say: where the upstream closes first,
/// its address and port are not taken for a while by our end.
///
/// # Errors
/// [`ClientError::Path`] for a path that would end the request line.
pub(crate) fn request(
    method: Method,
    path: &str,
    mut headers: HeaderMap,
) -> Result<BodilessRequest, ClientError> {
    let path: PathAndQuery = path.parse().map_err(|_| ClientError::Path)?;
    // Set last, so that it replaces a copied header.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let mut request = Request::new(Empty::new());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(path);
    *request.headers_mut() = headers;
    Ok(request)
}

/// Sends a request and reads the response, of its body what the buffer takes.
///
/// # Errors
/// [`ClientError`] when no complete response came.
pub(crate) async fn ask(
    stream: AnyStream,
    request: BodilessRequest,
    body: BodyBuffer,
) -> Result<UpstreamResponse, ClientError> {
    let stream = TokioIo::new(ReadAfterWrite::new(stream));
    let (mut sender, connection) = builder().handshake(stream).await?;
    // Before the connection is driven, so that it has something to send at once.
    let response = sender.send_request(request);
    let exchange = async {
        let response = response.await?;
        read(response, body).await
    };
    drive(Box::pin(connection), pin!(exchange)).await
}

/// Accepts what older services send, as the replaced tools did.
fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(HEAD_MAX)
        .max_header_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    builder
}

/// Drives a connection until an exchange over it is done.
pub(super) async fn drive<T>(
    connection: Pin<Box<impl Future>>,
    mut exchange: Pin<&mut impl Future<Output = T>>,
) -> T {
    // Not spawned: when the caller is dropped at its deadline, the connection is dropped with it.
    tokio::select! {
        biased;
        _ = connection => {}
        result = exchange.as_mut() => return result,
    }
    // What the connection delivered is still to be read. It is dropped by now: a request that is sent only now, over a
    // connection that the peer has closed, would wait in its queue until the deadline.
    exchange.await
}

async fn read(
    response: Response<Incoming>,
    mut body: BodyBuffer,
) -> Result<UpstreamResponse, ClientError> {
    let (head, incoming) = response.into_parts();
    // No upgrade was asked for, and what follows is not a body.
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(ClientError::Switched);
    }
    read_body(incoming, &mut body).await?;
    let body = unpacked(body, &head.headers).await?;
    Ok(UpstreamResponse {
        status: head.status,
        headers: head.headers,
        body: body.finish(),
    })
}

async fn read_body(mut incoming: Incoming, body: &mut BodyBuffer) -> Result<(), ClientError> {
    // Reading stops at the limit and the connection is closed, so an endless body is no worse than a long one.
    while !body.is_complete()
        && let Some(frame) = incoming.frame().await
    {
        let frame = frame.map_err(body_error)?;
        // Trailers do not matter to a health check.
        if let Ok(data) = frame.into_data() {
            body.push(&data)?;
        }
    }
    Ok(())
}

async fn unpacked(body: BodyBuffer, headers: &HeaderMap) -> Result<BodyBuffer, ClientError> {
    // An answer to HEAD may say gzip and has no body.
    if body.bytes().is_empty() || !is_gzip(headers) {
        return Ok(body);
    }
    Ok(unpack::gzip(body).await?)
}

fn body_error(e: hyper::Error) -> ClientError {
    match ClientError::from(e) {
        ClientError::Connection(cause) => ClientError::Body(cause),
        other => other,
    }
}

/// Whether the body is packed although gzip was not asked for.
fn is_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING).iter();
    let mut names = codings.map(|coding| coding.as_bytes().trim_ascii());
    names.any(|name| name.eq_ignore_ascii_case(b"gzip"))
}

/// The cause of an error of hyper, for the middle of a sentence.
pub(crate) fn cause(e: &hyper::Error) -> String {
    match e.source() {
        Some(source) => cause_text(source),
        None => cause_text(e),
    }
}

/// Whether the upstream closed the connection within a body.
fn is_end_of_file(e: &hyper::Error) -> bool {
    let Some(source) = e.source() else {
        return false;
    };
    match source.downcast_ref::<io::Error>() {
        Some(e) => e.kind() == io::ErrorKind::UnexpectedEof,
        None => false,
    }
}

#[cfg(test)]
mod tests;
