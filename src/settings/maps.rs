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
        if ServiceName::parse(name).is_err() {
            value.fault_of_key(
                "is not the name of a service",
                "use letters, digits, '.', '_' and '-'",
            );
            return None;
        }
        read(value)
    })
}

/// A map whose keys and values are both read by `read`; all of them, even when one is at fault.
pub fn collect<T>(
    reader: &Reader<'_>,
    mut read: impl FnMut(&str, &Reader<'_>) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    let entries = reader.entries()?;
    let read: Vec<_> = entries
        .iter()
        .map(|(name, value)| Some(((*name).to_owned(), read(name, value)?)))
        .collect();
    read.into_iter().collect()
}
