//! Maps whose keys are the operator's own words: names of services and of commands.

use std::collections::BTreeMap;

use super::read::Reader;
use crate::names::ServiceName;

/// A map whose keys are names of services.
pub fn by_service<T>(
    reader: &Reader<'_>,
    read: impl Fn(&Reader<'_>) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    collect(reader, |name, value| {
        expect_service_name(name, value)?;
        read(value)
    })
}

/// `None` when a fault was noted.
fn expect_service_name(name: &str, value: &Reader<'_>) -> Option<()> {
    if ServiceName::parse(name).is_ok() {
        return Some(());
    }

    value.fault_of_key(
        "is not the name of a service",
        "use letters, digits, '.', '_' and '-'",
    );
    None
}

/// A map whose keys and values are both read by `read`; all of them, even when one is at fault.
pub fn collect<T>(
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
