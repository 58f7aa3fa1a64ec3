//! What `haup`, `hadown`, `hastatus`, `hashowdowned` and `halist` share: one set of options, and `-a`, by which each of
//! them can do what the others do, as in the originals.
//!
//! Rule: a [`Request`] that exists is right in every part. All names are parsed before anything is changed.

use std::io::Write as _;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::acted::Goal;
use super::ask::{self, Daemon};
use super::limits::{self, Limits};
use super::show::Format;
use super::{Call, Failure, down, downed, list, pollers, serve, status, times, up};
use crate::ledger::Page;
use crate::spool::{self, Key, Mark, ServiceName, Spool, parse_port, unix_now};

/// How long the daemon may take to tell who polls.
const ANSWER: Duration = Duration::from_secs(3);

/// The command line of all five.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    note = "SERVICE is a service's name, or 'all' for everything on this host; web:8080 and web:10.0.0.7:8080 name one instance.",
    example = "hadown -r 'new kernel' all            until 'haup all'",
    example = "hadown --for 2h30m web mail           lifted by itself",
    example = "hadown --until 18:00 web:8080         one instance, local time",
    example = "hadown --wait web                     returns when every load balancer has acted",
    example = "hadown --wait=drained web             ... and the last session has ended",
    example = "haup --when-healthy 3 --wait web      after three passed checks, until all see it up",
    example = "hastatus web && echo up               exit code 1 when down"
)]
pub(super) struct Args {
    /// folder of the downtimes (default /var/spool/hacheck)
    #[argh(option, arg_name = "folder")]
    spool_root: Option<String>,
    /// up, down, status, status_downed or list: do this instead of what the name says
    #[argh(option, short = 'a')]
    action: Option<String>,
    /// why; shown to whoever asks, and by HAProxy (hadown; default: the user's name)
    #[argh(option, short = 'r')]
    reason: Option<String>,
    /// when it ends, in seconds of unix time (hadown)
    #[argh(option, short = 'e', arg_name = "time")]
    expiration: Option<String>,
    /// how long it lasts: 90s, 45m, 2h30m, 3d, 1w (hadown)
    #[argh(option, long = "for", arg_name = "duration")]
    lasts: Option<String>,
    /// when it ends: 18:00, 2026-12-01T18:00, 2026-12-01T18:00Z, 2026-12-01 (hadown)
    #[argh(option, arg_name = "time")]
    until: Option<String>,
    /// the instance on this port only
    #[argh(option, short = 'P', arg_name = "port")]
    service_port: Option<String>,
    /// the instance on this host only; needs -P
    #[argh(option, short = 'H', arg_name = "host")]
    service_host: Option<String>,
    /// port of the daemon on this host (default 3333)
    #[argh(option, short = 'p')]
    port: Option<String>,
    /// tsv, uber or json (hastatus, hashowdowned, halist; default tsv)
    #[argh(option, short = 'o', arg_name = "format")]
    output: Option<String>,
    /// return only when every load balancer has acted; with =drained (hadown) also when its sessions have ended
    #[argh(option, arg_name = "drained")]
    wait: Option<String>,
    /// how long to wait at most: 60, 90s, 5m (default 60 seconds)
    #[argh(option, arg_name = "time")]
    timeout: Option<String>,
    /// equal answers after which a balancer without send-state counts as having acted (default 3)
    #[argh(option, arg_name = "number")]
    polls: Option<String>,
    /// wait until at least so many balancers are known (default 0)
    #[argh(option, arg_name = "number")]
    min_pollers: Option<String>,
    /// with --wait: also when that leaves a backend without a server
    #[argh(switch)]
    force: bool,
    /// only after so many passed checks in a row (haup)
    #[argh(option, arg_name = "number")]
    when_healthy: Option<String>,
    /// answer 404, for HAProxy's disable-on-404: old sessions are still served (hadown)
    #[argh(switch)]
    soft: bool,
    /// take away the weight only, by HAProxy's agent-check; needs agent_weights (hadown)
    #[argh(switch)]
    drain: bool,
    /// refuse when it is down already (hadown)
    #[argh(switch)]
    if_up: bool,
    /// who polls, and what each load balancer sees (halist)
    #[argh(switch)]
    pollers: bool,
    /// services or instances
    #[argh(positional)]
    services: Vec<String>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Up,
    Down,
    Status,
    Downed,
    List,
}

