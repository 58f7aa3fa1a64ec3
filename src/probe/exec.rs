//! `exec`: a command of the configuration ends with exit code 0 in time, as Nagios' plugins do.
//!
//! Rule: the path names a command, and that is all of a request that counts: nothing of it reaches a command line. The
//! environment tells the service, the port, and an address that may be checked. Of hacheck's own it has what is listed.

use std::collections::BTreeMap;

use hyper::StatusCode;

use super::{Checked, Outcome, Probe, Protocol, Request, login, settle};
use crate::names::text::first_line;
use crate::os::process::{self, Argv, End, Ran};

/// The row of the table.
pub(super) const EXEC: Protocol = Protocol {
    name: "exec",
    needs_slash: true,
    request: Request::Segment,
    keyed_by_service: true,
    default_port: Some(0),
    bare_timeout: false,
    login: login::none,
    probe: |probe| settle(check(probe)),
};

/// Most characters of a command's output that are answered.
const LINE_MAX: usize = 1000;

async fn check(probe: &Probe<'_>) -> Checked {
    let name = probe.target.segment();
    let argv = find_command(probe, name)?;
    let ran = run(probe, argv).await?;
    Ok(outcome(name, &ran))
}

async fn run(probe: &Probe<'_>, argv: &Argv) -> Result<Ran, Outcome> {
    let host = host(probe).await?;
    let port = probe.target.port.to_string();
    let variables = [
        ("HACHECK_SERVICE", &*probe.target.service),
        ("HACHECK_HOST", &host),
        ("HACHECK_PORT", &port),
    ];
    run_with(probe, argv, &variables).await
}

async fn run_with(
    probe: &Probe<'_>,
    argv: &Argv,
    variables: &[(&str, &str)],
) -> Result<Ran, Outcome> {
    probe.trace.stage("waiting for the command");
    probe.trace.note(|| argv.to_string());
    let environment = probe.context.settings.environment();
    // At the deadline this future is dropped, and the command is ended with it.
    let ran = probe.or_failed(process::run(argv, variables, &environment).await)?;
    probe.trace.note(|| ran.end.to_string());
    Ok(ran)
}

fn find_command<'a>(probe: &Probe<'a>, name: &str) -> Result<&'a Argv, Outcome> {
    let commands = &probe.context.settings.exec;
    if let Some(argv) = commands.get(name) {
        return Ok(argv);
    }

    // It is a stranger's text.
    let name = name.escape_debug();
    let text = format!("exec: the configuration has no command '{name}'");
    // Which ones there are is not for every poller.
    let cause = format!("exec: {}", there_are(commands));
    Err(Outcome::new(StatusCode::NOT_FOUND, text).because(cause))
}

fn there_are(commands: &BTreeMap<String, Argv>) -> String {
    if commands.is_empty() {
        return "there are no commands".to_owned();
    }

    let names: Vec<&str> = commands.keys().map(String::as_str).collect();
    format!("there are {}", names.join(", "))
}

/// An address of the target that may be checked.
async fn host(probe: &Probe<'_>) -> Result<String, Outcome> {
    probe.trace.stage("looking up the host");
    let addresses = probe.addresses().await?;
    // One, as a command can ask for one; it is the one that a connection would be tried with first.
    match addresses.first() {
        Some(address) => Ok(address.ip().to_string()),
        None => Err(probe.failed("the host has no address")),
    }
}

fn outcome(name: &str, ran: &Ran) -> Outcome {
    let end = end(ran);
    let text = match said(ran) {
        line if line.is_empty() => format!("exec {name}: {end}, no output"),
        line => line,
    };

    let outcome = match ran.end.is_success() {
        true => Outcome::healthy(text),
        false => Outcome::unavailable(text),
    };
    outcome.because(format!("exec {name}: {end}"))
}

/// The first line of what it wrote; standard error stands in for silence.
fn said(ran: &Ran) -> String {
    let line = first_line(&String::from_utf8_lossy(&ran.stdout), LINE_MAX);
    if line.is_empty() {
        first_line(&String::from_utf8_lossy(&ran.stderr), LINE_MAX)
    } else {
        line
    }
}

fn end(ran: &Ran) -> String {
    match ran.end {
        End::Exit(code) => format!("exit code {code}{}", word(code)),
        signal @ End::Signal(_) => signal.to_string(),
    }
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
