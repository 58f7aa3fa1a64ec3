//! What the engine holds of a fleet at one moment: hosts, who is alive, orders, downtimes, slots.
//!
//! Rule: a value that cannot be read is told, and is never the same as none: an operator must see what a host may hold.

use std::collections::{BTreeMap, BTreeSet};

use super::engine::{Engine, EngineError, Found, KeyRange, Pair};
use super::picture::is_local;
use super::{HostRecord, Order, Paths, Record, RecordError, Report, Selector, Slot, register};
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
        let found = engine.read(&Self::ranges(paths)).await?;
        Ok(Self::read(paths, &found))
    }

    /// What is read of the engine.
    #[must_use]
    pub fn ranges(paths: &Paths) -> [KeyRange; 5] {
        let prefixes = [
            paths.hosts(),
            paths.all_alive(),
            paths.orders(),
            paths.all_down(),
            paths.slots(),
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
            let what = text.escape_debug();
            self.odd.push(format!("{what} cannot be read: {cause}"));
            let host = text.strip_prefix(&paths.hosts());
            self.odd_hosts.extend(host.map(str::to_owned));
        }

        self.revisions.insert(text, pair.mod_revision);
    }

    fn put(&mut self, paths: &Paths, path: &[u8], value: &[u8]) -> Result<(), RecordError> {
        match EngineKey::read(paths, path)? {
            EngineKey::Host(host) => self.put_host(host, value)?,
            EngineKey::Alive(host) => drop(self.alive.insert(host)),
            EngineKey::Order(key, selector) => {
                let order = Order::read(&key, &selector, value)?;
                self.orders.insert(order.register(), order);
            }
            EngineKey::Down(host, key) => {
                let report = Report::parse(value);
                let reports = self.down.entry(host).or_default();
                // A downtime of which nothing more is known is one all the same, and so is a slot.
                reports.insert(key, report.clone().unwrap_or_default());
                report?;
            }
            EngineKey::Slot(host, key) => {
                let slot = Slot::parse(value);
                let slots = self.slots.entry(host).or_default();
                slots.insert(key, slot.clone().unwrap_or_default());
                slot?;
            }
            EngineKey::Elsewhere => {}
        }

        Ok(())
    }

    fn put_host(&mut self, host: String, value: &[u8]) -> Result<(), RecordError> {
        self.forget_host(&host);
        match HostRecord::parse(value) {
            Ok(record) => drop(self.hosts.insert(host, record)),
            Err(e) => {
                self.unread_hosts.insert(host);
                return Err(e);
            }
        }

        Ok(())
    }

    fn forget_host(&mut self, host: &str) {
        self.hosts.remove(host);
        self.unread_hosts.remove(host);
    }

    /// Forgets what a key of the engine said.
    pub fn drop_key(&mut self, paths: &Paths, path: &[u8]) {
        self.revisions.remove(&*String::from_utf8_lossy(path));
        match EngineKey::read(paths, path) {
            Ok(EngineKey::Host(host)) => self.forget_host(&host),
            Ok(EngineKey::Alive(host)) => drop(self.alive.remove(&host)),
            Ok(EngineKey::Order(key, selector)) => {
                self.orders.remove(&register(&key, &selector));
            }
            Ok(EngineKey::Down(host, key)) => {
                self.down.entry(host).or_default().remove(&key);
            }
            Ok(EngineKey::Slot(host, key)) => {
                self.slots.entry(host).or_default().remove(&key);
            }
            // What could not be read is not there.
            Ok(EngineKey::Elsewhere) | Err(_) => {}
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
    /// Of something that is no part of a snapshot.
    Elsewhere,
}

impl EngineKey {
    fn read(paths: &Paths, path: &[u8]) -> Result<Self, RecordError> {
        let text = str::from_utf8(path).unwrap_or_default();
        let rest = text.strip_prefix(paths.root()).unwrap_or_default();
        let rest = rest.strip_prefix('/').unwrap_or_default();
        match rest.split('/').next().unwrap_or_default() {
            "hosts" => host(paths, &paths.hosts(), path).map(Self::Host),
            "alive" => host(paths, &paths.all_alive(), path).map(Self::Alive),
            "orders" => {
                let (key, selector) = paths.read_order(path).ok_or_else(not_ours)?;
                Ok(Self::Order(key, selector))
            }
            "down" => {
                let (host, key) = host_and_key(paths, &paths.all_down(), path)?;
                Ok(Self::Down(host, key))
            }
            "slots" => {
                let (host, key) = host_and_key(paths, &paths.slots(), path)?;
                Ok(Self::Slot(host, key))
            }
            _ => Ok(Self::Elsewhere),
        }
    }
}

fn host(paths: &Paths, prefix: &str, path: &[u8]) -> Result<String, RecordError> {
    let host = paths.read_host(prefix, path).ok_or_else(not_ours)?;
    Ok(host.to_owned())
}

fn host_and_key(paths: &Paths, prefix: &str, path: &[u8]) -> Result<(String, String), RecordError> {
    let (host, key) = paths.read_host_and_key(prefix, path).ok_or_else(not_ours)?;
    Ok((host.to_owned(), key.file_name()))
}

fn not_ours() -> RecordError {
    RecordError::Content("its name is none of ours".to_owned())
}
