//! What a host tells the engine of itself: that it lives, what it holds, which downtimes it has.
//!
//! Rules: the keys are its own, and are written when they change. Each write compares the revision that was read, so that two
//! hosts of one name are found out, and a write that timed out cannot win late.

use std::collections::BTreeMap;

use super::engine::{Committed, EngineError, EngineSession, Found, KeyRange, Transaction};
use super::{Alive, HostRecord, Paths, Record as _, Report, Slot};
use crate::names::Key;

/// Most changes in one transaction; etcd takes 128.
const CHANGES_MAX: usize = 50;

/// How often a write is tried again, when something else was written meanwhile or no answer came.
const TRIES: u32 = 3;

/// What a host tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct OwnRecords {
    pub(super) host: HostRecord,
    pub(super) down: BTreeMap<Key, Report>,
}

/// Keys with their new values, or without one where they go.
type PathChanges = BTreeMap<String, Option<String>>;

/// The host's own keys in the engine.
pub(super) struct OwnKeys {
    paths: Paths,
    host: String,
    /// What the engine has of them: value and revision.
    has: BTreeMap<String, (String, i64)>,
    /// Since when this host has a slot.
    pub(super) slot_since: Option<f64>,
}

/// What became of a report.
#[derive(Debug)]
pub(super) enum Reported {
    /// The engine has it.
    Done,
    /// The name of this host is another machine's, which lives.
    NameTaken,
}

impl OwnKeys {
    /// Nothing is known yet.
    pub(super) fn new(paths: &Paths, host: &str) -> Self {
        Self {
            paths: paths.clone(),
            host: host.to_owned(),
            has: BTreeMap::new(),
            slot_since: None,
        }
    }

    /// Reads what the engine has.
    pub(super) async fn read(&mut self, session: &EngineSession) -> Result<(), EngineError> {
        let ranges = [
            KeyRange::one(&self.paths.host(&self.host)),
            KeyRange::one(&self.paths.alive(&self.host)),
            KeyRange::under(&self.paths.down_of(&self.host)),
            KeyRange::under(&self.paths.slots_of(&self.host)),
        ];
        let found = session.read_all(&ranges).await?;
        self.take(found);
        Ok(())
    }

    fn take(&mut self, found: Found) {
        self.has.clear();
        self.slot_since = None;
        let slots = self.paths.slots_of(&self.host);
        for pair in found.pairs {
            let path = String::from_utf8_lossy(&pair.key).into_owned();
            // Slots are haroll's: what this host does not find among its own reports, it would delete.
            if path.starts_with(&slots) {
                self.note_slot(&pair.value);
                continue;
            }

            let value = String::from_utf8_lossy(&pair.value).into_owned();
            self.has.insert(path, (value, pair.mod_revision));
        }
    }

    fn note_slot(&mut self, value: &[u8]) {
        if let Ok(slot) = Slot::parse(value) {
            // The oldest one: an alert tells of slots that are held too long.
            let before = self.slot_since.unwrap_or(f64::INFINITY);
            self.slot_since = Some(before.min(slot.since));
        }
    }

    /// Says that this host lives, for as long as a lease does.
    pub(super) async fn live(
        &mut self,
        session: &EngineSession,
        alive: &Alive,
        lease: i64,
    ) -> Result<Reported, EngineError> {
        let path = self.paths.alive(&self.host);
        let value = alive.to_json();
        for _ in 0..TRIES {
            if self.is_another(&path, alive) {
                return Ok(Reported::NameTaken);
            }

            // Also over the life sign of the process before: its lease may live for a minute after it was killed.
            let write = Transaction::new()
                .unchanged(&path, self.revision(&path))
                .put_leased(&path, value.as_str(), lease);
            if let Committed::Done(revision) = session.commit(&write).await? {
                self.has.insert(path, (value, revision));
                return Ok(Reported::Done);
            }

            // Read back, as the sign may be another machine's, or this one's by a write of which nobody knows.
            self.read(session).await?;
        }

        // The next beat tries again.
        Ok(Reported::Done)
    }

    /// Whether the engine has a life sign of this name.
    pub(super) fn is_alive(&self) -> bool {
        self.has.contains_key(&self.paths.alive(&self.host))
    }

    /// Whether the name lives on another machine.
    fn is_another(&self, path: &str, alive: &Alive) -> bool {
        let Some((value, _)) = self.has.get(path) else {
            return false;
        };

        let known = Alive::parse(value.as_bytes());
        known.is_ok_and(|known| known.machine != alive.machine)
    }

    fn revision(&self, path: &str) -> i64 {
        match self.has.get(path) {
            Some((_, revision)) => *revision,
            // As etcd has it: the revision of a key that is not there is 0.
            None => 0,
        }
    }

    /// Tells what differs from what the engine has.
    pub(super) async fn tell(
        &mut self,
        session: &EngineSession,
        told: &OwnRecords,
    ) -> Result<(), EngineError> {
        let mut tries = 0;
        while let Some((transaction, changes)) = self.next(told) {
            match session.commit(&transaction).await? {
                Committed::Done(revision) => self.done(changes, revision),
                // The next look, a second later, finds the same differences.
                _ if tries >= TRIES => return Ok(()),
                Committed::Conflict | Committed::Unknown(_) => {
                    tries += 1;
                    self.read(session).await?;
                }
            }
        }

        Ok(())
    }

    fn done(&mut self, changes: PathChanges, revision: i64) {
        for (path, value) in changes {
            match value {
                Some(value) => self.has.insert(path, (value, revision)),
                None => self.has.remove(&path),
            };
        }
    }

