//! Where this process itself listens: no check may go there, or it would ask itself as a caller on this host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};

/// A file, whatever names it has: device and inode.
type FileId = (u64, u64);

/// The sockets on which this process takes connections.
#[derive(Debug, Default)]
pub struct OwnListeners {
    addresses: RwLock<Vec<SocketAddr>>,
    unix: OnceLock<FileId>,
}

impl OwnListeners {
    /// Replaces the addresses. Gives whether they are others than before.
    pub fn set(&self, mut addresses: Vec<SocketAddr>) -> bool {
        // Sorted, so that another order of the same addresses is no change.
        addresses.sort_unstable();
        let known = self.addresses.write();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        let changed = *known != addresses;
        *known = addresses;
        changed
    }

    /// Notes the unix socket, which stays for as long as the process lives.
    pub(crate) fn set_unix(&self, path: &Path) {
        if let Some(id) = file_id(path) {
            // One that is known already is the same.
            let _ = self.unix.set(id);
        }
    }

    /// Whether a path, or what it links to, is the unix socket.
    #[must_use]
    pub(crate) fn is_unix(&self, path: &Path) -> bool {
        // Compared by device and inode: a check may reach it through a link or another path.
        match self.unix.get() {
            Some(own) => file_id(path).as_ref() == Some(own),
            None => false,
        }
    }

    /// Whether a connection to an address would come to this process, where `is_own` knows the addresses of this host.
    pub fn take(&self, address: SocketAddr, is_own: impl Fn(IpAddr) -> bool) -> bool {
        let reached = reached(address.ip());
        let address = SocketAddr::new(reached, address.port());
        let known = self.known();
        known.iter().any(|own| takes(*own, address, &is_own))
    }

    /// Whether this process listens on a port, at whatever address.
    #[must_use]
    pub(crate) fn has_port(&self, port: u16) -> bool {
        self.known().iter().any(|own| own.port() == port)
    }

    fn known(&self) -> RwLockReadGuard<'_, Vec<SocketAddr>> {
        let known = self.addresses.read();
        known.unwrap_or_else(PoisonError::into_inner)
    }
}

fn file_id(path: &Path) -> Option<FileId> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Where a connection to an address goes: Linux takes the one that names no host for the loopback (ip(7)).
fn reached(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

fn takes(own: SocketAddr, address: SocketAddr, is_own: impl Fn(IpAddr) -> bool) -> bool {
    if own.port() != address.port() {
        return false;
    }

    let ip = address.ip();
    let own = own.ip().to_canonical();
    if !own.is_unspecified() {
        return own == ip;
    }

    let is_here = ip.is_loopback() || is_own(ip);
    is_here && takes_family(own, ip)
}

/// Whether a socket that listens everywhere takes connections of an address's family.
fn takes_family(everywhere: IpAddr, ip: IpAddr) -> bool {
    // One of IPv6 takes IPv4 too (ipv6(7), IPV6_V6ONLY).
    everywhere.is_ipv6() || ip.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(at: &[&str]) -> OwnListeners {
        let listeners = OwnListeners::default();
        let at = at.iter().map(|address| address.parse().unwrap());
        assert!(listeners.set(at.collect()));
        listeners
    }

    fn take(listeners: &OwnListeners, address: &str) -> bool {
        let own: [IpAddr; 2] = ["10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap()];
        listeners.take(address.parse().unwrap(), |ip| own.contains(&ip))
    }

    #[test]
    fn who_listens_everywhere_takes_what_comes_to_any_address_of_this_host() {
        let own = listening(&["0.0.0.0:3333", "[::]:5500"]);
        for address in [
            "127.0.0.1:3333",
            "127.0.0.2:3333",
            "10.0.0.7:3333",
            "0.0.0.0:3333",
            "[::ffff:10.0.0.7]:3333",
            "[::ffff:0.0.0.0]:3333",
            "127.0.0.1:5500",
            "[::1]:5500",
            "[::]:5500",
            "[fd00::7]:5500",
        ] {
            assert!(take(&own, address), "{address}");
        }
        for address in [
            "127.0.0.1:3334",
            "10.0.0.8:3333",
            "[::1]:3333",
            "[fd00::8]:5500",
        ] {
            assert!(!take(&own, address), "{address}");
        }
    }

    #[test]
    fn who_listens_on_one_address_takes_what_comes_to_that_one() {
        let own = listening(&["127.0.0.1:3333", "[::ffff:10.0.0.7]:3334", "[::1]:3335"]);
        for address in [
            "127.0.0.1:3333",
            "0.0.0.0:3333",
            "10.0.0.7:3334",
            "[::1]:3335",
            "[::]:3335",
        ] {
            assert!(take(&own, address), "{address}");
        }
        for address in [
            "127.0.0.2:3333",
            "10.0.0.7:3333",
            "[::1]:3333",
            "127.0.0.1:3335",
        ] {
            assert!(!take(&own, address), "{address}");
        }
    }

    #[test]
    fn a_change_of_the_listeners_is_told() {
        let own = listening(&["127.0.0.1:1", "127.0.0.1:2"]);
        assert!(own.has_port(2) && !own.has_port(3));
        let swapped = ["127.0.0.1:2", "127.0.0.1:1"].map(|address| address.parse().unwrap());
        assert!(!own.set(swapped.to_vec()));
        assert!(own.set(Vec::new()));
        assert!(!take(&own, "127.0.0.1:1"));
    }
}
