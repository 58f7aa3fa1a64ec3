//! The page of this host: three fixed files. What it shows it fetches from `/overview`.
//!
//! Rule: nothing of a request, an upstream or the spool is served as HTML. The one page is fixed bytes of the binary.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, X_FRAME_OPTIONS,
};

use crate::http::reply::{self, Reply};

/// One of the files.
pub(super) struct UiFile {
    bytes: &'static [u8],
    kind: &'static str,
}

/// `/ui`.
pub(super) const PAGE: UiFile = UiFile {
    bytes: include_bytes!("ui/ui.html"),
    kind: "text/html; charset=utf-8",
};

/// `/ui.js`.
pub(super) const SCRIPT: UiFile = UiFile {
    bytes: include_bytes!("ui/ui.js"),
    kind: "text/javascript; charset=utf-8",
};

/// `/ui.css`.
pub(super) const STYLE: UiFile = UiFile {
    bytes: include_bytes!("ui/ui.css"),
    kind: "text/css; charset=utf-8",
};

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

/// A file, unless the browser has it.
pub(super) fn file(file: &UiFile, request: &HeaderMap) -> Reply {
    let tag = tag(file.bytes);
    let mut reply = match request.get(IF_NONE_MATCH) {
        // Compared as a whole: a browser sends back the one tag that it was given.
        Some(known) if *known == *tag => reply::text(StatusCode::NOT_MODIFIED, ""),
        _ => reply::held_text(StatusCode::OK, Bytes::from_static(file.bytes)),
    };
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    // Digits and quotes always fit.
    headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
    protect(headers);
    reply
}

fn protect(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// What changes with the content (FNV-1a, 64 bits).
fn tag(bytes: &[u8]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("\"{hash:016x}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_names_no_other_host() {
        let all = [PAGE, SCRIPT, STYLE].map(|file| file.bytes);
        let size: usize = all.iter().map(|bytes| bytes.len()).sum();
        assert!(size <= 30_000, "{size} bytes");
        let text = all
            .map(|bytes| std::str::from_utf8(bytes).unwrap())
            .concat();
        // The one address is a name of XML.
        assert_eq!(text.matches("://").count(), 1);
        assert!(!text.contains("innerHTML"));
    }

    #[test]
    fn a_browser_that_has_a_file_is_not_sent_it_again() {
        let first = file(&SCRIPT, &HeaderMap::new());
        let tag = first.headers()[ETAG].clone();
        let known = HeaderMap::from_iter([(IF_NONE_MATCH, tag)]);
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(file(&SCRIPT, &known).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(file(&PAGE, &known).status(), StatusCode::OK);
    }
}
