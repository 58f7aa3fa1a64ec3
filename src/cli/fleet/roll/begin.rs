//! How a roll begins, or goes on: its record, its lock, where its hosts stand, and what is said first.

use std::collections::BTreeMap;

use super::lock::HeldLock;
use super::out::OutHosts;
use super::scope::{RollScope, group};
use super::{NewRoll, ResumedRoll, told};
use crate::cli::applet::Call;
use crate::cli::failure::{Failure, failed};
use crate::cli::fleet::client::FleetClient;
use crate::cli::fleet::write::author;
use crate::fleet::engine::{Found, KeyRange};
use crate::fleet::rolling::{HostStanding, RollHost};
use crate::fleet::slots::MaxDown;
use crate::fleet::{
    Paths, Record as _, RollId, RollRecord, RollResult, RollState, Snapshot, VALUE_MAX, Version,
    is_host_name, is_tag, now_micros,
};

/// What is rolled, and how.
pub(super) struct RollPlan {
    pub(super) id: RollId,
    pub(super) record: RollRecord,
    pub(super) max_down: MaxDown,
    pub(super) max_failed: usize,
}

/// A roll that may begin hosts.
pub(super) struct BegunRoll {
    pub(super) plan: RollPlan,
    pub(super) hosts: Vec<RollHost>,
    pub(super) lock: HeldLock,
    /// What stands among its hosts and is refused.
    pub(super) refused: Vec<String>,
    /// What was read last.
    pub(super) snapshot: Snapshot,
}

impl BegunRoll {
    pub(super) fn new(
        call: &Call,
        client: &mut FleetClient,
        new: &NewRoll,
    ) -> Result<Self, Failure> {
        let snapshot = client.snapshot()?;
        let scope = RollScope::of(&snapshot, &client.settings.fleet, new)?;
        let plan = RollPlan::new(new, scope.names)?;
        refuse_too_long(&plan.record)?;
        let lock = HeldLock::take(client, &plan, true)?;
        let begun = Self {
            hosts: hosts(&snapshot, &plan.record),
            plan,
            lock,
            refused: scope.refused,
            snapshot,
        };

        begun.tell(call);
        Ok(begun)
    }

    /// Goes on with a roll: hosts that are done are skipped, those that failed or never began are to begin.
    pub(super) fn again(
        call: &Call,
        client: &mut FleetClient,
        resumed: &ResumedRoll,
    ) -> Result<Self, Failure> {
        let record = recorded(client, &resumed.id)?;
        let plan = RollPlan::of(record)?.changed(resumed);
        let lock = HeldLock::take(client, &plan, false)?;
        // Only now does no other haroll begin hosts of it.
        let found = client.read(&ranges(&client.paths, &plan.id))?;
        let results = results(&client.paths, &plan.id, &found);
        let mut begun = Self::of(plan, lock, Snapshot::read(&client.paths, &found));
        begun.go_on(&results);
        told::resumed(call, &begun);
        begun.tell(call);
        Ok(begun)
    }

    fn of(plan: RollPlan, lock: HeldLock, snapshot: Snapshot) -> Self {
        let record = &plan.record;
        let scope = RollScope::found(&snapshot, &record.key, &record.selector);
        Self {
            // Those of its beginning: a host that came later is not rolled unseen.
            hosts: hosts(&snapshot, record),
            refused: scope.refused,
            lock,
            snapshot,
            plan,
        }
    }

    /// Where the hosts stand by what they said. One that has a slot of this roll and no result is under way by itself.
    fn go_on(&mut self, results: &BTreeMap<String, HostResult>) {
        for host in &mut self.hosts {
            let said = results.get(&host.name).map(|known| known.result.state);
            let is_in_slot = holds_slot(&self.snapshot, &self.plan, &host.name);
            host.standing = match said {
                Some(RollState::Done) => HostStanding::Done,
                None if is_in_slot => HostStanding::UnderWay,
                Some(RollState::Failed) | None => HostStanding::Waiting,
            };
        }
    }

    fn tell(&self, call: &Call) {
        if !self.refused.is_empty() {
            call.note(&told::refused(&self.refused));
        }

        let out = OutHosts::new(&self.snapshot, &self.plan, &self.hosts);
        let head = told::first(&self.plan, &self.hosts);
        for line in out.told(&head, &self.snapshot, &self.plan, &self.hosts) {
            call.say(&line);
        }
    }
}

/// Whether a host has a slot of this roll.
pub(super) fn holds_slot(snapshot: &Snapshot, plan: &RollPlan, host: &str) -> bool {
    let slot = snapshot.slot(host, &plan.record.key);
    slot.is_some_and(|slot| slot.roll == plan.id.as_str())
}

