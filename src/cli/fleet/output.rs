//! What the commands of the fleet share in what they print.

use serde_json::Value;

use crate::cli::failure::{Failure, usage};
use crate::cli::output::entries::OutputFormat;
use crate::cli::output::times;
use crate::fleet::picture::is_local;
use crate::fleet::{Order, Report, Snapshot};
use crate::names::text::one_line;

/// Refuses the one format that has no meaning for a fleet.
pub(super) fn refuse_uber(format: OutputFormat) -> Result<(), Failure> {
    match format {
        OutputFormat::Uber => Err(usage!("-o: with --fleet give table, tsv or json")),
        _ => Ok(()),
    }
}

/// A line of fields, each without tabs and line breaks.
pub(super) fn tab_line(fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| one_line(field)).collect();
    format!("{}\n", fields.join("\t"))
}

/// An array of objects, one on a line.
pub(super) fn json_lines(objects: &[Value]) -> String {
    let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
    format!("[{}]\n", lines.join(",\n "))
}

/// `until 20:05`'s time, or `inf`.
pub(super) fn end(until: Option<f64>) -> String {
    match until {
        Some(end) => times::brief(end),
        None => "inf".to_owned(),
    }
}

/// A time, or nothing.
pub(super) fn moment(unix: Option<f64>) -> String {
    unix.map(times::brief).unwrap_or_default()
}

/// `fleet by alice@ops1: new disk`, `local by carol: bad RAM`.
pub(super) fn cause(snapshot: &Snapshot, report: &Report) -> String {
    let mut text = match is_local(report) {
        true => "local".to_owned(),
        false => "fleet".to_owned(),
    };
    let by = author(snapshot, report);
    if !by.is_empty() {
        text += &format!(" by {by}");
    }
    if !report.reason.is_empty() {
        text += &format!(": {}", one_line(&report.reason));
    }
    text
}

/// Who took it down, and from which host where that is known.
fn author(snapshot: &Snapshot, report: &Report) -> String {
    let mut by = one_line(&report.by);
    let from = order_of(snapshot, report).map_or("", |order| order.from.as_str());
    if !from.is_empty() && !by.is_empty() {
        by += &format!("@{}", one_line(from));
    }
    by
}

/// The order that a downtime follows, where the engine still has it.
fn order_of<'a>(snapshot: &'a Snapshot, report: &Report) -> Option<&'a Order> {
    let mut orders = snapshot.orders.values();
    orders.find(|order| order.id == report.order)
}
