//! Connections that do not speak what their port does: a TLS hello, a PROXY line, HTTP/2 where it is off. Their pollers
//! see a closed connection and nothing else, so the log says what they sent and how to make them understand each other.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::os::logging::Seldom;

/// As many bytes of a connection's beginning as tell its protocol.
pub(super) const FIRST: usize = 16;

/// What a connection speaks that its port does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// A TLS handshake on a port in clear text.
    Tls,
    /// A header of the PROXY protocol, version 1 or 2.
    Proxy,
    /// HTTP/2 without TLS.
    Http2,
    /// HTTP/1 where something else is spoken.
    Http,
    /// HTTP/1 with a head that HTTP does not allow, such as a path with `<`.
    BadRequest,
    /// None of these.
    Other,
}

/// The beginning of a TLS record with a handshake (RFC 8446 section 5.1).
const TLS: &[u8] = b"\x16\x03";
const PROXY_V1: &[u8] = b"PROXY ";
const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The beginning of the connection preface (RFC 9113 section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0";

impl Foreign {
    /// All kinds.
    pub(crate) const ALL: [Self; 6] = [
        Self::Tls,
        Self::Proxy,
        Self::Http2,
        Self::Http,
        Self::BadRequest,
        Self::Other,
    ];

    /// What the first bytes of a connection are; they may be fewer than are needed to tell.
    pub(crate) fn of(first: &[u8]) -> Self {
        // In this order: what a method may look like comes last.
        if first.starts_with(TLS) {
            Self::Tls
        } else if first.starts_with(PROXY_V1) || first.starts_with(PROXY_V2) {
            Self::Proxy
        } else if first.starts_with(HTTP2) {
            Self::Http2
        } else if begins_with_method(first) {
            Self::Http
        } else {
            Self::Other
        }
    }

    /// The kind in a word, for `/metrics`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Proxy => "proxy",
            Self::Http2 => "http2",
            Self::Http => "http",
            Self::BadRequest => "bad request",
            Self::Other => "other",
        }
    }

    /// What happened, and what to do.
    fn hint(self) -> &'static str {
        match self {
            Self::Tls => {
                "a TLS handshake, but this port is in clear text; check it without TLS, or at a port of \
                 listen_tls"
            }
            Self::Proxy => {
                "a PROXY protocol header that this port does not take, or a broken one; add its address to \
                 proxy_protocol_from, or check without it (HAProxy: no check-send-proxy)"
            }
            Self::Http2 => "HTTP/2, which this port does not speak; check it by HTTP/1.1",
            Self::Http => "plain HTTP, which this port does not speak; check another port",
            Self::BadRequest => {
                "a request that HTTP does not allow, which is answered 400 before it is looked at; write <, >, ` \
                 and bytes over 0x7f of a path as %3C, %3E, %60, %C3…"
            }
            Self::Other => "neither HTTP nor anything else that is known here",
        }
    }
}

/// Whether this may be a request: a word in capitals and a space.
fn begins_with_method(first: &[u8]) -> bool {
    let end = first.iter().position(|byte| *byte == b' ');
    // Without a space there may be more of the word, or it is something else.
    match end {
        Some(0) | None => false,
        Some(end) => first[..end].iter().all(u8::is_ascii_uppercase),
    }
}

/// How many there were of each kind.
#[derive(Default)]
pub(super) struct ForeignCounts([AtomicU64; Foreign::ALL.len()]);

/// How often each kind is logged.
static LOGGED: [Seldom; Foreign::ALL.len()] = [const { Seldom::new() }; Foreign::ALL.len()];

impl ForeignCounts {
    /// How many there were of a kind.
    pub(super) fn get(&self, kind: Foreign) -> u64 {
        self.0[kind as usize].load(Ordering::Relaxed)
    }

    /// Counts one, and logs it, though not each time.
    pub(super) fn add(&self, kind: Foreign, from: IpAddr) {
        self.0[kind as usize].fetch_add(1, Ordering::Relaxed);
        if let Some(times) = LOGGED[kind as usize].now() {
            log::warn!("{from} sent {}{times}", kind.hint());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_known_by_its_first_bytes() {
        for (first, kind) in [
            (&b"\x16\x03\x01\x02\0\x01\0"[..], Foreign::Tls),
            (b"PROXY TCP4 10.0.", Foreign::Proxy),
            (b"PROXY UNKNOWN\r\n\0", Foreign::Proxy),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", Foreign::Proxy),
            (b"PRI * HTTP/2.0\r\n", Foreign::Http2),
            (b"GET /healthz HTT", Foreign::Http),
            (b"OPTIONS / HTTP/1", Foreign::Http),
            (b"SSH-2.0-OpenSSH_", Foreign::Other),
            (b"QUIT\r\n\0\0\0\0\0\0\0\0\0\0", Foreign::Other),
            (b" / HTTP/1.1", Foreign::Other),
            (b"\x16", Foreign::Other),
            (b"", Foreign::Other),
        ] {
            assert_eq!(Foreign::of(first), kind, "{first:?}");
        }
    }
}
