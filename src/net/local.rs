//! The addresses of this host.

use std::collections::HashSet;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;
use nix::unistd::gethostname;

use super::OwnListeners;

/// How long a list of this host's addresses counts.
const REFRESH: Duration = Duration::from_secs(5);

/// The addresses of this host.
#[derive(Debug, Default)]
pub struct LocalAddresses {
    interfaces: RwLock<Option<KnownInterfaces>>,
    by_name: RwLock<Option<IpAddr>>,
    /// Where this process listens.
    pub listeners: OwnListeners,
}

/// The addresses of all interfaces, and when they were looked up.
#[derive(Debug)]
struct KnownInterfaces {
    addresses: HashSet<IpAddr>,
    at: Instant,
}

impl LocalAddresses {
    /// Addresses that stay as they are here.
    #[cfg(test)]
    pub(crate) fn known(interfaces: &[IpAddr], by_name: Option<IpAddr>) -> Self {
        let known = KnownInterfaces {
            addresses: interfaces.iter().copied().collect(),
            // In the future, so that the list never becomes too old.
            at: Instant::now() + Duration::from_secs(86_400),
        };

        Self {
            interfaces: RwLock::new(Some(known)),
            by_name: RwLock::new(by_name),
            listeners: OwnListeners::default(),
        }
    }

    /// Whether an address belongs to an interface of this host.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if let Some(known) = self.is_known(address) {
            return known;
        }

        // Two threads may do this at once, which costs less than to wait for each other.
        let known = KnownInterfaces::look_up();
        let contains = known.addresses.contains(&address);
        let interfaces = self.interfaces.write();
        *interfaces.unwrap_or_else(PoisonError::into_inner) = Some(known);
        contains
    }

    /// What the list says, as long as it counts.
    fn is_known(&self, address: IpAddr) -> Option<bool> {
        let interfaces = self.interfaces.read();
        let interfaces = interfaces.unwrap_or_else(PoisonError::into_inner);
        let known = interfaces.as_ref()?;
        // Addresses come and go with containers and failover, without a notice to this process.
        let is_young = known.at.elapsed() < REFRESH;
        is_young.then(|| known.addresses.contains(&address))
    }

    /// The address that this host's own name resolves to, once [`LocalAddresses::look_up_own_name`] found it.
    #[must_use]
    pub(crate) fn by_own_name(&self) -> Option<IpAddr> {
        *self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves this host's own name, first to IPv4 as the originals did. Blocks for as long as the resolver does.
    pub(crate) fn look_up_own_name(&self) {
        // Resolved before the lock is taken: meanwhile the address found before counts.
        let found = resolve_own_name();
        *self.by_name.write().unwrap_or_else(PoisonError::into_inner) = found;
    }
}

fn resolve_own_name() -> Option<IpAddr> {
    let name = gethostname().ok()?;
    // By the resolver of the C library, which reads /etc/hosts and whatever else nsswitch.conf names.
    let found = (name.to_str()?, 0).to_socket_addrs().ok()?;
    let all: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    first_v4(&all).or(all.first().copied())
}

fn first_v4(addresses: &[IpAddr]) -> Option<IpAddr> {
    let mut addresses = addresses.iter();
    addresses.find(|address| address.is_ipv4()).copied()
}

impl KnownInterfaces {
    fn look_up() -> Self {
        Self {
            addresses: interface_addresses(),
            at: Instant::now(),
        }
    }
}

fn interface_addresses() -> HashSet<IpAddr> {
    match getifaddrs() {
        Ok(interfaces) => interfaces.filter_map(|i| ip(&i.address?)).collect(),
        // Without a list, only loopback counts as this host.
        Err(_) => HashSet::new(),
    }
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(v4.ip().into());
    }

    // Others are of the link layer.
    let v6 = address.as_sockaddr_in6()?;
    Some(v6.ip().into())
}
