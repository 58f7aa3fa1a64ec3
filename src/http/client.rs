//! One request over a given stream.
//!
//! Rule: everything that is read is bounded, and nothing is followed, kept or tried again.

use std::error::Error as _;
use std::fmt;
use std::io::{self, Read as _};

use crate::cause::cause_text;
use bytes::{Bytes, BytesMut};
use flate2::read::GzDecoder;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Most headers of an answer.
const HEADERS_MAX: usize = 1000;

/// Most bytes of an answer's head.
const HEAD_MAX: usize = 64 << 10;

/// What an upstream answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body, cut at the limit.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// The path cannot stand in a request.
    Request(hyper::http::Error),
    /// The exchange failed.
    Exchange(hyper::Error),
    /// The upstream changed the protocol (101).
    Switched,
    /// The answer has a length and comes in chunks too (RFC 9112 section 6.3): its end is uncertain.
    TwoLengths,
    /// The body is not the gzip that it is said to be.
    Gzip(io::Error),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(e) => write!(f, "the path cannot be asked for: {e}"),
            Self::TwoLengths => write!(f, "the upstream's answer has both Content-Length and Transfer-Encoding"),
            Self::Gzip(e) => write!(f, "the upstream's body is not gzip, as it says: {}", cause_text(e)),
            Self::Switched => write!(f, "the upstream answered 101 Switching Protocols"),
            Self::Exchange(e) if e.is_incomplete_message() => {
                write!(f, "the upstream closed the connection before its answer was complete")
            }
            Self::Exchange(e) if e.is_parse() => write!(f, "the upstream's answer is not HTTP/1: {e}"),
            Self::Exchange(e) => match e.source() {
                Some(cause) => write!(f, "{e}: {}", cause_text(cause)),
                None => write!(f, "{e}"),
            },
        }
    }
}

impl std::error::Error for ClientError {}

/// [`ask`] by GET.
///
/// # Errors
/// [`ClientError`] when no complete answer came.
pub async fn get<S>(stream: S, path: &str, headers: HeaderMap, max_body: usize) -> Result<Answer, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    ask(stream, Method::GET, path, headers, max_body).await
}

/// Sends one request without a body and reads the answer, of its body at most `max_body` bytes. It ends when the caller drops it.
///
/// # Errors
/// [`ClientError`] when no complete answer came.
pub async fn ask<S>(
    stream: S,
    method: Method,
    path: &str,
    headers: HeaderMap,
    max_body: usize,
) -> Result<Answer, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut request =
        Request::builder().method(method).uri(path).body(Empty::<Bytes>::new()).map_err(ClientError::Request)?;
    *request.headers_mut() = headers;
    // So that the upstream closes first, and its address and port are not taken for a while by our end.
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_MAX)
        // What older services send, and the originals took.
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(ClientError::Exchange)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(ClientError::Exchange)?;
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(ClientError::Switched);
        }
        let headers = response.headers();
        if headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING) {
            return Err(ClientError::TwoLengths);
        }
        let gzip = headers.get(CONTENT_ENCODING).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"gzip"));
        let body = read_body(response.into_body(), max_body).await.map_err(ClientError::Exchange)?;
        let body = if gzip && !body.is_empty() { unpacked(&body, max_body)? } else { body };
        Ok(Answer { status, body })
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // The connection is done; what it delivered is still to be picked up.
        _ = &mut connection => exchange.await,
    }
}

/// A body that came as gzip although it was not asked for; cut at `max` bytes.
fn unpacked(packed: &[u8], max: usize) -> Result<Bytes, ClientError> {
    let mut body = Vec::new();
    GzDecoder::new(packed).take(max as u64).read_to_end(&mut body).map_err(ClientError::Gzip)?;
    Ok(body.into())
}

async fn read_body(mut body: Incoming, max: usize) -> Result<Bytes, hyper::Error> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = max - whole.len();
        whole.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            break;
        }
    }
    Ok(whole.freeze())
}
