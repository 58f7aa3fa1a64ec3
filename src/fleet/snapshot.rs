//! What the engine holds of a fleet at one moment: hosts, who is alive, orders, downtimes, slots, who rolls.
//!
//! Rule: a value that cannot be read is told, and is never the same as none: an operator must see what a host may hold.

use std::collections::{BTreeMap, BTreeSet};

use super::engine::{Engine, EngineError, Found, KeyRange, Pair};
use super::picture::is_local;
use super::{
    HostRecord, Order, Paths, Record, RecordError, Report, RollLock, RollProgress, Selector, Slot,
    register,
};
use crate::names::Key;

/// What was read of a fleet.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The engine's revision then.
    pub revision: i64,
    /// What each host says of itself.
    pub hosts: BTreeMap<String, HostRecord>,
    /// The hosts whose words about themselves cannot be read.
    pub unread_hosts: BTreeSet<String>,
    /// The hosts that are alive.
    pub alive: BTreeSet<String>,
    /// The orders by their registers, such as `web/*`.
    pub orders: BTreeMap<String, Order>,
    /// The downtimes of each host, by the key of the spool.
    pub down: BTreeMap<String, BTreeMap<String, Report>>,
    /// The slots of each host, by the key of the spool.
    pub slots: BTreeMap<String, BTreeMap<String, Slot>>,
    /// Who rolls over the fleet, by the key of the spool.
    pub locks: BTreeMap<String, RollLock>,
    /// How far the rolls are, by their ids; none unless they were read.
    pub rolls: BTreeMap<String, RollProgress>,
    /// When each key of the engine was changed last, in revisions.
    revisions: BTreeMap<String, i64>,
    /// What cannot be read, as a sentence each.
    pub odd: Vec<String>,
    /// What stands among the hosts and cannot be read, by what is in a name's place: any text.
    pub odd_hosts: Vec<String>,
}

impl Snapshot {
    /// What an engine holds of a fleet now.
    ///
    /// # Errors
    /// When no member answered, or when one refuses.
    pub async fn of(engine: &mut Engine, paths: &Paths) -> Result<Self, EngineError> {
        // At one moment, so that no host is down in one part and without a slot in another.
        let found = engine.read(&Self::ranges(paths)).await?;
        Ok(Self::read(paths, &found))
    }

    /// What is read of the engine.
    #[must_use]
    pub fn ranges(paths: &Paths) -> [KeyRange; 6] {
        let prefixes = [
            paths.hosts(),
            paths.all_alive(),
            paths.orders(),
            paths.all_down(),
            paths.slots(),
            paths.roll_locks(),
        ];
        prefixes.map(|prefix| KeyRange::under(&prefix))
    }

    /// Reads what was found.
    #[must_use]
    pub fn read(paths: &Paths, found: &Found) -> Self {
        let mut snapshot = Self {
            revision: found.revision,
            ..Self::default()
        };

        for pair in &found.pairs {
            snapshot.take(paths, pair);
        }

        snapshot
    }

    /// Takes one more pair, in place of an older one of the same key. Keys of other kinds are passed over.
    pub fn take(&mut self, paths: &Paths, pair: &Pair) {
        let text = String::from_utf8_lossy(&pair.key).into_owned();
        if let Err(cause) = self.put(paths, &pair.key, &pair.value) {
            self.note_odd(paths, &text, &cause);
        }

        // Of what cannot be read, too: whoever writes over it compares this revision.
        self.revisions.insert(text, pair.mod_revision);
    }

    fn note_odd(&mut self, paths: &Paths, path: &str, cause: &RecordError) {
        let what = path.escape_debug();
        self.odd.push(format!("{what} cannot be read: {cause}"));
        if let Some(host) = path.strip_prefix(&paths.hosts()) {
            self.odd_hosts.push(host.to_owned());
        }
    }

    fn put(&mut self, paths: &Paths, path: &[u8], value: &[u8]) -> Result<(), RecordError> {
        match EngineKey::read(paths, path)? {
            EngineKey::Host(host) => self.put_host(host, value),
            EngineKey::Alive(host) => {
                // What stands there is the host's own affair: that the key lives is all that counts.
                self.alive.insert(host);
                Ok(())
            }
            EngineKey::Order(key, selector) => self.put_order(&key, &selector, value),
            EngineKey::Down(host, key) => put_at(&mut self.down, host, key, value),
            EngineKey::Slot(host, key) => put_at(&mut self.slots, host, key, value),
            EngineKey::Lock(key) => {
                self.locks.insert(key, RollLock::parse(value)?);
                Ok(())
            }
            EngineKey::Elsewhere => Ok(()),
        }
    }

    fn put_order(
        &mut self,
        key: &Key,
        selector: &Selector,
        value: &[u8],
    ) -> Result<(), RecordError> {
        let order = Order::read(key, selector, value)?;
        self.orders.insert(order.register(), order);
        Ok(())
    }

    fn put_host(&mut self, host: String, value: &[u8]) -> Result<(), RecordError> {
        // It stands in one of the two lists, whichever it stood in before.
        self.forget_host(&host);
        match HostRecord::parse(value) {
            Ok(record) => {
                self.hosts.insert(host, record);
                Ok(())
            }
            Err(e) => {
                self.unread_hosts.insert(host);
                Err(e)
            }
        }
    }

