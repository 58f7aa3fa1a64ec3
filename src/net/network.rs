//! Networks of addresses, for the lists of who may ask and what may be probed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network in CIDR notation; a bare address is the network of that one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// Parses `10.0.0.0/8`, `fc00::/7` or `10.1.2.3`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            Some((address, prefix)) => Self::with_prefix(address, prefix),
            None => {
                let base: IpAddr = text.parse().ok()?;
                Some(Self::new(base, bits(base)))
            }
        }
    }

    /// The networks that a word means: `private` and `any` stand for several; `None` for what is none.
    pub(crate) fn parse_word(word: &str) -> Option<Vec<Self>> {
        match word {
            "private" => Some(Self::private()),
            "any" => Some(Self::any()),
            other => Some(vec![Self::parse(other)?]),
        }
    }

    fn with_prefix(address: &str, prefix: &str) -> Option<Self> {
        let base: IpAddr = address.parse().ok()?;
        let prefix = prefix.parse().ok()?;
        // Bits of the base behind the prefix mean nothing: 10.1.2.3/8 is 10.0.0.0/8.
        (prefix <= bits(base)).then_some(Self { base, prefix })
    }

    /// Loopback, RFC 1918, RFC 4193, and RFC 6598, which clouds use for pods and VPNs for hosts: where services behind
    /// a load balancer live.
    #[must_use]
    pub fn private() -> Vec<Self> {
        vec![
            Self::new(Ipv4Addr::new(127, 0, 0, 0), 8),
            Self::new(Ipv4Addr::new(10, 0, 0, 0), 8),
            Self::new(Ipv4Addr::new(172, 16, 0, 0), 12),
            Self::new(Ipv4Addr::new(192, 168, 0, 0), 16),
            Self::new(Ipv4Addr::new(100, 64, 0, 0), 10),
            Self::new(Ipv6Addr::LOCALHOST, 128),
            Self::new(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
        ]
    }

    fn new(base: impl Into<IpAddr>, prefix: u8) -> Self {
        Self {
            base: base.into(),
            prefix,
        }
    }

    /// All addresses of both families.
    #[must_use]
    pub fn any() -> Vec<Self> {
        vec![
            Self::new(Ipv4Addr::UNSPECIFIED, 0),
            Self::new(Ipv6Addr::UNSPECIFIED, 0),
        ]
    }

    /// Whether it lies in a loopback network as a whole.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.base {
            IpAddr::V4(base) => base.is_loopback() && self.prefix >= 8,
            IpAddr::V6(base) => base.is_loopback() && self.prefix == 128,
        }
    }

    /// Whether its addresses are of IPv6.
    #[must_use]
    pub(crate) fn is_ipv6(&self) -> bool {
        self.base.is_ipv6()
    }

    /// Whether an address lies in the network. IPv4-mapped IPv6 addresses count as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        // Families never mix: mapped addresses are IPv4 by now.
        let is_of_family = address.is_ipv4() == self.base.is_ipv4();
        is_of_family && self.leading_bits(address) == self.leading_bits(self.base)
    }

    /// Whether an address lies in one of the networks.
    #[must_use]
    pub(crate) fn any_contains(networks: &[Self], address: IpAddr) -> bool {
        networks.iter().any(|network| network.contains(address))
    }

    /// The bits of an address of this family that the prefix covers.
    fn leading_bits(&self, address: IpAddr) -> u128 {
        let rest = bits(self.base) - self.prefix;
        let all = match address {
            IpAddr::V4(address) => address.to_bits().into(),
            IpAddr::V6(address) => address.to_bits(),
        };

        // With prefix 0 no bits are left, and a shift by the whole width would overflow.
        all.checked_shr(rest.into()).unwrap_or_default()
    }
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_compared_bit_by_bit() {
        let contains =
            |net: &str, a: &str| Network::parse(net).unwrap().contains(a.parse().unwrap());
        assert!(
            contains("172.16.0.0/12", "172.31.255.255") && !contains("172.16.0.0/12", "172.32.0.0")
        );
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::1"));
        assert!(
            contains("::/0", "::1")
                && contains("10.1.2.3", "10.1.2.3")
                && !contains("10.1.2.3", "10.1.2.4")
        );
        assert!(contains("127.0.0.0/8", "::ffff:127.0.0.1"));
    }

    #[test]
    fn private_networks_are_those_that_nobody_reaches_from_the_internet() {
        let is_private = |text: &str| {
            let address = text.parse().unwrap();
            Network::private().iter().any(|n| n.contains(address))
        };
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "172.31.0.1",
            "192.168.0.1",
            "100.64.0.0",
            "100.127.255.255",
            "::1",
            "fd00::1",
            "::ffff:100.64.0.1",
        ] {
            assert!(is_private(address), "{address}");
        }
        for address in [
            "100.63.255.255",
            "100.128.0.0",
            "172.32.0.1",
            "203.0.113.1",
            "fe80::1",
        ] {
            assert!(!is_private(address), "{address}");
        }
    }

    #[test]
    fn bad_networks_are_refused() {
        for bad in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10/8",
            "a/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
