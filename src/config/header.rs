//! The names of request headers, as the configuration has them.

use std::fmt;

use hyper::header::{HOST, HeaderName};

/// Headers that belong to one connection (RFC 9110 section 7.6.1) or frame a body: passing them on breaks the request.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "te",
    "trailer",
    "trailers",
    "upgrade",
];

/// The name of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name.
    pub name: HeaderName,
    written: Box<str>,
}

impl Header {
    /// Reads a name; `None` where it can be none (RFC 9110 section 5.1).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        HeaderName::from_bytes(text.as_bytes())
            .ok()
            .map(|name| Self {
                name,
                written: text.into(),
            })
    }

    /// `Host`.
    #[must_use]
    pub fn host() -> Self {
        Self {
            name: HOST,
            written: "Host".into(),
        }
    }

    /// Whether it belongs to one connection, so that it is neither passed on nor set.
    pub(super) fn is_hop_by_hop(&self) -> bool {
        HOP_BY_HOP.contains(&self.name.as_str())
    }

    /// As it stands in the configuration.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}
