//! `postgres`: without credentials what `pg_isready` does, with them a login and a statement.
//!
//! The protocol is version 3 (PostgreSQL manual, "Frontend/Backend Protocol").
//!
//! Rule: a password leaves in clear text only over TLS or to this host itself.

mod ask;
mod login;
mod message;
mod scram;
mod wire;

use hyper::StatusCode;

use self::ask::Ask;
use self::login::Credentials;
use self::message::ServerError;
use self::wire::Wire;
use super::options::Role;
use super::{Outcome, Probe, Protocol, Request, stream, tls};
use crate::config::TlsUse;

/// The row of the table.
pub(super) const POSTGRES: Protocol = Protocol {
    name: "postgres",
    needs_slash: false,
    request: Request::Options(Ask::canonical),
    keyed_by_service: false,
    default_port: Some(5432),
    bare_timeout: false,
    probe: |probe| Box::pin(async move { check(probe).await.unwrap_or_else(|failed| failed) }),
};

/// The user that is named when nobody is to log in.
const NOBODY: &str = "hacheck";

/// SQLSTATE of a server that starts, stops, or recovers without serving reads.
const CANNOT_CONNECT_NOW: &str = "57P03";

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let ask = Ask::parse(probe.target.query())
        .map_err(|e| Outcome::bad_request(format!("postgres: {e}")))?;
    let config = &probe.context.config;
    match &config.postgres_username {
        Some(user) => {
            let password = config.postgres_password.as_ref();
            log_in(probe, &ask, &Credentials { user, password }).await
        }
        None if ask.role.is_some() => {
            let text = "No postgres_username in config file, and role needs a login";
            Err(Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text))
        }
        None => is_ready(probe, &ask).await,
    }
}

/// Any answer to a startup packet but 57P03 means that connections are accepted, be it a refusal. TLS is not needed
/// to learn that.
async fn is_ready(probe: &Probe<'_>, ask: &Ask) -> Result<Outcome, Outcome> {
    let mut wire = connect(probe, probe.context.config.postgres_tls == TlsUse::Required).await?;
    probe
        .trace
        .stage("waiting for the answer to the startup packet");
    let database = ask.database.as_deref().unwrap_or(NOBODY);
    let broken = |e| probe.failed(e);
    wire.send(&message::startup(NOBODY, database))
        .await
        .map_err(broken)?;
    let answer = wire.receive().await.map_err(broken)?;
    let text = match answer.tag {
        b'R' | b'v' => "accepting connections".to_owned(),
        b'E' => match answer.error() {
            e if e.code == CANNOT_CONNECT_NOW => return Err(refused(probe, &e)),
            e => format!("accepting connections: {}", e.text),
        },
        _ => return Err(probe.failed(answer.unexpected())),
    };
    probe.trace.note(|| text.clone());
    wire.close().await;
    Ok(Outcome::healthy("PostgreSQL is accepting connections"))
}

async fn log_in(
    probe: &Probe<'_>,
    ask: &Ask,
    credentials: &Credentials<'_>,
) -> Result<Outcome, Outcome> {
    let wants_tls = probe.context.config.postgres_tls != TlsUse::Off;
    let mut wire = connect(probe, wants_tls).await?;
    probe.trace.stage("logging in");
    let database = ask.database.as_deref().unwrap_or(credentials.user);
    login::log_in(&mut wire, credentials, database)
        .await
        .map_err(|e| login_failed(probe, e))?;
    let statement = if ask.role.is_some() {
        "SELECT pg_is_in_recovery()"
    } else {
        "SELECT 1"
    };
    probe.trace.stage("waiting for the answer to a statement");
    probe.trace.note(|| statement.to_owned());
    let answer = login::query(&mut wire, statement)
        .await
        .map_err(|e| match e {
            login::Error::Refused(e) => {
                probe.failed(format_args!("{statement}: {} ({})", e.text, e.code))
            }
            login::Error::Failed(cause) => probe.failed(format_args!("{statement}: {cause}")),
        })?;
    wire.close().await;
    let found = match (ask.role, answer.as_str()) {
        (None, _) => "",
        (Some(Role::Primary), "f") => "; primary",
        (Some(Role::Replica), "t") => "; replica",
        (Some(Role::Primary), "t") => return Err(probe.failed("replica, not a primary")),
        (Some(Role::Replica), "f") => return Err(probe.failed("primary, not a replica")),
        _ => {
            return Err(probe.failed(format_args!(
                "{statement}: answered '{}'",
                answer.escape_debug()
            )));
        }
    };
    Ok(Outcome::healthy(format!(
        "PostgreSQL answered {statement}{found}"
    )))
}

/// Connects, and shakes hands for TLS when the server has it.
async fn connect(probe: &Probe<'_>, tls: bool) -> Result<Wire, Outcome> {
    let tcp = stream::connect(probe).await?;
    let loopback = tcp.stays_here();
    let mut wire = Wire::new(tcp, loopback);
    if !tls {
        return Ok(wire.boxed());
    }
    probe.trace.stage("asking for TLS");
    wire.send(&message::SSL_REQUEST)
        .await
        .map_err(|e| probe.failed(e))?;
    match wire.byte().await.map_err(|e| probe.failed(e))? {
        b'S' => Ok(Wire::new(
            Box::new(tls::wrap(probe, wire.into_stream()).await?),
            true,
        )),
        b'N' if probe.context.config.postgres_tls == TlsUse::Required => {
            Err(probe.failed("the server offers no TLS, and postgres_tls is required"))
        }
        b'N' => Ok(wire.boxed()),
        other => Err(probe.failed(format_args!(
            "the answer is not PostgreSQL's: '{}' to the question for TLS",
            char::from(other).escape_debug()
        ))),
    }
}

fn login_failed(probe: &Probe<'_>, error: login::Error) -> Outcome {
    match error {
        login::Error::Refused(e) => refused(probe, &e),
        login::Error::Failed(cause) => probe.failed(cause),
    }
}

/// 500 where the configuration is to blame: who logs in (class 28), where to (3D000), with what rights (42501).
fn refused(probe: &Probe<'_>, e: &ServerError) -> Outcome {
    if e.code.starts_with("28") || e.code == "3D000" || e.code == "42501" {
        let text = format!("PostgreSQL says: {}", e.text);
        Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text).because(format!(
            "{}: {}",
            probe.subject(),
            e.code
        ))
    } else {
        probe.failed(format_args!("{} ({})", e.text, e.code))
    }
}
