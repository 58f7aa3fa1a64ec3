//! Maps whose keys are the operator's own words: names of services and of commands.

use std::collections::BTreeMap;

use super::read::Reader;

/// A map whose keys and values are both read by `read`; all of them, even when one is at fault.
pub(crate) fn collect<T>(
    reader: &Reader<'_>,
    mut read: impl FnMut(&str, &Reader<'_>) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    let mut map = BTreeMap::new();
    let mut is_whole = true;
    // No early return: the faults of the other entries are to be found too.
    for (name, reader) in reader.entries()? {
        match read(name, &reader) {
            Some(value) => {
                map.insert(name.to_owned(), value);
            }
            None => is_whole = false,
        }
    }

    is_whole.then_some(map)
}
