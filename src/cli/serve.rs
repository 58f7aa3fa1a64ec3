//! `hacheck serve`, also `hacheck -c FILE -p PORT`: the daemon, with every flag of the originals.

use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs as _};

use argh::{ArgsInfo, FromArgs};

use crate::cli::applet::{Applet, Call};
use crate::cli::client::DEFAULT_PORT;
use crate::cli::failure::Failure;
use crate::daemon::{self, Options};
use crate::spool::{self, parse_port};

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "serve",
    alias: None,
    usage: "[options]",
    about: "the daemon that load balancers ask",
    info: Args::get_args_info,
    uses: |_| true,
    run,
};

/// Most threads; more than any host needs for health checks.
const THREADS_MAX: usize = 256;

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    example = "hacheck -c /etc/hacheck/hacheck.yml -p 3333",
    example = "hacheck serve -B :: -n 2 -v"
)]
struct Args {
    /// the YAML file with the settings (default: none)
    #[argh(option, short = 'c', arg_name = "file")]
    config_file: Option<String>,
    /// port to listen on, 0 for any free one; may be repeated (default 3333)
    #[argh(option, short = 'p')]
    port: Vec<String>,
    /// port for HAProxy's agent-check; may be repeated (default none, or agent_ports of the config file)
    #[argh(option, arg_name = "port")]
    agent_port: Vec<String>,
    /// address to listen on, IPv4 or IPv6 (default 0.0.0.0)
    #[argh(option, short = 'B', arg_name = "address")]
    bind_address: Option<String>,
    /// threads, which share cache and counts; 0 is one per core (default 1)
    #[argh(option, short = 'n', arg_name = "threads")]
    num_procs: Option<String>,
    /// folder of the downtimes (default /var/spool/hacheck)
    #[argh(option, arg_name = "folder")]
    spool_root: Option<String>,
    /// log each request
    #[argh(switch, short = 'v')]
    verbose: bool,
    /// none
    #[argh(positional)]
    stray: Vec<String>,
}

fn run(call: &Call) -> Result<u8, Failure> {
    daemon::run(&options(call.parse()?)?)
        .map(|()| 0)
        .map_err(Failure::failed)
}

fn options(args: Args) -> Result<Options, Failure> {
    if let Some(stray) = args.stray.first() {
        return Err(Failure::usage(format!(
            "the daemon takes options only, not {stray:?}"
        )));
    }
    Ok(Options {
        config_file: args.config_file.map(Into::into),
        ports: if args.port.is_empty() {
            vec![DEFAULT_PORT]
        } else {
            ports("-p", &args.port)?
        },
        agent_ports: ports("--agent-port", &args.agent_port)?,
        bind_address: args
            .bind_address
            .map_or(Ok(Ipv4Addr::UNSPECIFIED.into()), |a| address(&a))?,
        threads: args.num_procs.map_or(Ok(1), |n| threads(&n))?,
        spool_root: args
            .spool_root
            .unwrap_or_else(|| spool::DEFAULT_ROOT.into())
            .into(),
        verbose: args.verbose,
    })
}

fn ports(option: &str, given: &[String]) -> Result<Vec<u16>, Failure> {
    let mut ports = Vec::new();
    for text in given {
        let port = parse_port(text).map_err(|e| Failure::usage(format!("{option}: {e}")))?;
        // The same port twice is one socket; each 0 is another one.
        if port == 0 || !ports.contains(&port) {
            ports.push(port);
        }
    }
    Ok(ports)
}

fn address(text: &str) -> Result<IpAddr, Failure> {
    let wrong = || {
        format!(
            "-B: {text:?} is not an address or a name of this host; give one of its own, 0.0.0.0 or ::"
        )
    };
    let named = || {
        (text, 0)
            .to_socket_addrs()
            .ok()?
            .map(|a| a.ip())
            .min_by_key(IpAddr::is_ipv6)
    };
    text.parse()
        .ok()
        .or_else(named)
        .ok_or_else(|| Failure::usage(wrong()))
}

fn threads(text: &str) -> Result<usize, Failure> {
    let wrong = || {
        format!(
            "-n: {text:?} is not a number of threads; give 1 to {THREADS_MAX}, or 0 for one per core"
        )
    };
    if text == "0" {
        return Ok(std::thread::available_parallelism().map_or(1, Into::into));
    }
    text.parse()
        .ok()
        .filter(|n| (1..=THREADS_MAX).contains(n))
        .ok_or_else(|| Failure::usage(wrong()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Options, Failure> {
        options(Args::from_args(&["hacheck"], args).unwrap())
    }

    #[test]
    fn without_options_the_defaults_of_the_originals_hold() {
        let options = read(&[]).unwrap();
        assert_eq!((options.config_file, options.ports), (None, vec![3333]));
        assert_eq!(
            (options.bind_address, options.threads),
            (Ipv4Addr::UNSPECIFIED.into(), 1)
        );
        assert_eq!(
            (options.spool_root.to_str(), options.verbose),
            (Some("/var/spool/hacheck"), false)
        );
    }

    #[test]
    fn every_option_reaches_the_daemon() {
        let options = read(&[
            "-c",
            "f",
            "-p",
            "1",
            "-p",
            "0",
            "-p",
            "1",
            "-B",
            "::1",
            "-n",
            "4",
            "--spool-root",
            "s",
            "-v",
        ]);
        let options = options.unwrap();
        assert_eq!(
            (options.config_file, options.ports),
            (Some("f".into()), vec![1, 0])
        );
        assert_eq!(
            (options.bind_address, options.threads),
            ("::1".parse().unwrap(), 4)
        );
        assert_eq!(
            (options.spool_root.to_str(), options.verbose),
            (Some("s"), true)
        );
    }

    #[test]
    fn wrong_values_are_usage_errors() {
        for args in [
            ["-p", "x"],
            ["-p", "65536"],
            ["-B", "nowhere"],
            ["-n", "257"],
            ["--", "stray"],
        ] {
            assert_eq!(read(&args).map_err(|e| e.code).err(), Some(2), "{args:?}");
        }
    }
}
