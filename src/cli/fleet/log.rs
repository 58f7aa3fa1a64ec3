//! `hacheck fleet log`: who ordered what lately.

use serde_json::json;

use super::applet::FleetCall;
use super::client::FleetClient;
use super::output::print_listed;
use crate::cli::failure::Failure;
use crate::cli::output::entries::OutputFormat;
use crate::cli::output::times;
use crate::fleet::engine::{KeyRange, Pair};
use crate::fleet::{AuditLine, Record as _, RecordError, in_seconds};
use crate::names::sort::sort_by_key;
use crate::names::text::one_line;

const HEADS: [&str; 6] = ["time", "by", "what", "service", "where", "reason"];

pub(super) fn show(fleet: &FleetCall<'_>) -> Result<u8, Failure> {
    let mut client = FleetClient::open(fleet.call, &fleet.file)?;
    let range = KeyRange::under(&client.paths.log());
    let found = client.read(&[range])?;
    let lines = readable(fleet, &found.pairs);
    // The newest stand last, where a terminal ends.
    let first = lines.len().saturating_sub(fleet.lines);
    print(fleet, &lines[first..])?;
    Ok(0)
}

/// The lines, the newest last. Those that cannot be read are noted.
fn readable(fleet: &FleetCall<'_>, pairs: &[Pair]) -> Vec<AuditLine> {
    let mut lines = Vec::new();
    for pair in pairs {
        match AuditLine::parse(&pair.value) {
            Ok(line) => lines.push(line),
            Err(cause) => note_unreadable(fleet, pair, &cause),
        }
    }

    // By their own stamps: what stands in the keys is as wide as it happens to be.
    sort_by_key(&mut lines, |line| line.at);
    lines
}

fn note_unreadable(fleet: &FleetCall<'_>, pair: &Pair, cause: &RecordError) {
    let key = String::from_utf8_lossy(&pair.key);
    let key = key.escape_debug();
    fleet.call.note(&format!("{key} cannot be read: {cause}"));
}

fn print(fleet: &FleetCall<'_>, lines: &[AuditLine]) -> Result<(), Failure> {
    print_listed(fleet.format, HEADS, lines, cells, |line| json!(line))?;
    if lines.is_empty() && fleet.format != OutputFormat::Json {
        fleet.call.note("nothing was ordered lately");
    }

    Ok(())
}

fn cells(line: &AuditLine) -> [String; 6] {
    let cells = [
        times::show(in_seconds(line.at)),
        author(line),
        line.what.clone(),
        line.key.clone(),
        line.selector.clone(),
        line.reason.clone(),
    ];
    cells.map(|cell| one_line(&cell))
}

fn author(line: &AuditLine) -> String {
    match line.from.is_empty() {
        true => line.by.clone(),
        false => format!("{}@{}", line.by, line.from),
    }
}
