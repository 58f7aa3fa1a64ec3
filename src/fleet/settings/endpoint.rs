//! Where a member of the engine listens.

use std::fmt;
use std::net::IpAddr;

use crate::names::parse_port;
use crate::net::Host;

/// The port of etcd's clients.
const ETCD_PORT: u16 = 2379;

/// A member of the engine, as `https://etcd1:2379`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Whether it is spoken to within TLS.
    pub tls: bool,
    /// Its host.
    pub host: Host,
    /// Its port.
    pub port: u16,
}

impl Endpoint {
    /// Parses a URL without a path. The scheme has to be there, since it says whether there is TLS.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_suffix('/').unwrap_or(text);
        let (scheme, authority) = text.split_once("://")?;
        // Exactly as written: what looks like https and is read as http would send passwords in clear text.
        let tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };

        let (host, port) = split_port(authority)?;
        let host = Host::parse(host).ok()?;
        Some(Self { tls, host, port })
    }

    /// Whether it is this host, so that nobody else can listen.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Local => true,
            Host::Address(address) => is_loopback(*address),
            Host::Name(_) => self.host.is_localhost(),
        }
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Host and port of `etcd1`, `etcd1:2379`, `[::1]:2379`.
fn split_port(authority: &str) -> Option<(&str, u16)> {
    // An address of IPv6 has colons of its own, and so stands in brackets.
    if let Some((host, behind)) = authority.rsplit_once(']') {
        let address = host.strip_prefix('[')?;
        return Some((address, port_behind(behind)?));
    }

    match authority.find(':') {
        Some(colon) => {
            let (host, behind) = authority.split_at(colon);
            Some((host, port_behind(behind)?))
        }
        None => Some((authority, ETCD_PORT)),
    }
}

/// The port of `:2380`; etcd's own where there is none.
fn port_behind(text: &str) -> Option<u16> {
    if text.is_empty() {
        return Some(ETCD_PORT);
    }

    let port = parse_port(text.strip_prefix(':')?).ok()?;
    // What cannot be connected to is a slip in the file.
    (port != 0).then_some(port)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}
