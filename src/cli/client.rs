//! The one client of the daemon on this host, without a runtime: `hadown` has to be quick, also
//! when it asks.
//!
//! Rule: everything has a deadline and a limit, so a daemon that hangs holds up nobody.

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cli::failure::Failure;
use crate::ledger::PollersPage;
use crate::ledger::overview::Overview;
use crate::names::text::first_line;
use crate::spool::{ALL, Key, Spool};

/// The daemon's port unless told otherwise.
pub(crate) const DEFAULT_PORT: u16 = 3333;

/// How long the daemon may take for one answer that it has at hand.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(3);

/// Most that is read of an answer, in bytes.
const ANSWER_MAX: usize = 64 << 20;

/// How much is read at once, in bytes.
const PART: usize = 64 << 10;

/// The setting that a daemon names which shows its state to others only.
const PAGE_SETTING: &str = "page_from";

/// Most of what it says that is shown, in characters.
const SAYS_MAX: usize = 200;

/// The daemon, as a command reaches it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DaemonClient {
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
}

/// Why the daemon's answer is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DaemonError {
    /// Nobody answers, or not in HTTP.
    Unreachable {
        port: u16,
        kind: ErrorKind,
    },
    Silent {
        port: u16,
        limit: Duration,
    },
    /// The page of the host is not for this host, by the daemon's own settings.
    Refused {
        port: u16,
        says: String,
    },
    /// An answer other than 200.
    Status {
        port: u16,
        status: u16,
        page: String,
    },
    /// An answer that this version does not understand.
    Strange {
        port: u16,
    },
    /// The daemon uses another spool folder than this command.
    OtherSpool {
        port: u16,
        its: String,
        own: String,
    },
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { port, kind } => write!(
                f,
                "no hacheck answers on port {port} of 127.0.0.1 ({kind}); start it, or give its port with -p"
            ),
            Self::Silent { port, limit } => write!(
                f,
                "hacheck on port {port} did not answer within {} s; look at its log",
                limit.as_secs_f64()
            ),
            Self::Refused { port, says } => {
                write!(
                    f,
                    "hacheck on port {port} shows its state to nobody here: {says}"
                )
            }
            Self::Status { port, status, page } => write!(
                f,
                "port {port} answered {status} to {page}: another program, or another version; give the port of hacheck with -p"
            ),
            Self::Strange { port } => write!(
                f,
                "the program on port {port} is not a hacheck of this version; give the port of hacheck with -p"
            ),
            Self::OtherSpool { port, its, own } => write!(
                f,
                "the hacheck on port {port} uses the spool {its}, not {own}; give its port with -p, or its folder with --spool-root"
            ),
        }
    }
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Self {
        Self::failed(error)
    }
}

/// The answer of `/pollers/health`.
#[derive(Debug, Deserialize)]
pub(crate) struct Health {
    /// Each different check that pollers ask for.
    pub(crate) checks: Vec<CheckHealth>,
    /// Pollers that ask for downtimes only.
    pub(crate) spool_only: usize,
    /// Pollers whose checks are unknown: too long to be remembered, or refused.
    pub(crate) unknown: usize,
}

/// One check as the pollers ask for it.
#[derive(Debug, Deserialize)]
pub(crate) struct CheckHealth {
    pub(crate) check: String,
    pub(crate) passes: bool,
    pub(crate) code: u16,
    pub(crate) text: Option<String>,
}

impl DaemonClient {
    /// Who polls services or instances; all pollers for none or `all`.
    pub(crate) fn pollers(
        self,
        keys: &[String],
        limit: Duration,
    ) -> Result<PollersPage, DaemonError> {
        let body = self.body(&path("/pollers", keys), limit)?;
        self.parse(&body)
    }

    /// All pollers, and what the spool entries of some services or instances are for the daemon.
    pub(crate) fn everybody(
        self,
        keys: &[String],
        limit: Duration,
    ) -> Result<PollersPage, DaemonError> {
        let mut all = keys.to_vec();
        all.push(ALL.to_owned());
        self.pollers(&all, limit)
    }

    /// Runs the checks of services or instances as their pollers ask for them.
    pub(crate) fn health(self, keys: &[String], limit: Duration) -> Result<Health, DaemonError> {
        let body = self.body(&path("/pollers/health", keys), limit)?;
        self.parse(&body)
    }

    /// What the daemon was asked for lately, as it says it.
    pub(crate) fn recent(self, limit: Duration) -> Result<Vec<u8>, DaemonError> {
        self.body("/recent", limit)
    }

    /// The state of this host, of these services alone where some are named.
    pub(crate) fn overview(
        self,
        services: &[String],
        limit: Duration,
    ) -> Result<Overview, DaemonError> {
        let body = self.overview_body(services, limit)?;
        self.parse(&body)
    }

    /// The same, as the daemon says it.
    pub(crate) fn overview_body(
        self,
        services: &[String],
        limit: Duration,
    ) -> Result<Vec<u8>, DaemonError> {
        self.body(&path("/overview", services), limit)
    }

    /// Reads JSON that the daemon answered.
    pub(crate) fn parse<T: DeserializeOwned>(self, body: &[u8]) -> Result<T, DaemonError> {
        serde_json::from_slice(body).map_err(|_| self.strange())
    }