    /// The next changes: keys with their new values, or without one. `None` when there are none.
    fn next(&self, told: &OwnRecords) -> Option<(Transaction, PathChanges)> {
        let mut changes = self.changes(told);
        while changes.len() > CHANGES_MAX {
            changes.pop_last();
        }

        if changes.is_empty() {
            return None;
        }

        let transaction = self.transaction(&changes);
        Some((transaction, changes))
    }

    fn transaction(&self, changes: &PathChanges) -> Transaction {
        let mut transaction = Transaction::new();
        for (path, value) in changes {
            let compared = transaction.unchanged(path, self.revision(path));
            transaction = match value {
                Some(value) => compared.put(path, value.as_str()),
                None => compared.delete(KeyRange::one(path)),
            };
        }

        transaction
    }

    fn changes(&self, told: &OwnRecords) -> PathChanges {
        let wanted = self.wanted(told);
        let mut changes = self.deletions(&wanted);
        for (path, value) in wanted {
            if self.value(&path) != Some(&value) {
                changes.insert(path, Some(value));
            }
        }

        changes
    }

    fn deletions(&self, wanted: &BTreeMap<String, String>) -> PathChanges {
        let mut deletions = PathChanges::new();
        // The life sign goes with its lease, and never here.
        let alive = self.paths.alive(&self.host);
        for path in self.has.keys() {
            if *path != alive && !wanted.contains_key(path) {
                deletions.insert(path.clone(), None);
            }
        }

        deletions
    }

    fn wanted(&self, told: &OwnRecords) -> BTreeMap<String, String> {
        let mut wanted = BTreeMap::new();
        let path = self.paths.host(&self.host);
        let host = self.host_record(&path, told);
        wanted.insert(path, host.to_json());
        for (key, report) in &told.down {
            let path = self.paths.down(&self.host, key);
            wanted.insert(path, report.to_json());
        }

        wanted
    }

    /// What the host says of itself: with the revision that the engine has, where nothing else changed.
    fn host_record(&self, path: &str, told: &OwnRecords) -> HostRecord {
        let mut host = told.host.clone();
        let Some(value) = self.value(path) else {
            return host;
        };

        let Ok(known) = HostRecord::parse(value.as_bytes()) else {
            return host;
        };

        // A later revision alone is no news, or each report would call for the next one.
        let told_revision = std::mem::replace(&mut host.rev, known.rev);
        if host != known {
            host.rev = told_revision;
        }

        host
    }

    fn value(&self, path: &str) -> Option<&String> {
        let (value, _) = self.has.get(path)?;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::engine::Pair;

    fn keys() -> OwnKeys {
        OwnKeys::new(&Paths::new("/h", "f"), "web01")
    }

    fn told(rev: i64, held: u64, down: &[&str]) -> OwnRecords {
        let host = HostRecord {
            host: "web01".to_owned(),
            rev,
            held: [("web/*".to_owned(), held)].into(),
            ..HostRecord::default()
        };
        let report = |name: &&str| (Key::parse(name).unwrap(), Report::default());
        OwnRecords {
            host,
            down: down.iter().map(report).collect(),
        }
    }

    fn paths_of(changes: &BTreeMap<String, Option<String>>) -> Vec<(&str, bool)> {
        changes
            .iter()
            .map(|(path, value)| (path.as_str(), value.is_some()))
            .collect()
    }

    #[test]
    fn only_what_changes_is_written_and_a_later_revision_is_no_change() {
        let mut keys = keys();
        let (_, changes) = keys.next(&told(5, 1, &["web"])).unwrap();
        assert_eq!(
            paths_of(&changes),
            [("/h/f/down/web01/web", true), ("/h/f/hosts/web01", true)]
        );
        keys.done(changes, 6);
        assert!(keys.next(&told(5, 1, &["web"])).is_none());
        assert!(keys.next(&told(9, 1, &["web"])).is_none());
        let (_, changes) = keys.next(&told(9, 2, &["api"])).unwrap();
        assert_eq!(
            paths_of(&changes),
            [
                ("/h/f/down/web01/api", true),
                ("/h/f/down/web01/web", false),
                ("/h/f/hosts/web01", true)
            ]
        );
        assert!(
            changes["/h/f/hosts/web01"]
                .as_ref()
                .unwrap()
                .contains("\"rev\":9")
        );
    }

    #[test]
    fn many_changes_go_in_several_transactions() {
        let mut keys = keys();
        let names: Vec<String> = (0..120).map(|n| format!("s{n:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let told = told(1, 1, &names);
        let mut sizes = Vec::new();
        while let Some((_, changes)) = keys.next(&told) {
            sizes.push(changes.len());
            keys.done(changes, 2);
        }
        assert_eq!(sizes, [50, 50, 21]);
    }

    #[test]
    fn a_name_that_lives_on_another_machine_is_taken() {
        let mut keys = keys();
        let alive = |machine: &str| Alive {
            machine: machine.to_owned(),
            ..Alive::default()
        };
        let path = keys.paths.alive("web01");
        assert!(!keys.is_another(&path, &alive("a")));
        keys.take(Found {
            pairs: vec![Pair {
                key: path.clone().into(),
                value: alive("a").to_json().into(),
                mod_revision: 4,
                ..Pair::default()
            }],
            ..Found::default()
        });
        assert!(!keys.is_another(&path, &alive("a")) && keys.is_another(&path, &alive("b")));
        assert_eq!(keys.revision(&path), 4);
        // The sign of life is not taken back with what is told.
        assert_eq!(keys.changes(&told(1, 1, &[])).len(), 1);
    }
}
