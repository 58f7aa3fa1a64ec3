//! `health-checker`, in place of Gruntwork's tool of that name: any URL answers 200 when all ports
//! and scripts are healthy.
//!
//! Rule: this is a translation of its flags into one group; checks and answers are the engine's.

mod report;
mod serve;

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};
use log::LevelFilter;

use crate::cli::applet::{Applet, Call};
use crate::cli::args::help;
use crate::cli::failure::{Failure, usage};
use crate::cli::output;
use crate::config::Config;
use crate::daemon;
use crate::group::{Group, GroupCheck};
use crate::names::text::without_userinfo;
use crate::net::Host;
use crate::os::logging::{self, LogFormat, LogPath};
use crate::os::process::{Argv, all_names};

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "health-checker",
    alias: Some("health-checker"),
    usage: "[options]",
    about: "answer 200 on any URL while all given ports and scripts are healthy, else 504",
    info: HealthCheckerArgs::get_args_info,
    uses: |_| true,
    run,
};

/// The name of the one group.
const GROUP: &str = "health-checker";

/// The deadline of checks that are no scripts, as in Gruntwork's health-checker.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where it listens unless told otherwise: as the code of every release of Gruntwork's health-checker does. Its README
/// alone says 5000.
const LISTENER: &str = "0.0.0.0:5500";

/// The longest `--script-timeout`, in seconds: a day.
const SCRIPT_TIMEOUT_MAX: u64 = 86_400;

/// Checks that run at once, over all requests.
const CHECKS_MAX: usize = 100_000;

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    example = "health-checker --listener 0.0.0.0:6000 --port 5432 --port 3306",
    example = "health-checker --port http://localhost:8080/health --script /opt/zk.sh"
)]
struct HealthCheckerArgs {
    /// a port of this host that must take connections, or host:port, or a check such as
    /// http://localhost:8080/health; may be repeated. One of --port and --script is required
    #[argh(option)]
    port: Vec<String>,
    /// a command that must exit with 0, cut at each space; may be repeated
    #[argh(option, arg_name = "command")]
    script: Vec<String>,
    /// seconds that a script may take (default 5)
    #[argh(option, arg_name = "seconds")]
    script_timeout: Option<String>,
    /// let concurrent requests share one run of the checks: true or false (true when without a value)
    #[argh(option, arg_name = "bool")]
    singleflight: Option<String>,
    /// address and port to listen on (default 0.0.0.0:5500)
    #[argh(option, arg_name = "address")]
    listener: Option<String>,
    /// panic, fatal, error, warning, info, debug or trace (default info)
    #[argh(option, arg_name = "level")]
    log_level: Option<String>,
    /// also name the failed checks in the answer
    #[argh(switch)]
    verbose_body: bool,
    /// none
    #[argh(positional)]
    stray: Vec<String>,
}

/// The command line, parsed.
#[derive(Debug)]
struct HealthChecker {
    config: Config,
    listener: SocketAddr,
    /// Nobody said where to listen.
    is_default_listener: bool,
    level: LevelFilter,
    singleflight: bool,
    verbose_body: bool,
}

fn run(call: &Call) -> Result<u8, Failure> {
    // All that is left of an empty command line is the mark of the end of options.
    if call.args.len() <= 1 {
        output::print(&help::of_applet(&APPLET, &call.program))?;
        return Ok(0);
    }
    let args: HealthCheckerArgs = call.parse()?;
    for stray in &args.stray {
        call.note(&format!(
            "{stray:?} belongs to no option and is ignored; quote a script with its arguments"
        ));
    }
    let checker = HealthChecker::new(&args)?;
    logging::start(&LogPath::Stdout, LogFormat::Logrus, checker.level).map_err(Failure::failed)?;
    let runtime = daemon::runtime().map_err(Failure::failed)?;
    let ended = runtime.block_on(serve::run(checker));
    runtime.shutdown_background();
    logging::flush();
    ended?;
    Ok(0)
}

fn wants_debug() -> bool {
    let debug = std::env::var("HEALTH_CHECKER_DEBUG");
    debug.is_ok_and(|value| value.eq_ignore_ascii_case("true"))
}

