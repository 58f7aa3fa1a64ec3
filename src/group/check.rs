//! One check of a group, from its URL.

use std::fmt;
use std::time::Duration;

use hyper::http::uri::PathAndQuery;

use crate::names::nearest::nearest;
use crate::names::{fits_url, parse_port};
use crate::net::Host;
use crate::probe::{GROUP, PROTOCOLS, Protocol, Request};

/// One check of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupCheck {
    /// As it was written.
    pub text: String,
    /// The protocol's name.
    pub protocol: &'static str,
    /// The host.
    pub host: Host,
    /// The port; 0 where none is needed.
    pub port: u16,
    /// Path and query string, beginning with `/`.
    pub path: String,
    /// The deadline, in place of the group's.
    pub limit: Option<Duration>,
    /// The service that it is a check of, in place of the group.
    pub service: Option<Box<str>>,
}

/// Why a text is no check: what is wrong, to follow the text in a sentence, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCheckError {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for GroupCheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

impl std::error::Error for GroupCheckError {}

impl GroupCheck {
    /// Reads `tcp://localhost:5432`, `http://[::1]:8080/health?x`, `exec:zk`, `group:node`.
    ///
    /// # Errors
    /// [`GroupCheckError`] for anything that could not be checked.
    pub fn parse(text: &str) -> Result<Self, GroupCheckError> {
        let (protocol, rest) = protocol_and_rest(text)?;
        let place = match protocol.needs_port() {
            true => CheckPlace::parse(protocol, rest)?,
            false => CheckPlace::named(protocol, rest)?,
        };

        Ok(Self {
            text: text.to_owned(),
            protocol: protocol.name,
            host: place.host,
            port: place.port,
            path: place.path,
            limit: None,
            service: None,
        })
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

/// What is read, or what is wrong with it.
type Parsed<T> = Result<T, GroupCheckError>;

fn wrong<T>(what: &str, remedy: &str) -> Parsed<T> {
    Err(GroupCheckError {
        what: what.to_owned(),
        remedy: remedy.to_owned(),
    })
}

fn wrong_place<T>(what: &str) -> Parsed<T> {
    wrong(what, "write protocol://host:port/path")
}

/// The protocol, and what follows `:` or `://`.
fn protocol_and_rest(text: &str) -> Parsed<(&'static Protocol, &str)> {
    let Some((name, rest)) = text.split_once(':') else {
        let remedy = "write one such as tcp://localhost:5432 or exec:zk";
        return wrong("is no check", remedy);
    };

    // The slashes are optional for all protocols, as people write both `exec:zk` and `exec://zk`.
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    match Protocol::find(name) {
        Some(protocol) => Ok((protocol, rest)),
        None => unknown_protocol(name),
    }
}

fn unknown_protocol<T>(name: &str) -> Parsed<T> {
    let what = format!("has the unknown protocol '{}'", name.escape_debug());
    wrong(&what, &known_protocols(name))
}

fn known_protocols(wanted: &str) -> String {
    let names: Vec<&str> = PROTOCOLS.iter().map(|p| p.name).collect();
    match nearest(wanted, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", names.join(", ")),
    }
}

/// Where a check goes, and what it asks for there.
struct CheckPlace {
    host: Host,
    port: u16,
    path: String,
}

impl CheckPlace {
    /// The place of a check that has nothing but a name: `exec:zk`, `group:node`.
    fn named(protocol: &Protocol, rest: &str) -> Parsed<Self> {
        Ok(Self {
            host: Host::Local,
            port: 0,
            path: path_of_name(protocol, rest)?,
        })
    }

    /// Reads `host:port/path?query`.
    fn parse(protocol: &Protocol, rest: &str) -> Parsed<Self> {
        // A query may follow the port at once: `mysql://db:3306?role=replica`.
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = host_and_port(authority)?;
        let port = port_or_usual(protocol, port)?;
        let path = path_and_query(path)?;
        expect_known_options(protocol, &path)?;
        Ok(Self { host, port, path })
    }
}

fn path_of_name(protocol: &Protocol, rest: &str) -> Parsed<String> {
    let name = rest.trim_matches('/');
    // It goes the same way as a name in a poller's path, whose alphabet it has to have.
    if name.is_empty() || !fits_url(name) {
        let remedy = format!("write one such as {}:zk", protocol.name);
        return wrong("names nothing that could be", &remedy);
    }

    Ok(format!("/{name}"))
}

fn port_or_usual(protocol: &Protocol, port: Option<u16>) -> Parsed<u16> {
    match port.or(protocol.default_port) {
        Some(port) => Ok(port),
        None => {
            let remedy = format!("write {}://host:port", protocol.name);
            wrong("has no port", &remedy)
        }
    }
}

fn path_and_query(text: &str) -> Parsed<String> {
    let path = match text.starts_with('/') {
        true => text.to_owned(),
        false => format!("/{text}"),
    };

    // Refused now; hyper would refuse it at every run.
    if path.parse::<PathAndQuery>().is_err() {
        let remedy = "write special characters as %XX";
        return wrong("has a path that cannot be asked for", remedy);
    }

    Ok(path)
}

fn expect_known_options(protocol: &Protocol, path: &str) -> Parsed<()> {
    let Request::Options(read) = protocol.request else {
        return Ok(());
    };

    let (_, query) = path.split_once('?').unwrap_or_default();
    // Only for its faults: the options are read again at every run.
    match read(query) {
        Ok(_) => Ok(()),
        Err(e) => wrong(&format!("has an option that cannot be: {e}"), "mend it"),
    }
}

fn host_and_port(text: &str) -> Parsed<(Host, Option<u16>)> {
    expect_no_credentials(text)?;
    let (host, port) = split_port(text)?;
    let port = port_of(port)?;
    match Host::parse(host) {
        Ok(host) => Ok((host, port)),
        Err(_) => wrong_place("has no host name or address that could be"),
    }
}

fn expect_no_credentials(text: &str) -> Parsed<()> {
    // Checks are shown on pages and in the log, and a password in one would be too.
    if !text.contains('@') {
        return Ok(());
    }

    let remedy = "take out all up to the '@': credentials have settings of their own";
    wrong("has a user name or a password in it", remedy)
}

/// Splits `host:port`, `[address]:port` or a host alone, whose port is empty.
fn split_port(text: &str) -> Parsed<(&str, &str)> {
    if let Some(bracketed) = text.strip_prefix('[')
        && let Some((host, rest)) = bracketed.split_once(']')
    {
        return Ok((host, port_behind(rest)?));
    }

    // At the first colon: an address with several has to be in brackets.
    Ok(text.split_once(':').unwrap_or((text, "")))
}

/// The port behind a bracket; empty where there is none.
fn port_behind(rest: &str) -> Parsed<&str> {
    match rest.strip_prefix(':') {
        Some(port) => Ok(port),
        None if rest.is_empty() => Ok(""),
        None => wrong_place("has something behind the ']'"),
    }
}

fn port_of(digits: &str) -> Parsed<Option<u16>> {
    if digits.is_empty() {
        return Ok(None);
    }

    match parse_port(digits) {
        // Port 0 is a dummy in a poller's URL; here it could only be a mistake.
        Ok(0) | Err(_) => wrong_place("has a port that is not 1 to 65535"),
        Ok(port) => Ok(Some(port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        for (text, host, port, path) in [
            ("tcp://localhost:5432", "localhost", 5432, "/"),
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
            ("tcp://user@host:80", "has a user name or a password in it"),
            ("http://u:s3cret@host:80/x", "has a user name or a password"),
            ("tcp://[::1]x:80", "behind the ']'"),
            ("http://a/ b", "path that cannot be asked for"),
            ("exec:", "names nothing"),
            ("exec:../x", "names nothing"),
        ] {
            let said = GroupCheck::parse(text).unwrap_err().what;
            assert!(said.contains(what), "{text}: {said}");
        }
    }
}
