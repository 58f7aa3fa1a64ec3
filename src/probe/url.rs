//! The URL of an HTTP check, and where a redirect leads from it (RFC 3986 section 5, RFC 9110 section 10.2.2). Pure.
//!
//! Rule: only `http` and `https` lead anywhere; a user name in a location is left out, and so is a fragment.

use std::fmt::Write as _;

/// Where to ask, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) https: bool,
    /// As it was written; an IPv6 address in brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query; begins with `/`.
    pub(super) path: String,
}

impl Url {
    /// Host and port as they stand in a `Host` header.
    pub(super) fn authority(&self) -> String {
        if self.port == default_port(self.https) {
            return self.host.clone();
        }

        format!("{}:{}", self.host, self.port)
    }

    /// Whether both are asked in the same way at the same place.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        self.https == other.https
            && self.port == other.port
            && self.host.eq_ignore_ascii_case(&other.host)
    }

    /// Where a `Location` leads from here.
    pub(super) fn join(&self, location: &[u8]) -> Option<Self> {
        // Servers send spaces and other characters as they are.
        let text = escaped(location.trim_ascii());
        // A fragment is for whoever reads the answer; it is never sent (RFC 3986 section 3.5).
        let text = before(&text, '#');
        if let Some((scheme, rest)) = scheme(text) {
            return Self::at(is_https(scheme)?, rest.strip_prefix("//")?);
        }

        match text.strip_prefix("//") {
            Some(rest) => Self::at(self.https, rest),
            None => self.at_path(text),
        }
    }

    /// What follows `http://`.
    fn at(https: bool, text: &str) -> Option<Self> {
        let end = text.find(['/', '?']).unwrap_or(text.len());
        let (authority, path) = text.split_at(end);
        // The last one: a password may hold another that is not encoded.
        let place = match authority.rsplit_once('@') {
            Some((_, place)) => place,
            None => authority,
        };

        let (host, port) = host_and_port(place)?;
        // A query may follow the authority at once; a request has a path in any case (RFC 9112 section 3.2.1).
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        };

        Some(Self {
            https,
            host: host.to_owned(),
            port: port_of(port, https)?,
            path,
        })
    }

    /// Another path at the same place.
    fn at_path(&self, text: &str) -> Option<Self> {
        let own = before(&self.path, '?');
        let path = match text.as_bytes().first()? {
            b'/' => text.to_owned(),
            b'?' => format!("{own}{text}"),
            // Beside the last part of the own path (RFC 3986 section 5.2.3).
            _ => {
                let folder = own.rfind('/').map_or("/", |at| &own[..=at]);
                without_dots(&format!("{folder}{text}"))
            }
        };

        Some(Self {
            path,
            ..self.clone()
        })
    }
}

fn port_of(text: &str, https: bool) -> Option<u16> {
    match text {
        "" => Some(default_port(https)),
        digits => digits.parse().ok().filter(|port| *port > 0),
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

fn before(text: &str, end: char) -> &str {
    text.split(end).next().unwrap_or_default()
}

/// The scheme of an absolute URL, and what follows its colon.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    // A path may hold a colon, too; what stands before it is a scheme only by these characters (RFC 3986 section 3.1).
    let begins_so = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_scheme = begins_so && scheme.bytes().all(is_of_scheme);
    is_scheme.then_some((scheme, rest))
}

/// `None` for a scheme that leads nowhere.
fn is_https(scheme: &str) -> Option<bool> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Some(false),
        "https" => Some(true),
        _ => None,
    }
}

fn is_of_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

fn host_and_port(place: &str) -> Option<(&str, &str)> {
    // The colons of an IPv6 address stand in brackets.
    let end_of_host = match place.rfind(']') {
        Some(bracket) => bracket + 1,
        None => place.find(':').unwrap_or(place.len()),
    };

    let (host, rest) = place.split_at(end_of_host);
    let port = match rest {
        "" => "",
        rest => rest.strip_prefix(':')?,
    };
    (!host.is_empty()).then_some((host, port))
}

/// Bytes that cannot stand in a request line, as `%XX`.
fn escaped(location: &[u8]) -> String {
    let mut text = String::with_capacity(location.len());
    for byte in location {
        if byte.is_ascii_graphic() {
            text.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }

    text
}

fn parts_without_dots(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }

    parts
}

/// The path without `.` and `..` (RFC 3986 section 5.2.4).
fn without_dots(text: &str) -> String {
    let (path, query) = text.split_at(text.find('?').unwrap_or(text.len()));
    let parts = parts_without_dots(path);
    // Dots at the end name a folder, whose path ends with a slash.
    let is_folder = path.ends_with("/.") || path.ends_with("/..");
    let end = match is_folder && !parts.is_empty() {
        true => "/",
        false => "",
    };
    format!("/{}{end}{query}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &Url) -> String {
        let scheme = if url.https { "https" } else { "http" };
        format!("{scheme}://{}{}", url.authority(), url.path)
    }

    /// Recorded with Python: `urljoin("http://Web.example:8080/a/b?c=d", location)`, where that is a URL to ask for.
    #[test]
    fn locations_lead_where_python_says() {
        let here = Url {
            https: false,
            host: "Web.example".to_owned(),
            port: 8080,
            path: "/a/b?c=d".to_owned(),
        };
        for (location, expected) in [
            ("/x?y#z", Some("http://Web.example:8080/x?y")),
            ("x", Some("http://Web.example:8080/a/x")),
            ("x/", Some("http://Web.example:8080/a/x/")),
            ("./x", Some("http://Web.example:8080/a/x")),
            ("../x?../y", Some("http://Web.example:8080/x?../y")),
            ("..", Some("http://Web.example:8080/")),
            ("../../../x", Some("http://Web.example:8080/x")),
            ("?e", Some("http://Web.example:8080/a/b?e")),
            ("/a b/é", Some("http://Web.example:8080/a%20b/%C3%A9")),
            ("//other/x", Some("http://other/x")),
            ("HTTPS://other", Some("https://other/")),
            ("https://other:443/x", Some("https://other/x")),
            ("http://u:p@other:81?q", Some("http://other:81/?q")),
            ("http://[::1]:81/", Some("http://[::1]:81/")),
            ("http://[::1]/", Some("http://[::1]/")),
            ("x:y", None),
            ("ftp://other/", None),
            ("http:x", None),
            ("http://:80/", None),
            ("http://other:0/", None),
            ("http://other:99999/", None),
            ("http://[::1]x/", None),
            ("", None),
            ("#z", None),
        ] {
            let joined = here.join(location.as_bytes());
            let joined = joined.as_ref().map(shown);
            assert_eq!(joined.as_deref(), expected, "{location}");
        }
    }
}
