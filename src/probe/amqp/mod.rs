//! `amqp`: without a login the server answers the protocol header by `connection.start`, with one of the service it also
//! opens a virtual host (AMQP 0-9-1, sections 2.2.4 and 4.2.2). RabbitMQ is such a server.

pub(super) mod wire;

use hyper::StatusCode;

use self::wire::{AmqpError, AmqpWire, Close, Method, close, open, start_ok, tune_ok};
use super::effective::{Account, Credentials, ServiceSettings};
use super::lines::Lines;
use super::login::{Login, Travel};
use super::shown::on_one_line;
use super::{
    Checked, Outcome, Probe, ProbeSettings, Protocol, QueryError, Request, options, settle,
};
use crate::settings::Secret;

/// The row of the table.
pub(super) const AMQP: Protocol = Protocol {
    name: "amqp",
    needs_slash: false,
    request: Request::Options(AmqpOptions::canonical),
    keyed_by_service: false,
    default_port: Some(5672),
    bare_timeout: false,
    login,
    probe: |probe| settle(check(probe)),
};

/// The port of AMQP over TLS.
const TLS_PORT: u16 = 5671;

/// Longest name of a virtual host, in bytes: a short string.
const VHOST_MAX: usize = 255;

/// The options of one check.
#[derive(Debug, PartialEq, Eq, Default)]
struct AmqpOptions {
    /// The virtual host to open; `/` when unset.
    vhost: Option<String>,
}

impl AmqpOptions {
    fn parse(query: &str) -> Result<Self, QueryError> {
        let mut given = options::read(query, &["vhost"])?;
        let Some((name, vhost)) = given.pop() else {
            return Ok(Self::default());
        };

        if vhost.len() > VHOST_MAX {
            return Err(QueryError::TooLong(name, VHOST_MAX));
        }

        Ok(Self { vhost: Some(vhost) })
    }

    fn canonical(query: &str) -> Result<String, QueryError> {
        let options = Self::parse(query)?;
        Ok(options::canonical(&options))
    }
}

fn login(settings: &ProbeSettings, service: &str) -> Option<Login> {
    let service = settings.service(service);
    let credentials = credentials(service);
    credentials.username?;
    let (port, travel) = match speaks_tls(service) {
        true => (Some(TLS_PORT), Travel::over_tls(service)),
        false => {
            let remedy = "give the service tls: {verify: true}";
            (AMQP.default_port, Travel::InClear(remedy))
        }
    };

    Some(Login {
        password: credentials.setting,
        port,
        travel,
    })
}

/// There is no global account, so that no password goes to a broker by mistake.
fn credentials(service: ServiceSettings<'_>) -> Credentials<'_> {
    service.credentials(Account::default())
}

fn speaks_tls(service: ServiceSettings<'_>) -> bool {
    service.wants_tls().unwrap_or(false)
}

async fn check(probe: &Probe<'_>) -> Checked {
    let options = probe.options(AmqpOptions::parse)?;
    // Without an account the greeting alone shows that a broker is there.
    let credentials = credentials(probe.service());
    let Some(user) = credentials.username else {
        return greet(probe, &options).await;
    };

    let account = AmqpAccount {
        user,
        password: credentials.password.map(Secret::reveal).unwrap_or_default(),
    };

    let vhost = options.vhost.as_deref().unwrap_or("/");
    let mut wire = AmqpWire::over(connect(probe).await?);
    log_in(probe, &mut wire, &account).await?;
    open_vhost(probe, &mut wire, vhost).await?;
    let vhost = on_one_line(vhost);
    Ok(Outcome::healthy(format!("Logged in to vhost {vhost}")))
}

/// Without a login, a server tells no more than that it is there.
async fn greet(probe: &Probe<'_>, options: &AmqpOptions) -> Checked {
    if options.vhost.is_some() {
        let text = "No login in services for this service, and vhost needs one";
        return Err(misconfigured(text));
    }

    let mut wire = AmqpWire::over(connect(probe).await?);
    start(probe, &mut wire).await?;
    // RabbitMQ warns of a client that only hangs up here; a `connection.close` before the login is an error to it.
    Ok(Outcome::healthy(
        "Sent the header of AMQP 0-9-1, got back connection.start",
    ))
}

async fn connect<'a>(probe: &Probe<'a>) -> Result<Lines<'a>, Outcome> {
    Lines::connect_as(probe, speaks_tls(probe.service())).await
}

/// Whom to log in as.
struct AmqpAccount<'a> {
    user: &'a str,
    password: &'a str,
}

/// Sends the protocol header, and returns the names of the ways to log in.
async fn start(probe: &Probe<'_>, wire: &mut AmqpWire<'_>) -> Result<String, Outcome> {
    probe.trace.stage("waiting for connection.start");
    let answer = wire.start().await.map_err(|e| failed(probe, e))?;
    match answer {
        Method::Start { mechanisms } => Ok(mechanisms),
        other => Err(failed(probe, other.unexpected())),
    }
}

async fn log_in<'a>(
    probe: &Probe<'a>,
    wire: &mut AmqpWire<'a>,
    account: &AmqpAccount<'a>,
) -> Result<(), Outcome> {
    // Before anything is sent or read, as a server may quote what it refuses.
    wire.hide(account.password);
    let mechanisms = start(probe, wire).await?;
    expect_plain(probe, &mechanisms)?;
    probe.trace.stage("logging in");
    let answer = wire.ask(&start_ok(account.user, account.password)).await;
    match answer.map_err(|e| failed(probe, e))? {
        Method::Tune(limits) => {
            let sent = wire.send(&tune_ok(limits)).await;
            sent.map_err(|e| failed(probe, e))
        }
        other => Err(failed(probe, other.unexpected())),
    }
}

/// PLAIN is the one mechanism that every broker can be told to offer.
fn expect_plain(probe: &Probe<'_>, mechanisms: &str) -> Result<(), Outcome> {
    if mechanisms.split(' ').any(|name| name == "PLAIN") {
        return Ok(());
    }

    let offered = on_one_line(mechanisms);
    Err(probe.failed(format_args!(
        "the server takes no login by PLAIN, only by '{offered}'; add PLAIN to its auth_mechanisms"
    )))
}

async fn open_vhost(
    probe: &Probe<'_>,
    wire: &mut AmqpWire<'_>,
    vhost: &str,
) -> Result<(), Outcome> {
    probe.trace.stage("opening the virtual host");
    let answer = wire.ask(&open(vhost)).await;
    match answer.map_err(|e| failed(probe, e))? {
        Method::OpenOk => {
            // A server that hangs up now has answered all the same.
            let _ = wire.send(&close()).await;
            Ok(())
        }
        other => Err(failed(probe, other.unexpected())),
    }
}

/// 500 where the configuration is to blame, so that it is not taken for a failure of the service.
fn failed(probe: &Probe<'_>, error: AmqpError) -> Outcome {
    match error {
        AmqpError::Closed(Close { code, text }) if is_about_the_login(code) => {
            let cause = format!("{}: {code}", probe.subject());
            misconfigured(&format!("The server says: {text}")).because(cause)
        }
        error => probe.failed(error),
    }
}

/// `access-refused` and `not-allowed`: of the user, and of the virtual host.
fn is_about_the_login(code: u16) -> bool {
    matches!(code, 403 | 530)
}

fn misconfigured(text: &str) -> Outcome {
    Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text)
}
