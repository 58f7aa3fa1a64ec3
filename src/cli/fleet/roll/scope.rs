//! The hosts of a roll: those that serve its key and are selected, if etcd has a sound record of them.

use super::NewRoll;
use crate::cli::failure::{Failure, failed};
use crate::cli::fleet::scope;
use crate::fleet::picture::FleetPicture;
use crate::fleet::{Selector, Snapshot, is_host_name};
use crate::names::Key;
use crate::spool::unix_now;

/// The hosts of a roll, by name.
pub(super) struct RollScope {
    pub(super) names: Vec<String>,
    /// What stands among them and is refused.
    pub(super) refused: Vec<String>,
}

impl RollScope {
    /// The hosts for a new roll.
    pub(super) fn of(snapshot: &Snapshot, fleet: &str, new: &NewRoll) -> Result<Self, Failure> {
        scope::refuse_empty(snapshot, fleet, &new.key, &new.selector, unix_now())?;
        let scope = Self::found(snapshot, &new.key, &new.selector);
        if scope.names.is_empty() {
            let all = quoted(&scope.refused);
            return Err(failed!("all hosts are refused: {all}"));
        }

        scope.refuse_untagged(snapshot, new.per.as_deref())?;
        Ok(scope)
    }

    /// What there is.
    pub(super) fn found(snapshot: &Snapshot, key: &Key, selector: &Selector) -> Self {
        let mut scope = Self {
            names: Vec::new(),
            refused: snapshot.odd_hosts.clone(),
        };

        for row in FleetPicture::new(snapshot, key, selector, unix_now()).rows {
            let name = row.name.to_owned();
            match is_itself(row.name, &row.record.host) {
                true => scope.names.push(name),
                false => scope.refused.push(name),
            }
        }

        scope
    }

    /// A host without the tag for which the limit counts would refuse its part.
    fn refuse_untagged(&self, snapshot: &Snapshot, per: Option<&str>) -> Result<(), Failure> {
        let Some(tag) = per else {
            return Ok(());
        };

        let without = self.without_tag(snapshot, tag);
        match without.is_empty() {
            true => Ok(()),
            false => Err(failed!(
                "no tag {tag}, for --per, on {}; set tags in the file of the fleet there, or choose other hosts with --where",
                scope::listed(without)
            )),
        }
    }

    fn without_tag(&self, snapshot: &Snapshot, tag: &str) -> Vec<&String> {
        let names = self.names.iter();
        let without = names.filter(|name| value(snapshot, name, tag).is_none());
        without.collect()
    }
}

/// Whether what a host says of itself is of the name in its key, which can be given to `ssh`.
fn is_itself(name: &str, said: &str) -> bool {
    is_host_name(name) && name == said
}

/// A host's value of a tag.
fn value<'a>(snapshot: &'a Snapshot, host: &str, tag: &str) -> Option<&'a String> {
    snapshot.hosts.get(host)?.tags.get(tag)
}

/// A host's value of the tag for which the limit counts; nothing where there is none.
pub(super) fn group(snapshot: &Snapshot, per: Option<&str>, host: &str) -> String {
    let value = per.and_then(|tag| value(snapshot, host, tag));
    value.cloned().unwrap_or_default()
}

/// Names that may be anything.
pub(super) fn quoted(names: &[String]) -> String {
    let quoted = names.iter().map(|name| format!("{name:?}"));
    scope::listed(quoted)
}
