//! `halist`: what the running daemon was asked for in the last ten minutes, and what it answered
//! last.

use std::io;

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

use super::notes::note_end;
use super::request::SwitchRequest;
use super::{Task, info, run};
use crate::cli::applet::Applet;
use crate::cli::client::{ANSWER_TIME, DaemonClient};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::entries::OutputFormat;
use crate::cli::output::pollers::age;
use crate::cli::output::table::{table, width};
use crate::names::text::one_line;
use crate::spool::{ALL, unix_now};

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "list",
    alias: Some("halist"),
    usage: "[options] [--pollers [SERVICE...]]",
    about: "list which checks the daemon was polled for lately, and by whom",
    info,
    uses: |option| Task::List.uses(option),
    run: |call| run(call, Task::List),
};

pub(super) fn act(request: &SwitchRequest) -> Result<u8, Failure> {
    let body = request.client.recent(ANSWER_TIME)?;
    // Also for JSON, which is printed as it came: what is no answer of a daemon is not passed on.
    let services = seen_services(request.client, &body)?;
    match request.format {
        OutputFormat::Json => {
            print_json(&body)?;
            return Ok(0);
        }
        OutputFormat::Table => print_table(request, &services)?,
        OutputFormat::Tsv | OutputFormat::Uber => print_lines(&services)?,
    }

    note_ends(request, &services);
    Ok(0)
}

fn print_lines(services: &[Value]) -> Result<(), Failure> {
    let mut lines: Vec<String> = services.iter().map(line).collect();
    // By name, whatever the order of the daemon.
    lines.sort();
    output::print(&lines.concat())
}

/// The services by name, each with its last answer, how long ago that was, and who asked.
fn print_table(request: &SwitchRequest, services: &[Value]) -> Result<(), Failure> {
    if services.is_empty() {
        request.note("nobody has polled lately");
        return Ok(());
    }

    let mut rows: Vec<_> = services.iter().map(cells).collect();
    rows.sort();
    let heads = ["SERVICE", "ANSWER", "AGO", "FOR"];
    output::print(&table(heads, &rows, width()))
}

fn cells(seen: &Value) -> [String; 4] {
    // Null has no fields: older daemons tell names only, and leave the other cells empty.
    let last = seen.get(1).unwrap_or(&Value::Null);
    let code = last["code"].as_u64().map(|code| code.to_string());
    let ago = last["ts"].as_f64().map(|at| age(unix_now() - at));
    let asker = last["remote_ip"].as_str().map(one_line);
    [
        shown_name(seen),
        code.unwrap_or_default(),
        ago.unwrap_or_default(),
        asker.unwrap_or_default(),
    ]
}

fn print_json(body: &[u8]) -> Result<(), Failure> {
    let json = String::from_utf8_lossy(body);
    output::print(&format!("{}\n", json.trim_end()))
}

/// Each service with its last answer; older daemons tell names only.
fn seen_services(client: DaemonClient, body: &[u8]) -> Result<Vec<Value>, Failure> {
    let mut answer: Value = client.parse(body)?;
    let services = answer.get_mut("seen_services");
    match services.map(Value::take) {
        Some(Value::Array(services)) => Ok(services),
        _ => Err(client.strange().into()),
    }
}

/// Tells which of the services come back by themselves.
fn note_ends(request: &SwitchRequest, services: &[Value]) {
    // The list is the daemon's; a spool that cannot be read here is no fault of it.
    let Ok(listing) = request.spool.list() else {
        return;
    };

    for (key, downtime) in &listing.downtimes {
        let name = key.service_name().as_str();
        if name == ALL || has_service(services, name) {
            note_end(request, key, downtime);
        }
    }
}

fn has_service(services: &[Value], name: &str) -> bool {
    let mut names = services.iter().map(service_name);
    names.any(|seen| seen == Some(name))
}

/// The name comes over the network, so it may hold anything.
fn shown_name(seen: &Value) -> String {
    one_line(service_name(seen).unwrap_or("?"))
}

fn service_name(seen: &Value) -> Option<&str> {
    let name = match seen.as_array() {
        Some(pair) => pair.first()?,
        None => seen,
    };
    name.as_str()
}

/// `web last_response={"code": 200, …}`.
fn line(seen: &Value) -> String {
    let name = shown_name(seen);
    match seen.get(1) {
        Some(last) => format!("{name} last_response={}\n", spaced(last)),
        None => format!("{name}\n"),
    }
}

/// JSON with a space behind colons and commas, as the replaced tools print it.
fn spaced(value: &Value) -> String {
    let mut json = Vec::new();
    // A `Value` always fits into JSON, and a `Vec` takes all of it.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut json, Spaced));
    String::from_utf8_lossy(&json).into_owned()
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        comma(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        comma(out, first)
    }
}

fn comma<W: ?Sized + io::Write>(out: &mut W, first: bool) -> io::Result<()> {
    if first { Ok(()) } else { out.write_all(b", ") }
}
