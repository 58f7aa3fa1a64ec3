//! `hacheck probe`: one check from the command line, by the daemon's own rules.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use argh::{ArgsInfo, FromArgs};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::cli::applet::{Applet, Call};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::{self, Config};
use crate::daemon::once::{self, OnceError, ProbeAnswer};
use crate::names::nearest::nearest;
use crate::probe::PROTOCOLS;
use crate::spool::{self, Spool};

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "probe",
    alias: None,
    usage: "[options] PROTOCOL SERVICE PORT [QUERY]",
    about: "run one check: print what the daemon would answer, and why",
    info: ProbeArgs::get_args_info,
    uses: |_| true,
    run,
};

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    example = "hacheck probe http web 8080 /health",
    example = "hacheck probe -v -c /etc/hacheck/hacheck.yml tcp db 5432"
)]
struct ProbeArgs {
    /// YAML file with the settings (default: none)
    #[argh(option, short = 'c', arg_name = "file")]
    config_file: Option<String>,
    /// folder of the downtimes (default /var/spool/hacheck)
    #[argh(option, arg_name = "folder")]
    spool_root: Option<String>,
    /// header to send, as a poller would, e.g. "Host: web.example"; may be repeated
    #[argh(option, short = 'H', arg_name = "header")]
    header: Vec<String>,
    /// show each step with its time
    #[argh(switch, short = 'v')]
    verbose: bool,
    /// what to ask
    #[argh(positional)]
    words: Vec<String>,
}

fn run(call: &Call) -> Result<u8, Failure> {
    let args: ProbeArgs = call.parse()?;
    let path = path(&args.words)?;
    let headers = headers(&args.header)?;
    let config = match &args.config_file {
        None => Config::default(),
        Some(file) => {
            let loaded = config::load(Path::new(file))
                .map_err(|faults| Failure::failed(faults.to_string()))?;
            loaded
                .warnings
                .iter()
                .for_each(|w| call.note(&w.to_string()));
            loaded.config
        }
    };
    let spool = Spool::at(
        args.spool_root
            .unwrap_or_else(|| spool::DEFAULT_ROOT.into()),
    );
    let answer = once::ask(&path, &headers, config, &spool).map_err(|e| match e {
        OnceError::Path(why) => Failure::usage(why),
        OnceError::Setup(why) => Failure::failed(why),
    })?;
    show(&answer, args.verbose)?;
    Ok(u8::from(!answer.passes))
}

/// The path that a balancer would ask for.
fn path(words: &[String]) -> Result<String, Failure> {
    let (protocol, service, port, query) = match words {
        [protocol, service, port] => (protocol, service, port, ""),
        [protocol, service, port, query] => (protocol, service, port, query.as_str()),
        _ => {
            return Err(Failure::usage(
                "give protocol, service and port, and a query if you like",
            ));
        }
    };
    let mut names: Vec<&str> = PROTOCOLS.iter().map(|p| p.name).collect();
    names.push("spool");
    if !names.contains(&protocol.as_str()) {
        let near = nearest(protocol, names.iter().copied()).map(|n| format!("; did you mean {n}?"));
        let near = near.unwrap_or_else(|| format!("; there are {}", names.join(", ")));
        return Err(Failure::usage(format!(
            "unknown protocol {protocol:?}{near}"
        )));
    }
    spool::parse_port(port).map_err(|e| Failure::usage(e.to_string()))?;
    Ok(format!(
        "/{protocol}/{service}/{port}/{}",
        query.strip_prefix('/').unwrap_or(query)
    ))
}

fn headers(given: &[String]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for text in given {
        let wrong = || {
            Failure::usage(format!(
                "-H: {text:?} is not a header; write \"Name: value\""
            ))
        };
        let (name, value) = text.split_once(':').ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        headers.append(
            name,
            HeaderValue::from_str(value.trim()).map_err(|_| wrong())?,
        );
    }
    Ok(headers)
}

/// The answer goes to standard output, how it came about to standard error.
fn show(answer: &ProbeAnswer, verbose: bool) -> Result<(), Failure> {
    let mut about = String::new();
    // Writing to a String cannot fail.
    if verbose {
        for step in &answer.steps {
            let _ = writeln!(
                about,
                "{:>9.2} ms  {}",
                step.at.as_secs_f64() * 1000.0,
                step.what
            );
        }
    }
    let _ = writeln!(about, "{}", answer.why);
    // Where standard error is closed, nobody wants to know.
    let _ = io::stderr().write_all(about.as_bytes());
    let mut text = answer.status.to_string();
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(&answer.body));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    output::print(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_words_become_the_path_that_a_balancer_asks_for() {
        assert_eq!(
            path(&words("http web 8080 /health?x=1")).unwrap(),
            "/http/web/8080/health?x=1"
        );
        assert_eq!(path(&words("tcp web 80")).unwrap(), "/tcp/web/80/");
    }

    #[test]
    fn wrong_words_are_named() {
        for (text, says) in [
            ("htpp web 80", "did you mean http?"),
            ("http web", "port"),
            ("http web x", "'x' is not a port"),
            ("gopher web 80", "there are http, https, tcp"),
        ] {
            let e = path(&words(text)).unwrap_err();
            assert!(
                e.code == 2 && e.message.contains(says),
                "{text}: {}",
                e.message
            );
        }
    }
}
