//! `hacheck probe`: one check from the command line, by the daemon's own rules.

use std::path::Path;

use argh::{ArgsInfo, FromArgs};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::cli::applet::{Applet, Call};
use crate::cli::args::values;
use crate::cli::failure::{Failure, usage};
use crate::cli::output;
use crate::config::{self, Config};
use crate::daemon::once::{self, OnceError, ProbeAnswer};
use crate::names::nearest::nearest;
use crate::names::parse_port;
use crate::probe::PROTOCOLS;

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
    let config = config(call, args.config_file.as_deref())?;
    let spool = values::spool(args.spool_root);
    let answer = once::ask(&path, &headers, config, &spool).map_err(failure)?;
    show(&answer, args.verbose)?;
    Ok(u8::from(!answer.passes))
}

fn config(call: &Call, file: Option<&str>) -> Result<Config, Failure> {
    let Some(file) = file else {
        return Ok(Config::default());
    };
    let loaded = config::load(Path::new(file)).map_err(Failure::failed)?;
    for warning in &loaded.warnings {
        call.note(&warning.to_string());
    }
    Ok(loaded.config)
}

fn failure(e: OnceError) -> Failure {
    match e {
        OnceError::Path(_) => Failure::usage(e),
        OnceError::Setup(_) | OnceError::Start(_) | OnceError::Spool(_) => Failure::failed(e),
    }
}

/// The path that a balancer would ask for.
fn path(words: &[String]) -> Result<String, Failure> {
    let (what, query) = match words {
        [what @ .., query] if what.len() == 3 => (what, query.as_str()),
        what => (what, ""),
    };
    let [protocol, service, port] = what else {
        return Err(usage!(
            "give protocol, service and port, and a query if you like"
        ));
    };
    check_protocol(protocol)?;
    parse_port(port).map_err(Failure::usage)?;
    let query = query.strip_prefix('/').unwrap_or(query);
    Ok(format!("/{protocol}/{service}/{port}/{query}"))
}

fn check_protocol(name: &str) -> Result<(), Failure> {
    let mut names: Vec<&str> = PROTOCOLS.iter().map(|protocol| protocol.name).collect();
    // Asks for downtimes alone, so it is no protocol of a probe.
    names.push("spool");
    if names.contains(&name) {
        return Ok(());
    }
    Err(unknown_protocol(name, &names))
}

fn unknown_protocol(name: &str, known: &[&str]) -> Failure {
    let remedy = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", known.join(", ")),
    };
    usage!("unknown protocol {name:?}; {remedy}")
}

fn headers(given: &[String]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for text in given {
        match header(text) {
            Some((name, value)) => headers.append(name, value),
            None => {
                return Err(usage!(
                    "-H: {text:?} is not a header; write \"Name: value\""
                ));
            }
        };
    }
    Ok(headers)
}

fn header(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    let name = name.trim().parse().ok()?;
    let value = HeaderValue::from_str(value.trim()).ok()?;
    Some((name, value))
}

/// The answer goes to standard output, how it came about to standard error.
fn show(answer: &ProbeAnswer, verbose: bool) -> Result<(), Failure> {
    if verbose {
        show_steps(answer);
    }
    output::complain(&answer.why);
    let body = String::from_utf8_lossy(&answer.body);
    let mut text = format!("{}\n{body}", answer.status);
    // A body mostly has no line break at its end, and the shell's prompt would stand behind it.
    if !text.ends_with('\n') {
        text.push('\n');
    }
    output::print(&text)
}

fn show_steps(answer: &ProbeAnswer) {
    for step in &answer.steps {
        let milliseconds = step.at.as_secs_f64() * 1000.0;
        output::complain(&format!("{milliseconds:>9.2} ms  {}", step.what));
    }
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
