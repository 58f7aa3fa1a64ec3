//! `exec`: a command of the configuration ends with exit code 0 in time, as Nagios' plugins do.
//!
//! Rule: the path names a command, and that is all of a request that counts: nothing of it reaches a command line. The
//! environment tells the service, the port, and an address that may be checked.

use hyper::StatusCode;

use super::{Outcome, Probe, Protocol, Request};
use crate::os::process::{self, End, Ran};

/// The row of the table.
pub(super) const EXEC: Protocol = Protocol {
    name: "exec",
    needs_slash: true,
    request: Request::Segment,
    keyed_by_service: true,
    default_port: Some(0),
    bare_timeout: false,
    probe: |probe| Box::pin(async move { check(probe).await.unwrap_or_else(|failed| failed) }),
};

/// Most characters of a command's output that are answered.
const LINE_MAX: usize = 1000;

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let commands = &probe.context.settings.exec;
    let name = probe.target.segment();
    let Some(argv) = commands.get(name) else {
        let known = commands
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let known = if known.is_empty() {
            "there are no commands".into()
        } else {
            format!("there are {known}")
        };
        let text = format!(
            "exec: the configuration has no command '{}'",
            name.escape_debug()
        );
        // Which ones there are is not for every poller.
        return Err(Outcome::new(StatusCode::NOT_FOUND, text).because(format!("exec: {known}")));
    };
    probe.trace.stage("looking up the host");
    let addresses = probe.context.addresses(probe.target).await?;
    let host = addresses
        .first()
        .ok_or_else(|| probe.failed("the host has no address"))?
        .ip()
        .to_string();
    let port = probe.target.port.to_string();
    let environment = [
        ("HACHECK_SERVICE", &*probe.target.service),
        ("HACHECK_HOST", &host),
        ("HACHECK_PORT", &port),
    ];
    probe.trace.stage("waiting for the command");
    probe.trace.note(|| argv.to_string());
    let ran = process::run(argv, &environment, &probe.context.settings.secrets())
        .await
        .map_err(|e| probe.failed(e))?;
    probe.trace.note(|| ran.end.to_string());
    Ok(outcome(name, &ran))
}

fn outcome(name: &str, ran: &Ran) -> Outcome {
    let line = ran.first_line(LINE_MAX);
    let end = match ran.end {
        End::Exit(code) => format!("exit code {code}{}", word(code)),
        signal @ End::Signal(_) => signal.to_string(),
    };
    let text = if line.is_empty() {
        format!("exec {name}: {end}, no output")
    } else {
        line
    };
    let status = if ran.end.is_success() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Outcome::new(status, text).because(format!("exec {name}: {end}"))
}

/// What Nagios' plugins mean by an exit code (Monitoring Plugins Development Guidelines, "Plugin Return Codes").
fn word(code: i32) -> &'static str {
    match code {
        0 => " (OK)",
        1 => " (WARNING)",
        2 => " (CRITICAL)",
        3 => " (UNKNOWN)",
        _ => "",
    }
}
