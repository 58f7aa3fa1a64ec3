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
    interfaces: RwLock<Option<(HashSet<IpAddr>, Instant)>>,
    by_name: RwLock<Option<IpAddr>>,
    /// Where this process listens.
    pub listeners: OwnListeners,
}

impl LocalAddresses {
    /// Addresses that stay as they are here.
    #[cfg(test)]
    pub(crate) fn known(interfaces: &[IpAddr], by_name: Option<IpAddr>) -> Self {
        let for_ever = Instant::now() + Duration::from_secs(86_400);
        let interfaces = interfaces.iter().copied().collect();
        Self {
            interfaces: RwLock::new(Some((interfaces, for_ever))),
            by_name: RwLock::new(by_name),
            listeners: OwnListeners::default(),
        }
    }

    /// Whether an address belongs to an interface of this host.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let fresh = |known: &Option<(HashSet<IpAddr>, Instant)>| {
            known
                .as_ref()
                .filter(|(_, at)| at.elapsed() < REFRESH)
                .map(|(set, _)| set.contains(&address))
        };
        if let Some(answer) = fresh(
            &self
                .interfaces
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        ) {
            return answer;
        }
        let now = interface_addresses();
        let answer = now.contains(&address);
        *self
            .interfaces
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some((now, Instant::now()));
        answer
    }

    /// The address that this host's own name resolves to, once [`LocalAddresses::look_up_own_name`] found it.
    #[must_use]
    pub fn by_own_name(&self) -> Option<IpAddr> {
        *self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves this host's own name, first to IPv4 as the originals did. Blocks for as long as the resolver does.
    pub fn look_up_own_name(&self) {
        let found = gethostname().ok().and_then(|name| {
            let all: Vec<_> = (name.to_str()?, 0)
                .to_socket_addrs()
                .ok()?
                .map(|a| a.ip())
                .collect();
            all.iter().find(|a| a.is_ipv4()).or(all.first()).copied()
        });
        *self.by_name.write().unwrap_or_else(PoisonError::into_inner) = found;
    }
}

fn interface_addresses() -> HashSet<IpAddr> {
    let address = |a: SockaddrStorage| {
        let v4 = a.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        v4.or_else(|| a.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
    };
    getifaddrs()
        .map(|all| all.filter_map(|i| i.address.and_then(address)).collect())
        .unwrap_or_default()
}
