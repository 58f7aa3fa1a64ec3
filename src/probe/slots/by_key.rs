//! Values by key, each there for as long as somebody uses it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

/// The values, each with the number of its users.
type Values<K, V> = HashMap<K, (usize, Arc<V>), RandomState>;

/// The values that are in use.
pub(super) struct ByKey<K, V>(Mutex<Values<K, V>>);

/// One use of a value.
pub(super) struct InUse<K: Eq + Hash, V> {
    all: Arc<ByKey<K, V>>,
    key: K,
    pub(super) value: Arc<V>,
    /// Its users when this use began, this one among them.
    pub(super) users: usize,
}

impl<K, V> Default for ByKey<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, V> ByKey<K, V> {
    /// Begins to use the value of a key, which is made if nobody uses it.
    pub(super) fn begin(self: &Arc<Self>, key: K, make: impl FnOnce() -> V) -> InUse<K, V> {
        // Made under the lock, so that two who come at once share one.
        let mut values = self.lock();
        let made = || (0, Arc::new(make()));
        let (users, value) = values.entry(key.clone()).or_insert_with(made);
        *users += 1;
        InUse {
            all: Arc::clone(self),
            key,
            value: Arc::clone(value),
            users: *users,
        }
    }
}

impl<K, V> ByKey<K, V> {
    fn lock(&self) -> MutexGuard<'_, Values<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V> Drop for InUse<K, V> {
    fn drop(&mut self) {
        let mut values = self.all.lock();
        match values.get_mut(&self.key) {
            Some((users, _)) if *users > 1 => *users -= 1,
            // The last one: keys come from requests, so none stays that is not in use.
            _ => {
                values.remove(&self.key);
            }
        }
    }
}
