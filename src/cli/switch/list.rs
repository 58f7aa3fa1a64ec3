//! `halist`: what the running daemon was asked for in the last ten minutes, and what it answered last.

use std::io;
use std::time::Duration;

use argh::ArgsInfo as _;
use bytes::Bytes;
use hyper::Method;
use hyper::header::{HOST, HeaderValue};
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};
use tokio::net::TcpStream;

use super::notes::note_end;
use super::{Action, Request, options};
use crate::cli::applet::{Applet, Call};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::output::entries::Format;
use crate::cli::switch;
use crate::http::client;
use crate::os::cause::cause_text;
use crate::spool::ALL;

/// How long the daemon may take, from connect to last byte.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Most that is read of the daemon's answer, in bytes.
const ANSWER_MAX: usize = 64 << 20;

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "list",
    alias: Some("halist"),
    usage: "[options] [--pollers [SERVICE...]]",
    about: "lists what the running daemon was asked for lately, and by whom",
    info: options::Args::get_args_info,
    uses: |option| Action::List.uses(option),
    run: |call| switch::run(call, Action::List),
};

pub(crate) fn act(call: &Call, request: &Request) -> Result<u8, Failure> {
    let port = request.port;
    let body = ask(port).map_err(Failure::failed)?;
    let strange = || {
        Failure::failed(format!(
            "what answers on port {port} is no hacheck; give its port with -p"
        ))
    };
    let answer: Value = serde_json::from_slice(&body).map_err(|_| strange())?;
    let mut seen: Vec<_> = answer["seen_services"]
        .as_array()
        .ok_or_else(strange)?
        .iter()
        .map(line)
        .collect();
    seen.sort();
    match request.format {
        Format::Json => output::print(&format!("{}\n", String::from_utf8_lossy(&body).trim_end())),
        Format::Tsv | Format::Uber => {
            output::print(&seen.concat())?;
            note_ends(call, request, &answer);
            Ok(())
        }
    }
    .map(|()| 0)
}

/// Tells which of the services come back by themselves.
fn note_ends(call: &Call, request: &Request, answer: &Value) {
    // The list is the daemon's; the spool is only looked into where it can be.
    let Ok(listing) = request.spool.list() else {
        return;
    };
    let seen = answer["seen_services"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let is_seen = |name: &str| name == ALL || seen.iter().any(|s| s[0] == name || *s == name);
    for (key, downtime) in listing
        .downtimes
        .iter()
        .filter(|(key, _)| is_seen(key.service_name().as_str()))
    {
        note_end(call, key, downtime);
    }
}

/// `web last_response={"code": 200, …}`; older daemons tell names only.
fn line(seen: &Value) -> String {
    let name = |v: &Value| v.as_str().unwrap_or("?").replace(char::is_control, " ");
    match seen.as_array().map(Vec::as_slice) {
        Some([service, last, ..]) => format!("{} last_response={}\n", name(service), spaced(last)),
        _ => format!("{}\n", name(seen)),
    }
}

fn ask(port: u16) -> Result<Bytes, String> {
    let silent = || {
        format!(
            "hacheck on port {port} did not answer within {} s; look at its log",
            TIMEOUT.as_secs()
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|e| format!("cannot wait for the daemon's answer: {}", cause_text(e)))?;
    runtime.block_on(async {
        tokio::time::timeout(TIMEOUT, fetch(port))
            .await
            .map_err(|_| silent())?
    })
}

async fn fetch(port: u16) -> Result<Bytes, String> {
    let down = |e| {
        format!(
            "no hacheck answers on port {port} of 127.0.0.1 ({e}); start it, or give its port with -p"
        )
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .map_err(|e: io::Error| down(e.kind().to_string()))?;
    let host =
        HeaderValue::try_from(format!("127.0.0.1:{port}")).map_err(|e| down(e.to_string()))?;
    let request = client::Request::new(&Method::GET, "/recent", [(&HOST, &host)].into_iter());
    let answer = async { request?.ask(&mut stream, 0, ANSWER_MAX).await }.await;
    let answer = answer.map_err(|e| down(cause_text(e)))?;
    match answer.status.as_u16() {
        200 => Ok(answer.body),
        status => Err(format!(
            "port {port} answered {status} to /recent; give the port of hacheck with -p"
        )),
    }
}

/// JSON with a space behind colons and commas, as the originals print it.
fn spaced(value: &Value) -> String {
    let mut out = Vec::new();
    let written =
        serde::Serialize::serialize(value, &mut Serializer::with_formatter(&mut out, Spaced));
    written
        .map(|()| String::from_utf8_lossy(&out).into_owned())
        .unwrap_or_default()
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }
}
