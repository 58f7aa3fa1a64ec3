//! `haroll --fleet --dry-run`: the hosts in their order, and which of them are out now. Nothing is written.

use serde_json::{Value, json};

use super::begin::RollPlan;
use super::out::{self, OutHosts};
use super::scope::{RollScope, group};
use super::{NewRoll, told};
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::fleet::client::FleetClient;
use crate::cli::fleet::output::print_listed;
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
    let plan = RollPlan::new(new, scope.names)?;
    let out = OutHosts::new(&snapshot, &plan, &[]);
    let mut rows = Vec::new();
    for name in in_order(&plan, &out) {
        rows.push(cells(&snapshot, &plan, &out, &name));
    }

    print_listed(format, HEADS, &rows, Clone::clone, json_of)?;
    if !scope.refused.is_empty() {
        call.note(&told::refused(&scope.refused));
    }

    Ok(0)
}

/// Those that are out come first: a roll that is begun now waits for them.
fn in_order(plan: &RollPlan, out: &OutHosts) -> Vec<String> {
    let mut names = plan.record.hosts.clone();
    // Stable: by name otherwise.
    names.sort_by_key(|name| out.cause(name).is_none());
    names
}

fn json_of([host, per, now]: &[String; 3]) -> Value {
    json!({"host": host, "per": per, "now": now})
}

fn cells(snapshot: &Snapshot, plan: &RollPlan, out: &OutHosts, name: &str) -> [String; 3] {
    let now = match out.cause(name) {
        None => "up".to_owned(),
        Some(cause) => format!("out: {}", out::why(snapshot, cause)),
    };

    let group = group(snapshot, plan.record.per.as_deref(), name);
    [name.to_owned(), group, now]
}
