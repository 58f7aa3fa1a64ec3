//! One request over a given stream, and its answer.
//!
//! Rule: everything that is read is bounded, and nothing is followed, kept or tried again. While an answer is waited for,
//! no memory is held for it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::ready;

use bytes::Bytes;
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::answer::Incoming;
use crate::os::cause::cause_text;

/// How much is read at once, in bytes.
const READ: usize = 8 << 10;

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
    Path,
    /// The connection broke.
    Connection(io::Error),
    /// It was closed before the answer was complete.
    Incomplete,
    /// The answer is not HTTP/1.
    Head(httparse::Error),
    /// Its head is too long.
    LongHead,
    /// It has a length that is none, or two of them.
    Length,
    /// It has a length and comes in chunks too (RFC 9112 section 6.3): its end is uncertain.
    TwoLengths,
    /// It is HTTP/1.0 and has a transfer coding: its end is uncertain (RFC 9112 section 6.1).
    OldCoding,
    /// Its chunks are none.
    Chunks,
    /// The upstream changed the protocol (101).
    Switched,
    /// The body is not the gzip that it is said to be.
    Gzip(io::Error),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => write!(
                f,
                "the path cannot be asked for: it has spaces or control characters"
            ),
            Self::Connection(e) => write!(f, "the connection broke: {}", cause_text(e)),
            Self::Incomplete => write!(
                f,
                "the upstream closed the connection before its answer was complete"
            ),
            Self::Head(e) => write!(f, "the upstream's answer is not HTTP/1: {e}"),
            Self::LongHead => write!(f, "the head of the upstream's answer is longer than 64 KiB"),
            Self::Length => write!(
                f,
                "the Content-Length of the upstream's answer is not one number"
            ),
            Self::TwoLengths => write!(
                f,
                "the upstream's answer has both Content-Length and Transfer-Encoding"
            ),
            Self::OldCoding => write!(
                f,
                "the upstream's answer has Transfer-Encoding, which HTTP/1.0 has not"
            ),
            Self::Chunks => write!(f, "the upstream's answer is not in chunks, as it says"),
            Self::Switched => write!(f, "the upstream answered 101 Switching Protocols"),
            Self::Gzip(e) => write!(
                f,
                "the upstream's body is not gzip, as it says: {}",
                cause_text(e)
            ),
        }
    }
}

impl std::error::Error for ClientError {}

/// A request without a body, as it is sent.
#[derive(Debug)]
pub struct Request {
    bytes: Vec<u8>,
    /// Its answer has no body.
    bodiless: bool,
}

impl Request {
    /// Puts a request together. It always asks to close the connection, in place of any header that says otherwise: where
    /// the upstream closes first, its address and port are not taken for a while by our end.
    ///
    /// # Errors
    /// [`ClientError::Path`] for a path that would end the request line.
    pub fn new<'h>(
        method: &Method,
        path: &str,
        headers: impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)>,
    ) -> Result<Self, ClientError> {
        if !path.starts_with('/') || path.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(ClientError::Path);
        }
        // A fragment is not the upstream's (RFC 9110 section 7.1).
        let path = path.split('#').next().unwrap_or(path);
        let mut bytes = Vec::with_capacity(256);
        for part in [method.as_str(), " ", path, " HTTP/1.1\r\n"] {
            bytes.extend_from_slice(part.as_bytes());
        }
        for (name, value) in headers.filter(|(name, _)| **name != CONNECTION) {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                bytes.extend_from_slice(part);
            }
        }
        bytes.extend_from_slice(b"connection: close\r\n\r\n");
        Ok(Self {
            bytes,
            bodiless: method == Method::HEAD,
        })
    }

    /// The bytes to send.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Sends all but the first `sent` bytes and reads the answer, of its body at most `max_body` bytes.
    ///
    /// # Errors
    /// [`ClientError`] when no complete answer came.
    pub async fn ask<S>(
        &self,
        stream: &mut S,
        sent: usize,
        max_body: usize,
    ) -> Result<Answer, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if let Some(rest) = self.bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            stream
                .write_all(rest)
                .await
                .map_err(ClientError::Connection)?;
            stream.flush().await.map_err(ClientError::Connection)?;
        }
        let mut answer = Incoming::new(max_body, self.bodiless);
        loop {
            match read(stream, &mut answer).await? {
                Came::Part => {}
                Came::All => return answer.end(false),
                Came::Close => return answer.end(true),
            }
        }
    }
}

enum Came {
    Part,
    /// What is wanted of the answer is there.
    All,
    /// The upstream closed the connection.
    Close,
}

/// Reads once. The space for it is there while there is something to read only: thousands of probes may hang.
async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    answer: &mut Incoming,
) -> Result<Came, ClientError> {
    poll_fn(|cx| {
        let mut space = [MaybeUninit::uninit(); READ];
        let mut space = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut space))
            .map_err(ClientError::Connection)?;
        let all = match space.filled() {
            [] => return Ok(Came::Close).into(),
            came => answer.take(came)?,
        };
        Ok(if all { Came::All } else { Came::Part }).into()
    })
    .await
}