impl RollPlan {
    pub(super) fn new(new: &NewRoll, hosts: Vec<String>) -> Result<Self, Failure> {
        Self::of(record(new, hosts))
    }

    /// Fails where the record holds what nobody could have typed.
    fn of(record: RollRecord) -> Result<Self, Failure> {
        match MaxDown::parse(&record.max_down) {
            Some(max_down) if is_sound(&record) => Ok(Self {
                id: record.own_id(),
                max_down,
                max_failed: usize::try_from(record.max_failed).unwrap_or(usize::MAX),
                record,
            }),
            _ => Err(failed!(
                "roll {} holds names or limits that are none; begin another one",
                record.id
            )),
        }
    }

    /// With the limits that were given anew.
    fn changed(mut self, resumed: &ResumedRoll) -> Self {
        if let Some(text) = &resumed.max_down {
            self.record.max_down.clone_from(text);
            // The command line has refused what is no limit.
            self.max_down = MaxDown::parse(text).unwrap_or(self.max_down);
        }

        if let Some(number) = resumed.max_failed {
            self.record.max_failed = number;
            self.max_failed = usize::try_from(number).unwrap_or(usize::MAX);
        }

        self
    }
}

fn is_sound(record: &RollRecord) -> bool {
    // What stands in etcd anybody with its password may have written, and these words go to a shell on other hosts.
    let are_hosts = record.hosts.iter().all(|host| is_host_name(host));
    let is_tagged = record.per.as_ref().is_none_or(|tag| is_tag(tag));
    are_hosts && is_tagged && !record.hosts.is_empty() && !record.command.is_empty()
}

/// The record of a new roll.
fn record(new: &NewRoll, hosts: Vec<String>) -> RollRecord {
    let author = author();
    let record = RollRecord {
        v: Version,
        id: String::new(),
        key: new.key.clone(),
        selector: new.selector.clone(),
        max_down: new.max_down.clone(),
        per: new.per.clone(),
        max_failed: new.max_failed,
        options: new.options.clone(),
        command: new.command.clone(),
        by: author.by,
        from: author.from,
        at: now_micros(),
        hosts,
    };
    record.with_id()
}

fn refuse_too_long(record: &RollRecord) -> Result<(), Failure> {
    let length = record.to_json().len();
    if length <= VALUE_MAX {
        return Ok(());
    }

    Err(failed!(
        "the roll is too long to be kept in etcd ({length} bytes with the names of {} hosts, at most {VALUE_MAX}); choose fewer hosts with --where, or put the command into a file",
        record.hosts.len()
    ))
}

/// The record of a roll, as it was when that began.
fn recorded(client: &mut FleetClient, id: &RollId) -> Result<RollRecord, Failure> {
    let path = client.paths.roll(id);
    let found = client.read(&[KeyRange::one(&path)])?;
    let Some(pair) = found.pairs.first() else {
        return Err(failed!(
            "there is no roll {id} (any more); 'hacheck fleet log' shows those of the last 90 days"
        ));
    };

    let record = RollRecord::read(id, &pair.value);
    record.map_err(|e| failed!("roll {id} cannot be resumed: {e}; begin another one"))
}

/// What a roll reads: the fleet, and what hosts say of their parts.
pub(super) fn ranges(paths: &Paths, id: &RollId) -> Vec<KeyRange> {
    let mut ranges = Snapshot::ranges(paths).to_vec();
    ranges.push(KeyRange::under(&paths.roll_results(id)));
    ranges
}

/// What a host says of its part, and the revision at which it was written.
pub(super) struct HostResult {
    pub(super) result: RollResult,
    pub(super) revision: i64,
}

/// What hosts say of their parts; what cannot be read is none.
pub(super) fn results(paths: &Paths, id: &RollId, found: &Found) -> BTreeMap<String, HostResult> {
    let prefix = paths.roll_results(id);
    let mut results = BTreeMap::new();
    for pair in &found.pairs {
        let host = paths.read_host(&prefix, &pair.key);
        if let (Some(host), Ok(result)) = (host, RollResult::parse(&pair.value)) {
            let revision = pair.mod_revision;
            results.insert(host.to_owned(), HostResult { result, revision });
        }
    }

    results
}

/// The hosts of a roll, none of which has begun.
fn hosts(snapshot: &Snapshot, record: &RollRecord) -> Vec<RollHost> {
    let mut hosts = Vec::new();
    for name in &record.hosts {
        hosts.push(RollHost {
            name: name.clone(),
            group: group(snapshot, record.per.as_deref(), name),
            standing: HostStanding::Waiting,
        });
    }

    hosts
}
