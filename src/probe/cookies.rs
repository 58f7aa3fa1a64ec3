//! Cookies within the redirects of one check: name and value, for the host that set them (RFC 6265, without paths).

use hyper::header::{HeaderMap, HeaderValue, SET_COOKIE};

use super::url::Url;

/// Most cookies that are kept.
const COOKIES_MAX: usize = 50;

/// The cookies that were set so far.
#[derive(Debug, Default)]
pub(super) struct Cookies(Vec<Cookie>);

#[derive(Debug)]
struct Cookie {
    host: String,
    name: String,
    value: String,
    /// Not for requests without TLS.
    is_secure: bool,
}

impl Cookies {
    /// Keeps what an answer sets.
    pub(super) fn take(&mut self, url: &Url, headers: &HeaderMap) {
        for header in headers.get_all(SET_COOKIE) {
            let text = String::from_utf8_lossy(header.as_bytes());
            if let Some(cookie) = Cookie::parse(&url.host, &text) {
                self.keep(cookie);
            }
        }
    }

    fn keep(&mut self, cookie: Cookie) {
        // First, so that a cookie that is set again fits even when there are as many as may be.
        self.0.retain(|kept| !kept.is_replaced_by(&cookie));
        if self.0.len() < COOKIES_MAX {
            self.0.push(cookie);
        }
    }

    /// The header for a request.
    pub(super) fn of(&self, url: &Url) -> Option<HeaderValue> {
        let fitting = self.0.iter().filter(|cookie| cookie.fits(url));
        let pairs: Vec<String> = fitting.map(Cookie::pair).collect();
        if pairs.is_empty() {
            return None;
        }

        HeaderValue::try_from(pairs.join("; ")).ok()
    }
}

impl Cookie {
    fn parse(host: &str, text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        // Of the attributes one counts, `Secure`: what it protects must not leave in clear text.
        let (name, value) = parts.next()?.split_once('=')?;
        let is_secure = parts.any(|part| part.trim().eq_ignore_ascii_case("secure"));
        Some(Self {
            host: host.to_ascii_lowercase(),
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            is_secure,
        })
    }

    fn is_replaced_by(&self, other: &Self) -> bool {
        self.host == other.host && self.name == other.name
    }

    fn fits(&self, url: &Url) -> bool {
        self.host.eq_ignore_ascii_case(&url.host) && (url.https || !self.is_secure)
    }

    fn pair(&self) -> String {
        format!("{}={}", self.name, self.value)
    }
}
