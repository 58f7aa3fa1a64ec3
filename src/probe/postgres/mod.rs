//! `postgres`: without credentials what `pg_isready` does, with them a login and a statement.
//!
//! The protocol is version 3 (PostgreSQL manual, "Frontend/Backend Protocol").
//!
//! Rule: a password leaves in clear text only over TLS or to this host itself.

mod error;
mod login;
mod options;
mod scram;
mod wire;

use hyper::StatusCode;
use postgres_protocol::message::backend::{AUTHENTICATION_TAG, ERROR_RESPONSE_TAG};

use self::error::PostgresError;
use self::login::Credentials;
use self::options::PostgresOptions;
use self::wire::{NEGOTIATE_TAG, Wire};
use super::connection::Connection;
use super::login::{Login, Travel};
use super::options::Role;
use super::{Outcome, Probe, Protocol, Request, Settings, settle, tls};
use crate::probe::TlsUse;

/// The row of the table.
pub(super) const POSTGRES: Protocol = Protocol {
    name: "postgres",
    needs_slash: false,
    request: Request::Options(PostgresOptions::canonical),
    keyed_by_service: false,
    default_port: Some(5432),
    bare_timeout: false,
    login,
    probe: |probe| settle(check(probe)),
};

/// The user that is named when nobody is to log in.
const NOBODY: &str = "hacheck";

/// SQLSTATE of a server that starts, stops, or recovers without serving reads.
const CANNOT_CONNECT_NOW: &str = "57P03";

/// What tells a replica from a primary.
const IN_RECOVERY: &str = "SELECT pg_is_in_recovery()";

fn login(settings: &Settings, _: &str) -> Option<Login> {
    settings.postgres_username.as_ref()?;
    let password = settings.postgres_password.as_ref();
    Some(Login {
        password: password.map(|_| "postgres_password"),
        port: POSTGRES.default_port,
        travel: Travel::by(
            settings.postgres_tls,
            "set postgres_tls: required and tls_verify: true",
            settings,
        ),
    })
}

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let options = PostgresOptions::parse(probe.target.query())
        .map_err(|e| Outcome::bad_request(format!("postgres: {e}")))?;
    match credentials(probe) {
        Some(credentials) => check_by_login(probe, &options, &credentials).await,
        None if options.role.is_some() => Err(misconfigured(
            "No postgres_username in config file, and role needs a login",
        )),
        None => check_readiness(probe, &options).await,
    }
}

fn credentials<'a>(probe: &Probe<'a>) -> Option<Credentials<'a>> {
    let settings = &probe.context.settings;
    Some(Credentials {
        user: settings.postgres_username.as_deref()?,
        password: settings.postgres_password.as_ref(),
    })
}

/// Asks what `pg_isready` asks: any answer to a startup message but 57P03 means that connections are accepted, even a
/// refusal.
async fn check_readiness(probe: &Probe<'_>, options: &PostgresOptions) -> Result<Outcome, Outcome> {
    // Readiness shows without TLS too.
    let wants_tls = tls_use(probe) == TlsUse::Required;
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
        ERROR_RESPONSE_TAG => despite(frame.refusal()),
        _ => Err(frame.unexpected()),
    }
}

/// A server that refuses a stranger accepts connections, unless it says that it does not.
fn despite(refusal: PostgresError) -> Result<String, PostgresError> {
    match refusal {
        PostgresError::Refused(e) if e.code != CANNOT_CONNECT_NOW => {
            Ok(format!("accepting connections: {}", e.text))
        }
        error => Err(error),
    }
}

async fn check_by_login(
    probe: &Probe<'_>,
    options: &PostgresOptions,
    credentials: &Credentials<'_>,
) -> Result<Outcome, Outcome> {
    let mut wire = log_in(probe, options, credentials).await?;
    let text = match options.role {
        Some(role) => check_role(probe, &mut wire, role).await?,
        None => check_statement(probe, &mut wire).await?,
    };
    wire.close().await;
    Ok(Outcome::healthy(text))
}

