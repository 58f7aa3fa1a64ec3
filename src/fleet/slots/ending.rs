//! What becomes of slots: what this host does now, and how its roll ends.
//!
//! Rule: a slot is given back together with the result, by a comparison with its own revision; one that fails is kept.

use std::collections::BTreeMap;

use super::holder::{HeldSlot, SlotHolder};
use crate::fleet::engine::{Committed, Engine, EngineError, KeyRange, Transaction};
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

impl SlotHolder {
    /// Tells what this host does now.
    ///
    /// # Errors
    /// When it is not told. Nothing else depends on it.
    pub async fn enter(&mut self, engine: &mut Engine, phase: &str) -> Result<(), EngineError> {
        phase.clone_into(&mut self.slot.phase);
        self.slot.phase_since = unix_now();
        let transaction = self.with_slots(Transaction::new());
        match engine.commit(&transaction).await? {
            Committed::Done(revision) => self.written(revision),
            Committed::Conflict | Committed::Unknown(_) => {
                let (_, fewer) = self.reread(engine).await?;
                self.is_lost |= fewer;
            }
        }

        Ok(())
    }

    /// Writes the slots that are held, as they are now.
    fn with_slots(&self, mut transaction: Transaction) -> Transaction {
        let value = self.slot.to_json();
        for (path, held) in &self.held {
            transaction = transaction
                .unchanged(path, held.revision)
                .put(path, value.as_str());
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
        let result = self
            .paths
            .roll_result(&self.request.roll, &self.request.host);
        let mut ranges = vec![KeyRange::one(&result)];
        ranges.extend(self.held.keys().map(|path| KeyRange::one(path)));
        let found = engine.read(&ranges).await?;
        let mut held = BTreeMap::new();
        let mut ended = None;
        self.result_revision = 0;
        for pair in found.pairs {
            let path = String::from_utf8_lossy(&pair.key).into_owned();
            if path == result {
                self.result_revision = pair.mod_revision;
                ended = RollResult::parse(&pair.value).ok();
                continue;
            }
            let slot = Slot::parse(&pair.value).ok();
            if let Some(before) = self.held.get(&path)
                && self.is_own(slot.as_ref())
            {
                let revision = pair.mod_revision;
                held.insert(
                    path,
                    HeldSlot {
                        revision,
                        ..*before
                    },
                );
            }
        }

        let fewer = held.len() < self.held.len();
        self.held = held;
        Ok((ended, fewer))
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
        if ending != Ending::Released {
            "failed".clone_into(&mut self.slot.phase);
            self.slot.phase_since = unix_now();
        }

        for _ in 0..TRIES {
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
            // Its time tells it from every other one.
            let (found, fewer) = self.reread(engine).await?;
            if found.is_some_and(|found| found.at == result.at) {
                return Ok(true);
            }
            self.is_lost |= fewer;
        }

        Ok(false)
    }

    fn ended(&self, result: &RollResult, ending: Ending, lease: i64) -> Transaction {
        let path = self
            .paths
            .roll_result(&self.request.roll, &self.request.host);
        let mut transaction = Transaction::new()
            .unchanged(&path, self.result_revision)
            .put_leased(&path, result.to_json(), lease);
        let what = match ending {
            Ending::Released => "rolled",
            Ending::Kept | Ending::GivenBack => "roll failed",
        };

        transaction = self.logged(transaction, what, result.at, lease);
        let value = self.slot.to_json();
        for (slot, held) in &self.held {
            transaction = transaction.unchanged(slot, held.revision);
            transaction = match is_freed(ending, *held) {
                true => transaction.delete(KeyRange::one(slot)),
                false => transaction.put(slot, value.as_str()),
            };
        }

        transaction
    }

    fn after(&mut self, ending: Ending, revision: i64) {
        self.result_revision = revision;
        self.held.retain(|_, held| !is_freed(ending, *held));
        self.written(revision);
    }
}

fn is_freed(ending: Ending, held: HeldSlot) -> bool {
    match ending {
        Ending::Released => true,
        Ending::Kept => false,
        Ending::GivenBack => held.is_new,
    }
}
