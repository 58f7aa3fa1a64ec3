//! `-o json`: one document at the end, however it ended.

use serde_json::{Value, json};

use super::run::RunningRoll;
use super::told;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::fleet::rolling::{HostStanding, RollHost};

pub(super) fn print(roll: &RunningRoll<'_>) -> Result<(), Failure> {
    let record = &roll.plan.record;
    let hosts = roll.tasks.hosts.iter();
    let hosts: Vec<Value> = hosts.map(|host| row(roll, host)).collect();
    let document = json!({
        "roll": roll.plan.id.as_str(),
        "service": record.key.file_name(),
        "where": record.selector.to_string(),
        "max_down": record.max_down,
        "per": record.per,
        "max_failed": record.max_failed,
        "command": record.command,
        "by": record.by,
        "from": record.from,
        "done": roll.is_done(),
        "why": told::why(roll),
        "seconds": roll.began.elapsed().as_secs_f64(),
        "hosts": hosts,
        "refused": roll.refused,
    });
    output::print(&format!("{document}\n"))
}

fn row(roll: &RunningRoll<'_>, host: &RollHost) -> Value {
    let end = roll.tasks.ends.get(&host.name);
    let why = end.map(|end| end.why.as_str());
    json!({
        "host": host.name,
        "state": state(roll, host),
        "code": end.and_then(|end| end.code),
        "seconds": end.map(|end| end.took.as_secs_f64()),
        "why": why.filter(|why| !why.is_empty()),
    })
}

fn state(roll: &RunningRoll<'_>, host: &RollHost) -> &'static str {
    match host.standing {
        HostStanding::Done => "done",
        HostStanding::Failed => "failed",
        HostStanding::UnderWay => "under way",
        HostStanding::Waiting if roll.out.is_lost(&host.name) => "lost",
        HostStanding::Waiting => "waiting",
    }
}
