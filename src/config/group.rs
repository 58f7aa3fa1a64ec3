//! Groups of checks: what stands below `groups:` in the configuration.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::http::uri::PathAndQuery;

use super::show::quoted;
use crate::names::nearest::nearest;
use crate::net::Host;
use crate::os::process::Argv;
use crate::probe::{GROUP, PROTOCOLS, Protocol, Request};

/// A named set of checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its checks, one at least.
    pub checks: Vec<GroupCheck>,
    /// How many of them must pass.
    pub require: Require,
    /// The deadline of each check, in place of the usual one.
    pub timeout: Option<Duration>,
    /// An address where any URL asks for this group.
    pub listen: Option<SocketAddr>,
    /// How often it is checked unasked.
    pub every: Option<Duration>,
    /// Results in a row until it is up.
    pub rise: u32,
    /// Results in a row until it is down.
    pub fall: u32,
    /// What is run when it gets up, one after the other.
    pub on_up: Vec<Argv>,
    /// What is run when it gets down, one after the other.
    pub on_down: Vec<Argv>,
    /// How long each of them may take.
    pub action_timeout: Duration,
    /// Whether they are run after every check, not only after a change.
    pub repeat: bool,
    /// The spool entry that is down while the group is.
    pub down_spool: Option<String>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            checks: Vec::new(),
            require: Require::All,
            timeout: None,
            listen: None,
            every: None,
            rise: 1,
            fall: 1,
            on_up: Vec::new(),
            on_down: Vec::new(),
            action_timeout: Duration::from_secs(60),
            repeat: false,
            down_spool: None,
        }
    }
}

/// How many checks of a group must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// Every one.
    All,
    /// One at least.
    Any,
    /// So many.
    Number(usize),
}

impl Require {
    /// The number, for a group of so many checks.
    #[must_use]
    pub fn of(self, checks: usize) -> usize {
        match self {
            Self::All => checks,
            Self::Any => 1,
            Self::Number(n) => n,
        }
    }
}

impl Group {
    /// The group as YAML.
    pub(super) fn show(&self) -> String {
        let default = Self::default();
        let texts = |items: Vec<String>| {
            format!(
                "[{}]",
                items
                    .iter()
                    .map(|t| quoted(t))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        };
        let command = |argv: &Argv| texts(argv.words().to_vec());
        let seconds = |d: Duration| d.as_secs_f64().to_string();
        let mut parts = vec![format!(
            "checks: {}",
            texts(self.checks.iter().map(|c| c.text.clone()).collect())
        )];
        match self.require {
            Require::All => {}
            Require::Any => parts.push("require: any".into()),
            Require::Number(n) => parts.push(format!("require: {n}")),
        }
        parts.extend(self.timeout.map(|t| format!("timeout: {}", seconds(t))));
        parts.extend(
            self.listen
                .map(|a| format!("listen: {}", quoted(&a.to_string()))),
        );
        parts.extend(self.every.map(|t| format!("every: {}", seconds(t))));
        parts.extend((self.rise != 1).then(|| format!("rise: {}", self.rise)));
        parts.extend((self.fall != 1).then(|| format!("fall: {}", self.fall)));
        parts.extend(self.on_up.first().map(|a| format!("on_up: {}", command(a))));
        parts.extend(
            self.on_down
                .first()
                .map(|a| format!("on_down: {}", command(a))),
        );
        if self.action_timeout != default.action_timeout {
            parts.push(format!("action_timeout: {}", seconds(self.action_timeout)));
        }
        parts.extend(
            self.down_spool
                .as_ref()
                .map(|name| format!("down_spool: {}", quoted(name))),
        );
        format!("{{{}}}", parts.join(", "))
    }
}

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
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            if named.is_empty() || !named.bytes().all(fits) {
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
