//! `hacheck probe`: one check from the command line, by the daemon's own rules.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use argh::{ArgsInfo, FromArgs};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::cli::applet::{Applet, Call};
use crate::cli::args::values;
use crate::cli::failure::{Failure, usage};
use crate::cli::output;
use crate::config::{self, Config};
use crate::daemon::once::{self, OnceError, ProbeAnswer};
use crate::names::parse_port;
use crate::os::access;
use crate::probe::Protocol;

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

/// The settings of the daemon as the package starts it.
const USUAL_FILE: &str = "/etc/hacheck/hacheck.yml";

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    example = "hacheck probe http web 8080 /health",
    example = "hacheck probe -v -c /etc/hacheck/hacheck.yml tcp db 5432"
)]
struct ProbeArgs {
    /// YAML file with the settings (default: /etc/hacheck/hacheck.yml, where it may be read)
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
    match file {
        Some(file) => load(call, Path::new(file)),
        None => usual_config(call, Path::new(USUAL_FILE)),
    }
}

/// The settings of the daemon, as far as whoever asks may read them: what it would answer depends on them.
fn usual_config(call: &Call, file: &Path) -> Result<Config, Failure> {
    let shown = file.display();
    if let Some(cause) = access::unreadable(file) {
        // Where there is none, the daemon has no settings but the defaults either.
        if !is_missing(file) {
            call.note(&format!(
                "cannot read {shown}: {cause}; the settings are the defaults, and the daemon may answer otherwise"
            ));
        }
        return Ok(Config::default());
    }

    call.note(&format!(
        "the settings are those of {shown}; -c names another file, -c /dev/null none"
    ));
    load(call, file)
}

fn is_missing(file: &Path) -> bool {
    matches!(fs::metadata(file), Err(e) if e.kind() == ErrorKind::NotFound)
}

fn load(call: &Call, file: &Path) -> Result<Config, Failure> {
    let loaded = config::load(file).map_err(Failure::failed)?;
    for warning in &loaded.warnings {
        call.note(&warning.to_string());
    }

    Ok(loaded.config)
}

fn failure(e: OnceError) -> Failure {
    match e {
        // The words of the command line made it.
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

    // Here, where the words are still apart: the path of all would only be called no check.
    check_protocol(protocol)?;
    parse_port(port).map_err(Failure::usage)?;
    // With and without its slash: people copy it from URLs.
    let query = query.strip_prefix('/').unwrap_or(query);
    Ok(format!("/{protocol}/{service}/{port}/{query}"))
}

fn check_protocol(name: &str) -> Result<(), Failure> {
    if name == once::SPOOL || Protocol::find(name).is_some() {
        return Ok(());
    }

    Err(Failure::usage(once::unknown_protocol(name)))
}

fn headers(given: &[String]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for text in given {
        let Some((name, value)) = header(text) else {
            return Err(usage!(
                "-H: {text:?} is not a header; write \"Name: value\""
            ));
        };
        // Beside an earlier one of this name, as a poller may send it twice.
        headers.append(name, value);
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
