//! `mysql`: login and quit, for MySQL and MariaDB; by options also the role, the lag, the state in a Galera cluster.
//!
//! Rule: no statement is sent unless an option needs one, and the server's address is one that was allowed.

mod ask;
mod session;
mod state;
mod way;

use std::net::SocketAddr;
use std::time::Instant;

use hyper::StatusCode;
use mysql_async::ServerError;

use self::ask::Ask;
use self::session::{Error, Login, Session};
pub(super) use self::way::Ways;
use super::{Outcome, Probe, Protocol, Request, stream, tls};
use crate::config::{Secret, TlsUse};

/// The row of the table.
pub(super) const MYSQL: Protocol = Protocol {
    name: "mysql",
    needs_slash: false,
    request: Request::Options(Ask::canonical),
    keyed_by_service: false,
    default_port: Some(3306),
    bare_timeout: false,
    probe: |probe| Box::pin(async move { check(probe).await.unwrap_or_else(|failed| failed) }),
};

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let ask = Ask::parse(probe.target.query()).map_err(|e| Outcome::bad_request(format!("mysql: {e}")))?;
    let config = &probe.context.config;
    let (Some(user), Some(password)) = (&config.mysql_username, &config.mysql_password) else {
        let text = "No MySQL username/password in config file";
        return Err(Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text));
    };
    let mut session = log_in(probe, user, password).await?;
    let mut text = format!("MySQL connect response: MySQLResponse(OK)<{}>", session.message());
    let result = state::check(probe, &mut session, &ask).await;
    if result.is_ok() {
        probe.trace.stage("saying good-bye");
        session.quit().await;
    }
    for found in result? {
        text = format!("{text}; {found}");
    }
    Ok(Outcome::healthy(text))
}

/// Tries the addresses of the host in turn, each with its share of the time that is left.
async fn log_in(probe: &Probe<'_>, user: &str, password: &Secret) -> Result<Session, Outcome> {
    probe.trace.stage("looking up the host");
    let end = Instant::now() + probe.limit();
    let addresses = probe.context.addresses(probe.target).await?;
    probe.trace.stage("logging in");
    let mut last = None;
    for (i, address) in addresses.iter().enumerate() {
        let share = u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
        let work = with_or_without_tls(probe, *address, user, password);
        let result = if share == 1 {
            work.await
        } else {
            let limit = end.saturating_duration_since(Instant::now()) / share;
            let late = |_| Err(Error::Unreachable(std::io::ErrorKind::TimedOut.into()));
            tokio::time::timeout(limit, work).await.unwrap_or_else(late)
        };
        match result {
            Err(Error::Unreachable(e)) => {
                probe.trace.note(|| format!("{address}: {}", stream::describe(&e)));
                last = Some(Error::Unreachable(e));
            }
            result => return result.map_err(|e| login_failed(probe, e)),
        }
    }
    Err(last.map_or_else(|| probe.failed("the host has no address"), |e| login_failed(probe, e)))
}

fn login_failed(probe: &Probe<'_>, error: Error) -> Outcome {
    match error {
        Error::Refused(e) => {
            let text = format!("MySQL sez MySQLResponse(ERR)<{}>", e.message);
            let cause = format!("{}: error {} ({})", probe.subject(), e.code, e.state);
            Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text).because(cause)
        }
        Error::NoTls => probe.failed("the server offers no TLS, and mysql_tls is required"),
        Error::Unreachable(e) => probe.failed(stream::describe(&e)),
        Error::Broken(cause) => probe.failed(cause),
    }
}

/// Logs in as `mysql_tls` says. `auto` begins without TLS, for one connection has to do with servers that offer none,
/// and takes TLS when a plain login is refused: that is all one is told when an account requires it.
async fn with_or_without_tls(
    probe: &Probe<'_>,
    address: SocketAddr,
    user: &str,
    password: &Secret,
) -> Result<Session, Error> {
    let name = tls::server_name(probe).map_err(Error::Broken)?;
    let name = name.to_str();
    let open = |tls: bool| {
        probe.trace.note(|| format!("{address}: logging in {} TLS", if tls { "over" } else { "without" }));
        let tls = tls.then(|| way::tls_options(&probe.context.config));
        Session::open(address, Login { user, password: password.reveal(), name: &name, tls })
    };
    match probe.context.config.mysql_tls {
        TlsUse::Off => return open(false).await,
        TlsUse::Required => return open(true).await,
        TlsUse::Auto => {}
    }
    let ways = &probe.context.mysql;
    let known = ways.known(probe.target);
    if known == Some(true) {
        let result = open(true).await;
        ways.learn(probe.target, result.is_ok().then_some(true));
        if !matches!(result, Err(Error::NoTls)) {
            return result;
        }
    }
    let refused = match open(false).await {
        Err(Error::Refused(e)) if known.is_none() && may_want_tls(&e) => e,
        result => return result,
    };
    let second = open(true).await;
    ways.learn(probe.target, Some(matches!(second, Ok(_) | Err(Error::Refused(_)))));
    match second {
        Ok(session) => Ok(session),
        Err(e) => {
            probe.trace.note(|| format!("over TLS: {e:?}"));
            Err(Error::Refused(refused))
        }
    }
}

/// ER_ACCESS_DENIED_ERROR, of which a missing TLS may be the cause, and ER_SECURE_TRANSPORT_REQUIRED.
fn may_want_tls(e: &ServerError) -> bool {
    matches!(e.code, 1045 | 3159)
}
