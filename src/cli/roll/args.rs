//! The options of haroll, and what they mean for each host.

use argh::{ArgsInfo, FromArgs};

use crate::cli::args::reason;
use crate::cli::failure::{Failure, usage};
use crate::cli::wait::limits::{LimitWords, WaitLimits};

/// How long sessions may take to end unless told otherwise.
const DRAIN_TIMEOUT: &str = "60s";

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    example = "haroll web -- systemctl restart web",
    example = "haroll -r 'release 42' --timeout 5m web api -- /opt/deploy/run 42",
    example = "haroll --max-down 1 web -- systemctl restart web",
    example = "haroll --fleet --max-down 1 web -- systemctl restart web",
    example = "haroll --fleet --resume r-5k2"
)]
pub(super) struct RollArgs {
    /// folder of the downtimes (default /var/spool/hacheck)
    #[argh(option, arg_name = "folder")]
    pub(super) spool_root: Option<String>,
    /// port of the daemon on this host (default 3333)
    #[argh(option, short = 'p')]
    pub(super) port: Option<String>,
    /// reason, shown to pollers and operators (default: the user and the command)
    #[argh(option, short = 'r')]
    pub(super) reason: Option<String>,
    /// longest wait of each step except the command and the end of sessions: 60, 90s, 5m (default: what the
    /// balancers need, at least 60 seconds)
    #[argh(option, arg_name = "time")]
    pub(super) timeout: Option<String>,
    /// equal answers after which a balancer without send-state counts as having acted (default: by the setting pollers, else 3)
    #[argh(option, arg_name = "number")]
    pub(super) polls: Option<String>,
    /// wait until this many balancers are known (default: until hacheck has run for 30 seconds)
    #[argh(option, arg_name = "number")]
    pub(super) min_pollers: Option<String>,
    /// longest wait for sessions to end, once every balancer has acted (default 60 seconds)
    #[argh(option, arg_name = "time")]
    pub(super) drain_timeout: Option<String>,
    /// how long to wait for the sessions of a balancer without send-state, which are unknown (default 10 seconds)
    #[argh(option, arg_name = "time")]
    pub(super) grace: Option<String>,
    /// even if a backend is left without a server, nobody polls it, or somebody else took it down
    #[argh(switch)]
    pub(super) force: bool,
    /// in a fleet: first wait until so few other hosts are out that with this one it is at most this many, or such a
    /// part of them as 10%; without --timeout as long as that takes
    #[argh(option, arg_name = "number")]
    pub(super) max_down: Option<String>,
    /// with --max-down: so many for each value of this tag
    #[argh(option, arg_name = "tag")]
    pub(super) per: Option<String>,
    /// with --max-down: only hosts with these tags count, as zone=a,b or zone!=a; may be given several times
    #[argh(option, long = "where", arg_name = "tag=value")]
    pub(super) conditions: Vec<String>,
    /// with --max-down: only these hosts count, parted by commas
    #[argh(option, arg_name = "names")]
    pub(super) hosts: Vec<String>,
    /// with --max-down: the id of the roll that this host is a part of (default: one of its own)
    #[argh(option, arg_name = "id")]
    pub(super) roll: Option<String>,
    /// on all hosts that --where and --hosts choose, as many at once as --max-down says: by what `via` in the file of the
    /// fleet starts, ssh
    #[argh(switch)]
    pub(super) fleet: bool,
    /// with --fleet: how many hosts may fail before no other one begins (default 0)
    #[argh(option, arg_name = "number")]
    pub(super) max_failed: Option<String>,
    /// with --fleet: go on with a roll, on the hosts that are not done
    #[argh(option, arg_name = "id")]
    pub(super) resume: Option<String>,
    /// with --fleet: only show the hosts, and which of them are out now
    #[argh(switch, short = 'n')]
    pub(super) dry_run: bool,
    /// with --fleet: json or table (default table); json is one document at the end
    #[argh(option, short = 'o', arg_name = "format")]
    pub(super) output: Option<String>,
    /// alone: finish the rolls of a fleet whose commands rebooted this host, as hacheck-roll-finish.service does after a boot
    #[argh(switch)]
    pub(super) finish: bool,
    /// file of the fleet (default $HACHECK_FLEET_FILE, else /etc/hacheck/fleet.yml)
    #[argh(option, arg_name = "file")]
    pub(super) fleet_file: Option<String>,
    /// services or instances, --, and the command
    #[argh(positional, arg_name = "command")]
    pub(super) words: Vec<String>,
}

/// The services in front of `--`, and the command behind it.
pub(super) fn split(words: &[String]) -> Result<(&[String], &[String]), Failure> {
    match words.iter().position(|word| word == "--") {
        Some(at) if at > 0 && at + 1 < words.len() => Ok((&words[..at], &words[at + 1..])),
        _ => Err(usage!(
            "give services, two dashes, and a command: haroll web -- COMMAND"
        )),
    }
}

pub(super) fn limits(args: &RollArgs) -> Result<WaitLimits, Failure> {
    WaitLimits::parse(&LimitWords {
        timeout: args.timeout.as_deref(),
        polls: args.polls.as_deref(),
        min_pollers: args.min_pollers.as_deref(),
        drain_timeout: args.drain_timeout.as_deref().or(Some(DRAIN_TIMEOUT)),
        grace: args.grace.as_deref(),
        force: args.force,
    })
}

pub(super) fn reason(given: Option<String>, command: &[String]) -> String {
    match given {
        Some(reason) if !reason.is_empty() => reason,
        _ => format!("{}: {}", reason::user(), command.join(" ")),
    }
}
