//! The PROXY protocol, version 1 and 2 (HAProxy's doc/proxy-protocol.txt): a balancer in front tells for whom it connects.
//!
//! Rule: nobody is believed but those who may send a header, and what they tell counts as an address, never as a right: no
//! header makes its sender a caller on this host.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use proxy_header::{Error, ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::forward::forward_writes;

/// Most bytes of a header. One of version 1 has at most 107; of version 2 addresses and what TLS was spoken fit.
pub(super) const HEADER_MAX: usize = 4 << 10;

/// Most bytes of a header of version 1, its line end included.
const LINE_MAX: usize = 107;

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Marks the requests of a connection that began with an address in a header.
#[derive(Clone, Copy)]
pub(crate) struct Proxied;

/// How a connection begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// With too few bytes to tell.
    Wanting,
    /// Without a header.
    NoHeader,
    /// With one of so many bytes; the address, where it tells one.
    Header(Option<SocketAddr>, usize),
    /// With one that is none after all, or too long.
    Broken,
}

/// Reads the beginning.
pub(crate) fn beginning(bytes: &[u8]) -> Beginning {
    if bytes.starts_with(V1) || bytes.starts_with(V2) {
        return header(bytes);
    }

    // The first bytes may be the beginning of a signature. No HTTP request begins with one.
    match V1.starts_with(bytes) || V2.starts_with(bytes) {
        true => Beginning::Wanting,
        false => Beginning::NoHeader,
    }
}

/// Reads a header, whose signature is there.
fn header(bytes: &[u8]) -> Beginning {
    let config = ParseConfig {
        // Extensions, such as what TLS the client spoke, are not used.
        include_tlvs: false,
        allow_v1: true,
        allow_v2: true,
    };

    match ProxyHeader::parse(bytes, config) {
        // The library takes a longer line of UNKNOWN that is whole, and no part of one: it must not matter how it came.
        Ok((_, length)) if bytes.starts_with(V1) && length > LINE_MAX => Beginning::Broken,
        Ok((header, length)) => {
            // LOCAL and UNKNOWN carry none: the balancer connects for itself, as for its checks.
            let source = header.proxied_address().map(|address| address.source);
            Beginning::Header(source, length)
        }
        Err(Error::BufferTooShort) if bytes.len() < HEADER_MAX => Beginning::Wanting,
        Err(_) => Beginning::Broken,
    }
}

/// What a connection began with.
pub(super) struct Begun {
    pub(super) beginning: Beginning,
    /// What was read beyond a header.
    pub(super) rest: Bytes,
}

/// Takes the header from a stream, if it has one.
///
/// # Errors
/// When the stream cannot be read.
pub(super) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Begun> {
    let mut read = BytesMut::new();
    let beginning = loop {
        let beginning = beginning(&read);
        // This ends: `beginning` calls a header broken that is not whole after HEADER_MAX bytes.
        let is_wanting = beginning == Beginning::Wanting;
        if !is_wanting || stream.read_buf(&mut read).await? == 0 {
            break beginning;
        }
    };

    // The request may have begun behind the header; that part stays in the buffer.
    if let Beginning::Header(_, length) = &beginning {
        read.advance(*length);
    }

    let rest = read.freeze();
    Ok(Begun { beginning, rest })
}

/// A stream of which some bytes were read already.
pub(super) struct Rewound<S> {
    first: Bytes,
    stream: S,
}

impl<S> Rewound<S> {
    pub(super) fn new(first: Bytes, stream: S) -> Self {
        Self { first, stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }

        let length = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    forward_writes!(stream);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP4: &[u8] = b"PROXY TCP4 10.0.0.1 10.0.0.2 5000 80\r\n";

    fn source(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_header_is_known_however_few_bytes_come_at_once() {
        let v2 = [V2, b"\x21\x11\0\x0c\x0a\0\0\x01\x0a\0\0\x02\x13\x88\0\x50"].concat();
        for header in [TCP4, &v2] {
            for length in 0..header.len() {
                assert_eq!(beginning(&header[..length]), Beginning::Wanting, "{length}");
            }
            let expected = Beginning::Header(source("10.0.0.1:5000"), header.len());
            assert_eq!(beginning(header), expected);
            assert_eq!(beginning(&[header, b"GET /"].concat()), expected);
        }
    }

    #[test]
    fn a_line_of_more_than_107_bytes_is_broken_however_few_bytes_come_at_once() {
        let line =
            |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16)).into_bytes();
        let (longest, longer) = (line(LINE_MAX), line(LINE_MAX + 1));
        assert_eq!(beginning(&longest), Beginning::Header(None, LINE_MAX));
        assert_eq!(beginning(&longest[..LINE_MAX - 1]), Beginning::Wanting);
        assert_eq!(beginning(&longer), Beginning::Broken);
    }

    #[test]
    fn local_and_unknown_tell_no_address_and_garbage_is_broken() {
        let v2 = |rest: &[u8]| [V2, rest].concat();
        for (bytes, expected) in [
            (b"PROXY UNKNOWN\r\n".to_vec(), Beginning::Header(None, 15)),
            (v2(b"\x20\0\0\0"), Beginning::Header(None, 16)),
            (v2(b"\x21\0\0\0"), Beginning::Header(None, 16)),
            (b"GET / HTTP/1.1\r\n".to_vec(), Beginning::NoHeader),
            (b"\r\nGET / HTTP/1.1\r\n".to_vec(), Beginning::NoHeader),
            (b"PRI * HTTP/2.0\r\n".to_vec(), Beginning::NoHeader),
            (b"\x16\x03\x01".to_vec(), Beginning::NoHeader),
            (b"PROXY TCP4 x 10.0.0.2 1 2\r\n".to_vec(), Beginning::Broken),
            (
                b"PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n".to_vec(),
                Beginning::Broken,
            ),
            (
                [b"PROXY TCP4 ", &[b'1'; 200][..]].concat(),
                Beginning::Broken,
            ),
            (v2(b"\x31\0\0\0"), Beginning::Broken),
            (v2(b"\x21\x11\0\x01\0GET / HTTP/1.1\r\n"), Beginning::Broken),
            (
                [&v2(b"\x21\x11\xff\xff"), &[0; HEADER_MAX][..]].concat(),
                Beginning::Broken,
            ),
        ] {
            assert_eq!(beginning(&bytes), expected, "{bytes:?}");
        }
    }
}