    fn forget_host(&mut self, host: &str) {
        self.hosts.remove(host);
        self.unread_hosts.remove(host);
    }

    /// Forgets what a key of the engine said.
    pub fn drop_key(&mut self, paths: &Paths, path: &[u8]) {
        self.revisions.remove(&*String::from_utf8_lossy(path));
        // What could not be read is not there.
        let Ok(key) = EngineKey::read(paths, path) else {
            return;
        };

        match key {
            EngineKey::Host(host) => self.forget_host(&host),
            EngineKey::Alive(host) => drop(self.alive.remove(&host)),
            EngineKey::Order(key, selector) => drop(self.orders.remove(&register(&key, &selector))),
            EngineKey::Down(host, key) => drop_at(&mut self.down, &host, &key),
            EngineKey::Slot(host, key) => drop_at(&mut self.slots, &host, &key),
            EngineKey::Lock(key) => drop(self.locks.remove(&key)),
            EngineKey::Elsewhere => {}
        }
    }

    /// The hosts that are selected, by name.
    pub fn selected(&self, selector: &Selector) -> impl Iterator<Item = (&String, &HostRecord)> {
        let hosts = self.hosts.iter();
        hosts.filter(|(name, record)| selector.selects(name, &record.tags))
    }

    /// When a key of the engine was changed last; 0 when there is none.
    #[must_use]
    pub fn mod_revision(&self, path: &str) -> i64 {
        self.revisions.get(path).copied().unwrap_or_default()
    }

    /// What a host reports of one key of the spool.
    #[must_use]
    pub fn report(&self, host: &str, key: &Key) -> Option<&Report> {
        self.down.get(host)?.get(&key.file_name())
    }

    /// The order that a downtime follows, where the engine still has it.
    #[must_use]
    pub fn order_behind(&self, report: &Report) -> Option<&Order> {
        if is_local(report) {
            return None;
        }

        let mut orders = self.orders.values();
        orders.find(|order| order.id == report.order)
    }

    /// A host's slot for one key of the spool.
    #[must_use]
    pub fn slot(&self, host: &str, key: &Key) -> Option<&Slot> {
        self.slots.get(host)?.get(&key.file_name())
    }
}

/// What a key of the engine is of: of a host by its name, and of a key of the spool.
enum EngineKey {
    Host(String),
    Alive(String),
    Order(Key, Selector),
    Down(String, String),
    Slot(String, String),
    /// Of a key of the spool alone.
    Lock(String),
    /// Of something that is no part of a snapshot.
    Elsewhere,
}

impl EngineKey {
    fn read(paths: &Paths, path: &[u8]) -> Result<Self, RecordError> {
        let key = match paths.folder_of(path) {
            "hosts" => host(paths, &paths.hosts(), path).map(Self::Host),
            "alive" => host(paths, &paths.all_alive(), path).map(Self::Alive),
            "orders" => order(paths, path),
            "down" => {
                let place = host_and_key(paths, &paths.all_down(), path);
                place.map(|(host, key)| Self::Down(host, key))
            }
            "slots" => {
                let place = host_and_key(paths, &paths.slots(), path);
                place.map(|(host, key)| Self::Slot(host, key))
            }
            "rolls" => roll_lock(paths, path),
            // The gate and the log are read where they are needed.
            _ => Some(Self::Elsewhere),
        };
        key.ok_or_else(|| RecordError::Content("its name is none of ours".to_owned()))
    }
}

/// What each host has of one kind, by the key of the spool.
type ByHostAndKey<T> = BTreeMap<String, BTreeMap<String, T>>;

fn put_at<T: Record + Clone + Default>(
    records: &mut ByHostAndKey<T>,
    host: String,
    key: String,
    value: &[u8],
) -> Result<(), RecordError> {
    let read = T::parse(value);
    // A downtime of which nothing more is known is one all the same, and so is a slot.
    let record = read.clone().unwrap_or_default();
    records.entry(host).or_default().insert(key, record);
    read.map(drop)
}

fn drop_at<T>(records: &mut ByHostAndKey<T>, host: &str, key: &str) {
    if let Some(records) = records.get_mut(host) {
        records.remove(key);
    }
}

fn host(paths: &Paths, prefix: &str, path: &[u8]) -> Option<String> {
    let host = paths.read_host(prefix, path)?;
    Some(host.to_owned())
}

fn order(paths: &Paths, path: &[u8]) -> Option<EngineKey> {
    let (key, selector) = paths.read_order(path)?;
    Some(EngineKey::Order(key, selector))
}

/// Who rolls; all else of rolls is read where it is needed.
fn roll_lock(paths: &Paths, path: &[u8]) -> Option<EngineKey> {
    let text = str::from_utf8(path).unwrap_or_default();
    let Some(key) = text.strip_prefix(&paths.roll_locks()) else {
        return Some(EngineKey::Elsewhere);
    };

    let key = Key::parse(key).ok()?;
    Some(EngineKey::Lock(key.file_name()))
}

fn host_and_key(paths: &Paths, prefix: &str, path: &[u8]) -> Option<(String, String)> {
    let (host, key) = paths.read_host_and_key(prefix, path)?;
    Some((host.to_owned(), key.file_name()))
}
