//! The names of the spool entries that can take a check down. Pure.

use super::super::this_host::ThisHost;
use crate::ledger::{Poller, Stated};
use crate::net::Host;
use crate::spool::{Key, ServiceName};

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

    // `service:port` for whatever gets to this host, `service:host:port` for every host that was named.
    let is_here = this_host.is(host) || leads_here || is_unspecified(host);
    let here = is_here.then_some(None);
    let named = named_hosts(host, stated, this_host).map(Some);
    for host in here.into_iter().chain(named) {
        let name = instance_name(&poller.service, host.as_deref(), *port);
        // Often several of them are spelled alike, and each name costs a look at a file.
        names.extend(name.filter(|name| !names.contains(name)));
    }

    names
}

/// The hosts by which files may name a check of this one.
fn named_hosts(
    host: &Host,
    stated: &Stated,
    this_host: ThisHost<'_>,
) -> impl Iterator<Item = String> {
    // The replaced tools' hadown names files by the host as it was typed.
    let typed = stated.host.as_deref().map(str::to_owned);
    let hosts = [own_address(host, this_host), written(host), typed];
    hosts.into_iter().flatten()
}

fn instance_name(service: &ServiceName, host: Option<&str>, port: u16) -> Option<String> {
    // A host that cannot be in a file's name has no file.
    let key = Key::instance(service.clone(), host, port).ok()?;
    Some(key.file_name())
}

/// The address that this host's own name resolves to, where this host is meant and no address of it was named.
fn own_address(host: &Host, this_host: ThisHost<'_>) -> Option<String> {
    if matches!(host, Host::Address(_)) || !this_host.is(host) {
        return None;
    }

    let address = this_host.addresses.by_own_name()?;
    Some(address.to_string())
}

/// The host as it stands in names of files, unless it is this one.
fn written(host: &Host) -> Option<String> {
    match host {
        Host::Local => None,
        Host::Address(address) => Some(address.to_string()),
        Host::Name(name) => Some(name.to_string()),
    }
}

/// Whoever connects to the address of no host gets to this one.
fn is_unspecified(host: &Host) -> bool {
    matches!(host, Host::Address(address) if address.is_unspecified())
}
