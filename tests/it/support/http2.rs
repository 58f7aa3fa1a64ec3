//! HTTP/2 from the client's side: whole requests by hyper, and frames by hand for what no client does.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::HeaderMap;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::block_on;
use super::client::connect;

/// The connection preface, and settings that are the defaults.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RESET: u8 = 3;
pub const SETTINGS: u8 = 4;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Answer {
    /// Checks status and body of an answer in plain text.
    #[track_caller]
    pub fn is(&self, status: u16, body: &str) {
        let is = (self.status, str::from_utf8(&self.body).unwrap());
        assert_eq!(is, (status, body), "{self:?}");
        let kind = self.headers.get("content-type").unwrap();
        assert_eq!(kind, "text/plain; charset=utf-8");
        assert!(self.trailers.is_empty());
    }
}

/// What is sent.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

/// A GET.
pub fn get(path: &str) -> Asking<'_> {
    Asking {
        method: "GET",
        path,
        headers: &[],
        body: b"",
    }
}

/// One request after the other over one connection.
pub fn requests(address: SocketAddr, all: &[Asking<'_>]) -> Vec<Answer> {
    block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        requests_over(stream, all).await
    })
}

/// The same over a given one.
pub async fn requests_over<S>(stream: S, all: &[Asking<'_>]) -> Vec<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    let driving = tokio::spawn(connection);
    let mut answers = Vec::new();
    for asking in all {
        let mut request = hyper::Request::builder()
            .method(asking.method)
            .uri(format!("http://check.test{}", asking.path));
        for (name, value) in asking.headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::copy_from_slice(asking.body));
        let request = request.body(body).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        answers.push(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            trailers: body.trailers().cloned().unwrap_or_default(),
            body: body.to_bytes(),
        });
    }
    driving.abort();
    answers
}

/// A connection whose frames are written by hand.
pub struct Raw {
    pub stream: TcpStream,
    next: u32,
}

/// A frame that came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Raw {
    /// Begins with these settings, of two and four bytes each.
    pub fn to(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut stream = connect(address);
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        stream.write_all(&PREFACE[..24]).unwrap();
        let mut raw = Self { stream, next: 1 };
        assert!(raw.send(SETTINGS, 0, 0, &payload));
        raw
    }

    /// Sends a frame; whether the connection took it.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).is_ok()
    }

    /// Begins a request; gives the number of its stream, or nothing when the connection is gone.
    pub fn ask(&mut self, method: &str, path: &str) -> Option<u32> {
        let stream = self.next;
        self.next += 2;
        // END_STREAM and END_HEADERS.
        let sent = self.send(HEADERS, 5, stream, &head(method, path, &[]));
        sent.then_some(stream)
    }

    /// The next frame; nothing when the connection is gone.
    pub fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).ok()?;
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        })
    }

    /// The next frame that such a condition holds for.
    #[track_caller]
    pub fn wait_for(&mut self, mut wanted: impl FnMut(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.read().expect("the connection ended");
            if wanted(&frame) {
                return frame;
            }
        }
    }
}

/// The headers of a request (RFC 7541): names from the static table, values as they are.
pub fn head(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut head = vec![0x86];
    let mut literal = |index: u8, value: &str| {
        head.push(index);
        head.push(u8::try_from(value.len()).unwrap());
        head.extend(value.as_bytes());
    };
    literal(2, method);
    literal(4, path);
    literal(1, "check.test");
    for (name, value) in more {
        head.push(0);
        for text in [name, value] {
            head.push(u8::try_from(text.len()).unwrap());
            head.extend(text.as_bytes());
        }
    }
    head
}
