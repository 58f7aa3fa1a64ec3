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
    let mut add = |host: Option<&str>| {
        let key = Key::instance(poller.service.clone(), host, *port);
        let name = key.ok().map(|key| key.file_name());
        names.extend(name.filter(|name| !names.contains(name)));
    };
    // `service:port` on this host, `service:host:port` for every host that was named.
    match host {
        Host::Local => {
            add(None);
            if let Some(address) = own.by_own_name() {
                add(Some(&address.to_string()));
            }
        }
        Host::Address(address) => {
            if own.contains(*address) {
                add(None);
            }
            add(Some(&address.to_string()));
        }
        Host::Name(name) => add(Some(name)),
    }
    // The replaced tools' hadown names files by the host as it was typed.
    if let Some(typed) = &stated.host {
        add(Some(typed));
    }
    names
}
