//! Who may be logged in to: an entry of the setting `login_to`.

use std::fmt;
use std::net::SocketAddr;

use super::{Network, without_brackets};

/// Hosts, and a port of theirs, that a check may log in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginTo {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hosts {
    /// This host, by its own addresses.
    Own,
    Network(Network),
}

impl LoginTo {
    /// This host, at the port that a protocol's servers usually have.
    pub(crate) const LOCAL: Self = Self {
        hosts: Hosts::Own,
        port: None,
    };

    /// Parses `local`, `local:3307`, `10.0.0.0/8` (at any port), `10.0.0.0/8:6379`, `[fd00::/8]:6379`; `None` for
    /// anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        // First as a network without a port, because IPv6 networks contain colons.
        if let Some(hosts) = parse_hosts(text) {
            return Some(Self { hosts, port: None });
        }

        let (hosts, port) = text.rsplit_once(':')?;
        // Without brackets the port of an IPv6 network would read as a part of it.
        if hosts.contains(':') && !hosts.starts_with('[') {
            return None;
        }

        Some(Self {
            hosts: parse_hosts(hosts)?,
            port: Some(parse_port(port)?),
        })
    }

    /// Whether a check may log in at an address, which is one of this host's or is not. `usual` is the protocol's own
    /// port, if it has one.
    #[must_use]
    pub(crate) fn admits(&self, address: SocketAddr, is_own: bool, usual: Option<u16>) -> bool {
        match self.hosts {
            // Any local user may listen on another port, and would be sent the password.
            Hosts::Own => is_own && is_port(self.port.or(usual), address),
            // The operator listed these hosts, so any port of theirs will do unless one is named.
            Hosts::Network(network) => {
                network.contains(address.ip()) && is_port(self.port, address)
            }
        }
    }

    /// Whether it names nothing but this host.
    #[must_use]
    pub(crate) fn stays_here(&self) -> bool {
        match self.hosts {
            Hosts::Own => true,
            Hosts::Network(network) => network.is_loopback(),
        }
    }

    /// The port; unset where it is the protocol's own, or, of a network, any.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

/// Whether an address has a port, which may be any.
fn is_port(port: Option<u16>, address: SocketAddr) -> bool {
    port.is_none_or(|port| port == address.port())
}

fn parse_hosts(text: &str) -> Option<Hosts> {
    if text == "local" {
        return Some(Hosts::Own);
    }

    let network = Network::parse(without_brackets(text))?;
    Some(Hosts::Network(network))
}

fn parse_port(text: &str) -> Option<u16> {
    // `parse` alone takes a plus sign too.
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }

    match text.parse() {
        Ok(0) | Err(_) => None,
        Ok(port) => Some(port),
    }
}

impl fmt::Display for LoginTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            None => self.hosts.fmt(f),
            // In brackets, or the port would be read back as a part of the address.
            Some(port) if self.hosts.is_ipv6() => write!(f, "[{}]:{port}", self.hosts),
            Some(port) => write!(f, "{}:{port}", self.hosts),
        }
    }
}

impl Hosts {
    fn is_ipv6(self) -> bool {
        match self {
            Self::Own => false,
            Self::Network(network) => network.is_ipv6(),
        }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("local"),
            Self::Network(network) => network.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(entry: &str, address: &str, is_own: bool) -> bool {
        let entry = LoginTo::parse(entry).unwrap();
        entry.admits(address.parse().unwrap(), is_own, Some(6379))
    }

    #[test]
    fn local_is_this_host_at_the_protocols_own_port() {
        assert!(admits("local", "127.0.0.1:6379", true));
        assert!(admits("local", "[::1]:6379", true));
        assert!(!admits("local", "127.0.0.1:6380", true));
        assert!(!admits("local", "10.0.0.5:6379", false));
    }

    #[test]
    fn local_is_any_port_of_this_host_for_a_protocol_without_one_of_its_own() {
        let web = "127.0.0.1:8080".parse().unwrap();
        assert!(LoginTo::LOCAL.admits(web, true, None));
        assert!(!LoginTo::LOCAL.admits(web, false, None));
        let other = LoginTo::parse("local:80").unwrap();
        assert!(!other.admits(web, true, None));
    }

    #[test]
    fn local_with_a_port_is_this_host_at_that_port_alone() {
        assert!(admits("local:3307", "127.0.0.1:3307", true));
        assert!(!admits("local:3307", "127.0.0.1:6379", true));
        assert!(!admits("local:3307", "10.0.0.5:3307", false));
    }

    #[test]
    fn a_network_is_all_of_its_ports_unless_one_is_named() {
        assert!(admits("10.0.0.0/8", "10.1.2.3:1", false));
        assert!(admits("10.0.0.0/8", "[::ffff:10.1.2.3]:1", false));
        assert!(admits("10.1.2.3:6379", "10.1.2.3:6379", false));
        assert!(!admits("10.1.2.3:6379", "10.1.2.3:6380", false));
        assert!(!admits("10.0.0.0/8", "11.1.2.3:6379", true));
        assert!(admits("[fd00::/8]:6379", "[fd12::1]:6379", false));
        assert!(!admits("[fd00::/8]:6379", "[fd12::1]:1", false));
        assert!(admits("fd00::/8", "[fd12::1]:1", false));
        assert!(admits("[::1]", "[::1]:1", true));
    }

    #[test]
    fn entries_are_shown_as_they_are_read() {
        for (text, shown) in [
            ("local", "local"),
            (" local:3307 ", "local:3307"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3:6379", "10.1.2.3/32:6379"),
            ("::1", "::1/128"),
            ("[fd00::/8]", "fd00::/8"),
            ("[fd00::/8]:6379", "[fd00::/8]:6379"),
        ] {
            let entry = LoginTo::parse(text).unwrap();
            assert_eq!(entry.to_string(), shown);
            assert_eq!(LoginTo::parse(shown), Some(entry));
        }
        for bad in [
            "",
            "any",
            "localhost",
            "local:",
            "local:0",
            "local:65536",
            "local:+1",
            "local:1:2",
            "db.example:3306",
            "10.0.0.0/8:",
            "10.0.0.0/33",
            "10.0.0.0/8:6379-6380",
            "fd00::/8:6379",
            "[fd00::/8:6379",
            "[fd00::/8]6379",
            "[local]:1",
            ":6379",
        ] {
            assert_eq!(LoginTo::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn loopback_stays_on_this_host() {
        for here in ["local", "local:1", "127.0.0.0/8", "127.0.0.1:1", "::1"] {
            assert!(LoginTo::parse(here).unwrap().stays_here(), "{here}");
        }
        for away in ["10.0.0.5", "126.0.0.0/7", "0.0.0.0/0", "::/0", "::/127"] {
            assert!(!LoginTo::parse(away).unwrap().stays_here(), "{away}");
        }
    }
}
