//! Taking slots: a look at what others do, and one transaction when it is this host's turn.
//!
//! Rule: what is cheap is read first; the whole picture decides, and nothing may have been granted since it was read.

use std::collections::{BTreeMap, BTreeSet};

use super::Admission;
use super::holder::{HeldSlot, SlotHolder};
use crate::fleet::engine::{Committed, Engine, EngineError, KeyRange, Transaction};
use crate::fleet::{GateRecord, Record as _, Snapshot, now_micros};
use crate::names::Key;

/// The downtimes of this host itself, by its own disk.
pub trait OwnDowntimes {
    /// Whether this host is out already with a key, by a downtime that this roll may take over.
    fn is_out(&mut self, key: &Key) -> bool;

    /// Makes that downtime the roll's own, under the lock of the spool; `false` when it has ended meanwhile.
    fn take_over(&mut self, key: &Key) -> bool;
}

/// What came of a look.
#[derive(Debug)]
pub enum SlotLook {
    /// The slots are this host's, by what was found then.
    Granted(Vec<Admission>),
    /// Others are out: what speaks against it.
    Waiting(Vec<Admission>),
    /// Somebody else was granted one meanwhile, or nobody knows: look again soon.
    Again,
}

impl SlotHolder {
    /// Looks whether this host may go down, and takes its slots if so.
    ///
    /// # Errors
    /// When no member answered, or when one refuses; nothing was taken then, or [`Self::is_unknown`].
    pub async fn look(
        &mut self,
        engine: &mut Engine,
        own: &mut impl OwnDowntimes,
    ) -> Result<SlotLook, EngineError> {
        // The hosts of a large fleet are megabytes, and those that wait look again and again.
        if !self.known.hosts.is_empty() {
            let cheap = self.cheap(engine).await?;
            let waiting = self.admissions(&cheap, own);
            if is_blocked(&waiting) {
                return Ok(SlotLook::Waiting(blocked(waiting)));
            }
        }

        self.read(engine).await?;
        let snapshot = std::mem::take(&mut self.known);
        let looked = self.decide(engine, &snapshot, own).await;
        self.known = snapshot;
        looked
    }

    async fn decide(
        &mut self,
        engine: &mut Engine,
        snapshot: &Snapshot,
        own: &mut impl OwnDowntimes,
    ) -> Result<SlotLook, EngineError> {
        let judged = self.admissions(snapshot, own);
        if is_blocked(&judged) {
            return Ok(SlotLook::Waiting(blocked(judged)));
        }

        // Before the disk is touched: between that and the grant nothing is to be waited for.
        self.lease(engine).await?;
        let is_taken = self.take_over(&judged, own) && self.take(engine, snapshot).await?;
        let admissions = judged.into_iter().map(|judged| judged.admission);
        Ok(match is_taken {
            true => SlotLook::Granted(admissions.collect()),
            false => SlotLook::Again,
        })
    }

    /// What changes often, beside what was known of the hosts. Who is alive is not asked: all are taken to be, so that this
    /// tells only when it is no use to ask for more.
    async fn cheap(&self, engine: &mut Engine) -> Result<Snapshot, EngineError> {
        let prefixes = [self.paths.slots(), self.paths.all_down()];
        let found = self.found(engine, &prefixes).await?;
        let mut snapshot = Snapshot::read(&self.paths, &found);
        snapshot.hosts.clone_from(&self.known.hosts);
        snapshot.unread_hosts.clone_from(&self.known.unread_hosts);
        snapshot.alive = named_hosts(&snapshot);
        Ok(snapshot)
    }

    fn admissions(&self, snapshot: &Snapshot, own: &mut impl OwnDowntimes) -> Vec<Judged> {
        let mut all = Vec::new();
        for key in &self.request.keys {
            all.push(self.judge(snapshot, key, own));
        }

        all
    }

    fn judge(&self, snapshot: &Snapshot, key: &Key, own: &mut impl OwnDowntimes) -> Judged {
        let request = &self.request;
        let (scope, host) = (&request.scope, &request.host);
        let admission = Admission::new(snapshot, key, scope, host, request.max);
        let ground = match snapshot.slot(host, key) {
            // Whoever tries again after a failure has its place already.
            Some(_) => Ground::Held,
            None if admission.is_free() => Ground::Free,
            // Else a broken host would block its own repair.
            None if own.is_out(key) => Ground::Out,
            None => Ground::None,
        };
        Judged { admission, ground }
    }

    /// Makes the downtimes the roll's own by which this host is out; whether all of them still hold.
    fn take_over(&self, admissions: &[Judged], own: &mut impl OwnDowntimes) -> bool {
        for judged in admissions {
            if judged.ground == Ground::Out && !own.take_over(&judged.admission.key) {
                return false;
            }
        }

        true
    }

