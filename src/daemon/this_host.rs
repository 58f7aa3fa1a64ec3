//! Which hosts, as they are written, are this one. No name server is asked.

use std::net::IpAddr;

use crate::http::named_host::without_dot;
use crate::net::{Host, LocalAddresses};
use crate::os::host_names::HostNames;

/// What tells this host from others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThisHost<'a> {
    pub(crate) addresses: &'a LocalAddresses,
    pub(crate) names: &'a HostNames,
}

impl ThisHost<'_> {
    /// Whether a host is this one.
    pub(crate) fn is(self, host: &Host) -> bool {
        match host {
            Host::Local => true,
            Host::Address(address) => self.has(*address),
            Host::Name(name) => self.has_name(name),
        }
    }

    fn has(self, address: IpAddr) -> bool {
        // The last one may be of no interface, where addresses are translated (NAT).
        address.is_loopback()
            || self.addresses.contains(address)
            || self.addresses.by_own_name() == Some(address)
    }

    fn has_name(self, name: &str) -> bool {
        // A dot at the end keeps resolvers from trying domains of their own.
        let name = without_dot(name);
        name == "localhost" || self.names.has(name)
    }
}

/// Whether one of `page_hosts` means a name: the same, or `.suffix` one below it.
pub(super) fn is_page_host(page_hosts: &[String], name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    page_hosts.iter().any(|known| covers(known, &name))
}

fn covers(known: &str, name: &str) -> bool {
    let known = known.to_ascii_lowercase();
    if known.starts_with('.') {
        name.len() > known.len() && name.ends_with(&known)
    } else {
        name == known
    }
}
