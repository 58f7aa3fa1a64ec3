//! `haroll --fleet --dry-run`: the hosts in their order, and which of them are out now. Nothing is written.

use serde_json::json;

use super::begin::RollPlan;
use super::out::{self, OutHosts};
use super::scope::{RollScope, group};
use super::{NewRoll, told};
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::fleet::client::FleetClient;
use crate::cli::fleet::output::listed_rows;
use crate::cli::output;
use crate::cli::output::entries::OutputFormat;
use crate::fleet::Snapshot;

const HEADS: [&str; 3] = ["host", "per", "now"];

pub(super) fn show(
    call: &Call,
    client: &mut FleetClient,
    new: &NewRoll,
    format: OutputFormat,
) -> Result<u8, Failure> {
    let snapshot = client.snapshot()?;
    let scope = RollScope::of(&snapshot, &client.settings.fleet, new)?;
    let plan = RollPlan::new(new, scope.names.clone())?;
    let out = OutHosts::new(&snapshot, &plan, &[]);
    let mut names = scope.names;
    // Stable: by name otherwise.
    names.sort_by_key(|name| out.cause(name).is_none());
    let names = names.iter();
    let rows: Vec<[String; 3]> = names
        .map(|name| cells(&snapshot, &plan, &out, name))
        .collect();
    let object = |[host, per, now]: &[String; 3]| json!({"host": host, "per": per, "now": now});
    output::print(&listed_rows(format, HEADS, &rows, rows.iter().map(object)))?;
    if !scope.refused.is_empty() {
        call.note(&told::refused(&scope.refused));
    }

    Ok(0)
}

fn cells(snapshot: &Snapshot, plan: &RollPlan, out: &OutHosts, name: &str) -> [String; 3] {
    let now = match out.cause(name) {
        None => "up".to_owned(),
        Some(cause) => format!("out: {}", out::why(snapshot, cause)),
    };

    let group = group(snapshot, plan.record.per.as_deref(), name);
    [name.to_owned(), group, now]
}
