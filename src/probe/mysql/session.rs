//! One probe's connection: login, statements, good-bye. It runs on a thread of its own, so it owns what it needs.
//!
//! Rule: it connects to the given addresses only, a login sends no statement, and the password leaves in clear text only
//! over TLS or through a unix socket.

use std::net::SocketAddr;
use std::time::Instant;

use mysql_async::{Conn, OptsBuilder};
use tokio::time::timeout_at;

use super::ask::Ask;
use super::client::MysqlAccount;
use super::failure::MysqlFailure;
use super::state;
use super::wants_tls::{Server, WantsTls};
use crate::probe::{TlsUse, Trace};

/// What one probe needs.
pub(super) struct MysqlSession {
    pub account: MysqlAccount,
    pub endpoint: MysqlEndpoint,
    pub tls: TlsUse,
    /// The name that a certificate must have, where it is verified.
    pub tls_name: String,
    pub server: Server,
    pub wants_tls: WantsTls,
    pub ask: Ask,
    pub deadline: Instant,
    pub trace: Trace,
}

/// Where the server is.
pub(super) enum MysqlEndpoint {
    Socket(String),
    /// In the order to try them.
    Addresses(Vec<SocketAddr>),
}

/// What a probe that passes found.
pub(super) struct MysqlState {
    /// The message of the server's OK.
    pub message: String,
    /// What the options asked for.
    pub states: Vec<String>,
}

impl MysqlSession {
    pub(super) async fn run(self) -> Result<MysqlState, MysqlFailure> {
        let mut connection = self.log_in().await?;
        // Before any statement, as the answer to one would take its place.
        let message = connection.info().into_owned();
        let states = state::check(&mut connection, &self.ask, &self.trace).await?;
        self.trace.stage("saying good-bye");
        // Whether the server hears it does not matter any more.
        let _ = connection.disconnect().await;
        Ok(MysqlState { message, states })
    }

    /// Logs in as `mysql_tls` says.
    async fn log_in(&self) -> Result<Conn, MysqlFailure> {
        // What goes through a unix socket stays on this host; mysql_async does no TLS there.
        if matches!(self.endpoint, MysqlEndpoint::Socket(_)) {
            return self.connect(false).await;
        }

        match self.tls {
            TlsUse::Off => self.connect(false).await,
            TlsUse::Required => self.connect(true).await,
            TlsUse::Auto => self.log_in_as_learned().await,
        }
    }

    /// Begins without TLS, which costs less and which a server with outdated TLS takes. Where that is refused, it may be
    /// because the account requires TLS: a server does not say so.
    async fn log_in_as_learned(&self) -> Result<Conn, MysqlFailure> {
        let known = self.wants_tls.known(&self.server);
        if known == Some(true) {
            match self.log_in_over_tls_again().await {
                // The server was set up anew, and now has no TLS.
                Err(MysqlFailure::NoTls) => {}
                result => return result,
            }
        }

        match self.connect(false).await {
            Err(refused) if known.is_none() && may_want_tls(&refused) => {
                self.retry_over_tls(refused).await
            }
            result => result,
        }
    }

    async fn log_in_over_tls_again(&self) -> Result<Conn, MysqlFailure> {
        let result = self.connect(true).await;
        if result.is_err() {
            self.wants_tls.forget(&self.server);
        }

        result
    }

    async fn retry_over_tls(&self, refused: MysqlFailure) -> Result<Conn, MysqlFailure> {
        match self.connect(true).await {
            Ok(connection) => {
                self.wants_tls.learn(&self.server, true);
                Ok(connection)
            }
            Err(failure) => {
                self.learn_from(&failure);
                // What the server said first is what an operator looks for.
                Err(refused)
            }
        }
    }

    fn learn_from(&self, failure: &MysqlFailure) {
        self.trace.note(|| format!("over TLS: {failure}"));
        // It has TLS, so the login itself is wrong: the next probe need not try both ways.
        let wants_tls = matches!(failure, MysqlFailure::Refused { .. });
        self.wants_tls.learn(&self.server, wants_tls);
    }

    async fn connect(&self, tls: bool) -> Result<Conn, MysqlFailure> {
        self.trace.stage("connecting and logging in");
        match &self.endpoint {
            MysqlEndpoint::Socket(path) => self.connect_to_socket(path, tls).await,
            MysqlEndpoint::Addresses(addresses) => self.connect_to_one_of(addresses, tls).await,
        }
    }

    async fn connect_to_socket(&self, path: &str, tls: bool) -> Result<Conn, MysqlFailure> {
        self.trace.note(|| format!("to {path}"));
        let options = self.options(tls).socket(Some(path));
        open(options).await.map_err(|e| e.at(path))
    }

