//! Addresses that serve cloud metadata, credentials among them: 169.254.0.0/16 and its like.
//!
//! Rule: they are never probed, whatever the configuration allows, in none of the forms that reach them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// Whether an address serves cloud metadata, in any of the forms that reach it.
#[must_use]
pub(crate) fn is_metadata(address: IpAddr) -> bool {
    // Canonical, as ::ffff:169.254.169.254 leads to the same place.
    match address.to_canonical() {
        IpAddr::V4(a) => a.is_link_local() || METADATA_V4.contains(&a),
        IpAddr::V6(a) => {
            a.is_unicast_link_local() || METADATA_V6.contains(&a) || embeds_metadata(a)
        }
    }
}

fn embeds_metadata(address: Ipv6Addr) -> bool {
    let mut embedded = embedded_v4(address).into_iter();
    embedded.any(|v4| is_metadata(v4.into()))
}

/// The IPv4 addresses that an IPv6 address may stand for: IPv4-compatible and -translated (RFC 4291, RFC 2765), NAT64
/// (RFC 6052; under 64:ff9b:1::/48 the length of the prefix is the network's own choice), 6to4 (RFC 3056), Teredo
/// (RFC 4380) and ISATAP (RFC 5214).
fn embedded_v4(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let v4 = |at| v4_of(address, at);
    let end = v4([12, 13, 14, 15]);
    match address.segments() {
        // ::a.b.c.d and ::ffff:0:a.b.c.d
        [0, 0, 0, 0, 0 | 0xffff, 0, ..] => vec![end],
        // NAT64 with a prefix of the network's own, and with the well-known one.
        [0x64, 0xff9b, 1, ..] => in_local_nat64(address),
        [0x64, 0xff9b, ..] => vec![end],
        // 6to4: the address stands right behind the prefix.
        [0x2002, ..] => vec![v4([2, 3, 4, 5])],
        // Teredo: the server's address, and the client's with all bits turned.
        [0x2001, 0, ..] => vec![v4([4, 5, 6, 7]), Ipv4Addr::from_bits(!end.to_bits())],
        // ISATAP, whatever the prefix: the address is the end of the interface's number.
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => vec![end],
        _ => Vec::new(),
    }
}

/// What an address under 64:ff9b:1::/48 may stand for, with each length of the prefix (RFC 6052 section 2.2).
fn in_local_nat64(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    // Byte 8 is always zero, and the address goes around it.
    let places = [
        [12, 13, 14, 15],
        [6, 7, 9, 10],
        [7, 9, 10, 11],
        [9, 10, 11, 12],
    ];
    places.map(|at| v4_of(address, at)).to_vec()
}

/// The IPv4 address that four bytes of an IPv6 address make.
fn v4_of(address: Ipv6Addr, at: [usize; 4]) -> Ipv4Addr {
    let octets = address.octets();
    Ipv4Addr::from(at.map(|index| octets[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

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
