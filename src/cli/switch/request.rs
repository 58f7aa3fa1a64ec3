//! From the words of a command line to a [`Request`].
//!
//! Rule: a [`Request`] that exists is right in every part. All names are parsed before anything is changed.

use super::Action;
use super::options::Args;
use crate::cli::args::times;
use crate::cli::args::values::number;
use crate::cli::client::DEFAULT_PORT;
use crate::cli::failure::Failure;
use crate::cli::output::entries::Format;
use crate::cli::wait::acted::Goal;
use crate::cli::wait::limits::Limits;
use crate::spool::{self, Key, Mark, ServiceName, Spool, parse_port, unix_now};

/// A service or instance to act on.
#[derive(Debug, PartialEq)]
pub(crate) struct Target {
    /// Its entry in the spool.
    pub(crate) key: Key,
    /// The host as it was given with `-H`, which the key leaves out when it is 127.0.0.1.
    pub(crate) host: Option<String>,
}

/// A command line that makes sense.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) spool: Spool,
    pub(crate) reason: Option<String>,
    /// When a new downtime ends, in seconds of unix time.
    pub(crate) expiration: Option<f64>,
    pub(crate) targets: Vec<Target>,
    /// The daemon's port.
    pub(crate) port: u16,
    pub(crate) format: Format,
    /// What to wait for after the change.
    pub(crate) wait: Option<Goal>,
    pub(crate) limits: Limits,
    /// `haup`: passed checks in a row that come first.
    pub(crate) when_healthy: Option<u32>,
    /// `hadown`: how a downtime is to be told, other than as usual.
    pub(crate) mark: Option<Mark>,
    pub(crate) if_up: bool,
    /// `halist`: the pollers instead of the services.
    pub(crate) pollers: bool,
}

pub(crate) fn request(args: Args, action: Action) -> Result<Request, Failure> {
    let port = |option: &str, text: Option<&str>| {
        text.map(|t| parse_port(t).map_err(|e| Failure::usage(format!("{option}: {e}"))))
            .transpose()
    };
    let service_port = port("-P", args.service_port.as_deref())?;
    let daemon_port = port("-p", args.port.as_deref())?.unwrap_or(DEFAULT_PORT);
    let expiration = expiration(&args, action)?;
    if args.output.is_some() && matches!(action, Action::Up | Action::Down) {
        return Err(Failure::usage(
            "-o: only hastatus, hashowdowned and halist have an output to format",
        ));
    }
    let format = args
        .output
        .as_deref()
        .map_or(Ok(Format::Tsv), Format::parse)?;
    let wait = wait_options(&args, action)?;
    let limits = Limits::parse(&args.timeout, &args.polls, &args.min_pollers, args.force)?;
    let when_healthy = number("--when-healthy", args.when_healthy.as_deref())?;
    let mark = match (args.soft, args.drain) {
        (true, true) => return Err(Failure::usage("give either --soft or --drain")),
        (true, false) => Some(Mark::Soft),
        (false, true) => Some(Mark::Drain),
        (false, false) => None,
    };
    let host = args.service_host.filter(|h| !h.is_empty());
    let targets = if action.takes_services() || args.pollers && !args.services.is_empty() {
        targets(&args.services, host.as_deref(), service_port)?
    } else if let Some(stray) = args.services.first() {
        return Err(Failure::usage(format!(
            "this lists all services, so {stray:?} has no place here; leave it out"
        )));
    } else {
        Vec::new()
    };
    let spool = Spool::at(args.spool_root.as_deref().unwrap_or(spool::DEFAULT_ROOT));
    let reason = args.reason.filter(|r| !r.is_empty());
    Ok(Request {
        spool,
        reason,
        expiration,
        targets,
        port: daemon_port,
        format,
        wait,
        limits,
        when_healthy,
        mark,
        if_up: args.if_up,
        pollers: args.pollers,
    })
}

/// What to wait for; options that have no place at an action are errors.
fn wait_options(args: &Args, action: Action) -> Result<Option<Goal>, Failure> {
    let only = |given: bool, places: &[Action], says: &str| match given && !places.contains(&action)
    {
        true => Err(Failure::usage(says)),
        false => Ok(()),
    };
    only(
        args.soft || args.drain || args.if_up,
        &[Action::Down],
        "--soft, --drain and --if-up: only hadown takes them",
    )?;
    only(
        args.when_healthy.is_some(),
        &[Action::Up],
        "--when-healthy: only haup waits for health",
    )?;
    only(
        args.pollers,
        &[Action::List],
        "--pollers: only halist lists them",
    )?;
    only(
        args.wait.is_some(),
        &[Action::Up, Action::Down],
        "--wait: only hadown and haup change what is waited for",
    )?;
    let Some(wait) = &args.wait else {
        return Ok(None);
    };
    if let Some(value) = args
        .services
        .iter()
        .find(|s| matches!(s.as_str(), "drained" | "seen"))
    {
        return Err(Failure::usage(format!(
            "{value:?} is no service here; write --wait={value}"
        )));
    }
    match (action, wait.as_str()) {
        (Action::Down, "seen") => Ok(Some(Goal::Out)),
        (Action::Down, "drained") => Ok(Some(Goal::Drained)),
        (Action::Up, "seen") => Ok(Some(Goal::Up)),
        _ => Err(Failure::usage(format!(
            "--wait={wait}: hadown waits for 'seen' or 'drained', haup for 'seen'"
        ))),
    }
}

fn expiration(args: &Args, action: Action) -> Result<Option<f64>, Failure> {
    if action != Action::Down && (args.lasts.is_some() || args.until.is_some()) {
        return Err(Failure::usage(
            "--for and --until say when a downtime ends: only hadown takes them",
        ));
    }
    let ends = match (&args.expiration, &args.lasts, &args.until) {
        (None, None, None) => return Ok(None),
        (Some(unix), None, None) => times::parse_unix(unix).map_err(|e| format!("-e: {e}")),
        (None, Some(lasts), None) => {
            times::parse_for(lasts, unix_now()).map_err(|e| format!("--for: {e}"))
        }
        (None, None, Some(until)) => times::parse_until(until).map_err(|e| format!("--until: {e}")),
        _ => Err("give at most one of -e, --for and --until".to_owned()),
    };
    ends.map(Some).map_err(Failure::usage)
}

fn targets(
    services: &[String],
    host: Option<&str>,
    port: Option<u16>,
) -> Result<Vec<Target>, Failure> {
    if host.is_some() && port.is_none() {
        return Err(Failure::usage(
            "-H needs the service's port too: give it with -P",
        ));
    }
    if services.is_empty() {
        return Err(Failure::usage("name at least one service, or 'all'"));
    }
    services
        .iter()
        .map(|text| target(text, host, port))
        .collect()
}

fn target(text: &str, host: Option<&str>, port: Option<u16>) -> Result<Target, Failure> {
    let wrong = |e: spool::NameError| Failure::usage(format!("service {text:?}: {e}"));
    let key = match port {
        Some(_) if text.contains(':') => {
            return Err(Failure::usage(format!(
                "service {text:?} names its port already: leave out -P and -H"
            )));
        }
        Some(port) => Key::instance(ServiceName::parse(text).map_err(wrong)?, host, port),
        None => Key::parse(text),
    };
    let key = key.map_err(wrong)?.canonical();
    let host = host.or(key.host()).map(str::to_owned);
    Ok(Target { key, host })
}
