//! The names of request headers, as the configuration has them.

use std::fmt;

use hyper::header::{HOST, HeaderName};

use crate::settings::Reader;

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
        let name = HeaderName::from_bytes(text.as_bytes()).ok()?;
        Some(Self {
            name,
            // Kept for people: the name itself is in lower case.
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

/// A header name; an empty text means none, as in the originals.
#[expect(clippy::option_option, reason = "none and a fault are not the same")]
pub(super) fn read_or_none(reader: &Reader<'_>) -> Option<Option<Header>> {
    match reader.word().as_deref() {
        Some("") => Some(None),
        _ => read(reader),
    }
}

/// The name of a request header that may be passed on; `Some(None)` for one that may not, which is warned about: Yelp's
/// hacheck starts with it.
#[expect(clippy::option_option, reason = "none and a fault are not the same")]
fn read(reader: &Reader<'_>) -> Option<Option<Header>> {
    let header = reader.parsed(
        "is not the name of a header",
        "write one such as X-Request-Id",
        Header::parse,
    )?;
    // `Proxy-Connection`, `Proxy-Authorization` and their like are for whoever speaks to a proxy.
    if header.is_hop_by_hop() || header.name.as_str().starts_with("proxy-") {
        reader.warn(format!(
            "'{header}' belongs to one connection and is not passed on; remove it"
        ));
        return Some(None);
    }

    Some(Some(header))
}

/// [`read`] in a list, where an empty text is no header of any request.
#[expect(clippy::option_option, reason = "none and a fault are not the same")]
fn read_item(reader: &Reader<'_>) -> Option<Option<Header>> {
    if reader.word().as_deref() == Some("") {
        reader.warn("'' is no header, so nothing is passed on for it; write [] to pass on none");
        return Some(None);
    }

    read(reader)
}

/// Names of request headers, each once.
pub(super) fn read_list(reader: &Reader<'_>) -> Option<Vec<Header>> {
    let mut headers: Vec<Header> = Vec::new();
    for header in reader.each(read_item)?.into_iter().flatten() {
        if !headers.iter().any(|known| known.name == header.name) {
            headers.push(header);
        }
    }

    Some(headers)
}
