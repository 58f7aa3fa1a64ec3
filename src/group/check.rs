//! One check of a group, from its URL.

use std::time::Duration;

use hyper::http::uri::PathAndQuery;

use crate::names::fits_url;
use crate::names::nearest::nearest;
use crate::net::Host;
use crate::probe::{GROUP, PROTOCOLS, Protocol, Request};

/// One check of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupCheck {
    /// As it was written.
    pub text: String,
    /// The protocol's name.
    pub protocol: &'static str,
    /// The host; `localhost` is this host.
    pub host: Host,
    /// The port; 0 where none is needed.
    pub port: u16,
    /// Path and query string, beginning with `/`.
    pub path: String,
    /// The deadline, in place of the group's.
    pub limit: Option<Duration>,
}

impl GroupCheck {
    /// Reads `tcp://localhost:5432`, `http://[::1]:8080/health?x`, `exec:zk`, `group:node`.
    ///
    /// # Errors
    /// What is wrong and what to write instead, to follow the text in a sentence.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        let wrong = |what: &str, remedy: &str| (what.to_owned(), remedy.to_owned());
        let Some((name, rest)) = text.split_once(':') else {
            return Err(wrong(
                "is no check",
                "write one such as tcp://localhost:5432 or exec:zk",
            ));
        };
        let protocol = Protocol::find(name).ok_or_else(|| unknown_protocol(name))?;
        let check = |host, port, path: String| Self {
            text: text.to_owned(),
            protocol: protocol.name,
            host,
            port,
            path,
            limit: None,
        };
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        if !protocol.needs_port() {
            let named = rest.trim_matches('/');
            if named.is_empty() || !fits_url(named) {
                return Err(wrong(
                    "names nothing that could be",
                    &format!("write one such as {name}:zk"),
                ));
            }
            return Ok(check(Host::Local, 0, format!("/{named}")));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = host_and_port(authority)
            .map_err(|what| wrong(what, "write protocol://host:port/path"))?;
        let port = match (port, protocol.default_port) {
            (Some(port), _) => port,
            (None, Some(port)) => port,
            (None, None) => return Err(wrong("has no port", &format!("write {name}://host:port"))),
        };
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        if path.parse::<PathAndQuery>().is_err() {
            return Err(wrong(
                "has a path that cannot be asked for",
                "write special characters as %XX",
            ));
        }
        if let Request::Options(read) = protocol.request {
            let query = path.split_once('?').map_or("", |(_, query)| query);
            read(query).map_err(|e| {
                (
                    format!("has an option that cannot be: {e}"),
                    "mend it".to_owned(),
                )
            })?;
        }
        Ok(check(host, port, path))
    }

    /// The group that this check is of, if it is one.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        (self.protocol == GROUP).then(|| self.path.trim_matches('/'))
    }

    /// The command that this check is of, if it is one.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        (self.protocol == "exec").then(|| self.path.trim_matches('/'))
    }
}

fn unknown_protocol(name: &str) -> (String, String) {
    let names = PROTOCOLS.iter().map(|p| p.name);
    let remedy = match nearest(name, names.clone()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
    };
    (
        format!("has the unknown protocol '{}'", name.escape_debug()),
        remedy,
    )
}

fn host_and_port(text: &str) -> Result<(Host, Option<u16>), &'static str> {
    let (host, port) = match text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        Some((host, rest)) => (
            host,
            rest.strip_prefix(':').or((rest.is_empty()).then_some("")),
        ),
        None => text
            .split_once(':')
            .map_or((text, Some("")), |(host, port)| (host, Some(port))),
    };
    let port = match port.ok_or("has something behind the ']'")? {
        "" => None,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
            Ok(0) | Err(_) => return Err("has a port that is not 1 to 65535"),
            Ok(port) => Some(port),
        },
        _ => return Err("has a port that is not 1 to 65535"),
    };
    match Host::parse(host) {
        Ok(host) => Ok((host.or_local(), port)),
        Err(_) => Err("has no host name or address that could be"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        for (text, host, port, path) in [
            ("tcp://localhost:5432", "127.0.0.1", 5432, "/"),
            (
                "http://Web.Example/health?a=b",
                "web.example",
                80,
                "/health?a=b",
            ),
            ("https://[::1]:8443", "[::1]", 8443, "/"),
            ("https://[::1]/x", "[::1]", 443, "/x"),
            (
                "mysql://10.0.0.5?role=replica",
                "10.0.0.5",
                3306,
                "/?role=replica",
            ),
            ("exec:zk", "127.0.0.1", 0, "/zk"),
            ("exec://zk/", "127.0.0.1", 0, "/zk"),
            ("group:node", "127.0.0.1", 0, "/node"),
        ] {
            let check = GroupCheck::parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            assert_eq!(
                (
                    check.host.to_string().as_str(),
                    check.port,
                    check.path.as_str()
                ),
                (host, port, path),
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_a_check_is_said() {
        for (text, what) in [
            ("web", "is no check"),
            ("htpp://a:1", "unknown protocol 'htpp'"),
            ("tcp://localhost", "has no port"),
            ("tcp://localhost:0", "not 1 to 65535"),
            ("tcp://localhost:65536", "not 1 to 65535"),
            ("tcp://:80", "has no host"),
            ("tcp://a b:80", "has no host"),
            ("tcp://user@host:80", "has no host"),
            ("tcp://[::1]x:80", "behind the ']'"),
            ("http://a/ b", "path that cannot be asked for"),
            ("exec:", "names nothing"),
            ("exec:../x", "names nothing"),
        ] {
            let (said, _) = GroupCheck::parse(text).unwrap_err();
            assert!(said.contains(what), "{text}: {said}");
        }
    }
}
