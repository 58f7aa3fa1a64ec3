//! From the values of the flags to a configuration, by the rules of Gruntwork's tool.
//!
//! Rule: a wrong value is a usage error that names its flag.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use log::LevelFilter;

use super::{GROUP, HealthCheckerArgs};
use crate::cli::failure::{Failure, usage};
use crate::config::Config;
use crate::group::{Group, GroupCheck};
use crate::names::text::without_userinfo;
use crate::net::Host;
use crate::os::process::{Argv, all_names};

/// The deadline of checks that are no scripts, as in Gruntwork's health-checker.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where it listens unless told otherwise: as the code of every release of Gruntwork's health-checker does. Its README
/// alone says 5000.
pub(super) const LISTENER: &str = "0.0.0.0:5500";

/// The longest `--script-timeout`, in seconds: a day.
const SCRIPT_TIMEOUT_MAX: u64 = 86_400;

/// Checks that run at once, over all requests.
const CHECKS_MAX: usize = 100_000;

/// A configuration whose one group has all checks.
pub(super) fn config(args: &HealthCheckerArgs) -> Result<Config, Failure> {
    let mut config = unlimited();
    let mut group = Group {
        timeout: Some(TIMEOUT),
        ..Group::default()
    };

    for text in &args.port {
        group.checks.push(port_check(text)?);
    }

    let limit = script_timeout(args.script_timeout.as_deref())?;
    for (number, text) in (1..).zip(&args.script) {
        let name = format!("script-{number}");
        let command = script(text)?;
        group.checks.push(script_check(&name, &command, limit));
        config.probe.exec.insert(name, command);
    }

    config.groups.insert(GROUP.into(), group);
    Ok(config)
}

/// Nothing is stored, and nothing waits for a slot: Gruntwork's tool runs all checks for each request, at once.
fn unlimited() -> Config {
    let mut config = Config::default();
    config.check.cache_time = Some(Duration::ZERO);
    config.probe.max_clients = CHECKS_MAX;
    config.probe.max_probes_per_target = CHECKS_MAX;
    // Whoever starts it says in the environment what the scripts are to know, as with Gruntwork's.
    config.probe.exec_environment = all_names();
    config
}

fn script(text: &str) -> Result<Argv, Failure> {
    Argv::split_at_spaces(text).map_err(|what| usage!("--script: {text:?} {what}"))
}

/// The check of a port of this host, of `host:port`, or of a URL.
fn port_check(text: &str) -> Result<GroupCheck, Failure> {
    let parsed = GroupCheck::parse(&check_url(text));
    // A URL with a password is refused, and the refusal must not show it.
    let shown = without_userinfo(text);
    let check = parsed.map_err(|e| usage!("--port: {shown:?} {e}"))?;
    if check.command().is_some() || check.group().is_some() {
        return Err(usage!(
            "--port: {text:?} needs a configuration; use --script, or hacheck serve"
        ));
    }

    Ok(check)
}

fn check_url(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("tcp://localhost:{text}")
    } else if text.contains("://") {
        text.to_owned()
    } else {
        format!("tcp://{text}")
    }
}

fn script_check(name: &str, command: &Argv, limit: Duration) -> GroupCheck {
    GroupCheck {
        text: format!("script {command}"),
        protocol: "exec",
        host: Host::Local,
        port: 0,
        path: format!("/{name}"),
        limit: Some(limit),
        service: None,
    }
}

/// The values of Go's flags.
pub(super) fn singleflight(given: Option<&str>) -> Result<bool, Failure> {
    match given {
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some(text) => Err(usage!("--singleflight: {text:?} is neither true nor false")),
    }
}

fn script_timeout(given: Option<&str>) -> Result<Duration, Failure> {
    let Some(text) = given else {
        return Ok(TIMEOUT);
    };

    match text.parse() {
        Ok(seconds @ 1..=SCRIPT_TIMEOUT_MAX) => Ok(Duration::from_secs(seconds)),
        _ => Err(usage!(
            "--script-timeout: {text:?} is not a number of seconds; give 1 to {SCRIPT_TIMEOUT_MAX}"
        )),
    }
}

/// `0.0.0.0:5000`, `[::]:5000`, `:5000`, `localhost:5000`.
pub(super) fn listener_address(text: &str) -> Result<SocketAddr, Failure> {
    // In Go an address without a host is all of them.
    let whole = match text.starts_with(':') {
        true => format!("{}{text}", Ipv4Addr::UNSPECIFIED),
        false => text.to_owned(),
    };

    match first_address(&whole) {
        Some(address) => Ok(address),
        None => Err(usage!(
            "--listener: {text:?} is not an address with a port; give one such as {LISTENER}"
        )),
    }
}

fn first_address(text: &str) -> Option<SocketAddr> {
    let mut addresses = text.to_socket_addrs().ok()?;
    addresses.next()
}

/// The level that an option names; the environment may ask for more.
pub(super) fn log_level(word: &str) -> Result<LevelFilter, Failure> {
    let level = level(word)?;
    if wants_debug() {
        return Ok(level.max(LevelFilter::Debug));
    }

    Ok(level)
}

fn level(word: &str) -> Result<LevelFilter, Failure> {
    match word.to_ascii_lowercase().as_str() {
        "panic" | "fatal" | "error" => Ok(LevelFilter::Error),
        "warning" | "warn" => Ok(LevelFilter::Warn),
        "info" => Ok(LevelFilter::Info),
        "debug" => Ok(LevelFilter::Debug),
        "trace" => Ok(LevelFilter::Trace),
        _ => Err(usage!(
            "The log-level value \"{word}\" is invalid; give panic, fatal, error, warning, info, debug or trace"
        )),
    }
}

fn wants_debug() -> bool {
    let debug = std::env::var("HEALTH_CHECKER_DEBUG");
    debug.is_ok_and(|value| value.eq_ignore_ascii_case("true"))
}
