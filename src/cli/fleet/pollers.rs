//! `halist --fleet --pollers`: who polls each host, by what the daemons there say.
//!
//! Rule: many are asked at once, none for longer than a limit, and those that do not answer are named.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::{slice, thread};

use serde_json::json;

use super::client::FleetClient;
use super::output::{json_lines, refuse_uber};
use super::request::FleetRequest;
use super::scope;
use crate::cli::applet::Call;
use crate::cli::client::{self, ANSWER_TIME, pollers_at};
use crate::cli::failure::{Failure, failed};
use crate::cli::output::entries::OutputFormat;
use crate::cli::output::{self, pollers};
use crate::fleet::{HostRecord, Snapshot};
use crate::ledger::PollersPage;
use crate::names::sort::sort_by;
use crate::os::cause::cause_text;

/// Most daemons that are asked at once.
const AT_ONCE: usize = 64;

pub(crate) fn act(call: &Call, request: &FleetRequest) -> Result<u8, Failure> {
    refuse_uber(request.format)?;
    let mut fleet = FleetClient::open(call, &request.file)?;
    let snapshot = fleet.snapshot()?;
    let hosts = live_hosts(&snapshot, request);
    if hosts.is_empty() {
        return Err(nobody_alive(&fleet.settings.fleet, request));
    }

    let names = client::names(&request.keys);
    let mut answers = ask_all(&hosts, &names);
    // They come as fast as each host is.
    sort_by(&mut answers, |a, b| a.0.cmp(b.0));
    output::print(&text(request, &answers))?;
    tell_silent(call, &answers)?;
    Ok(0)
}

fn nobody_alive(fleet: &str, request: &FleetRequest) -> Failure {
    let selector = &request.selector;
    failed!("no host of the fleet {fleet} that is selected by {selector} is alive")
}

/// A host that is asked.
type AskedHost<'a> = (&'a String, &'a HostRecord);

/// The name of a host, and what its daemon says.
type HostAnswer<'a> = (&'a str, io::Result<PollersPage>);

fn live_hosts<'a>(snapshot: &'a Snapshot, request: &FleetRequest) -> Vec<AskedHost<'a>> {
    let mut hosts = Vec::new();
    for (name, record) in snapshot.selected(&request.selector) {
        // One that is lost would only be waited for.
        if snapshot.alive.contains(name) {
            hosts.push((name, record));
        }
    }

    hosts
}

/// Asks all of them, each thread one after the other.
fn ask_all<'a>(hosts: &[AskedHost<'a>], names: &[String]) -> Vec<HostAnswer<'a>> {
    let left = Mutex::new(hosts.iter());
    let answers = Mutex::new(Vec::new());
    thread::scope(|threads| {
        for _ in 0..AT_ONCE.min(hosts.len()) {
            threads.spawn(|| ask_those_left(&left, names, &answers));
        }
    });
    answers.into_inner().unwrap_or_default()
}

fn ask_those_left<'h, 'a: 'h>(
    left: &Mutex<slice::Iter<'h, AskedHost<'a>>>,
    names: &[String],
    answers: &Mutex<Vec<HostAnswer<'a>>>,
) {
    while let Some((name, record)) = next(left) {
        let answer = ask(record, names);
        // Only a panic poisons it, and nothing here panics.
        if let Ok(mut answers) = answers.lock() {
            answers.push((name.as_str(), answer));
        }
    }
}

fn next<I: Iterator>(left: &Mutex<I>) -> Option<I::Item> {
    left.lock().ok()?.next()
}

fn ask(record: &HostRecord, names: &[String]) -> io::Result<PollersPage> {
    // What hosts write of themselves: a name in its place would be looked up for them.
    let address: IpAddr = record.address.parse().map_err(io::Error::other)?;
    pollers_at(SocketAddr::new(address, record.port), names, ANSWER_TIME)
}

fn text(request: &FleetRequest, answers: &[HostAnswer<'_>]) -> String {
    let pages = pages(answers);
    match request.format {
        OutputFormat::Json => json(&pages),
        _ => lines(&pages),
    }
}

/// The answers of those that have answered.
fn pages<'a>(answers: &'a [HostAnswer<'_>]) -> Vec<(&'a str, &'a PollersPage)> {
    let mut pages = Vec::new();
    for (host, answer) in answers {
        if let Ok(page) = answer {
            pages.push((*host, page));
        }
    }

    pages
}

fn json(pages: &[(&str, &PollersPage)]) -> String {
    let mut objects = Vec::new();
    for (host, page) in pages {
        objects.push(json!({"host": host, "page": page}));
    }

    json_lines(&objects)
}

fn lines(pages: &[(&str, &PollersPage)]) -> String {
    let mut text = String::new();
    for (host, page) in pages {
        for row in &page.pollers {
            let service = &row.service;
            let line = pollers::line(row, &page.pollers, page.now);
            text += &format!("{host}\t{service}\t{line}\n");
        }
    }

    text
}

/// Names the hosts of which nothing is known, or that nobody polls; fails where one did not answer.
fn tell_silent(call: &Call, answers: &[HostAnswer<'_>]) -> Result<(), Failure> {
    let mut silent = Vec::new();
    for (host, answer) in answers {
        match answer {
            Ok(page) if page.pollers.is_empty() => {
                call.note(&format!("{host}: nobody has polled lately"));
            }
            Ok(_) => {}
            Err(e) => silent.push((*host, e)),
        }
    }

    for (host, error) in &silent {
        let cause = cause_text(error);
        call.note(&format!("{host} does not answer: {cause}"));
    }

    refuse_silent(&silent)
}

fn refuse_silent(silent: &[(&str, &io::Error)]) -> Result<(), Failure> {
    if silent.is_empty() {
        return Ok(());
    }

    let names = scope::listed(silent.iter().map(|(host, _)| *host));
    Err(failed!("no answer from {names}"))
}
