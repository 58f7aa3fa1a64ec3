//! The names of the spool entries that can take a check down. Pure.

use crate::ledger::{Poller, Stated};
use crate::net::Host;
use crate::net::LocalAddresses;
use crate::spool::Key;

/// The names of the entries besides `all`, in the order to ask.
pub(crate) fn names(poller: &Poller, stated: &Stated, own: &LocalAddresses) -> Vec<String> {
    let mut names = vec![poller.service.as_str().to_owned()];
    let Some((host, port)) = &poller.check.place else {
        return names;
    };
    // The replaced tools' hadown names files by the host as it was typed.
    let typed = stated.host.iter().map(|typed| Some(typed.to_string()));
    for host in hosts(host, own).into_iter().chain(typed) {
        let key = Key::instance(poller.service.clone(), host.as_deref(), *port);
        // A host that no file name can hold names no entry.
        let Ok(key) = key else { continue };
        let name = key.file_name();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The host as the names of entries have it; `None` is this host, for `service:port`.
fn hosts(host: &Host, own: &LocalAddresses) -> Vec<Option<String>> {
    match host {
        Host::Local => match own.by_own_name() {
            Some(address) => vec![None, Some(address.to_string())],
            None => vec![None],
        },
        Host::Address(address) if own.contains(*address) => vec![None, Some(address.to_string())],
        Host::Address(address) => vec![Some(address.to_string())],
        Host::Name(name) => vec![Some(name.to_string())],
    }
}
