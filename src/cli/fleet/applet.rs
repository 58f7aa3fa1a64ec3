//! `hacheck fleet`: the whole fleet at a glance, its hosts, its log, and what an operator does about a host that is gone.

use argh::{ArgsInfo, FromArgs};

use super::request::{FleetFile, selector};
use super::site::Site;
use super::{forget, hosts, log, roles, serve, show};
use crate::cli::applet::{Applet, Call};
use crate::cli::args::values::{self, number};
use crate::cli::failure::{Failure, usage};
use crate::cli::output::entries::OutputFormat;
use crate::fleet::{Selector, is_host_name};

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "fleet",
    alias: None,
    usage: "[options] [hosts|log|forget|release|roles [HOST...]]",
    about: "show the fleet, live: which hosts are down, lost or late, and why; its log; forget hosts that are gone",
    info: FleetArgs::get_args_info,
    uses: |_| true,
    run,
};

/// Lines of the log that are shown unless told otherwise.
const LINES: u32 = 50;

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    note = "HOST is the name of a host of the fleet. Without any word the whole fleet is shown, live; press q to quit. Where the output is no terminal, it is printed once.",
    example = "hacheck fleet                            what is the matter, live",
    example = "hacheck fleet hosts --where zone=a       who is there, and who is lost",
    example = "hacheck fleet --serve 127.0.0.1:3380     the same as a page for a browser",
    example = "hacheck fleet log                        who ordered what lately",
    example = "hacheck fleet forget web07               a host that is gone for good",
    example = "hacheck fleet release web07 -r rebuilt   its slots, after a roll that died",
    example = "hacheck fleet roles web01 web02          the lines of etcdctl that grant roles"
)]
struct FleetArgs {
    /// file of the fleet (default $HACHECK_FLEET_FILE, else /etc/hacheck/fleet.yml)
    #[argh(option, arg_name = "file")]
    fleet_file: Option<String>,
    /// only hosts with these tags, as zone=a,b or zone!=a; may be given several times
    #[argh(option, long = "where", arg_name = "tag=value")]
    conditions: Vec<String>,
    /// only these hosts, parted by commas
    #[argh(option, arg_name = "names")]
    hosts: Vec<String>,
    /// tsv, json or table (default table); the whole fleet is then printed once
    #[argh(option, short = 'o', arg_name = "format")]
    output: Option<String>,
    /// reason, which the log shows; release needs one
    #[argh(option, short = 'r')]
    reason: Option<String>,
    /// lines of the log to show, the newest (default 50)
    #[argh(option, short = 'n', arg_name = "number")]
    lines: Option<String>,
    /// forget a host that is alive, too
    #[argh(switch)]
    force: bool,
    /// serve the page of the fleet at this address, such as 127.0.0.1:3380, until Ctrl-C
    #[argh(option, arg_name = "address")]
    serve: Option<String>,
    /// with --serve: who may see the page besides this host, as 10.0.0.0/8 or private; may be given several times
    #[argh(option, arg_name = "network")]
    from: Vec<String>,
    /// hosts, log, forget HOST, release HOST, release HOST SERVICE, roles [HOST...]
    #[argh(positional)]
    words: Vec<String>,
}

/// What the parts of the command have in common.
pub(super) struct FleetCall<'a> {
    pub(super) call: &'a Call,
    pub(super) file: FleetFile,
    pub(super) selector: Selector,
    pub(super) format: OutputFormat,
    pub(super) reason: Option<String>,
    pub(super) lines: usize,
    pub(super) force: bool,
}

fn run(call: &Call) -> Result<u8, Failure> {
    let args: FleetArgs = call.parse()?;
    let fleet = FleetCall::of(call, &args)?;
    match &args.serve {
        Some(address) => serve_page(&fleet, &args, address),
        None => run_words(&fleet, &args),
    }
}

fn serve_page(fleet: &FleetCall<'_>, args: &FleetArgs, address: &str) -> Result<u8, Failure> {
    let site = Site::of(address, &args.from)?;
    if args.words.is_empty() && args.output.is_none() {
        return serve::serve(fleet, site);
    }

    Err(usage!(
        "--serve serves the page alone; leave out words and -o"
    ))
}

fn run_words(fleet: &FleetCall<'_>, args: &FleetArgs) -> Result<u8, Failure> {
    if !args.from.is_empty() {
        return Err(usage!("--from is for --serve alone"));
    }

    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        // Whether there is an -o matters here: only without one it is live.
        [] => show::show(fleet, format(args.output.as_deref())?),
        ["hosts"] => hosts::show(fleet),
        ["log"] => log::show(fleet),
        ["forget", host] => forget::forget(fleet, host_name(host)?),
        ["release", host] => forget::release(fleet, host_name(host)?, None),
        ["release", host, key] => release_one(fleet, host, key),
        ["roles", hosts @ ..] => roles::show(fleet, hosts),
        other => Err(misused(other)),
    }
}

fn release_one(fleet: &FleetCall<'_>, host: &str, key: &str) -> Result<u8, Failure> {
    let key = values::service(key)?;
    forget::release(fleet, host_name(host)?, Some(&key))
}

impl<'a> FleetCall<'a> {
    fn of(call: &'a Call, args: &FleetArgs) -> Result<Self, Failure> {
        let reason = args.reason.clone();
        Ok(Self {
            call,
            file: FleetFile::of(args.fleet_file.as_deref()),
            selector: selector(&args.conditions, &args.hosts)?,
            format: format(args.output.as_deref())?.unwrap_or(OutputFormat::Table),
            reason: reason.filter(|reason| !reason.is_empty()),
            lines: lines(args.lines.as_deref())?,
            force: args.force,
        })
    }
}

/// What is wrong with the words of a command line.
fn misused(words: &[&str]) -> Failure {
    match words {
        ["forget" | "release"] => usage!("name the host"),
        ["forget" | "release", ..] => {
            usage!("name one host at a time, and for release at most one service behind it")
        }
        [known @ ("hosts" | "log"), stray, ..] => {
            usage!("{known} takes no words behind it, so {stray:?} has no place here; leave it out")
        }
        other => {
            let other = other.first().copied().unwrap_or_default();
            usage!("{other:?} is not known; give hosts, log, forget, release or roles")
        }
    }
}

fn format(given: Option<&str>) -> Result<Option<OutputFormat>, Failure> {
    let Some(text) = given else {
        return Ok(None);
    };

    match OutputFormat::parse(text) {
        // Uber's tools know no fleet, so nobody reads their format here.
        Ok(OutputFormat::Uber) | Err(_) => Err(usage!(
            "-o: {text:?} is not a format; give tsv, json or table"
        )),
        Ok(format) => Ok(Some(format)),
    }
}

fn lines(given: Option<&str>) -> Result<usize, Failure> {
    let number = values::given("-n", given, number)?;
    let lines = number.unwrap_or(LINES);
    Ok(usize::try_from(lines).unwrap_or(usize::MAX))
}

/// A word that can be the name of a host.
pub(super) fn host_name(word: &str) -> Result<&str, Failure> {
    // It becomes a part of keys in etcd, where '/' would lead elsewhere.
    match is_host_name(word) {
        true => Ok(word),
        false => Err(usage!("{word:?} is not the name of a host")),
    }
}
