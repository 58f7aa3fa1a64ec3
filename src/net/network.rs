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
    /// Parses `10.0.0.0/8`, `fc00::/7` or `10.1.2.3`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = address
            .parse()
            .map_err(|_| format!("'{address}' is not an address; write 10.0.0.0/8 or fc00::/7"))?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(p) => p
                .parse()
                .ok()
                .filter(|p| *p <= bits)
                .ok_or_else(|| format!("'/{p}' is not a prefix length; give 0 to {bits}"))?,
        };
        Ok(Self { base, prefix })
    }

    /// Loopback, RFC 1918 and RFC 4193: where services behind a load balancer live.
    #[must_use]
    pub fn private() -> Vec<Self> {
        let v4 = |a, b, c, d, prefix| Self {
            base: Ipv4Addr::new(a, b, c, d).into(),
            prefix,
        };
        vec![
            v4(127, 0, 0, 0, 8),
            v4(10, 0, 0, 0, 8),
            v4(172, 16, 0, 0, 12),
            v4(192, 168, 0, 0, 16),
            Self {
                base: Ipv6Addr::LOCALHOST.into(),
                prefix: 128,
            },
            Self {
                base: Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0).into(),
                prefix: 7,
            },
        ]
    }

    /// All addresses of both families.
    #[must_use]
    pub fn any() -> Vec<Self> {
        vec![
            Self {
                base: Ipv4Addr::UNSPECIFIED.into(),
                prefix: 0,
            },
            Self {
                base: Ipv6Addr::UNSPECIFIED.into(),
                prefix: 0,
            },
        ]
    }

    /// Whether an address lies in the network. IPv4-mapped IPv6 addresses count as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(a)) => {
                same_prefix(base.to_bits().into(), a.to_bits().into(), 32, self.prefix)
            }
            (IpAddr::V6(base), IpAddr::V6(a)) => {
                same_prefix(base.to_bits(), a.to_bits(), 128, self.prefix)
            }
            _ => false,
        }
    }
}

fn same_prefix(a: u128, b: u128, bits: u32, prefix: u8) -> bool {
    let rest = bits - u32::from(prefix);
    a.checked_shr(rest).unwrap_or(0) == b.checked_shr(rest).unwrap_or(0)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// Metadata outside 169.254.0.0/16: Alibaba Cloud, Azure, Oracle Cloud Classic.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// Metadata outside fe80::/10, nearly all in what counts as private: AWS and its credentials for pods, Google, Oracle,
/// Scaleway, Linode, Alibaba Cloud.
const METADATA_V6: [Ipv6Addr; 7] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200),
];

/// Whether an address serves cloud metadata, in any of the forms that reach it: never probed, whatever the
/// configuration allows.
#[must_use]
pub fn is_metadata(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(a) => a.is_link_local() || METADATA_V4.contains(&a),
        IpAddr::V6(a) => {
            a.is_unicast_link_local()
                || METADATA_V6.contains(&a)
                || embedded_v4(a)
                    .into_iter()
                    .flatten()
                    .any(|a| is_metadata(a.into()))
        }
    }
}

/// The IPv4 addresses that an IPv6 address may stand for: IPv4-compatible and -translated (RFC 4291, RFC 2765), NAT64
/// (RFC 6052; under 64:ff9b:1::/48 the length of the prefix is the network's own choice), 6to4 (RFC 3056), Teredo
/// (RFC 4380) and ISATAP (RFC 5214).
fn embedded_v4(a: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let (s, o) = (a.segments(), a.octets());
    let v4 = |b: [usize; 4]| Some(Ipv4Addr::from(b.map(|at| o[at])));
    let end = v4([12, 13, 14, 15]);
    match s {
        [0, 0, 0, 0, 0 | 0xffff, 0, ..] => [end, None, None, None],
        [0x64, 0xff9b, 1, ..] => [
            end,
            v4([6, 7, 9, 10]),
            v4([7, 9, 10, 11]),
            v4([9, 10, 11, 12]),
        ],
        [0x64, 0xff9b, ..] => [end, None, None, None],
        [0x2002, ..] => [v4([2, 3, 4, 5]), None, None, None],
        [0x2001, 0, ..] => [
            v4([4, 5, 6, 7]),
            end.map(|a| Ipv4Addr::from_bits(!a.to_bits())),
            None,
            None,
        ],
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => [end, None, None, None],
        _ => [None; 4],
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
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_addresses_are_known_in_every_form() {
        for a in [
            "169.254.169.254",
            "169.254.170.2",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "::a9fe:a9fe",
            "192.0.0.192",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "fd00:a9fe:a9fe::1",
            "fd00:100::100:200",
            "::ffff:0:a9fe:a9fe",
            "64:ff9b::100.100.100.200",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:0:a9:fea9:fe00::",
            "2002:6464:64c8::1",
            "2001:0:a9fe:a9fe::1",
            "2001::1:5601:5601",
            "2001:db8::5efe:a9fe:a9fe",
            "2001:db8::200:5efe:169.254.169.254",
        ] {
            assert!(is_metadata(a.parse().unwrap()), "{a}");
        }
        for a in [
            "127.0.0.1",
            "::",
            "::1",
            "10.0.0.1",
            "fd00:ec2::253",
            "100.100.100.201",
            "64:ff9b:1::1",
            "2001:db8::1",
        ] {
            assert!(!is_metadata(a.parse().unwrap()), "{a}");
        }
    }
}
