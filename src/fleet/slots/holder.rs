//! A host that takes slots, holds them, and gives them back.
//!
//! Rules: each write compares what was read, so that one that timed out can never win late; what nobody knows is settled by
//! reading. Slots that were there before are kept where nothing came of the roll: somebody else failed with them.

use std::collections::BTreeMap;

use super::{MaxDown, SlotScope};
use crate::fleet::engine::{Engine, EngineError, Found, KeyRange, Transaction};
use crate::fleet::{AuditLine, Paths, Record as _, RollId, Slot, Snapshot};
use crate::names::Key;
use crate::spool::unix_now;

/// Slots of one roll have the same time to less than this, in seconds; JSON may cost a bit of it.
const SAME: f64 = 1e-3;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct SlotRequest {
    /// The host that is to go down.
    pub host: String,
    /// For which services or instances.
    pub keys: Vec<Key>,
    /// Among which hosts.
    pub scope: SlotScope,
    /// How many of them may be out.
    pub max: MaxDown,
    /// For which roll.
    pub roll: RollId,
    /// Who rolls.
    pub by: String,
    /// From which host.
    pub from: String,
    /// Why.
    pub reason: String,
}

impl SlotRequest {
    /// The slot as it begins.
    fn waiting(&self, now: f64) -> Slot {
        Slot {
            roll: self.roll.to_string(),
            by: self.by.clone(),
            from: self.from.clone(),
            since: now,
            phase: "waiting".to_owned(),
            phase_since: now,
            ..Slot::default()
        }
    }

    /// A line of the log about this host.
    fn line(&self, what: &str, at: u64) -> AuditLine {
        let keys: Vec<String> = self.keys.iter().map(Key::file_name).collect();
        AuditLine {
            at,
            by: self.by.clone(),
            from: self.from.clone(),
            what: what.to_owned(),
            key: keys.join(" "),
            selector: format!("host={}", self.host),
            reason: self.reason.clone(),
            order: self.roll.to_string(),
            ..AuditLine::default()
        }
    }
}

/// A slot that this host has.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeldSlot {
    pub(super) revision: i64,
    /// This roll took it.
    pub(super) is_new: bool,
}

/// The slots of a host in a roll.
pub struct SlotHolder {
    pub(super) request: SlotRequest,
    pub(super) paths: Paths,
    pub(super) slot: Slot,
    /// The slots, by their keys in the engine.
    pub(super) held: BTreeMap<String, HeldSlot>,
    /// Those that were asked for last, whatever became of it.
    pub(super) wanted: BTreeMap<String, HeldSlot>,
    /// The last whole picture.
    pub(super) known: Snapshot,
    /// A grant of which nobody knows may still come.
    pub(super) is_unknown: bool,
    /// A slot was released by somebody else.
    pub(super) is_lost: bool,
    /// The lease of lines of the log and of the result.
    pub(super) lease: Option<i64>,
    /// When the result was changed last, in revisions.
    pub(super) result_revision: i64,
}

impl SlotHolder {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(paths: Paths, request: SlotRequest) -> Self {
        Self {
            slot: request.waiting(unix_now()),
            paths,
            request,
            held: BTreeMap::new(),
            wanted: BTreeMap::new(),
            known: Snapshot::default(),
            is_unknown: false,
            is_lost: false,
            lease: None,
            result_revision: 0,
        }
    }

    /// Goes on with slots that were taken at a time, in seconds of unix time. They are read when something is written.
    #[must_use]
    pub fn resume(paths: Paths, request: SlotRequest, since: f64) -> Self {
        let mut holder = Self::new(paths, request);
        holder.slot.since = since;
        // No slot has this revision, so the first write finds out the right one.
        let unread = HeldSlot {
            revision: -1,
            is_new: true,
        };
        for key in &holder.request.keys {
            let path = holder.paths.slot(&holder.request.host, key);
            holder.held.insert(path, unread);
        }

        holder
    }

    /// What is asked for.
    #[must_use]
    pub fn request(&self) -> &SlotRequest {
        &self.request
    }

    /// The last whole picture of the fleet.
    #[must_use]
    pub fn known(&self) -> &Snapshot {
        &self.known
    }

    /// Whether a grant that nobody knows of may still come.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.is_unknown
    }

    /// Whether this host has a slot.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether a slot that this host had was released by somebody else.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Since when the slots are asked for, in seconds of unix time: what tells them from those of other rolls here.
    #[must_use]
    pub fn since(&self) -> f64 {
        self.slot.since
    }

    /// Reads the whole picture.
    ///
    /// # Errors
    /// When no member answered, or when one refuses.
    pub async fn read(&mut self, engine: &mut Engine) -> Result<&Snapshot, EngineError> {
        let prefixes = [
            self.paths.slots(),
            self.paths.all_down(),
            self.paths.hosts(),
            self.paths.all_alive(),
        ];
        let found = self.found(engine, &prefixes).await?;
        self.known = Snapshot::read(&self.paths, &found);
        Ok(&self.known)
    }

    /// All that is under some prefixes, and the gate, at one moment.
    pub(super) async fn found(
        &self,
        engine: &mut Engine,
        prefixes: &[String],
    ) -> Result<Found, EngineError> {
        // The gate at the same moment: whoever is granted a slot after it moves it, and then what is read here is void.
        let mut ranges = vec![KeyRange::one(&self.paths.gate())];
        ranges.extend(prefixes.iter().map(|prefix| KeyRange::under(prefix)));
        engine.read(&ranges).await
    }

    /// Whether a slot was written by this very holder.
    pub(super) fn is_own(&self, slot: Option<&Slot>) -> bool {
        let own = &self.slot;
        let Some(slot) = slot else {
            return false;
        };

        // By the time, too: ids of rolls are short, so that the same one may come again.
        slot.roll == own.roll && (slot.since - own.since).abs() < SAME
    }

    pub(super) async fn lease(&mut self, engine: &mut Engine) -> Result<i64, EngineError> {
        if let Some(lease) = self.lease {
            return Ok(lease);
        }

        // One for all that this roll writes on this host: each lease costs every member memory for 90 days.
        let lease = engine.grant(AuditLine::LIFE).await?;
        self.lease = Some(lease);
        Ok(lease)
    }

    /// An error, unless it only says that the lease has ended: then the next try begins another one.
    pub(super) fn unless_lease(&mut self, error: EngineError) -> Result<(), EngineError> {
        match error.lacks_lease() && self.lease.take().is_some() {
            true => Ok(()),
            false => Err(error),
        }
    }

    pub(super) fn logged(
        &self,
        transaction: Transaction,
        what: &str,
        at: u64,
        lease: i64,
    ) -> Transaction {
        let line = self.request.line(what, at);
        let path = self.paths.log_line(at);
        transaction.put_leased(&path, line.to_json(), lease)
    }
}
