//! `hacheck fleet forget` and `release`: what a host that is gone for good, or that died in a roll, leaves behind.
//!
//! Rule: a host that is alive is not forgotten by mistake; what was read is compared, so a host that comes back in between
//! stays.

use super::applet::FleetCall;
use super::client::FleetClient;
use super::write::author;
use crate::cli::args::reason;
use crate::cli::failure::{Failure, failed, usage};
use crate::cli::output;
use crate::fleet::engine::{Committed, KeyRange, Transaction};
use crate::fleet::{AuditLine, Paths, Record as _, Snapshot, now_micros};

/// How often it is tried where somebody else writes in between.
const ATTEMPTS: usize = 5;

/// Removes all that the engine has of a host.
pub(super) fn forget(fleet: &FleetCall<'_>, host: &str) -> Result<u8, Failure> {
    let given = fleet.reason.clone();
    let why = given.or_else(reason::of_user).unwrap_or_default();
    let mut client = FleetClient::open(fleet.call, &fleet.file)?;
    commit(&mut client, "forget", host, &why, &|paths, snapshot| {
        refuse_unknown(snapshot, host)?;
        if snapshot.alive.contains(host) && !fleet.force {
            return Err(failed!(
                "{host} is alive, and would register again; stop hacheck there first, or add --force"
            ));
        }
        let (record, alive) = (paths.host(host), paths.alive(host));
        let transaction = Transaction::new()
            .unchanged(&record, snapshot.mod_revision(&record))
            .unchanged(&alive, snapshot.mod_revision(&alive))
            .delete(KeyRange::one(&record))
            .delete(KeyRange::one(&alive))
            .delete(KeyRange::under(&paths.down_of(host)))
            .delete(KeyRange::under(&paths.slots_of(host)));
        Ok(transaction)
    })?;
    output::complain(&format!(
        "{}: {host} is forgotten; it registers again should it come back",
        fleet.call.program
    ));
    Ok(0)
}

/// Removes the slots of a host.
pub(super) fn release(fleet: &FleetCall<'_>, host: &str) -> Result<u8, Failure> {
    let Some(why) = &fleet.reason else {
        return Err(usage!(
            "say why, with -r: a slot is kept so that nobody else goes down"
        ));
    };
    let mut client = FleetClient::open(fleet.call, &fleet.file)?;
    commit(&mut client, "release", host, why, &|paths, snapshot| {
        let slots = snapshot.slots.get(host).filter(|slots| !slots.is_empty());
        let Some(slots) = slots else {
            return Err(failed!(
                "{host} has no slot; 'hacheck fleet hosts' lists the hosts"
            ));
        };
        let mut transaction = Transaction::new();
        for key in slots.keys() {
            let slot = format!("{}{key}", paths.slots_of(host));
            transaction = transaction
                .unchanged(&slot, snapshot.mod_revision(&slot))
                .delete(KeyRange::one(&slot));
        }
        Ok(transaction)
    })?;
    output::complain(&format!(
        "{}: the slots of {host} are free",
        fleet.call.program
    ));
    Ok(0)
}

fn refuse_unknown(snapshot: &Snapshot, host: &str) -> Result<(), Failure> {
    let has_slots = snapshot
        .slots
        .get(host)
        .is_some_and(|slots| !slots.is_empty());
    let has_reports = snapshot
        .down
        .get(host)
        .is_some_and(|reports| !reports.is_empty());
    let is_known = snapshot.hosts.contains_key(host) || snapshot.alive.contains(host);
    match is_known || has_slots || has_reports {
        true => Ok(()),
        false => Err(failed!(
            "there is no host {host} in the fleet; 'hacheck fleet hosts' lists them"
        )),
    }
}

/// What is to be done, by what was read.
type Make<'a> = &'a dyn Fn(&Paths, &Snapshot) -> Result<Transaction, Failure>;

/// Commits a transaction with its line of the log, whose place tells whether it was done where nobody knows.
fn commit(
    client: &mut FleetClient,
    what: &str,
    host: &str,
    why: &str,
    make: Make<'_>,
) -> Result<(), Failure> {
    let line = audit_line(what, host, why);
    let path = client.paths.log_line(line.at);
    for _ in 0..ATTEMPTS {
        let snapshot = client.snapshot()?;
        if !client.read(&[KeyRange::one(&path)])?.pairs.is_empty() {
            return Ok(());
        }
        let transaction = make(&client.paths, &snapshot)?;
        let lease = client.log_lease()?;
        let transaction = transaction
            .absent(&path)
            .put_leased(&path, line.to_json(), lease);
        match client.commit(&transaction)? {
            Committed::Done(_) => return Ok(()),
            Committed::Conflict | Committed::Unknown(_) => {}
        }
    }
    Err(failed!(
        "{host} changes all the time; nothing was changed; try again"
    ))
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
