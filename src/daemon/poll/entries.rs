//! The names of the spool entries that can take a check down. Pure.

use super::super::this_host::ThisHost;
use crate::ledger::{Poller, Stated};
use crate::net::Host;
use crate::spool::Key;

/// The names of the entries besides `all`, in the order to ask. `leads_here` says that the look-up of the host's name led
/// to this host; what needs none is known here.
pub(crate) fn names(
    poller: &Poller,
    stated: &Stated,
    this_host: ThisHost<'_>,
    leads_here: bool,
) -> Vec<String> {
    let mut names = vec![poller.service.as_str().to_owned()];
    let Some((host, port)) = &poller.check.place else {
        return names;
    };
    let mut add = |host: Option<&str>| {
        let key = Key::instance(poller.service.clone(), host, *port);
        let name = key.ok().map(|key| key.file_name());
        names.extend(name.filter(|name| !names.contains(name)));
    };
    // `service:port` for whatever gets to this host, `service:host:port` for every host that was named.
    let is_this_host = this_host.is(host);
    if is_this_host || leads_here || is_unspecified(host) {
        add(None);
    }
    if let Some(address) = this_host.addresses.by_own_name()
        && is_this_host
        && !matches!(host, Host::Address(_))
    {
        add(Some(&address.to_string()));
    }
    match host {
        Host::Local => {}
        Host::Address(address) => add(Some(&address.to_string())),
        Host::Name(name) => add(Some(name)),
    }
    // The replaced tools' hadown names files by the host as it was typed.
    if let Some(typed) = &stated.host {
        add(Some(typed));
    }
    names
}

/// Whoever connects to the address of no host gets to this one.
fn is_unspecified(host: &Host) -> bool {
    matches!(host, Host::Address(address) if address.is_unspecified())
}
