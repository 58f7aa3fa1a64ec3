//! `mysql`: login and quit, for MySQL and MariaDB; by options also the role, the lag, the state in a Galera cluster.
//!
//! mysql_async speaks with the server, on a thread of its own.
//!
//! Rule: no statement is sent unless an option needs one, and the server's address is one that was allowed.

mod ask;
mod client;
mod failure;
mod session;
mod state;
mod threads;
mod wants_tls;

use std::path::Path;

use hyper::StatusCode;

use self::ask::Ask;
pub(super) use self::client::Client;
use self::client::MysqlAccount;
use self::failure::MysqlFailure;
use self::session::{MysqlEndpoint, MysqlSession, MysqlState};
use self::threads::Ended;
use self::wants_tls::Server;
use super::login::{Login, Travel};
use super::run::timed_out;
use super::{Checked, Outcome, Probe, ProbeSettings, Protocol, Request, settle, tls};

/// The row of the table.
pub(super) const MYSQL: Protocol = Protocol {
    name: "mysql",
    needs_slash: false,
    request: Request::Options(Ask::canonical),
    keyed_by_service: false,
    default_port: Some(3306),
    bare_timeout: false,
    login,
    probe: |probe| settle(check(probe)),
};

fn login(settings: &ProbeSettings, service: &str) -> Option<Login> {
    let service = settings.service(service);
    let credentials = client::credentials(settings, service);
    credentials.username?;
    credentials.password?;
    Some(Login {
        password: credentials.setting,
        port: MYSQL.default_port,
        travel: Travel::by(
            service.tls_use(settings.mysql_tls),
            "set mysql_tls: required and tls_verify: true",
            service,
        ),
    })
}

async fn check(probe: &Probe<'_>) -> Checked {
    let ask = probe.options(Ask::parse)?;
    // All that it needs goes with it, as its thread outlives nobody's borrow.
    let session = session(probe, ask).await?;
    match run(probe, session).await {
        Ok(Ok(found)) => Ok(passed(&found)),
        Ok(Err(failure)) => Err(failed(probe, &failure)),
        // In the words of every other deadline, which is the same.
        Err(Ended::Late) => Err(timed_out(probe)),
        Err(ended) => Err(probe.failed(ended)),
    }
}

/// Runs a session on a thread. The outer error says that it did not run to its end.
async fn run(
    probe: &Probe<'_>,
    session: MysqlSession,
) -> Result<Result<MysqlState, MysqlFailure>, Ended> {
    let threads = &probe.context.mysql.threads;
    let seat = threads.seat(probe.asker);
    // Waited for as a slot is: a deadline that comes meanwhile says nothing of the server.
    let seat = probe.wait_for("waiting for a free thread", seat).await;
    threads.run(seat, probe.deadline, session.run()).await
}

/// Copies what the session needs, as it outlives a probe that nobody waits for any more.
async fn session(probe: &Probe<'_>, ask: Ask) -> Result<MysqlSession, Outcome> {
    let target = probe.target;
    Ok(MysqlSession {
        account: account(probe)?.clone(),
        endpoint: endpoint(probe).await?,
        tls: probe.service().tls_use(probe.context.settings.mysql_tls),
        tls_name: tls_name(probe),
        server: Server {
            host: target.host.clone(),
            port: target.port,
            account: probe.service().key().map(str::to_owned),
        },
        wants_tls: probe.context.mysql.wants_tls.clone(),
        ask,
        deadline: probe.deadline,
        trace: probe.trace.clone(),
    })
}

fn account<'a>(probe: &Probe<'a>) -> Result<&'a MysqlAccount, Outcome> {
    let account = probe.context.mysql.account(probe.service());
    account.ok_or_else(|| {
        // The replaced tools' sentence, to the letter.
        let text = "No MySQL username/password in config file";
        Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    })
}

fn tls_name(probe: &Probe<'_>) -> String {
    match tls::server_name(probe) {
        Ok(name) => name.to_str().into_owned(),
        // mysql_async refuses it, where it matters.
        Err(_) => probe.target.host.to_string(),
    }
}

async fn endpoint(probe: &Probe<'_>) -> Result<MysqlEndpoint, Outcome> {
    // mysql_async opens its connections itself, so there is no place to send one.
    if probe.service().proxy_protocol().is_some() {
        let text = "mysql checks cannot begin with a header of the PROXY protocol";
        return Err(Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text));
    }

    if let Some(path) = probe.context.socket(probe.target)? {
        return socket(probe, path);
    }

    probe.trace.stage("looking up the host");
    let addresses = probe.addresses().await?;
    Ok(MysqlEndpoint::Addresses(addresses))
}

fn socket(probe: &Probe<'_>, path: &Path) -> Result<MysqlEndpoint, Outcome> {
    // mysql_async takes paths as text.
    match path.to_str() {
        Some(path) => Ok(MysqlEndpoint::Socket(path.to_owned())),
        None => Err(probe.failed("the path of its socket is not UTF-8")),
    }
}

fn passed(found: &MysqlState) -> Outcome {
    // The replaced tools' sentence; what only hacheck finds out stands behind it.
    let message = &found.message;
    let mut text = format!("MySQL connect response: MySQLResponse(OK)<{message}>");
    for state in &found.states {
        text.push_str("; ");
        text.push_str(state);
    }

    Outcome::healthy(text)
}

fn failed(probe: &Probe<'_>, failure: &MysqlFailure) -> Outcome {
    match failure {
        MysqlFailure::Refused { code, message } => refused(probe, *code, message),
        other => probe.failed(other),
    }
}

fn refused(probe: &Probe<'_>, code: u16, message: &str) -> Outcome {
    // Status and sentence are the replaced tools'.
    let text = format!("MySQL sez MySQLResponse(ERR)<{message}>");
    let cause = format!("{}: error {code}", probe.subject());
    Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text).because(cause)
}
