//! What the commands of the fleet share in what they print.

use serde_json::Value;

use crate::cli::failure::{Failure, usage};
use crate::cli::output;
use crate::cli::output::entries::{OutputFormat, array_of_lines};
use crate::cli::output::table::{table, width};
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
pub(super) fn tab_line<T: AsRef<str>>(fields: &[T]) -> String {
    let fields = fields.iter().map(AsRef::as_ref);
    let fields: Vec<String> = fields.map(one_line).collect();
    format!("{}\n", fields.join("\t"))
}

/// An array of objects, one on a line.
pub(super) fn json_lines(objects: &[Value]) -> String {
    let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
    array_of_lines(&lines)
}

/// Prints things as they were asked for, each by its cells or as its object.
pub(super) fn print_listed<T, const N: usize>(
    format: OutputFormat,
    heads: [&str; N],
    things: &[T],
    cells: fn(&T) -> [String; N],
    object: fn(&T) -> Value,
) -> Result<(), Failure> {
    if format == OutputFormat::Json {
        let objects: Vec<Value> = things.iter().map(object).collect();
        return output::print(&json_lines(&objects));
    }

    let rows: Vec<[String; N]> = things.iter().map(cells).collect();
    output::print(&listed_rows(format, heads, &rows))
}

/// Rows as lines of fields, else as columns.
fn listed_rows<const N: usize>(
    format: OutputFormat,
    heads: [&str; N],
    rows: &[[String; N]],
) -> String {
    match format {
        OutputFormat::Tsv => rows.iter().map(|row| tab_line(row)).collect(),
        // Heads over nothing say less than the note that follows.
        _ if rows.is_empty() => String::new(),
        _ => table(heads, rows, width()),
    }
}

/// `fleet order by alice since 18:05 until 20:05, for "new disk"`: of these, what is known.
pub(super) fn described(
    what: &str,
    by: &str,
    (since, until): (Option<f64>, Option<f64>),
    reason: &str,
) -> String {
    let mut text = what.to_owned();
    if !by.is_empty() {
        text += &format!(" by {}", one_line(by));
    }

    text += &span(since, until);
    if !reason.is_empty() {
        text += &format!(", for {:?}", one_line(reason));
    }

    text
}

/// The same of an order.
pub(super) fn described_order(order: &Order) -> String {
    let time = (order.creation, order.expiration);
    described("fleet order", &order.by, time, &order.reason)
}

/// ` since 18:05 until 20:05`, as far as it is known.
pub(super) fn span(since: Option<f64>, until: Option<f64>) -> String {
    let mut text = String::new();
    if let Some(since) = since {
        text += &format!(" since {}", times::brief(since));
    }

    if let Some(until) = until {
        text += &format!(" until {}", times::brief(until));
    }

    text
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
    // The report has no host of the order's author; the order has, while the engine still has that.
    let from = snapshot.order_behind(report);
    let from = from.map_or("", |order| order.from.as_str());
    if !from.is_empty() && !by.is_empty() {
        by += &format!("@{}", one_line(from));
    }

    by
}
