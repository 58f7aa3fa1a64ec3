//! `hacheck fleet forget` and `release`: what a host that is gone for good, or that died in a roll, leaves behind.
//!
//! Rule: a host that is alive is not forgotten by mistake; what was read is compared, so a host that comes back in between
//! stays.

use std::collections::BTreeMap;

use super::applet::FleetCall;
use super::client::FleetClient;
use super::scope;
use super::write::author;
use crate::cli::args::reason;
use crate::cli::failure::{Failure, failed, usage};
use crate::cli::output::times;
use crate::fleet::engine::{Committed, KeyRange, Transaction};
use crate::fleet::{AuditLine, Paths, Record as _, Slot, Snapshot, now_micros};
use crate::names::Key;
use crate::names::text::one_line;

/// How often it is tried where somebody else writes in between.
const ATTEMPTS: usize = 5;

/// Removes all that the engine has of a host.
pub(super) fn forget(fleet: &FleetCall<'_>, host: &str) -> Result<u8, Failure> {
    let given = fleet.reason.clone();
    let why = given.or_else(reason::of_user).unwrap_or_default();
    let mut client = FleetClient::open(fleet.call, &fleet.file)?;
    let line = audit_line("forget", host, &why);
    write_logged(&mut client, host, &line, &|paths, snapshot| {
        refuse_unknown(snapshot, host)?;
        refuse_alive(snapshot, host, fleet.force)?;
        Ok(removal(paths, snapshot, host))
    })?;

    let done = format!("{host} is forgotten; it registers again should it come back");
    fleet.call.say(&done);
    Ok(0)
}

fn refuse_unknown(snapshot: &Snapshot, host: &str) -> Result<(), Failure> {
    // Also one of which only remains are left: those are what is to be removed.
    let is_known = snapshot.hosts.contains_key(host)
        || snapshot.alive.contains(host)
        || has_any(&snapshot.slots, host)
        || has_any(&snapshot.down, host);
    match is_known {
        true => Ok(()),
        false => Err(failed!(
            "there is no host {host} in the fleet; 'hacheck fleet hosts' lists them"
        )),
    }
}

fn has_any<T>(by_host: &BTreeMap<String, BTreeMap<String, T>>, host: &str) -> bool {
    match by_host.get(host) {
        Some(found) => !found.is_empty(),
        None => false,
    }
}

fn refuse_alive(snapshot: &Snapshot, host: &str, force: bool) -> Result<(), Failure> {
    match snapshot.alive.contains(host) && !force {
        true => Err(failed!(
            "{host} is alive, and would register again; stop hacheck there first, or add --force"
        )),
        false => Ok(()),
    }
}

fn removal(paths: &Paths, snapshot: &Snapshot, host: &str) -> Transaction {
    let (record, alive) = (paths.host(host), paths.alive(host));
    // Compared with what was read: a host that comes back in between stays.
    Transaction::new()
        .unchanged(&record, snapshot.mod_revision(&record))
        .unchanged(&alive, snapshot.mod_revision(&alive))
        .delete(KeyRange::one(&record))
        .delete(KeyRange::one(&alive))
        .delete(KeyRange::under(&paths.down_of(host)))
        .delete(KeyRange::under(&paths.slots_of(host)))
}

/// Removes the slots of a host, or the one of a key.
pub(super) fn release(fleet: &FleetCall<'_>, host: &str, key: Option<&Key>) -> Result<u8, Failure> {
    let Some(why) = &fleet.reason else {
        return Err(usage!(
            "say why, with -r: a slot is kept so that nobody else goes down"
        ));
    };

    let slots = HostSlots { host, key };
    let mut client = FleetClient::open(fleet.call, &fleet.file)?;
    // Read here, too: afterwards nobody can tell whose the slots were.
    let before = client.snapshot()?;
    let mut line = audit_line("release", host, why);
    line.key = key.map(Key::file_name).unwrap_or_default();
    write_logged(&mut client, host, &line, &|paths, snapshot| {
        slots.removal(paths, snapshot)
    })?;

    slots.tell_free(fleet);
    for (name, slot) in slots.of(&before) {
        tell_holder(fleet, name, slot);
        slots.tell_what_is_left(fleet, &before, name);
    }

    Ok(0)
}

/// The slots of a host that are meant: the one of a key, else all.
struct HostSlots<'a> {
    host: &'a str,
    key: Option<&'a Key>,
}

