//! One connection to a MySQL server, by `mysql_async`.
//!
//! Rule: nothing of a connection outlives its probe, and no mishap in the library goes further than an [`Error`]. A
//! dropped `Conn` would spawn a task that reads results to their end, however long that takes; [`Session`] does not
//! let it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, IoError, OptsBuilder, Row, ServerError, SslOpts};

use crate::probe::stream;

/// Longest packet that is read after the login, in bytes. Before it the library's own 4 MiB hold.
const PACKET_MAX: usize = 1 << 20;

/// Most rows of an answer, more than any server has replication sources.
const ROWS_MAX: usize = 256;

/// Why there is no login, or no answer.
#[derive(Debug)]
pub(super) enum Error {
    /// The server said no.
    Refused(ServerError),
    /// It offers no TLS.
    NoTls,
    /// There was no connection; another address may do.
    Unreachable(io::Error),
    /// What came was not MySQL's, or nothing more came.
    Broken(String),
}

/// How to log in.
pub(super) struct Login<'a> {
    pub user: &'a str,
    pub password: &'a str,
    /// The name to ask for, and verify, in the TLS handshake.
    pub name: &'a str,
    pub tls: Option<SslOpts>,
}

/// A logged-in connection.
pub(super) struct Session(Option<Conn>);

impl Session {
    /// Connects and logs in; the address is connected to as it is.
    pub(super) async fn open(address: SocketAddr, login: Login<'_>) -> Result<Self, Error> {
        // Both limits are set, else the library asks the server for them.
        let opts = OptsBuilder::default()
            .ip_or_hostname(login.name)
            .resolved_ips(Some([address.ip()]))
            .tcp_port(address.port())
            .user(Some(login.user))
            .pass(Some(login.password))
            .ssl_opts(login.tls)
            .prefer_socket(false)
            .max_allowed_packet(Some(PACKET_MAX))
            .wait_timeout(Some(60));
        Ok(Self(Some(contain(Conn::new(opts)).await?)))
    }

    /// The message of the server's last OK.
    pub(super) fn message(&self) -> String {
        self.0.as_ref().map(|conn| conn.info().into_owned()).unwrap_or_default()
    }

    /// The rows that a statement gives.
    pub(super) async fn rows(&mut self, statement: &'static str) -> Result<Vec<Row>, Error> {
        let Some(conn) = &mut self.0 else { return Ok(Vec::new()) };
        contain(async {
            let mut answer = conn.query_iter(statement).await?;
            let mut rows = Vec::new();
            while let Some(row) = answer.next().await? {
                if rows.len() == ROWS_MAX {
                    return Err(io::Error::other("the answer has too many rows").into());
                }
                rows.push(row);
            }
            Ok(rows)
        })
        .await
    }

    /// Says good-bye. Whether the server hears it does not matter any more.
    pub(super) async fn quit(mut self) {
        if let Some(conn) = self.0.take() {
            let _ = contain(conn.disconnect()).await;
        }
    }
}

impl Drop for Session {
    /// Drops the connection where the task that it spawns goes at once: in a runtime of its own that never runs.
    fn drop(&mut self) {
        let Some(conn) = self.0.take() else { return };
        if let Ok(nowhere) = tokio::runtime::Builder::new_current_thread().build() {
            let entered = nowhere.enter();
            drop(conn);
            drop(entered);
            nowhere.shutdown_background();
        }
    }
}

/// Runs a part of the library, which may panic on what a server sends (a malformed RSA key, an empty packet).
async fn contain<T>(work: impl Future<Output = Result<T, mysql_async::Error>>) -> Result<T, Error> {
    let mut work = pin!(work);
    let result = std::future::poll_fn(|context| {
        // After a panic it is not polled again.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll.map(|result| result.map_err(Error::from)),
            Err(_) => Poll::Ready(Err(Error::Broken("the server's answer cannot be made sense of".into()))),
        }
    });
    result.await
}

impl From<mysql_async::Error> for Error {
    fn from(e: mysql_async::Error) -> Self {
        use mysql_async::Error as E;
        match e {
            E::Server(e) => Self::Refused(without_state(e)),
            E::Driver(DriverError::NoClientSslFlagFromServer) => Self::NoTls,
            E::Driver(e) => Self::Broken(driver_error(&e)),
            E::Io(IoError::Io(e)) => io_error(e),
            E::Io(IoError::Tls(e)) => Self::Broken(format!("TLS handshake failed: {e}")),
            e => Self::Broken(e.to_string()),
        }
    }
}

/// An error in place of the greeting is read without its SQL state, which then stands in front of the text.
fn without_state(mut e: ServerError) -> ServerError {
    if let Some((state, text)) = e.message.strip_prefix('#').and_then(|m| m.split_at_checked(5))
        && state.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        (e.state, e.message) = (state.into(), text.into());
    }
    e
}

fn driver_error(e: &DriverError) -> String {
    match e {
        DriverError::UnexpectedPacket { payload } => {
            let start: String = payload.iter().take(40).copied().map(char::from).collect();
            format!("the server sent an unexpected packet: {} bytes, '{}'", payload.len(), start.escape_debug())
        }
        DriverError::UnknownAuthPlugin { name } => {
            format!("the account wants the authentication plugin '{}', which is not supported", name.escape_debug())
        }
        DriverError::MysqlOldPasswordDisabled => {
            "the account has a password of before MySQL 4.1, which is not safe to send; set its password anew".into()
        }
        DriverError::CleartextPluginDisabled => {
            "the server wants the password in clear text; give the account another authentication plugin".into()
        }
        e => stream::sentence(&e.to_string()).trim_end_matches('.').to_owned(),
    }
}

fn io_error(e: io::Error) -> Error {
    use io::ErrorKind as K;
    let text = stream::describe(&e);
    match e.kind() {
        K::ConnectionRefused
        | K::HostUnreachable
        | K::NetworkUnreachable
        | K::NetworkDown
        | K::AddrNotAvailable
        | K::TimedOut => Error::Unreachable(e),
        K::UnexpectedEof if text == "connection closed" => Error::Broken("the server closed the connection".into()),
        K::ConnectionReset | K::BrokenPipe => Error::Broken(text),
        // rustls wraps its errors so.
        K::InvalidData
            if e.get_ref().is_some_and(
                <(dyn std::error::Error + std::marker::Send + std::marker::Sync + 'static)>::is::<
                    tokio_rustls::rustls::Error,
                >,
            ) =>
        {
            Error::Broken(format!("TLS handshake failed: {text}"))
        }
        _ => Error::Broken(format!("the answer is not MySQL's: {text}")),
    }
}
