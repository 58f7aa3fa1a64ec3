//! Where a check goes: `hostname`, `port` and `path` as Python's `requests` reads them as parts of one URL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue};
use hyper::http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::CheckKind;
use crate::net::Host;
use crate::probe::Headers;

/// What `requests` writes as `%XX` in a path, besides what is not ASCII.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b']')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A `hostname`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostName {
    pub(super) host: Host,
    /// As it was written, without a user; an IPv6 address in brackets.
    pub(super) written: String,
    /// User and password for HTTP, still percent-encoded.
    user: Option<String>,
}

impl HostName {
    pub(super) fn parse(text: &str) -> Option<Self> {
        // The last one: a password may hold another.
        let (user, name) = match text.rsplit_once('@') {
            Some((user, name)) => (Some(user.to_owned()), name),
            None => (None, text),
        };

        Some(Self {
            host: Host::parse(name).ok()?,
            written: bracketed(name),
            user,
        })
    }

    /// The headers of a request, but for those that every probe sends.
    pub(super) fn headers(&self, kind: CheckKind, port: u16) -> Headers {
        let mut headers = Headers::default();
        if let Ok(host) = HeaderValue::try_from(self.authority(kind, port)) {
            headers.set(HOST, host);
        }

        // As `requests` sends it.
        headers.set(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(login) = self.user.as_deref().and_then(basic) {
            headers.set(AUTHORIZATION, login);
        }

        headers
    }

    /// The port is left out where it is the usual one.
    fn authority(&self, kind: CheckKind, port: u16) -> String {
        let name = self.written.to_ascii_lowercase();
        match (kind, port) {
            (CheckKind::Http, 80) | (CheckKind::Https, 443) => name,
            _ => format!("{name}:{port}"),
        }
    }

    pub(super) fn has_user(&self) -> bool {
        self.user.is_some()
    }
}

/// As it stands in a URL.
fn bracketed(host: &str) -> String {
    let is_bare_ipv6 = host.contains(':') && !host.starts_with('[');
    match is_bare_ipv6 {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

/// `Basic` authentication (RFC 7617) for `user:password`; none without a password.
fn basic(user: &str) -> Option<HeaderValue> {
    let (name, password) = user.split_once(':')?;
    let mut login = percent_decode_str(name).collect::<Vec<u8>>();
    login.push(b':');
    login.extend(percent_decode_str(password));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(login))).ok()?;
    // By this mark a redirect knows what must not go to another place.
    value.set_sensitive(true);
    Some(value)
}

/// A `path`, fit for a request.
pub(super) fn path(text: &str) -> Option<String> {
    // A fragment is not asked for.
    let text = text.split('#').next().unwrap_or_default();
    let slash = if text.starts_with('/') { "" } else { "/" };
    let mut path = format!("{slash}{}", utf8_percent_encode(text, ESCAPED));
    // As `requests` does: either all percent signs are escapes, or all are meant as they stand.
    if !percent_signs_are_escapes(&path) {
        path = path.replace('%', "%25");
    }

    path.parse::<PathAndQuery>().is_ok().then_some(path)
}

/// Whether two digits follow each percent sign.
fn percent_signs_are_escapes(path: &str) -> bool {
    let mut behind = path.split('%').skip(1);
    behind.all(|text| {
        let digits = text.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded with requests 2.27: `requests.Request("GET", "http://h:1" + path).prepare().path_url`. It refuses `health`.
    #[test]
    fn paths_are_written_as_requests_does() {
        for (written, asked) in [
            ("/health?a=b&c", "/health?a=b&c"),
            ("/a b", "/a%20b"),
            ("/a%20b#c", "/a%20b"),
            ("/é\"<>\\^`{|}", "/%C3%A9%22%3C%3E%5C%5E%60%7B%7C%7D"),
            ("/100%", "/100%25"),
            ("/[x]~!$&'()*+,;=:@", "/%5Bx%5D~!$&'()*+,;=:@"),
            ("/100%zz", "/100%25zz"),
            ("health", "/health"),
            ("?a", "/?a"),
            ("", "/"),
        ] {
            assert_eq!(path(written).as_deref(), Some(asked), "{written}");
        }
    }

    /// Recorded with requests 2.27, which alone refuses the IPv6 address without brackets.
    #[test]
    fn a_hostname_may_hold_a_user_and_brackets() {
        for (text, host, authorization) in [
            ("localhost", "localhost:81", None),
            ("Web.Example", "web.example:81", None),
            ("[::1]", "[::1]:81", None),
            ("::1", "[::1]:81", None),
            ("u:p@h", "h:81", Some("Basic dTpw")),
            ("u%40x:p%3a@h", "h:81", Some("Basic dUB4OnA6")),
            ("u@h", "h:81", None),
        ] {
            let name = HostName::parse(text).unwrap_or_else(|| panic!("{text}"));
            let headers = name.headers(CheckKind::Http, 81);
            let value = |header| headers.get(header).map(|value| value.to_str().unwrap());
            assert_eq!(value(&HOST), Some(host), "{text}");
            assert_eq!(value(&AUTHORIZATION), authorization, "{text}");
        }
        assert_eq!(HostName::parse("a b"), None);
        let usual = HostName::parse("h").unwrap().headers(CheckKind::Https, 443);
        assert_eq!(usual.get(&HOST).unwrap(), "h");
    }
}
