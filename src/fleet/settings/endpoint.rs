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
        // Exactly as written: what looks like https and is read as http would send passwords in clear text.
        let (tls, authority) = match text.split_once("://")? {
            ("https", authority) => (true, authority),
            ("http", authority) => (false, authority),
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
    if let Some((host, behind)) = authority.rsplit_once(']') {
        let address = host.strip_prefix('[')?;
        return match behind.strip_prefix(':') {
            Some(port) => Some((address, port_of(port)?)),
            None if behind.is_empty() => Some((address, ETCD_PORT)),
            None => None,
        };
    }

    match authority.split_once(':') {
        Some((host, port)) => Some((host, port_of(port)?)),
        None => Some((authority, ETCD_PORT)),
    }
}

fn port_of(text: &str) -> Option<u16> {
    let port = parse_port(text).ok()?;
    (port != 0).then_some(port)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}