    /// Takes all slots together: whether they are this host's now.
    async fn take(
        &mut self,
        engine: &mut Engine,
        snapshot: &Snapshot,
    ) -> Result<bool, EngineError> {
        // A grant that timed out may have been applied since, and then there is nothing to write.
        if let Some(held) = self.already_taken(snapshot) {
            self.held = held;
            self.is_unknown = false;
            return Ok(true);
        }

        let lease = self.lease(engine).await?;
        let transaction = self.grant(snapshot, lease);
        // Before it is sent: whoever stops waiting for the answer does not know either.
        let was_unknown = std::mem::replace(&mut self.is_unknown, true);
        let committed = engine.commit(&transaction).await;
        if !matches!(committed, Ok(Committed::Unknown(_))) {
            self.is_unknown = was_unknown;
        }

        match committed {
            Ok(Committed::Done(revision)) => {
                self.granted(revision);
                Ok(true)
            }
            // The next look tells whether one has come that nobody knew of.
            Ok(Committed::Conflict | Committed::Unknown(_)) => Ok(false),
            Err(e) => self.unless_lease(e).map(|()| false),
        }
    }

    fn granted(&mut self, revision: i64) {
        self.held = std::mem::take(&mut self.wanted);
        self.written(revision);
        // All earlier ones were compared with a gate that has moved: none of them can still come.
        self.is_unknown = false;
    }

    /// The transaction that takes all slots, where nobody else was granted one since.
    fn grant(&mut self, snapshot: &Snapshot, lease: i64) -> Transaction {
        let now = now_micros();
        let mut transaction = self.passing(snapshot, now);
        let value = self.slot.to_json();
        let mut wanted = BTreeMap::new();
        for key in &self.request.keys {
            let path = self.paths.slot(&self.request.host, key);
            let slot = self.wanted_slot(snapshot, key, &path);
            transaction = transaction
                .unchanged(&path, slot.revision)
                .put(&path, value.as_str());
            wanted.insert(path, slot);
        }

        self.wanted = wanted;
        self.logged(transaction, "roll", now, lease)
    }

    /// The slot as it stands now, and whether it is this roll's that puts it there.
    fn wanted_slot(&self, snapshot: &Snapshot, key: &Key, path: &str) -> HeldSlot {
        let before = snapshot.slot(&self.request.host, key);
        let is_new = match self.wanted.get(path) {
            // By a try before this one, of which nobody knew.
            Some(wanted) if self.is_own(before) => wanted.is_new,
            _ => before.is_none(),
        };

        let revision = snapshot.mod_revision(path);
        HeldSlot { revision, is_new }
    }

    /// The gate moves, and with it whatever else was compared with it is void.
    fn passing(&self, snapshot: &Snapshot, now: u64) -> Transaction {
        let gate = self.paths.gate();
        let passed = GateRecord {
            host: self.request.host.clone(),
            at: now,
        };

        Transaction::new()
            .unchanged(&gate, snapshot.mod_revision(&gate))
            .put(&gate, passed.to_json())
    }

    /// The slots, where all of them are this roll's own by a write of which nobody knew.
    fn already_taken(&self, snapshot: &Snapshot) -> Option<BTreeMap<String, HeldSlot>> {
        let mut held = self.wanted.clone();
        if held.is_empty() {
            return None;
        }

        // All or none, as they were written in one transaction; with one of them missing, somebody has released it since.
        for key in &self.request.keys {
            if !self.is_own(snapshot.slot(&self.request.host, key)) {
                return None;
            }
        }

        for (path, slot) in &mut held {
            slot.revision = snapshot.mod_revision(path);
        }

        Some(held)
    }

    /// Leaves the queue: a slot that came after all is given back, and one that nobody knows of can no longer come.
    ///
    /// # Errors
    /// When no member answered, or when one refuses: then [`Self::is_unknown`] tells whether a slot may be there.
    pub async fn withdraw(&mut self, engine: &mut Engine) -> Result<(), EngineError> {
        while self.is_unknown {
            self.read(engine).await?;
            let transaction = self.leaving();
            if let Committed::Done(_) = engine.commit(&transaction).await? {
                self.is_unknown = false;
            }
        }

        Ok(())
    }

    /// Gives back what this roll took, and moves the gate, so that what was sent before and has not come yet never will.
    fn leaving(&self) -> Transaction {
        let own = self.already_taken(&self.known).unwrap_or_default();
        let mut transaction = self.passing(&self.known, now_micros());
        for (path, held) in own {
            if held.is_new {
                transaction = transaction
                    .unchanged(&path, held.revision)
                    .delete(KeyRange::one(&path));
            }
        }

        transaction
    }
}

/// Every host that is named anywhere in a snapshot.
fn named_hosts(snapshot: &Snapshot) -> BTreeSet<String> {
    let hosts = snapshot.hosts.keys();
    let taken = snapshot.slots.keys().chain(snapshot.down.keys());
    let named = hosts.chain(taken).chain(&snapshot.unread_hosts);
    named.cloned().collect()
}

/// On what ground a host may go down with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// Few enough others are out.
    Free,
    /// It has a slot.
    Held,
    /// It is out already.
    Out,
    None,
}

/// What was found of a key.
struct Judged {
    admission: Admission,
    ground: Ground,
}

fn is_blocked(all: &[Judged]) -> bool {
    all.iter().any(|judged| judged.ground == Ground::None)
}

fn blocked(all: Vec<Judged>) -> Vec<Admission> {
    let mut blocked = Vec::new();
    for judged in all {
        if judged.ground == Ground::None {
            blocked.push(judged.admission);
        }
    }

    blocked
}