impl HealthChecker {
    fn new(args: &HealthCheckerArgs) -> Result<Self, Failure> {
        if args.port.is_empty() && args.script.is_empty() {
            return Err(usage!(
                "Missing required parameter, one of --port / --script required"
            ));
        }
        let listener = args.listener.as_deref().unwrap_or(LISTENER);
        let level = args.log_level.as_deref().unwrap_or("info");
        Ok(Self {
            config: config(args)?,
            listener: listener_address(listener)?,
            is_default_listener: args.listener.is_none(),
            level: log_level(level)?,
            singleflight: singleflight(args.singleflight.as_deref())?,
            verbose_body: args.verbose_body,
        })
    }
}

/// A configuration whose one group has all checks.
fn config(args: &HealthCheckerArgs) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.check.cache_time = Some(Duration::ZERO);
    config.probe.max_clients = CHECKS_MAX;
    config.probe.max_probes_per_target = CHECKS_MAX;
    // Whoever starts it says in the environment what the scripts are to know, as with Gruntwork's.
    config.probe.exec_environment = all_names();
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

fn script(text: &str) -> Result<Argv, Failure> {
    Argv::split_at_spaces(text).map_err(|what| usage!("--script: {text:?} {what}"))
}

/// The check of a port of this host, of `host:port`, or of a URL.
fn port_check(text: &str) -> Result<GroupCheck, Failure> {
    let parsed = GroupCheck::parse(&check_url(text));
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
fn singleflight(given: Option<&str>) -> Result<bool, Failure> {
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
fn listener_address(text: &str) -> Result<SocketAddr, Failure> {
    let whole = if text.starts_with(':') {
        format!("{}{text}", Ipv4Addr::UNSPECIFIED)
    } else {
        text.to_owned()
    };
    let first = match whole.to_socket_addrs() {
        Ok(mut addresses) => addresses.next(),
        Err(_) => None,
    };
    first.ok_or_else(|| {
        usage!("--listener: {text:?} is not an address with a port; give one such as {LISTENER}")
    })
}

/// The level that an option names; the environment may ask for more.
fn log_level(word: &str) -> Result<LevelFilter, Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<HealthChecker, Failure> {
        HealthChecker::new(&HealthCheckerArgs::from_args(&["health-checker"], args).unwrap())
    }

    #[test]
    fn flags_become_one_group() {
        let options = read(&[
            "--port",
            "80",
            "--port",
            "db:5432",
            "--port",
            "http://localhost:8080/x",
            "--script",
            "cmd --flag #a 'b",
            "--script-timeout",
            "9",
            "--listener",
            ":6000",
            "--log-level",
            "Warning",
        ])
        .unwrap();
        let group = &options.config.groups[GROUP];
        let checks: Vec<_> = group
            .checks
            .iter()
            .map(|c| (c.text.as_str(), c.protocol, c.port, c.limit))
            .collect();
        let limit = Some(Duration::from_secs(9));
        assert_eq!(
            checks,
            [
                ("tcp://localhost:80", "tcp", 80, None),
                ("tcp://db:5432", "tcp", 5432, None),
                ("http://localhost:8080/x", "http", 8080, None),
                ("script cmd --flag '#a' ''\\''b'", "exec", 0, limit),
            ]
        );
        assert_eq!(
            options.config.probe.exec["script-1"].words(),
            ["cmd", "--flag", "#a", "'b"]
        );
        assert_eq!(
            (options.listener.to_string().as_str(), options.level),
            ("0.0.0.0:6000", LevelFilter::Warn)
        );
        assert_eq!(
            read(&["--port", "1"]).unwrap().listener.to_string(),
            "0.0.0.0:5500"
        );
    }

    #[test]
    fn wrong_values_are_named() {
        for (args, says) in [
            (
                &["--singleflight", "true"][..],
                "Missing required parameter, one of --port / --script required",
            ),
            (&["--port", "0"], "has a port that is not 1 to 65535"),
            (&["--port", "web"], "has no port"),
            (&["--port", "exec://x"], "use --script"),
            (
                &["--port", "http://u:s3cret@web/"],
                "--port: \"http://***@web/\" has a user name or a password in it",
            ),
            (&["--script", ""], "names no program"),
            (&["--port", "1", "--script-timeout", "0"], "give 1 to 86400"),
            (
                &["--port", "1", "--listener", "nonsense"],
                "is not an address with a port",
            ),
            (
                &["--port", "1", "--log-level", "loud"],
                "The log-level value \"loud\" is invalid",
            ),
            (
                &["--port", "1", "--singleflight", "maybe"],
                "is neither true nor false",
            ),
        ] {
            let failure = read(args).unwrap_err();
            assert!(
                failure.code == 2 && failure.message.contains(says),
                "{args:?}: {}",
                failure.message
            );
        }
    }
}