    /// Tries every address within the deadline, each with its share of what is left, until one is reached.
    async fn connect_to_one_of(&self, all: &[SocketAddr], tls: bool) -> Result<Conn, MysqlFailure> {
        let Some((last, others)) = all.split_last() else {
            return Err(MysqlFailure::Unreachable("the host has no address".into()));
        };

        for (tried, address) in others.iter().enumerate() {
            let end = self.share(all.len() - tried);
            match self.connect_until(end, *address, tls).await {
                Err(MysqlFailure::Unreachable(cause)) => {
                    self.trace.note(|| format!("{address}: {cause}"));
                }
                result => return result,
            }
        }

        // It has all that the probe has left.
        self.connect_to(*last, tls).await
    }

    async fn connect_until(
        &self,
        end: Instant,
        address: SocketAddr,
        tls: bool,
    ) -> Result<Conn, MysqlFailure> {
        match timeout_at(end.into(), self.connect_to(address, tls)).await {
            Ok(result) => result,
            // Counted as unreachable, so that the next address is tried.
            Err(_) => Err(MysqlFailure::Unreachable("no answer".into())),
        }
    }

    async fn connect_to(&self, address: SocketAddr, tls: bool) -> Result<Conn, MysqlFailure> {
        let how = if tls { "over" } else { "without" };
        self.trace.note(|| format!("to {address}, {how} TLS"));
        let options = self
            .options(tls)
            // A name to verify only: with `resolved_ips` it is not looked up, so what was allowed is connected to.
            .ip_or_hostname(&self.tls_name)
            .resolved_ips(Some([address.ip()]))
            .tcp_port(address.port());
        open(options).await
    }

    /// When the first of several addresses must have answered.
    fn share(&self, addresses: usize) -> Instant {
        let now = Instant::now();
        let left = self.deadline.saturating_duration_since(now);
        now + left / u32::try_from(addresses).unwrap_or(u32::MAX)
    }

    fn options(&self, tls: bool) -> OptsBuilder {
        let account = if tls {
            &self.account.over_tls
        } else {
            &self.account.plain
        };

        OptsBuilder::from_opts(account.clone())
    }
}

async fn open(options: OptsBuilder) -> Result<Conn, MysqlFailure> {
    Ok(Conn::new(options).await?)
}

/// ER_ACCESS_DENIED_ERROR, of which a missing TLS may be the cause, and ER_SECURE_TRANSPORT_REQUIRED.
fn may_want_tls(failure: &MysqlFailure) -> bool {
    matches!(
        failure,
        MysqlFailure::Refused {
            code: 1045 | 3159,
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::net::Host;
    use crate::probe::ProbeSettings;
    use crate::probe::mysql::client::Client;
    use crate::settings::Secret;

    fn session(addresses: Vec<SocketAddr>, limit: Duration) -> MysqlSession {
        let settings = ProbeSettings {
            mysql_username: Some("checker".into()),
            mysql_password: Some(Secret::new("s3cret".into())),
            ..ProbeSettings::default()
        };
        MysqlSession {
            account: Client::new(&settings)
                .unwrap()
                .account(settings.global())
                .unwrap()
                .clone(),
            endpoint: MysqlEndpoint::Addresses(addresses),
            tls: TlsUse::Off,
            tls_name: "localhost".into(),
            server: Server {
                host: Host::Local,
                port: 3306,
                account: None,
            },
            wants_tls: WantsTls::default(),
            ask: Ask::default(),
            deadline: Instant::now() + limit,
            trace: Trace::start(false),
        }
    }

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn the_next_address_is_tried_where_nobody_listens_or_answers() {
        // Nobody listens on port 1.
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let (_silent, mute) = listener().await;
        let (server, answers) = listener().await;
        let session = session(vec![nobody, mute, answers], Duration::from_secs(2));
        let serve = async {
            let (mut stream, _) = server.accept().await.unwrap();
            stream.write_all(b"\x05\0\0\0\xff\x69\x04no").await.unwrap();
        };
        let (result, ()) = tokio::join!(session.run(), serve);
        let failure = result.err().unwrap();
        assert_eq!(failure.to_string(), "error 1129: no");
    }

    #[tokio::test]
    async fn a_server_that_refuses_is_not_asked_at_its_next_address() {
        let (server, first) = listener().await;
        let (other, second) = listener().await;
        let session = session(vec![first, second], Duration::from_secs(60));
        let serve = async {
            let (mut stream, _) = server.accept().await.unwrap();
            stream.write_all(b"\x05\0\0\0\xff\x69\x04no").await.unwrap();
        };
        let (result, ()) = tokio::join!(session.run(), serve);
        assert!(result.is_err());
        let other = other.into_std().unwrap();
        assert!(other.accept().is_err(), "a connection was made");
    }
}
