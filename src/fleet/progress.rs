//! How far rolls over the fleet are: what each is, by its record, and which hosts have said how it ended there.

use std::collections::{BTreeMap, BTreeSet};

use super::engine::{Engine, EngineError, Found, KeyRange};
use super::{Paths, Record as _, RollId, RollRecord, RollResult, RollState, Snapshot};

/// Most rolls that are read: two ranges each, and etcd takes 128 at once.
const ROLLS_MAX: usize = 50;

/// A roll over the fleet.
#[derive(Debug, Clone)]
pub struct RollProgress {
    /// What it is.
    pub record: RollRecord,
    /// The hosts on which it ended well.
    pub done: BTreeSet<String>,
    /// Those on which it did not.
    pub failed: BTreeSet<String>,
}

impl Snapshot {
    /// Reads how far the rolls are that somebody runs, and those that hosts have slots for. Rolls of a host by itself have
    /// no record.
    ///
    /// # Errors
    /// When no member answered, or when one refuses.
    pub async fn read_rolls(
        &mut self,
        engine: &mut Engine,
        paths: &Paths,
    ) -> Result<(), EngineError> {
        let ids = self.roll_ids();
        let mut ranges = Vec::new();
        for id in &ids {
            ranges.push(KeyRange::one(&paths.roll(id)));
            ranges.push(KeyRange::under(&paths.roll_results(id)));
        }
        if !ranges.is_empty() {
            let found = engine.read(&ranges).await?;
            self.take_rolls(paths, &ids, &found);
        }

        Ok(())
    }

    pub(super) fn roll_ids(&self) -> Vec<RollId> {
        let locks = self.locks.values().map(|lock| &lock.roll);
        let slots = self.slots.values().flat_map(BTreeMap::values);
        let all = locks.chain(slots.map(|slot| &slot.roll));
        let mut seen = BTreeSet::new();
        let new = all.filter(|roll| seen.insert(*roll));
        new.filter_map(|roll| RollId::parse(roll))
            .take(ROLLS_MAX)
            .collect()
    }

    pub(super) fn take_rolls(&mut self, paths: &Paths, ids: &[RollId], found: &Found) {
        for id in ids {
            // One that was changed since it began is none, and neither is one that has no record.
            if let Some(roll) = RollProgress::read(paths, id, found) {
                self.rolls.insert(id.to_string(), roll);
            }
        }
    }
}

impl RollProgress {
    fn read(paths: &Paths, id: &RollId, found: &Found) -> Option<Self> {
        let path = paths.roll(id);
        let mut pairs = found.pairs.iter();
        let pair = pairs.find(|pair| pair.key == path.as_bytes())?;
        let mut progress = Self {
            record: RollRecord::read(id, &pair.value).ok()?,
            done: BTreeSet::new(),
            failed: BTreeSet::new(),
        };
        let prefix = paths.roll_results(id);
        for pair in &found.pairs {
            if let Some(host) = paths.read_host(&prefix, &pair.key) {
                progress.note(host, &pair.value);
            }
        }

        Some(progress)
    }

    fn note(&mut self, host: &str, value: &[u8]) {
        let ended = match RollResult::parse(value) {
            Ok(result) if result.state == RollState::Done => &mut self.done,
            Ok(_) => &mut self.failed,
            Err(_) => return,
        };
        ended.insert(host.to_owned());
    }
}
