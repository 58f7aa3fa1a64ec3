//! The files of pages for browsers: fixed bytes of the binary, with headers by which a browser refuses all else.
//!
//! Rule: nothing of a request, an upstream, the spool or the engine of a fleet is served as HTML.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, X_FRAME_OPTIONS,
};

use super::page_text::PageText;
use super::reply::{self, Reply};

pub(crate) struct PageFile {
    /// What it is made of: pages share parts.
    pub(crate) parts: &'static [&'static [u8]],
    pub(crate) kind: PageKind,
}

/// What a file holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PageKind {
    Html,
    Script,
    Style,
}

/// The part of each page's script that is the same.
pub(crate) const SCRIPT: &[u8] = include_bytes!("page/page.js");

/// The same of its style.
pub(crate) const STYLE: &[u8] = include_bytes!("page/page.css");

/// What the browser is to refuse, whatever the page may come to hold: everything but its own script and style, and
/// answers of its own host as data; texts that become code (Trusted Types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (REFERRER_POLICY, "no-referrer"),
    (X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (reply::CORP, "same-origin"),
    // With the tag below: asked for each time, sent when it is new.
    (CACHE_CONTROL, "no-cache"),
];

impl PageKind {
    fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            Self::Style => "text/css; charset=utf-8",
        }
    }
}

impl PageFile {
    /// The file, unless the browser has it.
    pub(crate) fn reply(&self, request: &HeaderMap) -> Reply {
        let tag = tag(self.parts);
        let mut reply = match request.get(IF_NONE_MATCH) {
            // Compared as a whole: a browser sends back the one tag that it was given.
            Some(known) if *known == *tag => reply::text(StatusCode::NOT_MODIFIED, ""),
            _ => reply::fixed_page(Arc::new(self.text())),
        };

        let headers = reply.headers_mut();
        let kind = HeaderValue::from_static(self.kind.media_type());
        headers.insert(CONTENT_TYPE, kind);
        // Digits and quotes always fit.
        headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
        protect(headers);
        reply
    }

    fn text(&self) -> PageText {
        let pieces = self.parts.iter().map(|part| Bytes::from_static(part));
        PageText {
            pieces: pieces.collect(),
        }
    }
}

fn protect(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// What changes with the content (FNV-1a, 64 bits).
fn tag(parts: &[&[u8]]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.iter().copied().flatten() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }

    format!("\"{hash:016x}\"")
}

#[cfg(test)]
impl PageFile {
    /// Fails unless a page is small, writes no HTML, and names no other host. `addresses`: how often it may hold `://`.
    pub(crate) fn assert_small_and_safe(page: [Self; 3], addresses: usize) {
        let all = page.map(|file| file.parts.concat());
        let size: usize = all.iter().map(Vec::len).sum();
        assert!(size <= 30_000);
        let text = all.map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert_eq!(text.matches("://").count(), addresses);
        assert!(!text.contains("innerHTML"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_has_a_file_is_not_sent_it_again() {
        let file = |parts| PageFile {
            parts,
            kind: PageKind::Script,
        };
        let script = file(&[b"one", b"two"]);
        let first = script.reply(&HeaderMap::new());
        let known = HeaderMap::from_iter([(IF_NONE_MATCH, first.headers()[ETAG].clone())]);
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(script.reply(&known).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(file(&[b"other"]).reply(&known).status(), StatusCode::OK);
    }
}
