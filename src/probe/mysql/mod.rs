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

use hyper::StatusCode;

use self::ask::Ask;
use self::client::Account;
pub(super) use self::client::Client;
use self::failure::Failure;
use self::session::{Endpoint, Found, Session};
use self::threads::Ended;
use super::login::{Login, Travel};
use super::run::timed_out;
use super::{Outcome, Probe, Protocol, Request, Settings, settle, tls};

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

fn login(settings: &Settings) -> Option<Login> {
    settings.mysql_username.as_ref()?;
    settings.mysql_password.as_ref()?;
    Some(Login {
        password: Some("mysql_password"),
        travel: Travel::by(settings.mysql_tls, "mysql_tls: required", settings),
    })
}

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let ask = Ask::parse(probe.target.query())
        .map_err(|e| Outcome::bad_request(format!("mysql: {e}")))?;
    let client = &probe.context.mysql;
    let Some(account) = &client.account else {
        let text = "No MySQL username/password in config file";
        return Err(Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text));
    };
    let session = session(probe, account, ask).await?;
    let place = client.threads.place(probe.known);
    let place = probe.wait_for("waiting for a free thread", place).await;
    let running = client.threads.run(place, probe.deadline, session.run());
    match running.await {
        Ok(Ok(found)) => Ok(passed(&found)),
        Ok(Err(failure)) => Err(failed(probe, &failure)),
        Err(Ended::Late) => Err(timed_out(probe)),
        Err(ended) => Err(probe.failed(ended)),
    }
}

async fn session(probe: &Probe<'_>, account: &Account, ask: Ask) -> Result<Session, Outcome> {
    let target = probe.target;
    let tls_name = match tls::server_name(probe) {
        Ok(name) => name.to_str().into_owned(),
        // mysql_async refuses it, where it matters.
        Err(_) => target.host.to_string(),
    };
    Ok(Session {
        account: account.clone(),
        endpoint: endpoint(probe).await?,
        tls: probe.context.settings.mysql_tls,
        tls_name,
        server: (target.host.clone(), target.port),
        wants_tls: probe.context.mysql.wants_tls.clone(),
        ask,
        deadline: probe.deadline,
        trace: probe.trace.clone(),
    })
}

async fn endpoint(probe: &Probe<'_>) -> Result<Endpoint, Outcome> {
    if let Some(path) = probe.context.socket(probe.target)? {
        return match path.to_str() {
            Some(path) => Ok(Endpoint::Socket(path.to_owned())),
            None => Err(probe.failed("the path of its socket is not UTF-8")),
        };
    }
    probe.trace.stage("looking up the host");
    let addresses = probe.addresses().await?;
    Ok(Endpoint::Addresses(addresses))
}

fn passed(found: &Found) -> Outcome {
    let message = &found.message;
    let mut text = format!("MySQL connect response: MySQLResponse(OK)<{message}>");
    for state in &found.states {
        text.push_str("; ");
        text.push_str(state);
    }
    Outcome::healthy(text)
}

fn failed(probe: &Probe<'_>, failure: &Failure) -> Outcome {
    match failure {
        Failure::Refused { code, message } => {
            let text = format!("MySQL sez MySQLResponse(ERR)<{message}>");
            let cause = format!("{}: error {code}", probe.subject());
            Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text).because(cause)
        }
        other => probe.failed(other),
    }
}