async fn log_in(
    probe: &Probe<'_>,
    options: &PostgresOptions,
    credentials: &Credentials<'_>,
) -> Result<Wire, Outcome> {
    let wants_tls = tls_use(probe) != TlsUse::Off;
    let mut wire = connect(probe, wants_tls).await?;
    probe.trace.stage("logging in");
    let database = options.database.as_deref().unwrap_or(credentials.user);
    login::log_in(&mut wire, credentials, database)
        .await
        .map_err(|e| failed(probe, e))?;
    Ok(wire)
}

/// A server may let us in that answers nothing.
async fn check_statement(probe: &Probe<'_>, wire: &mut Wire) -> Result<String, Outcome> {
    let statement = "SELECT 1";
    query(probe, wire, statement).await?;
    Ok(format!("PostgreSQL answered {statement}"))
}

async fn check_role(probe: &Probe<'_>, wire: &mut Wire, role: Role) -> Result<String, Outcome> {
    let answer = query(probe, wire, IN_RECOVERY).await?;
    let found = match (role, answer.as_str()) {
        (Role::Primary, "f") => "primary",
        (Role::Replica, "t") => "replica",
        (Role::Primary, "t") => return Err(probe.failed("replica, not a primary")),
        (Role::Replica, "f") => return Err(probe.failed("primary, not a replica")),
        (_, other) => return Err(unexpected_answer(probe, other)),
    };
    Ok(format!("PostgreSQL answered {IN_RECOVERY}; {found}"))
}

async fn query(probe: &Probe<'_>, wire: &mut Wire, statement: &str) -> Result<String, Outcome> {
    probe.trace.stage("waiting for the answer to a statement");
    probe.trace.note(|| statement.to_owned());
    login::query(wire, statement)
        .await
        .map_err(|e| probe.failed(format_args!("{statement}: {e}")))
}

fn unexpected_answer(probe: &Probe<'_>, answer: &str) -> Outcome {
    let answer = answer.escape_debug();
    probe.failed(format_args!("{IN_RECOVERY}: answered '{answer}'"))
}

/// Connects, and shakes hands for TLS when it is wanted and the server has it.
async fn connect(probe: &Probe<'_>, wants_tls: bool) -> Result<Wire, Outcome> {
    let connection = Connection::open(probe).await?;
    let stays_here = connection.stays_here();
    let mut wire = Wire::new(connection, stays_here);
    if !wants_tls {
        return Ok(wire.boxed());
    }
    probe.trace.stage("asking for TLS");
    let answer = wire.ask_for_tls().await.map_err(|e| failed(probe, e))?;
    match answer {
        b'S' => encrypt(probe, wire).await,
        b'N' if tls_use(probe) == TlsUse::Required => {
            Err(probe.failed("the server offers no TLS, and postgres_tls is required"))
        }
        b'N' => Ok(wire.boxed()),
        other => Err(probe.failed(format_args!(
            "the answer is not PostgreSQL's: '{}' to the question for TLS",
            char::from(other).escape_debug()
        ))),
    }
}

async fn encrypt(probe: &Probe<'_>, wire: Wire<Connection>) -> Result<Wire, Outcome> {
    let encrypted = tls::wrap(probe, wire.into_stream()).await?;
    Ok(Wire::new(Box::new(encrypted), true))
}

fn tls_use(probe: &Probe<'_>) -> TlsUse {
    probe.context.settings.postgres_tls
}

/// 500 where the configuration is to blame, so that it is not taken for a failure of the service.
fn failed(probe: &Probe<'_>, error: PostgresError) -> Outcome {
    match error {
        PostgresError::Refused(e) if e.is_about_the_login() => {
            let cause = format!("{}: {}", probe.subject(), e.code);
            misconfigured(&format!("PostgreSQL says: {}", e.text)).because(cause)
        }
        error => probe.failed(error),
    }
}

fn misconfigured(text: &str) -> Outcome {
    Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text)
}
