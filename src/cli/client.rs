//! One question to the daemon on this host, without a runtime: `hadown` has to be quick, also when it asks.
//!
//! Rule: everything has a deadline and a limit, so a daemon that hangs holds up nobody.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ledger::Page;
use crate::spool::{Key, Spool};

/// The daemon's port unless told otherwise.
pub(crate) const DEFAULT_PORT: u16 = 3333;

/// Most that is read of an answer, in bytes.
const ANSWER_MAX: u64 = 64 << 20;

/// The daemon, as the command line reaches it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Daemon {
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
}

/// The answer of `/pollers/health`.
#[derive(Debug, Deserialize)]
pub(crate) struct Health {
    /// Each different check that is asked.
    pub(crate) checks: Vec<Checked>,
    /// Pollers that ask for downtimes only.
    pub(crate) spool_only: usize,
    /// Pollers whose checks are unknown: too long to be remembered, or refused.
    pub(crate) unknown: usize,
}

/// One check as the pollers ask it.
#[derive(Debug, Deserialize)]
pub(crate) struct Checked {
    pub(crate) check: String,
    pub(crate) passes: bool,
    pub(crate) code: u16,
    pub(crate) text: Option<String>,
}

impl Daemon {
    /// Who polls services or instances; everyone for none or `all`.
    pub(crate) fn pollers(self, keys: &[String], limit: Duration) -> Result<Page, String> {
        self.json(&path("/pollers", keys), limit)
    }

    /// Runs the checks of services or instances as their pollers ask them.
    pub(crate) fn health(self, keys: &[String], limit: Duration) -> Result<Health, String> {
        self.json(&path("/pollers/health", keys), limit)
    }

    fn json<T: DeserializeOwned>(self, path: &str, limit: Duration) -> Result<T, String> {
        let port = self.port;
        let (status, body) = self.get(path, limit).map_err(|e| match e.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                format!("hacheck on port {port} did not answer within {} s; look at its log", limit.as_secs_f64())
            }
            kind => {
                format!("no hacheck answers on port {port} of 127.0.0.1 ({kind}); start it, or give its port with -p")
            }
        })?;
        match status {
            200 => serde_json::from_slice(&body).map_err(|_| {
                format!("what answers on port {port} is no hacheck of this version; give the port of hacheck with -p")
            }),
            404 => Err(format!("what answers on port {port} is another program, or a hacheck without /pollers")),
            _ => Err(format!("port {port} answered {status} to {path}")),
        }
    }

    /// HTTP/1.0: the end of the connection is the end of the answer.
    fn get(self, path: &str, limit: Duration) -> io::Result<(u16, Vec<u8>)> {
        let end = Instant::now() + limit;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_write_timeout(Some(limit))?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        let mut part = vec![0; 64 << 10];
        while (answer.len() as u64) < ANSWER_MAX {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            match stream.read(&mut part)? {
                0 => break,
                n => answer.extend_from_slice(&part[..n]),
            }
        }
        parse(&answer).ok_or_else(|| ErrorKind::InvalidData.into())
    }
}

/// Status and body.
fn parse(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let head_end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let line = answer.split(|b| *b == b'\r').next()?;
    let status = str::from_utf8(line)
        .ok()?
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?;
    Some((status.parse().ok()?, answer[head_end + 4..].to_vec()))
}

fn path(page: &str, keys: &[String]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    keys.iter()
        .for_each(|key| _ = query.append_pair("service", key));
    format!("{page}?{}", query.finish())
}

/// The names of spool entries, to ask the daemon about.
pub(crate) fn names<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Vec<String> {
    keys.into_iter().map(Key::file_name).collect()
}

/// Whether the daemon looks into the same spool folder; else a sentence that says which one.
pub(crate) fn same_root(page: &Page, spool: &Spool, port: u16) -> Result<(), String> {
    let own = std::fs::metadata(spool.root())
        .ok()
        .map(|m| [m.dev(), m.ino()]);
    if own.is_some() && own == page.spool.id {
        return Ok(());
    }
    Err(format!(
        "the hacheck on port {port} uses the spool {}, not {}; give its port with -p, or its folder with --spool-root",
        page.spool.path,
        spool.root().display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        assert_eq!(
            parse(b"HTTP/1.0 200 OK\r\na: b\r\n\r\nbody"),
            Some((200, b"body".to_vec()))
        );
        assert_eq!(parse(b"HTTP/1.1 404 \r\n\r\n"), Some((404, Vec::new())));
        for bad in [
            &b"SSH-2.0\r\n\r\n"[..],
            b"",
            b"HTTP/1.0 200 OK\r\n",
            b"HTTP/1.0 x\r\n\r\n",
        ] {
            assert_eq!(parse(bad), None);
        }
    }

    #[test]
    fn names_are_encoded() {
        let keys = ["web".to_owned(), "caf\u{e9}:80".to_owned()];
        assert_eq!(
            path("/pollers", &keys),
            "/pollers?service=web&service=caf%C3%A9%3A80"
        );
    }
}
