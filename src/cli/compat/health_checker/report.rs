//! What the log says, in the words of Gruntwork's health-checker: people search for them.

use tokio::net::TcpListener;

use super::HealthChecker;
use crate::group::{self, CheckResult, Group, GroupCheck, GroupResult};
use crate::names::text::first_line;

/// Most characters of a script's output.
const OUTPUT_MAX: usize = 1000;

/// What is checked, and where it listens.
pub(super) fn start(group: Option<&Group>, checker: &HealthChecker, socket: &TcpListener) {
    for check in group.into_iter().flat_map(|group| &group.checks) {
        log::info!("The Health Check asks {}", check.text);
    }

    if checker.is_default_listener {
        note_default_listener();
    }

    // As it is now: of port 0 the kernel has chosen one.
    if let Ok(address) = socket.local_addr() {
        log::info!("Listening on Port {address}...");
    }
}

fn note_default_listener() {
    log::info!(
        "Without --listener the port is 5500, as in every release of health-checker; its README alone says 5000"
    );
}

/// A line for each check that failed, at the level debug for the others too, and one for all.
pub(super) fn result(group: &Group, result: &GroupResult) {
    for (check, result) in group.checks.iter().zip(&result.checks) {
        if result.outcome.passes() {
            log::debug!("{} passed: {}", check.text, group::said(&result.outcome));
        } else {
            failed(check, result);
        }
    }

    if result.passes() {
        log::info!("All health checks passed. Returning HTTP 200 response.\n");
    } else {
        log::info!("At least one health check failed. Returning HTTP 504 response.\n");
    }
}

fn failed(check: &GroupCheck, result: &CheckResult) {
    match check.command() {
        Some(name) => script_failed(check, name, result),
        None => port_failed(check, result),
    }
}

fn port_failed(check: &GroupCheck, result: &CheckResult) {
    let said = group::said(&result.outcome);
    match check.protocol {
        "tcp" if check.host.is_localhost() => {
            log::warn!("TCP connection to port {} FAILED: {said}", check.port);
        }
        // Gruntwork's tool has no checks of other hosts, and so no words for them.
        _ => log::warn!("{} FAILED: {said}", check.text),
    }
}

fn script_failed(check: &GroupCheck, name: &str, result: &CheckResult) {
    let words = check.text.trim_start_matches("script ");
    let program = words.split(' ').next().unwrap_or_default();
    let (end, output) = script_end(name, result);
    log::warn!("Script {program} FAILED: {end}");
    log::warn!("Command output: {output}");
}

/// How a script ended, as Go's `exec` says it, and the first line that it wrote.
fn script_end(name: &str, result: &CheckResult) -> (String, String) {
    let body = first_line(&String::from_utf8_lossy(&result.outcome.body), OUTPUT_MAX);
    let mark = format!("exec {name}: ");
    let cause = result.outcome.cause.as_deref().unwrap_or_default();
    let Some(ended) = cause.strip_prefix(&mark) else {
        return (end_without_status(body), String::new());
    };

    // A body that begins so is the engine's own word for no output.
    let output = match body.starts_with(&mark) {
        true => String::new(),
        false => body,
    };
    (in_words_of_go(ended), output)
}

/// It was killed at its limit, or not started.
fn end_without_status(body: String) -> String {
    match body.starts_with("Connection timed out") {
        true => format!("signal: killed ({body})"),
        false => body,
    }
}

fn in_words_of_go(ended: &str) -> String {
    match ended.strip_prefix("exit code ") {
        // Without the name that Nagios gives the code, which stands behind it.
        Some(code) => format!("exit status {}", code.split(' ').next().unwrap_or_default()),
        None => ended.to_owned(),
    }
}
