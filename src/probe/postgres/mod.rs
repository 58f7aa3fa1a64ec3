//! `postgres`: without credentials what `pg_isready` does, with them a login and a statement.
//!
//! The protocol is version 3 (PostgreSQL manual, "Frontend/Backend Protocol").
//!
//! Rule: a password leaves in clear text only over TLS or to this host itself.

mod error;
mod login;
mod options;
mod readiness;
mod scram;
mod state;
mod wire;

use self::error::PostgresError;
use self::login::PostgresCredentials;
use self::options::PostgresOptions;
use self::wire::Wire;
use super::connection::Connection;
use super::effective::{self, Account, ServiceSettings};
use super::login::{Login, Travel};
use super::{Checked, Outcome, Probe, ProbeSettings, Protocol, Request, settle, tls};
use crate::probe::TlsUse;
use hyper::StatusCode;

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

fn login(settings: &ProbeSettings, service: &str) -> Option<Login> {
    let service = settings.service(service);
    let credentials = account(settings, service);
    credentials.username?;
    Some(Login {
        password: credentials.setting,
        port: POSTGRES.default_port,
        travel: Travel::by(
            service.tls_use(settings.postgres_tls),
            "set postgres_tls: required and tls_verify: true",
            service,
        ),
    })
}

fn account<'a>(
    settings: &'a ProbeSettings,
    service: ServiceSettings<'a>,
) -> effective::Credentials<'a> {
    service.credentials(Account {
        username: settings.postgres_username.as_deref(),
        password: settings.postgres_password.as_ref(),
        setting: "postgres_password",
    })
}

async fn check(probe: &Probe<'_>) -> Checked {
    let options = probe.options(PostgresOptions::parse)?;
    if let Some(credentials) = credentials(probe) {
        return check_by_login(probe, &options, &credentials).await;
    }

    // Whether it is in recovery, a server tells only those who are logged in.
    if options.need_login() {
        return Err(misconfigured(
            "No postgres_username in config file, and role and max_lag need a login",
        ));
    }

    readiness::check(probe, database(probe, &options)).await
}

fn credentials<'a>(probe: &Probe<'a>) -> Option<PostgresCredentials<'a>> {
    // A password without a user is nobody's.
    let account = account(&probe.context.settings, probe.service());
    Some(PostgresCredentials {
        user: account.username?,
        password: account.password,
    })
}

async fn check_by_login(
    probe: &Probe<'_>,
    options: &PostgresOptions,
    credentials: &PostgresCredentials<'_>,
) -> Checked {
    let mut wire = log_in(probe, options, credentials).await?;
    let text = if options.need_login() {
        state::check(probe, &mut wire, options).await?
    } else {
        check_statement(probe, &mut wire).await?
    };

    wire.close().await;
    Ok(Outcome::healthy(text))
}

fn database<'a>(probe: &Probe<'a>, options: &'a PostgresOptions) -> &'a str {
    match &options.database {
        Some(given) => given,
        None => probe.service().database(),
    }
}

async fn log_in(
    probe: &Probe<'_>,
    options: &PostgresOptions,
    credentials: &PostgresCredentials<'_>,
) -> Result<Wire, Outcome> {
    // Also where it is `auto`: unlike MySQL's, this protocol lets a client ask before it logs in.
    let wants_tls = tls_use(probe) != TlsUse::Off;
    let mut wire = connect(probe, wants_tls).await?;
    probe.trace.stage("logging in");
    let admission = login::log_in(&mut wire, credentials, database(probe, options)).await;
    admission.map_err(|e| failed(probe, e))?;
    Ok(wire)
}

/// A server may let us in that answers nothing.
async fn check_statement(probe: &Probe<'_>, wire: &mut Wire) -> Result<String, Outcome> {
    let statement = "SELECT 1";
    query(probe, wire, statement).await?;
    Ok(format!("PostgreSQL answered {statement}"))
}

async fn query(probe: &Probe<'_>, wire: &mut Wire, statement: &str) -> Result<String, Outcome> {
    probe.trace.stage("waiting for the answer to a statement");
    probe.trace.note(|| statement.to_owned());
    let answer = login::query(wire, statement).await;
    answer.map_err(|e| probe.failed(format_args!("{statement}: {e}")))
}

/// Connects, and shakes hands for TLS when it is wanted and the server has it.
async fn connect(probe: &Probe<'_>, wants_tls: bool) -> Result<Wire, Outcome> {
    let connection = Connection::open(probe).await?;
    // Asked now: what carries the bytes is forgotten below.
    let stays_here = connection.stays_here();
    let wire = Wire::new(connection, stays_here);
    if wants_tls {
        ask_for_tls(probe, wire).await
    } else {
        Ok(wire.boxed())
    }
}

async fn ask_for_tls(probe: &Probe<'_>, mut wire: Wire<Connection>) -> Result<Wire, Outcome> {
    probe.trace.stage("asking for TLS");
    let answer = wire.ask_for_tls().await;
    match answer.map_err(|e| failed(probe, e))? {
        b'S' => encrypt(probe, wire).await,
        b'N' => continue_without_tls(probe, wire),
        // Also an `E`: an error that comes before TLS may be anybody's word, and is not shown.
        other => Err(no_answer_about_tls(probe, other)),
    }
}

async fn encrypt(probe: &Probe<'_>, wire: Wire<Connection>) -> Result<Wire, Outcome> {
    // Bytes that an attacker put behind the `S` are not kept for later: the handshake reads them, and fails
    // (CVE-2021-23222).
    let encrypted = tls::wrap(probe, wire.into_stream()).await?;
    Ok(Wire::new(Box::new(encrypted), true))
}

fn continue_without_tls(probe: &Probe<'_>, wire: Wire<Connection>) -> Result<Wire, Outcome> {
    if tls_use(probe) == TlsUse::Required {
        return Err(probe.failed("the server offers no TLS, and postgres_tls is required"));
    }

    Ok(wire.boxed())
}

fn no_answer_about_tls(probe: &Probe<'_>, answer: u8) -> Outcome {
    let answer = char::from(answer).escape_debug();
    probe.failed(format_args!(
        "the answer is not PostgreSQL's: '{answer}' to the question for TLS"
    ))
}

fn tls_use(probe: &Probe<'_>) -> TlsUse {
    let global = probe.context.settings.postgres_tls;
    probe.service().tls_use(global)
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