    /// The error for an answer that cannot be understood.
    pub(crate) fn strange(self) -> DaemonError {
        DaemonError::Strange { port: self.port }
    }

    /// Whether the daemon uses the same spool folder as this command.
    pub(crate) fn check_spool(self, page: &PollersPage, spool: &Spool) -> Result<(), DaemonError> {
        // Compared by inode, since a path may lead to the same folder by a link or a mount.
        match std::fs::metadata(spool.root()) {
            Ok(own) if page.spool.id == Some([own.dev(), own.ino()]) => Ok(()),
            _ => Err(self.other_spool(page, spool)),
        }
    }

    fn other_spool(self, page: &PollersPage, own: &Spool) -> DaemonError {
        DaemonError::OtherSpool {
            port: self.port,
            its: page.spool.path.clone(),
            own: own.root().display().to_string(),
        }
    }

    /// The body of an answer 200.
    fn body(self, path: &str, limit: Duration) -> Result<Vec<u8>, DaemonError> {
        match self.get(path, limit) {
            Ok((200, body)) => Ok(body),
            Ok((status, body)) => Err(self.refused(path, status, &body)),
            Err(e) => Err(self.no_answer(&e, limit)),
        }
    }

    fn refused(self, path: &str, status: u16, body: &[u8]) -> DaemonError {
        let text = String::from_utf8_lossy(body);
        // Told apart by the name of the setting: the remedy is in the daemon's settings, and not in its port.
        if text.contains(PAGE_SETTING) {
            return DaemonError::Refused {
                port: self.port,
                says: first_line(&text, SAYS_MAX),
            };
        }

        DaemonError::Status {
            port: self.port,
            status,
            page: without_query(path).to_owned(),
        }
    }

    fn no_answer(self, e: &io::Error, limit: Duration) -> DaemonError {
        let port = self.port;
        match e.kind() {
            // Linux says "would block" for a read that has taken too long (socket(7), SO_RCVTIMEO).
            ErrorKind::TimedOut | ErrorKind::WouldBlock => DaemonError::Silent { port, limit },
            kind => DaemonError::Unreachable { port, kind },
        }
    }

    /// Status and body.
    fn get(self, path: &str, limit: Duration) -> io::Result<(u16, Vec<u8>)> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        get(address, path, limit)
    }
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

/// Who polls services or instances of another host; all pollers for none or `all`. The error is the cause, in words.
pub(crate) fn pollers_at(
    address: SocketAddr,
    keys: &[String],
    limit: Duration,
) -> io::Result<PollersPage> {
    let (status, body) = get(address, &path("/pollers", keys), limit)?;
    if status != 200 {
        return Err(io::Error::other(format!("it answers {status}")));
    }

    serde_json::from_slice(&body).map_err(io::Error::from)
}

/// Status and body.
fn get(address: SocketAddr, path: &str, limit: Duration) -> io::Result<(u16, Vec<u8>)> {
    let end = Instant::now() + limit;
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_write_timeout(Some(limit))?;
    stream.write_all(request(path, address).as_bytes())?;
    let answer = read_to_end(&mut stream, end)?;
    split_answer(&answer).ok_or(ErrorKind::InvalidData.into())
}

fn request(path: &str, address: SocketAddr) -> String {
    // In HTTP/1.0 the end of the connection is the end of the answer.
    format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")
}

fn read_to_end(stream: &mut TcpStream, end: Instant) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut part = vec![0; PART];
    // A longer answer is cut, and is then none that can be understood.
    while answer.len() < ANSWER_MAX {
        // Set anew for each part: a daemon that sends byte by byte must not outlast the limit.
        stream.set_read_timeout(Some(time_left(end)?))?;
        match stream.read(&mut part)? {
            0 => break,
            length => answer.extend_from_slice(&part[..length]),
        }
    }

    Ok(answer)
}

fn time_left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    // A timeout of zero is refused by the standard library.
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }

    Ok(left)
}

/// Status and body.
fn split_answer(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let head_end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(head_end + 4);
    let head = String::from_utf8_lossy(head);
    Some((status(&head)?, body.to_vec()))
}

/// The number in a line such as `HTTP/1.0 200 OK`.
fn status(head: &str) -> Option<u16> {
    let status_line = head.strip_prefix("HTTP/1.")?.lines().next()?;
    let status = status_line.split(' ').nth(1)?;
    status.parse().ok()
}

fn path(page: &str, keys: &[String]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for key in keys {
        query.append_pair("service", key);
    }

    format!("{page}?{}", query.finish())
}

/// The names of spool entries as checks ask for them, to ask the daemon about.
pub(crate) fn names<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Vec<String> {
    let usual = |key: &Key| key.clone().canonical().file_name();
    keys.into_iter().map(usual).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        assert_eq!(
            split_answer(b"HTTP/1.0 200 OK\r\na: b\r\n\r\nbody"),
            Some((200, b"body".to_vec()))
        );
        assert_eq!(
            split_answer(b"HTTP/1.1 404 \r\n\r\n"),
            Some((404, Vec::new()))
        );
        for bad in [
            &b"SSH-2.0\r\n\r\n"[..],
            b"",
            b"HTTP/1.0 200 OK\r\n",
            b"HTTP/1.0 x\r\n\r\n",
        ] {
            assert_eq!(split_answer(bad), None);
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