impl Action {
    fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "up" => Ok(Self::Up),
            "down" => Ok(Self::Down),
            "status" => Ok(Self::Status),
            "status_downed" => Ok(Self::Downed),
            "list" => Ok(Self::List),
            _ => Err(Failure::usage(format!(
                "-a: {text:?} is not an action; give up, down, status, status_downed or list"
            ))),
        }
    }

    fn takes_services(self) -> bool {
        matches!(self, Self::Up | Self::Down | Self::Status)
    }
}

/// A service or instance to act on.
#[derive(Debug, PartialEq)]
pub(super) struct Target {
    /// Its entry in the spool.
    pub(super) key: Key,
    /// The host as it was given with `-H`, which the key leaves out when it is 127.0.0.1.
    pub(super) host: Option<String>,
}

/// A command line that makes sense.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) spool: Spool,
    pub(super) reason: Option<String>,
    /// When a new downtime ends, in seconds of unix time.
    pub(super) expiration: Option<f64>,
    pub(super) targets: Vec<Target>,
    /// The daemon's port.
    pub(super) port: u16,
    pub(super) format: Format,
    /// What to wait for after the change.
    pub(super) wait: Option<Goal>,
    pub(super) limits: Limits,
    /// `haup`: passed checks in a row that come first.
    pub(super) when_healthy: Option<u32>,
    /// `hadown`: how a downtime is to be told, other than as usual.
    pub(super) mark: Option<Mark>,
    pub(super) if_up: bool,
    /// `halist`: the pollers instead of the services.
    pub(super) pollers: bool,
}

/// Runs one of the five: the one that `-a` says, else the one that was called.
pub(super) fn run(call: &Call, called: Action) -> Result<u8, Failure> {
    show_warnings();
    let args: Args = call.parse()?;
    let action = args.action.as_deref().map_or(Ok(called), Action::parse)?;
    let request = request(args, action)?;
    match action {
        Action::Up => up::act(call, &request),
        Action::Down => down::act(call, &request),
        Action::Status => status::act(call, &request),
        Action::Downed => downed::act(call, &request),
        Action::List if request.pollers => pollers::act(call, &request),
        Action::List => list::act(call, &request),
    }
}

fn request(args: Args, action: Action) -> Result<Request, Failure> {
    let port = |option: &str, text: Option<&str>| {
        text.map(|t| parse_port(t).map_err(|e| Failure::usage(format!("{option}: {e}")))).transpose()
    };
    let service_port = port("-P", args.service_port.as_deref())?;
    let daemon_port = port("-p", args.port.as_deref())?.unwrap_or(serve::DEFAULT_PORT);
    let expiration = expiration(&args, action)?;
    if args.output.is_some() && matches!(action, Action::Up | Action::Down) {
        return Err(Failure::usage("-o: only hastatus, hashowdowned and halist have an output to format"));
    }
    let format = args.output.as_deref().map_or(Ok(Format::Tsv), Format::parse)?;
    let wait = wait_options(&args, action)?;
    let limits = Limits::parse(&args.timeout, &args.polls, &args.min_pollers, args.force)?;
    let when_healthy = limits::number("--when-healthy", args.when_healthy.as_deref())?;
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
        return Err(Failure::usage(format!("this lists all services, so {stray:?} has no place here; leave it out")));
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
    let only = |given: bool, places: &[Action], says: &str| match given && !places.contains(&action) {
        true => Err(Failure::usage(says)),
        false => Ok(()),
    };
    only(
        args.soft || args.drain || args.if_up,
        &[Action::Down],
        "--soft, --drain and --if-up: only hadown takes them",
    )?;
    only(args.when_healthy.is_some(), &[Action::Up], "--when-healthy: only haup waits for health")?;
    only(args.pollers, &[Action::List], "--pollers: only halist lists them")?;
    only(args.wait.is_some(), &[Action::Up, Action::Down], "--wait: only hadown and haup change what is waited for")?;
    let Some(wait) = &args.wait else { return Ok(None) };
    if let Some(value) = args.services.iter().find(|s| matches!(s.as_str(), "drained" | "seen")) {
        return Err(Failure::usage(format!("{value:?} is no service here; write --wait={value}")));
    }
    match (action, wait.as_str()) {
        (Action::Down, "seen") => Ok(Some(Goal::Out)),
        (Action::Down, "drained") => Ok(Some(Goal::Drained)),
        (Action::Up, "seen") => Ok(Some(Goal::Up)),
        _ => Err(Failure::usage(format!("--wait={wait}: hadown waits for 'seen' or 'drained', haup for 'seen'"))),
    }
}

