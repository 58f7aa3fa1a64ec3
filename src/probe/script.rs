//! `script`: what a service's settings say to send, and what lines to wait for. For text protocols that have no row of
//! their own, such as FTP, IMAP, POP3 and beanstalkd.
//!
//! Rule: lines that do not match are read over, as greetings and replies have several; the probe's deadline and a bound
//! end that.

use super::effective::ServiceSettings;
use super::lines::Lines;
use super::login::{Login, Travel};
use super::services::ScriptStep;
use super::shown::quote;
use super::{Checked, Outcome, Pattern, Probe, ProbeSettings, Protocol, Request, options, settle};

/// Longest line, in bytes.
const LINE_MAX: usize = 4096;

/// Most lines that are read over before one that matches.
const LINES_MAX: usize = 100;

/// The row of the table.
pub(super) const SCRIPT: Protocol = Protocol {
    name: "script",
    needs_slash: false,
    request: Request::Options(options::none),
    keyed_by_service: true,
    default_port: None,
    bare_timeout: false,
    login,
    probe: |probe| settle(check(probe)),
};

/// What is sent may hold a password, so that it goes where passwords may.
fn login(settings: &ProbeSettings, service: &str) -> Option<Login> {
    let service = settings.service(service);
    let steps = service.script()?;
    if !steps.iter().any(|step| step.send.is_some()) {
        return None;
    }

    let travel = match speaks_tls(service) {
        true => Travel::over_tls(service),
        false => Travel::InClear("give the service tls: {verify: true}"),
    };

    Some(Login {
        password: Some("what a script of services sends"),
        port: None,
        travel,
    })
}

fn speaks_tls(service: ServiceSettings<'_>) -> bool {
    service.wants_tls().unwrap_or(false)
}

async fn check(probe: &Probe<'_>) -> Checked {
    let Some(steps) = probe.service().script() else {
        let text = "the service has no script; add one to its entry in services";
        return Err(Outcome::bad_request(text));
    };

    let mut lines = connect(probe).await?;
    // Counted from 1, as people count the steps of their file.
    for (i, step) in steps.iter().enumerate() {
        take(probe, &mut lines, i + 1, step).await?;
    }

    let count = steps.len();
    Ok(Outcome::healthy(format!("All {count} steps passed")))
}

async fn connect<'a>(probe: &Probe<'a>) -> Result<Lines<'a>, Outcome> {
    Lines::connect_as(probe, speaks_tls(probe.service())).await
}

async fn take<'a>(
    probe: &Probe<'a>,
    lines: &mut Lines<'a>,
    number: usize,
    step: &'a ScriptStep,
) -> Result<(), Outcome> {
    // Before it is sent: servers quote what they do not understand, whole or in part.
    for secret in step.secrets() {
        lines.hide(secret);
    }

    if let Some(text) = &step.send {
        let sent = lines.send(text.reveal().as_bytes()).await;
        sent.map_err(|e| probe.failed(format_args!("step {number}: {e}")))?;
    }

    match &step.expect {
        Some(expected) => wait_for(probe, lines, number, expected).await,
        None => Ok(()),
    }
}

/// Reads lines until one matches.
async fn wait_for(
    probe: &Probe<'_>,
    lines: &mut Lines<'_>,
    number: usize,
    expected: &Pattern,
) -> Result<(), Outcome> {
    let shown = quote(expected.text().as_bytes());
    let mut last = String::new();
    // Once for the step, so that a timeout tells all that came.
    probe
        .trace
        .stage("waiting for a line that the script expects");
    for _ in 0..LINES_MAX {
        let line = lines.line(LINE_MAX).await.map_err(|e| {
            let what = format_args!("step {number} expects {shown}{last}: {e}");
            probe.failed(what)
        })?;
        if expected.matches(&line) {
            return Ok(());
        }
        last = format!(", the last line was '{}'", lines.shown(&line));
    }

    Err(probe.failed(format_args!(
        "step {number} expects {shown}, and {LINES_MAX} lines do not match{last}"
    )))
}
