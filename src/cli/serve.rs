//! `hacheck serve`, also `hacheck -c FILE -p PORT`: the daemon, with every flag of the replaced
//! tools.

use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs as _};
use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use crate::cli::applet::{Applet, Call};
use crate::cli::args::values;
use crate::cli::client::DEFAULT_PORT;
use crate::cli::failure::{Failure, usage};
use crate::daemon::{self, Options};
use crate::spool;

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "serve",
    alias: None,
    usage: "[options]",
    about: "run the daemon that load balancers poll",
    info: ServeArgs::get_args_info,
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
struct ServeArgs {
    /// YAML file with the settings (default: none)
    #[argh(option, short = 'c', arg_name = "file")]
    config_file: Option<String>,
    /// port to listen on, 0 for any free one; may be repeated (default 3333)
    #[argh(option, short = 'p')]
    port: Vec<String>,
    /// port for HAProxy's agent-check; may be repeated (default none, or agent_ports of the config
    /// file)
    #[argh(option, arg_name = "port")]
    agent_port: Vec<String>,
    /// address to listen on, IPv4 or IPv6; :: takes IPv4 too, unless the host's net.ipv6.bindv6only is 1 (default
    /// 0.0.0.0)
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
    let options = options(call.parse()?)?;
    daemon::run(&options).map_err(Failure::failed)?;
    Ok(0)
}

fn options(args: ServeArgs) -> Result<Options, Failure> {
    expect_no_words(&args.stray)?;
    let root = args.spool_root.as_deref();
    Ok(Options {
        config_file: args.config_file.map(PathBuf::from),
        ports: poll_ports(&args.port)?,
        agent_ports: ports("--agent-port", &args.agent_port)?,
        bind_address: bind_address(args.bind_address.as_deref())?,
        threads: threads(args.num_procs.as_deref())?,
        spool_root: root.unwrap_or(spool::DEFAULT_ROOT).into(),
        verbose: args.verbose,
    })
}

fn expect_no_words(words: &[String]) -> Result<(), Failure> {
    match words.first() {
        None => Ok(()),
        Some(stray) => Err(usage!(
            "unexpected argument {stray:?}: the daemon takes options only"
        )),
    }
}

fn poll_ports(given: &[String]) -> Result<Vec<u16>, Failure> {
    if given.is_empty() {
        return Ok(vec![DEFAULT_PORT]);
    }

    ports("-p", given)
}

fn ports(option: &str, given: &[String]) -> Result<Vec<u16>, Failure> {
    let mut ports = Vec::new();
    for text in given {
        let port = values::port(option, text)?;
        // The same port twice is one socket; each 0 is another one.
        if port == 0 || !ports.contains(&port) {
            ports.push(port);
        }
    }

    Ok(ports)
}

fn bind_address(given: Option<&str>) -> Result<IpAddr, Failure> {
    let Some(text) = given else {
        return Ok(Ipv4Addr::UNSPECIFIED.into());
    };

    if let Some(address) = address(text) {
        return Ok(address);
    }

    Err(usage!(
        "-B: {text:?} is not an address or a name of this host; give one of its own, 0.0.0.0 or ::"
    ))
}

/// An address, or the one of a name; of several an IPv4 one.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }

    let found = (text, 0).to_socket_addrs().ok()?;
    // The replaced tools knew IPv4 only, so that is what a name stands for in old start scripts.
    let addresses = found.map(|socket_address| socket_address.ip());
    // Of several that are alike the first, as the resolver has put them in order.
    addresses.min_by_key(IpAddr::is_ipv6)
}

fn threads(given: Option<&str>) -> Result<usize, Failure> {
    let Some(text) = given else {
        return Ok(1);
    };

    match text.parse() {
        Ok(0) => Ok(one_per_core()),
        Ok(threads @ 1..=THREADS_MAX) => Ok(threads),
        _ => Err(usage!(
            "-n: {text:?} is not a number of threads; give 1 to {THREADS_MAX}, or 0 for one per core"
        )),
    }
}

fn one_per_core() -> usize {
    match std::thread::available_parallelism() {
        // Of those that this process may use: a container may have fewer than the host.
        Ok(cores) => cores.into(),
        Err(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Options, Failure> {
        options(ServeArgs::from_args(&["hacheck"], args).unwrap())
    }

    #[test]
    fn without_options_the_defaults_of_the_replaced_tools_hold() {
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