fn expiration(args: &Args, action: Action) -> Result<Option<f64>, Failure> {
    if action != Action::Down && (args.lasts.is_some() || args.until.is_some()) {
        return Err(Failure::usage("--for and --until say when a downtime ends: only hadown takes them"));
    }
    let ends = match (&args.expiration, &args.lasts, &args.until) {
        (None, None, None) => return Ok(None),
        (Some(unix), None, None) => times::parse_unix(unix).map_err(|e| format!("-e: {e}")),
        (None, Some(lasts), None) => times::parse_for(lasts, unix_now()).map_err(|e| format!("--for: {e}")),
        (None, None, Some(until)) => times::parse_until(until).map_err(|e| format!("--until: {e}")),
        _ => Err("give at most one of -e, --for and --until".to_owned()),
    };
    ends.map(Some).map_err(Failure::usage)
}

fn targets(services: &[String], host: Option<&str>, port: Option<u16>) -> Result<Vec<Target>, Failure> {
    if host.is_some() && port.is_none() {
        return Err(Failure::usage("-H needs the service's port too: give it with -P"));
    }
    if services.is_empty() {
        return Err(Failure::usage("name at least one service, or 'all'"));
    }
    services.iter().map(|text| target(text, host, port)).collect()
}

fn target(text: &str, host: Option<&str>, port: Option<u16>) -> Result<Target, Failure> {
    let wrong = |e: spool::NameError| Failure::usage(format!("service {text:?}: {e}"));
    let key = match port {
        Some(_) if text.contains(':') => {
            return Err(Failure::usage(format!("service {text:?} names its port already: leave out -P and -H")));
        }
        Some(port) => Key::instance(ServiceName::parse(text).map_err(wrong)?, host, port),
        None => Key::parse(text),
    };
    let key = key.map_err(wrong)?.canonical();
    let host = host.or(key.host()).map(str::to_owned);
    Ok(Target { key, host })
}

/// What the daemon says of the pollers right now; the inner error is a daemon that does not answer.
///
/// # Errors
/// When the daemon looks into another spool: whatever is changed here, nobody would act on it.
pub(super) fn asked(request: &Request, daemon: Daemon, keys: &[String]) -> Result<Result<Page, String>, Failure> {
    let page = daemon.pollers(keys, ANSWER);
    if let Ok(page) = &page {
        let other = |e| Failure::failed(format!("{e}; nothing was changed"));
        ask::same_root(page, &request.spool, request.port).map_err(other)?;
    }
    Ok(page)
}

/// What went wrong with single services, after the others were done.
pub(super) fn outcome(code: u8, errors: &[String]) -> Result<u8, Failure> {
    if errors.is_empty() { Ok(code) } else { Err(Failure::failed(errors.join("\n"))) }
}

/// Shows on standard error what the spool logs, such as a lock that another process holds for too long.
pub(super) fn show_warnings() {
    struct Warnings;
    impl log::Log for Warnings {
        fn enabled(&self, metadata: &log::Metadata) -> bool {
            metadata.level() <= log::Level::Warn && metadata.target().starts_with("hacheck")
        }
        fn log(&self, record: &log::Record) {
            if self.enabled(record.metadata()) {
                let _ = writeln!(std::io::stderr(), "hacheck: warning: {}", record.args());
            }
        }
        fn flush(&self) {}
    }
    // Fails only where a logger stands already, which then shows them.
    if log::set_logger(&Warnings).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}
