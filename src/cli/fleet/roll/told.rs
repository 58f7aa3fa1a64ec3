//! The sentences of a roll.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::begin::{BegunRoll, RollPlan};
use super::run::RunningRoll;
use super::scope::quoted;
use super::tasks::HostEnd;
use crate::cli::applet::Call;
use crate::cli::failure::{Failure, failed};
use crate::cli::fleet::scope;
use crate::cli::output::times;
use crate::fleet::in_seconds;
use crate::fleet::rolling::{HostStanding, Over, RollHost, count};
use crate::names::text::one_line;

/// What is said first; who is out follows.
pub(super) fn first(plan: &RollPlan, hosts: &[RollHost]) -> String {
    let (id, key, max) = (&plan.id, &plan.record.key, &plan.record.max_down);
    let all = scope::hosts(hosts.len());
    let mut text = format!("roll {id}: {key} on {all}, at most {max} down");
    if let Some(tag) = &plan.record.per {
        text += &format!(" per {tag}");
    }

    match count(hosts, HostStanding::Done) {
        0 => text,
        done => format!("{text}; {done} done before"),
    }
}

/// What of the engine is no host of the roll though it stands among them.
pub(super) fn refused(names: &[String]) -> String {
    let names = quoted(names);
    format!(
        "refused, since etcd has no sound record of a host of that name: {names}; remove what stands there"
    )
}

/// That an old roll goes on: its command is shown, as it is what will run.
pub(super) fn resumed(call: &Call, begun: &BegunRoll) {
    call.say(&goes_on(&begun.plan));
    for host in &begun.hosts {
        if host.standing == HostStanding::UnderWay {
            call.say(&waited_for(begun, &host.name));
        }
    }
}

fn goes_on(plan: &RollPlan) -> String {
    let record = &plan.record;
    let since = times::brief(in_seconds(record.at));
    let command = one_line(&shell_words::join(&record.command));
    let (by, from) = (one_line(&record.by), one_line(&record.from));
    format!(
        "roll {} by {by}@{from} since {since} goes on: {command}",
        plan.id
    )
}

/// Of a host that an earlier haroll has begun.
fn waited_for(begun: &BegunRoll, host: &str) -> String {
    let slot = begun.snapshot.slot(host, &begun.plan.record.key);
    let phase = slot.map_or(String::new(), |slot| one_line(&slot.phase));
    format!(
        "{host}: has begun and is waited for ({phase}); 'hacheck fleet release {host} -r WHY' if nothing is done there any more"
    )
}

/// `web01: done after 3.2 s`.
pub(super) fn ended(host: &str, end: &HostEnd) -> String {
    let took = end.took.as_secs_f64();
    match end.why.as_str() {
        "" => format!("{host}: done after {took:.1} s"),
        why => format!("{host}: failed after {took:.1} s: {why}"),
    }
}

/// After the first Ctrl-C.
pub(super) fn interrupted(signal: Signal, under_way: &[String]) -> String {
    let (names, signal) = (scope::listed(under_way), signal.as_str());
    format!(
        "waiting for {names}, which would finish without this haroll too; {signal} once more ends it"
    )
}

/// After the second.
pub(super) fn left_alone(under_way: &[String]) -> String {
    match under_way {
        [] => "ended".to_owned(),
        names => {
            let names = scope::listed(names);
            format!("ended; still under way, by themselves: {names}")
        }
    }
}

/// The head of the table.
pub(super) fn head(roll: &RunningRoll<'_>) -> String {
    let failed = match roll.tasks.count(HostStanding::Failed) {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };

    let done = roll.tasks.count(HostStanding::Done);
    let waiting = roll.tasks.count(HostStanding::Waiting);
    let (key, all) = (&roll.plan.record.key, roll.tasks.hosts.len());
    format!("{key}: {done} of {all} done{failed}, {waiting} waiting")
}

/// A host that is under way, in the table.
pub(super) fn row(host: &str, phase: &str, since: Duration) -> String {
    let phase = match phase {
        "" => "begun".to_owned(),
        phase => one_line(phase),
    };
    format!("  {host}  {phase}, {} s", since.as_secs())
}

/// What is said at the end; a failure unless all hosts are done.
pub(super) fn end(call: &Call, roll: &RunningRoll<'_>) -> Result<u8, Failure> {
    let id = &roll.plan.id;
    if roll.is_done() {
        let all = scope::hosts(roll.tasks.hosts.len());
        let took = roll.began.elapsed().as_secs_f64();
        call.say(&format!("roll {id}: done on {all} after {took:.1} s"));
        return Ok(0);
    }

    let failure = failed!("roll {id}: {}", parts(roll).join("; "));
    // With all of its hosts done there is nothing to go on with.
    if roll.tasks.count(HostStanding::Done) == roll.tasks.hosts.len() {
        return Err(failure);
    }

    Err(failure.and_line(format!(
        "'haroll --fleet --resume {id}' goes on with those that are not done"
    )))
}

/// Why it ended, and which hosts are what.
fn parts(roll: &RunningRoll<'_>) -> Vec<String> {
    let done = roll.tasks.count(HostStanding::Done);
    let all = scope::hosts(roll.tasks.hosts.len());
    let mut parts = Vec::new();
    parts.extend(why(roll));
    parts.push(format!("{done} of {all} done"));
    parts.extend(part(roll, "failed", HostStanding::Failed));
    parts.extend(part(roll, "under way", HostStanding::UnderWay));
    parts.extend(part(roll, "not begun", HostStanding::Waiting));
    if !roll.refused.is_empty() {
        parts.push(format!("refused: {}", quoted(&roll.refused)));
    }

    parts
}

/// `failed: web02`.
fn part(roll: &RunningRoll<'_>, what: &str, standing: HostStanding) -> Option<String> {
    let mut names = Vec::new();
    for host in &roll.tasks.hosts {
        if host.standing == standing {
            names.push(&host.name);
        }
    }

    match names.is_empty() {
        true => None,
        false => Some(format!("{what}: {}", scope::listed(names))),
    }
}

/// Why it ended before all hosts were done, where their states do not tell.
pub(super) fn why(roll: &RunningRoll<'_>) -> Option<String> {
    if roll.stopped.is_some() {
        return roll.stopped.clone();
    }

    if roll.tasks.count(HostStanding::Waiting) == 0 {
        return None;
    }

    match roll.over {
        Some(Over::Failed) => Some(too_many_failed(roll)),
        _ => Some("those that are left are lost".to_owned()),
    }
}

fn too_many_failed(roll: &RunningRoll<'_>) -> String {
    let failed = roll.tasks.count(HostStanding::Failed);
    let (max_failed, max_down) = (roll.plan.max_failed, &roll.plan.record.max_down);
    // Fewer may have failed than may, and still fill the number that may be down.
    match failed > max_failed {
        true => format!("stopped, since {failed} failed (--max-failed {max_failed})"),
        false => format!("stopped, since those that failed stay down (--max-down {max_down})"),
    }
}
