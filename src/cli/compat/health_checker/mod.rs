//! `health-checker`, in place of Gruntwork's tool of that name: any URL answers 200 when all ports
//! and scripts are healthy.
//!
//! Rule: this is a translation of its flags into one group; checks and answers are the engine's.

mod flags;
mod report;
mod serve;

use std::net::SocketAddr;

use argh::{ArgsInfo, FromArgs};
use log::LevelFilter;

use self::flags::{LISTENER, config, listener_address, log_level, singleflight};
use crate::cli::applet::{Applet, Call};
use crate::cli::args::help;
use crate::cli::failure::{Failure, usage};
use crate::cli::output;
use crate::config::Config;
use crate::daemon;
use crate::os::logging::{self, LogFormat, LogPath};

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

    serve(HealthChecker::new(&args)?)
}

fn serve(checker: HealthChecker) -> Result<u8, Failure> {
    logging::start(&LogPath::Stdout, LogFormat::Logrus, checker.level).map_err(Failure::failed)?;
    let runtime = daemon::runtime().map_err(Failure::failed)?;
    let ended = runtime.block_on(serve::run(checker));
    // A script that is still waited for must not hold up the end.
    runtime.shutdown_background();
    logging::flush();
    ended?;
    Ok(0)
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

#[cfg(test)]
mod tests;
