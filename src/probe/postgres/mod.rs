//! `postgres`: without credentials what `pg_isready` does, with them a login and a statement.
//!
//! The protocol is version 3 (PostgreSQL manual, "Frontend/Backend Protocol").
//!
//! Rule: a password leaves in clear text only over TLS or to this host itself.

mod error;
mod login;
mod options;
mod wire;

use hyper::StatusCode;
use postgres_protocol::message::backend::{AUTHENTICATION_TAG, ERROR_RESPONSE_TAG};

use self::error::PostgresError;
use self::login::{Credentials, NEGOTIATE_TAG};
use self::options::PostgresOptions;
use self::wire::Wire;
use super::options::Role;
use super::{Outcome, Probe, Protocol, Request, settle, stream, tls};
use crate::probe::TlsUse;

/// The row of the table.
pub(super) const POSTGRES: Protocol = Protocol {
    name: "postgres",
    needs_slash: false,
    request: Request::Options(PostgresOptions::canonical),
    keyed_by_service: false,
    default_port: Some(5432),
    bare_timeout: false,
    probe: |probe| settle(check(probe)),
};

/// The user that is named when nobody is to log in.
const NOBODY: &str = "hacheck";

/// SQLSTATE of a server that starts, stops, or recovers without serving reads.
const CANNOT_CONNECT_NOW: &str = "57P03";

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let options = PostgresOptions::parse(probe.target.query())
        .map_err(|e| Outcome::bad_request(format!("postgres: {e}")))?;
    let settings = &probe.context.settings;
    if let Some(user) = &settings.postgres_username {
        let password = settings.postgres_password.as_ref();
        return check_by_login(probe, &options, &Credentials { user, password }).await;
    }
    if options.role.is_some() {
        let text = "No postgres_username in config file, and role needs a login";
        return Err(Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text));
    }
    check_readiness(probe, &options).await
}

/// Asks what `pg_isready` asks: any answer to a startup message but 57P03 means that connections are accepted, even a
/// refusal.
async fn check_readiness(probe: &Probe<'_>, options: &PostgresOptions) -> Result<Outcome, Outcome> {
    // Readiness shows without TLS too.
    let wants_tls = probe.context.settings.postgres_tls == TlsUse::Required;
    let mut wire = connect(probe, wants_tls).await?;
    probe
        .trace
        .stage("waiting for the answer to the startup packet");
    let database = options.database.as_deref().unwrap_or(NOBODY);
    let text = startup_answer(&mut wire, database)
        .await
        .map_err(|e| failed(probe, e))?;
    probe.trace.note(|| text);
    wire.close().await;
    Ok(Outcome::healthy("PostgreSQL is accepting connections"))
}

/// What a server that accepts connections answers to a startup message, in words.
async fn startup_answer(wire: &mut Wire, database: &str) -> Result<String, PostgresError> {
    login::send_startup(wire, NOBODY, database).await?;
    let frame = wire.receive().await?;
    match frame.tag {
        AUTHENTICATION_TAG | NEGOTIATE_TAG => Ok("accepting connections".to_owned()),
        ERROR_RESPONSE_TAG => match login::refusal(frame) {
            PostgresError::Refused(e) if e.code != CANNOT_CONNECT_NOW => {
                Ok(format!("accepting connections: {}", e.text))
            }
            error => Err(error),
        },
        _ => Err(frame.unexpected()),
    }
}

async fn check_by_login(
    probe: &Probe<'_>,
    options: &PostgresOptions,
    credentials: &Credentials<'_>,
) -> Result<Outcome, Outcome> {
    let wants_tls = probe.context.settings.postgres_tls != TlsUse::Off;
    let mut wire = connect(probe, wants_tls).await?;
    probe.trace.stage("logging in");
    let database = options.database.as_deref().unwrap_or(credentials.user);
    login::log_in(&mut wire, credentials, database)
        .await
        .map_err(|e| failed(probe, e))?;
    let statement = match options.role {
        Some(_) => "SELECT pg_is_in_recovery()",
        None => "SELECT 1",
    };
    probe.trace.stage("waiting for the answer to a statement");
    probe.trace.note(|| statement.to_owned());
    let answer = login::query(&mut wire, statement)
        .await
        .map_err(|e| probe.failed(format_args!("{statement}: {e}")))?;
    wire.close().await;
    let found = match options.role {
        Some(expected) => {
            compare_roles(expected, &answer).map_err(|difference| probe.failed(difference))?
        }
        None => "",
    };
    Ok(Outcome::healthy(format!(
        "PostgreSQL answered {statement}{found}"
    )))
}

/// What to add to the body when the server has the role that is expected, else what differs.
fn compare_roles(expected: Role, in_recovery: &str) -> Result<&'static str, String> {
    match (expected, in_recovery) {
        (Role::Primary, "f") => Ok("; primary"),
        (Role::Replica, "t") => Ok("; replica"),
        (Role::Primary, "t") => Err("replica, not a primary".to_owned()),
        (Role::Replica, "f") => Err("primary, not a replica".to_owned()),
        (_, other) => Err(format!(
            "pg_is_in_recovery() is '{}', neither t nor f",
            other.escape_debug()
        )),
    }
}

/// Connects, and shakes hands for TLS when it is wanted and the server has it.
async fn connect(probe: &Probe<'_>, wants_tls: bool) -> Result<Wire, Outcome> {
    let connection = stream::connect(probe).await?;
    let stays_here = connection.stays_here();
    let mut wire = Wire::new(connection, stays_here);
    if !wants_tls {
        return Ok(wire.boxed());
    }
    probe.trace.stage("asking for TLS");
    let answer = wire.ask_for_tls().await.map_err(|e| failed(probe, e))?;
    match answer {
        b'S' => {
            let encrypted = tls::wrap(probe, wire.into_stream()).await?;
            Ok(Wire::new(Box::new(encrypted), true))
        }
        b'N' if probe.context.settings.postgres_tls == TlsUse::Required => {
            Err(probe.failed("the server offers no TLS, and postgres_tls is required"))
        }
        b'N' => Ok(wire.boxed()),
        other => Err(probe.failed(format_args!(
            "the answer is not PostgreSQL's: '{}' to the question for TLS",
            char::from(other).escape_debug()
        ))),
    }
}

/// 500 where the configuration is to blame, so that it is not taken for a failure of the service.
fn failed(probe: &Probe<'_>, error: PostgresError) -> Outcome {
    match error {
        PostgresError::Refused(e) if e.is_about_the_login() => {
            let text = format!("PostgreSQL says: {}", e.text);
            let cause = format!("{}: {}", probe.subject(), e.code);
            Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text).because(cause)
        }
        error => probe.failed(error),
    }
}
