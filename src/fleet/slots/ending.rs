//! What becomes of slots: what this host does now, and how its roll ends.
//!
//! Rule: a slot is given back together with the result, by a comparison with its own revision; one that fails is kept.

use std::collections::BTreeMap;

use super::holder::{HeldSlot, SlotHolder};
use crate::fleet::engine::{Committed, Engine, EngineError, KeyRange, Pair, Transaction};
use crate::fleet::{Record as _, RollResult, Slot};
use crate::spool::unix_now;

/// How often an ending is tried at once.
const TRIES: u32 = 3;

/// What is done with the slots at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Seen up: they are given back.
    Released,
    /// Failed: they are kept.
    Kept,
    /// Nothing was changed: those that this roll took are given back.
    GivenBack,
}

impl Ending {
    fn frees(self, held: HeldSlot) -> bool {
        match self {
            Self::Released => true,
            // A slot that expired would let one host after the other go down with what broke this one.
            Self::Kept => false,
            // One that was there before is of a roll that failed here, and still needs somebody.
            Self::GivenBack => held.is_new,
        }
    }
}

impl SlotHolder {
    /// Tells what this host does now.
    ///
    /// # Errors
    /// When it is not told. Nothing else depends on it.
    pub async fn enter(&mut self, engine: &mut Engine, phase: &str) -> Result<(), EngineError> {
        self.set_phase(phase);
        let transaction = self.with_slots(Transaction::new(), Ending::Kept);
        match engine.commit(&transaction).await? {
            Committed::Done(revision) => self.written(revision),
            // Not tried again: the next phase writes the slots anew, and with the right revisions by then.
            Committed::Conflict | Committed::Unknown(_) => {
                let (_, fewer) = self.reread(engine).await?;
                self.is_lost |= fewer;
            }
        }

        Ok(())
    }

    fn set_phase(&mut self, phase: &str) {
        phase.clone_into(&mut self.slot.phase);
        self.slot.phase_since = unix_now();
    }

    /// Writes the slots that are held, as they are now, but for those that an ending frees.
    fn with_slots(&self, mut transaction: Transaction, ending: Ending) -> Transaction {
        let value = self.slot.to_json();
        for (path, held) in &self.held {
            // Whoever released the slot by hand meanwhile must not get it back by this write.
            transaction = transaction.unchanged(path, held.revision);
            transaction = match ending.frees(*held) {
                true => transaction.delete(KeyRange::one(path)),
                false => transaction.put(path, value.as_str()),
            };
        }

        transaction
    }

    pub(super) fn written(&mut self, revision: i64) {
        for held in self.held.values_mut() {
            held.revision = revision;
        }
    }

    /// Reads which slots are still this roll's. Gives how the roll ended so far, and whether slots are gone.
    async fn reread(
        &mut self,
        engine: &mut Engine,
    ) -> Result<(Option<RollResult>, bool), EngineError> {
        let result = self.result_path();
        let mut ranges = vec![KeyRange::one(&result)];
        ranges.extend(self.held.keys().map(|path| KeyRange::one(path)));
        let found = engine.read(&ranges).await?;

        let mut ended = None;
        let mut held = BTreeMap::new();
        // As etcd has it: the revision of a key that is not there is 0.
        self.result_revision = 0;
        for pair in found.pairs {
            if pair.key == result.as_bytes() {
                self.result_revision = pair.mod_revision;
                ended = RollResult::parse(&pair.value).ok();
            } else if let Some((path, slot)) = self.still_held(&pair) {
                held.insert(path, slot);
            }
        }

        let fewer = held.len() < self.held.len();
        self.held = held;
        Ok((ended, fewer))
    }

    /// A slot as it is now, if it is still this roll's: an operator may have released it, and another roll taken it since.
    fn still_held(&self, pair: &Pair) -> Option<(String, HeldSlot)> {
        let path = String::from_utf8_lossy(&pair.key).into_owned();
        let before = *self.held.get(&path)?;
        let slot = Slot::parse(&pair.value).ok();
        if !self.is_own(slot.as_ref()) {
            return None;
        }

        let revision = pair.mod_revision;
        let held = HeldSlot { revision, ..before };
        Some((path, held))
    }

    /// Ends the roll on this host: its result, together with what becomes of the slots. Gives whether that is known to be
    /// done; else it can be tried again.
    ///
    /// # Errors
    /// When no member answered, or when one refuses.
    pub async fn end(
        &mut self,
        engine: &mut Engine,
        result: &RollResult,
        ending: Ending,
    ) -> Result<bool, EngineError> {
        // What is kept tells whoever waits for it that nobody works here any more.
        if ending != Ending::Released {
            self.set_phase("failed");
        }

        for _ in 0..TRIES {
            if self.try_end(engine, result, ending).await? {
                return Ok(true);
            }
        }

        Ok(false)
    }

    async fn try_end(
        &mut self,
        engine: &mut Engine,
        result: &RollResult,
        ending: Ending,
    ) -> Result<bool, EngineError> {
        let lease = self.lease(engine).await?;
        let transaction = self.ended(result, ending, lease);
        match engine.commit(&transaction).await {
            Ok(Committed::Done(revision)) => {
                self.after(ending, revision);
                return Ok(true);
            }
            Ok(Committed::Conflict | Committed::Unknown(_)) => {}
            Err(e) => self.unless_lease(e)?,
        }

        // Read back, as a write that timed out may have been applied: then the slots are gone since this roll freed them,
        // and not since somebody else did. The time of a result tells it from every other one.
        let (found, fewer) = self.reread(engine).await?;
        let is_done = found.is_some_and(|found| found.at == result.at);
        self.is_lost |= fewer && !is_done;
        Ok(is_done)
    }

    /// The result, the line of the log, and the slots in one transaction: a slot that was given back without a result would
    /// leave the roll waiting for this host.
    fn ended(&self, result: &RollResult, ending: Ending, lease: i64) -> Transaction {
        let path = self.result_path();
        let transaction = Transaction::new()
            .unchanged(&path, self.result_revision)
            .put_leased(&path, result.to_json(), lease);
        let what = match ending {
            Ending::Released => "rolled",
            Ending::Kept | Ending::GivenBack => "roll failed",
        };

        let logged = self.logged(transaction, what, result.at, lease);
        self.with_slots(logged, ending)
    }

    fn result_path(&self) -> String {
        let request = &self.request;
        self.paths.roll_result(&request.roll, &request.host)
    }

    fn after(&mut self, ending: Ending, revision: i64) {
        self.result_revision = revision;
        self.held.retain(|_, held| !ending.frees(*held));
        self.written(revision);
    }
}
