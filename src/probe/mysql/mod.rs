//! `mysql`: login and quit, for MySQL and MariaDB; by options also the role, the lag, the state in a Galera cluster.
//!
//! Rule: no statement is sent unless an option needs one, and the server's address is one that was allowed.

mod ask;
mod auth;
mod session;
mod state;
mod way;
mod wire;

use hyper::StatusCode;

use self::ask::Ask;
use self::session::{Error, ServerError, Session};
pub(super) use self::way::Ways;
use super::{Outcome, Probe, Protocol, Request, stream};
use crate::probe::TlsUse;
use crate::settings::Secret;

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
    let ask = Ask::parse(probe.target.query())
        .map_err(|e| Outcome::bad_request(format!("mysql: {e}")))?;
    let settings = &probe.context.settings;
    let (Some(user), Some(password)) = (&settings.mysql_username, &settings.mysql_password) else {
        let text = "No MySQL username/password in config file";
        return Err(Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text));
    };
    let mut session = log_in(probe, user, password)
        .await
        .map_err(|e| login_failed(probe, e))?;
    let mut text = format!(
        "MySQL connect response: MySQLResponse(OK)<{}>",
        session.message
    );
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

fn login_failed(probe: &Probe<'_>, error: Error) -> Outcome {
    match error {
        Error::Refused(e) | Error::RefusedWithoutTls(e) => {
            let text = format!("MySQL sez MySQLResponse(ERR)<{}>", e.message);
            let cause = format!("{}: error {}", probe.subject(), e.code);
            Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text).because(cause)
        }
        Error::NoTls => probe.failed("the server offers no TLS, and mysql_tls is required"),
        Error::Broken(cause) => probe.failed(cause),
        Error::Failed(outcome) => outcome,
    }
}

/// Logs in as `mysql_tls` says. `auto` begins without TLS, which costs less and which a server with outdated TLS takes,
/// and takes TLS when a plain login is refused: that is all one is told when an account requires it.
async fn log_in(probe: &Probe<'_>, user: &str, password: &Secret) -> Result<Session, Error> {
    let open = async |tls: bool| {
        probe
            .trace
            .note(|| format!("logging in {} TLS", if tls { "over" } else { "without" }));
        let tcp = stream::connect(probe).await.map_err(Error::Failed)?;
        Session::open(probe, tcp, tls, user, password.reveal()).await
    };
    match probe.context.settings.mysql_tls {
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
        Err(Error::RefusedWithoutTls(e)) if known.is_none() && may_want_tls(&e) => e,
        result => return result,
    };
    let second = open(true).await;
    ways.learn(
        probe.target,
        Some(matches!(second, Ok(_) | Err(Error::Refused(_)))),
    );
    second.map_err(|e| {
        probe.trace.note(|| format!("over TLS: {e:?}"));
        Error::Refused(refused)
    })
}

/// ER_ACCESS_DENIED_ERROR, of which a missing TLS may be the cause, and ER_SECURE_TRANSPORT_REQUIRED.
fn may_want_tls(e: &ServerError) -> bool {
    matches!(e.code, 1045 | 3159)
}