impl HostSlots<'_> {
    fn of<'s>(&self, snapshot: &'s Snapshot) -> Vec<(&'s String, &'s Slot)> {
        let wanted = self.key.map(Key::file_name);
        let mut meant = Vec::new();
        for (name, slot) in snapshot.slots.get(self.host).into_iter().flatten() {
            if wanted.as_ref().is_none_or(|wanted| wanted == name) {
                meant.push((name, slot));
            }
        }

        meant
    }

    fn removal(&self, paths: &Paths, snapshot: &Snapshot) -> Result<Transaction, Failure> {
        let slots = self.of(snapshot);
        if slots.is_empty() {
            return Err(self.none(snapshot));
        }

        let mut transaction = Transaction::new();
        for (name, _) in slots {
            let slot = format!("{}{name}", paths.slots_of(self.host));
            // Compared: a roll that goes on meanwhile keeps its slot.
            transaction = transaction
                .unchanged(&slot, snapshot.mod_revision(&slot))
                .delete(KeyRange::one(&slot));
        }

        Ok(transaction)
    }

    fn none(&self, snapshot: &Snapshot) -> Failure {
        let host = self.host;
        let all = HostSlots { host, key: None };
        let others = all.of(snapshot);
        match self.key {
            Some(key) if !others.is_empty() => {
                let others = scope::listed(others.into_iter().map(|(name, _)| name));
                failed!("{host} has no slot for {key}; it has one for {others}")
            }
            _ => failed!("{host} has no slot; 'hacheck fleet hosts' lists the hosts"),
        }
    }

    fn tell_free(&self, fleet: &FleetCall<'_>) {
        let host = self.host;
        fleet.call.say(&match self.key {
            Some(key) => format!("the slot of {host} for {key} is free"),
            None => format!("the slots of {host} are free"),
        });
    }

    /// What still keeps the host out.
    fn tell_what_is_left(&self, fleet: &FleetCall<'_>, snapshot: &Snapshot, name: &str) {
        let host = self.host;
        let reports = snapshot.down.get(host);
        if reports.is_some_and(|reports| reports.contains_key(name)) {
            fleet.call.note(&format!(
                "{host} still counts as out, as {name} is down there; 'haup {name}' on it puts it back"
            ));
        } else if !snapshot.alive.contains(host) {
            fleet.call.note(&format!(
                "{host} still counts as out, as it is lost; 'hacheck fleet forget {host}' if it is gone for good"
            ));
        }
    }
}

/// Says whose slot that was.
fn tell_holder(fleet: &FleetCall<'_>, name: &str, slot: &Slot) {
    let (roll, by) = (one_line(&slot.roll), one_line(&slot.by));
    let (phase, since) = (one_line(&slot.phase), times::brief(slot.changed()));
    fleet.call.note(&format!(
        "roll {roll} by {by} had it for {name}: {phase} since {since}"
    ));
}

/// What is to be done, by what was read.
type Make<'a> = &'a dyn Fn(&Paths, &Snapshot) -> Result<Transaction, Failure>;

/// Commits a transaction with its line of the log, whose place tells whether it was done where nobody knows.
fn write_logged(
    client: &mut FleetClient,
    host: &str,
    line: &AuditLine,
    make: Make<'_>,
) -> Result<(), Failure> {
    for _ in 0..ATTEMPTS {
        if is_written(client, line, make)? {
            return Ok(());
        }
    }

    Err(failed!(
        "{host} changes all the time; nothing was changed; try again"
    ))
}

/// Tries once; whether it is done.
fn is_written(client: &mut FleetClient, line: &AuditLine, make: Make<'_>) -> Result<bool, Failure> {
    let path = client.paths.log_line(line.at);
    let snapshot = client.snapshot()?;
    // An earlier try of which nobody knew has come there after all.
    let own_line = client.read(&[KeyRange::one(&path)])?;
    if !own_line.pairs.is_empty() {
        return Ok(true);
    }

    let transaction = make(&client.paths, &snapshot)?;
    let lease = client.log_lease()?;
    let transaction = transaction
        .absent(&path)
        .put_leased(&path, line.to_json(), lease);
    let committed = client.commit(&transaction)?;
    Ok(matches!(committed, Committed::Done(_)))
}

fn audit_line(what: &str, host: &str, why: &str) -> AuditLine {
    let author = author();
    AuditLine {
        at: now_micros(),
        by: author.by,
        from: author.from,
        what: what.to_owned(),
        selector: format!("host={host}"),
        reason: why.to_owned(),
        ..AuditLine::default()
    }
}
