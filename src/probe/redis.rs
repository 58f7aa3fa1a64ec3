//! `redis` and `sentinel`: `PING` is answered by `+PONG`, after a login where one is configured (Redis protocol
//! specification, RESP; commands PING and AUTH).

pub(super) mod info;

use hyper::StatusCode;

use super::effective::{Account, Credentials, ServiceSettings};
use super::lines::Lines;
use super::login::{Login, Travel};
use super::{Checked, Outcome, Probe, ProbeSettings, Protocol, Request, settle};
use crate::settings::Secret;

/// Longest line of an answer, in bytes.
pub(super) const LINE_MAX: usize = 4096;

/// The row of `redis`.
pub(super) const REDIS: Protocol = Protocol {
    name: "redis",
    needs_slash: false,
    request: Request::Ignored,
    keyed_by_service: false,
    default_port: Some(6379),
    bare_timeout: false,
    login: |settings, service| login(settings, service, REDIS.default_port),
    probe: |probe| settle(ping(probe)),
};

/// The row of `sentinel`.
pub(super) const SENTINEL: Protocol = Protocol {
    name: "sentinel",
    default_port: Some(26379),
    login: |settings, service| login(settings, service, SENTINEL.default_port),
    ..REDIS
};

/// The login of both, each at its own port.
fn login(settings: &ProbeSettings, service: &str, port: Option<u16>) -> Option<Login> {
    let service = settings.service(service);
    let credentials = credentials(settings, service);
    if !credentials.is_some() {
        return None;
    }

    let travel = match speaks_tls(settings, service) {
        true => Travel::over_tls(service),
        false => Travel::InClear("set redis_tls: true and tls_verify: true"),
    };

    Some(Login {
        password: credentials.setting,
        port,
        travel,
    })
}

fn credentials<'a>(settings: &'a ProbeSettings, service: ServiceSettings<'a>) -> Credentials<'a> {
    service.credentials(Account {
        username: settings.redis_username.as_deref(),
        password: settings.redis_password.as_ref(),
        setting: "redis_password",
    })
}

fn speaks_tls(settings: &ProbeSettings, service: ServiceSettings<'_>) -> bool {
    service.wants_tls().unwrap_or(settings.redis_tls)
}

async fn ping(probe: &Probe<'_>) -> Checked {
    let mut lines = open(probe).await?;
    probe.trace.stage("waiting for the answer to PING");
    // An inline command (RESP, "Inline commands"), as the originals sent it.
    let answer = probe.or_failed(lines.ask(b"PING\r\n", LINE_MAX).await)?;
    if answer.trim_ascii() == b"+PONG" {
        return Ok(Outcome::healthy("Sent PING, got back +PONG"));
    }

    let shown = lines.shown(&answer);
    Err(refused(format!("Sent PING, got back {shown}")))
}

/// Connects and logs in, as the settings say.
pub(super) async fn open<'a>(probe: &Probe<'a>) -> Result<Lines<'a>, Outcome> {
    let mut lines = connect(probe).await?;
    if let Some(account) = RedisAccount::of(probe) {
        log_in(probe, &mut lines, &account).await?;
    }

    Ok(lines)
}

/// Whom to log in as.
struct RedisAccount<'a> {
    /// The default user when none is named.
    user: Option<&'a str>,
    password: &'a str,
    /// It is the service's, not the one of all.
    is_own: bool,
}

impl<'a> RedisAccount<'a> {
    fn of(probe: &Probe<'a>) -> Option<Self> {
        let credentials = credentials(&probe.context.settings, probe.service());
        if !credentials.is_some() {
            return None;
        }

        // A user may have no password, and the default user no name.
        Some(Self {
            user: credentials.username,
            password: credentials.password.map(Secret::reveal).unwrap_or_default(),
            is_own: credentials.is_own,
        })
    }

    fn command(&self) -> Vec<u8> {
        match self.user {
            // Servers before Redis 6 know no users, and take a password alone.
            Some(user) => command(&["AUTH", user, self.password]),
            None => command(&["AUTH", self.password]),
        }
    }
}

async fn connect<'a>(probe: &Probe<'a>) -> Result<Lines<'a>, Outcome> {
    let over_tls = speaks_tls(&probe.context.settings, probe.service());
    Lines::connect_as(probe, over_tls).await
}

async fn log_in<'a>(
    probe: &Probe<'_>,
    lines: &mut Lines<'a>,
    account: &RedisAccount<'a>,
) -> Result<(), Outcome> {
    // Some servers quote what they do not understand.
    lines.hide(account.password);
    probe.trace.stage("waiting for the answer to AUTH");
    let answer = probe.or_failed(lines.ask(&account.command(), LINE_MAX).await)?;
    let answer = without_arguments(answer.trim_ascii());
    if answer == b"+OK" {
        return Ok(());
    }

    let shown = lines.shown(answer);
    // `redis_password` is for Redis in the first place. What a Sentinel beside it wants, its next answer tells.
    if is_sentinel(probe) && (!account.is_own || wants_no_password(answer)) {
        probe.trace.note(|| format!("AUTH is not taken: {shown}"));
        return Ok(());
    }

    Err(refused(format!("Sent AUTH, got back {shown}")))
}

/// Whether a Sentinel is asked.
pub(super) fn is_sentinel(probe: &Probe<'_>) -> bool {
    // By either of its rows: `sentinel` and `sentinel-info`.
    probe.protocol.name.starts_with(SENTINEL.name)
}

/// A 500, as the originals answer what the server itself said.
pub(super) fn refused(text: String) -> Outcome {
    Outcome::new(StatusCode::INTERNAL_SERVER_ERROR, text)
}

/// A command in the form that takes any byte: an array of counted strings.
fn command(words: &[&str]) -> Vec<u8> {
    // As an array of bulk strings, so that a password may hold any bytes.
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }

    command.into_bytes()
}

/// Servers that do not know AUTH quote the beginning of its arguments, so perhaps a part of the password.
fn without_arguments(answer: &[u8]) -> &[u8] {
    const QUOTING: &[u8] = b"with args beginning with";
    let mut parts = answer.windows(QUOTING.len());
    match parts.position(|part| part == QUOTING) {
        Some(end) => answer[..end].trim_ascii_end(),
        None => answer,
    }
}

/// What servers without a password say to AUTH: Redis 6 and later, before, and a Sentinel older than 5.0.1.
fn wants_no_password(answer: &[u8]) -> bool {
    let answer = String::from_utf8_lossy(answer);
    let said = [
        "without any password configured",
        "no password is set",
        "unknown command",
    ];
    said.iter().any(|text| answer.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_arrays_of_counted_strings() {
        assert_eq!(
            command(&["AUTH", "ü \r\n"]),
            "*2\r\n$4\r\nAUTH\r\n$5\r\nü \r\n\r\n".as_bytes()
        );
    }

    #[test]
    fn quoted_arguments_are_cut_off() {
        let answer = b"-ERR unknown command 'AUTH', with args beginning with: 'hunt' ";
        assert_eq!(without_arguments(answer), b"-ERR unknown command 'AUTH',");
        assert_eq!(without_arguments(b"+OK"), b"+OK");
    }
}
