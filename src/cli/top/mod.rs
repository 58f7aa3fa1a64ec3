//! `hacheck top`: the host's page in a terminal. On a terminal it is drawn again and again, else printed once.
//!
//! Rule: it shows, and nothing that it shows is a failure.

mod picture;
mod service;

use argh::{ArgsInfo, FromArgs};

use self::picture::Picture;
use crate::cli::applet::{Applet, Call};
use crate::cli::args::values;
use crate::cli::client::{ANSWER_TIME, DaemonClient};
use crate::cli::failure::{Failure, usage};
use crate::cli::live::{self, can_be_drawn_on};
use crate::cli::output;

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "top",
    alias: None,
    usage: "[options] [SERVICE...]",
    about: "show the state of this host, live: what is in rotation, what is not, and why",
    info: TopArgs::get_args_info,
    uses: |_| true,
    run,
};

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    note = "SERVICE is a service's name; without one, all are shown. Press q to quit. Where the output is no terminal, the state is printed once.",
    example = "hacheck top",
    example = "hacheck top web api",
    example = "hacheck top -o json | jq -r .verdict.text"
)]
struct TopArgs {
    /// port of the daemon on this host (default 3333)
    #[argh(option, short = 'p')]
    port: Option<String>,
    /// text or json (default text); json is printed once
    #[argh(option, short = 'o', arg_name = "format")]
    output: Option<String>,
    /// the services to show
    #[argh(positional)]
    services: Vec<String>,
}

fn run(call: &Call) -> Result<u8, Failure> {
    let args: TopArgs = call.parse()?;
    let port = values::daemon_port(args.port.as_deref())?;
    let client = DaemonClient { port };
    let services = service_names(&args.services)?;
    show(client, &services, args.output.as_deref())?;
    Ok(0)
}

fn show(client: DaemonClient, services: &[String], format: Option<&str>) -> Result<(), Failure> {
    match format {
        Some("json") => print_json(client, services),
        None | Some("text") if can_be_drawn_on() => watch(client, services),
        None | Some("text") => print_once(client, services),
        Some(other) => Err(usage!("-o: {other:?} is not a format; give text or json")),
    }
}

/// The names of services; of an instance that of its service, as all instances stand under it.
fn service_names(words: &[String]) -> Result<Vec<String>, Failure> {
    let name = |word: &String| Ok(values::service(word)?.service_name().to_string());
    words.iter().map(name).collect()
}

fn print_json(client: DaemonClient, services: &[String]) -> Result<(), Failure> {
    let body = client.overview_body(services, ANSWER_TIME)?;
    let text = String::from_utf8_lossy(&body);
    output::print(&format!("{}\n", text.trim_end()))
}

fn print_once(client: DaemonClient, services: &[String]) -> Result<(), Failure> {
    let overview = client.overview(services, ANSWER_TIME)?;
    let picture = Picture {
        wanted: services,
        overview: Some(overview),
        trouble: None,
    };
    output::print(&live::text_of(&picture))
}

/// Draws each answer until somebody presses q or Ctrl-C.
fn watch(client: DaemonClient, services: &[String]) -> Result<(), Failure> {
    let mut picture = Picture {
        wanted: services,
        overview: None,
        trouble: None,
    };

    let asked = services.to_vec();
    live::watch(&mut picture, move || client.overview(&asked, ANSWER_TIME))
}
