//! Where the page of a fleet is, and who may see it.
//!
//! Rule: loopback, unless somebody says who else may look.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::cli::failure::{Failure, usage};
use crate::net::Network;

/// The port where none is given.
const PORT: u16 = 3380;

/// Where the page is, and who may see it besides this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) address: SocketAddr,
    from: Vec<Network>,
}

impl Site {
    /// By the words of a command line.
    pub(super) fn of(address: &str, from: &[String]) -> Result<Self, Failure> {
        let mut networks = Vec::new();
        for text in from {
            networks.extend(networks_of(text)?);
        }

        let site = Self {
            address: address_of(address)?,
            from: networks,
        };
        site.refuse_open()?;
        Ok(site)
    }

    fn refuse_open(&self) -> Result<(), Failure> {
        if !self.from.is_empty() || is_loopback(self.address.ip()) {
            return Ok(());
        }

        Err(usage!(
            "--serve: {} is no address of loopback, so others could see the fleet; add --from with who may, or serve 127.0.0.1:{}",
            self.address,
            self.address.port()
        ))
    }

    /// Whether an address may see it.
    pub(super) fn admits(&self, peer: IpAddr) -> bool {
        // This host in any case: whoever has started it looks at it here.
        is_loopback(peer) || Network::any_contains(&self.from, peer)
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn networks_of(text: &str) -> Result<Vec<Network>, Failure> {
    match Network::parse_word(text) {
        Some(networks) => Ok(networks),
        None => Err(usage!(
            "--from: {text:?} is not a network; give one such as 10.0.0.0/8, or private, or any"
        )),
    }
}

/// `127.0.0.1:3380`, `[::1]:3380`, `127.0.0.1`, `3380`.
fn address_of(text: &str) -> Result<SocketAddr, Failure> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }

    if let Ok(port) = text.parse() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }

    // Without asking anybody: what a resolver says of it may be another host.
    let host = text.replace("localhost", "127.0.0.1");
    match (host.parse::<SocketAddr>(), host.parse::<IpAddr>()) {
        (Ok(address), _) => Ok(address),
        (_, Ok(ip)) => Ok((ip, PORT).into()),
        _ => Err(usage!(
            "--serve: {text:?} is not an address with a port; give one such as 127.0.0.1:{PORT}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(address: &str, from: &[&str]) -> Result<Site, Failure> {
        let from: Vec<String> = from.iter().map(|text| (*text).to_owned()).collect();
        Site::of(address, &from)
    }

    #[test]
    fn the_page_is_on_loopback_unless_somebody_says_who_may_see_it() {
        for (address, is) in [
            ("127.0.0.1:3380", "127.0.0.1:3380"),
            ("localhost:81", "127.0.0.1:81"),
            ("localhost", "127.0.0.1:3380"),
            ("[::1]:80", "[::1]:80"),
            ("::1", "[::1]:3380"),
            ("3390", "127.0.0.1:3390"),
        ] {
            assert_eq!(site(address, &[]).unwrap().address.to_string(), is);
        }
        for address in [
            "0.0.0.0:80",
            "10.0.0.1:80",
            "[::]:80",
            "[::ffff:10.0.0.1]:80",
        ] {
            let failure = site(address, &[]).unwrap_err();
            assert!(failure.message.contains("add --from"), "{failure}");
            assert!(site(address, &["private"]).is_ok());
        }
        for address in ["", "x:80", "127.0.0.1:x", "127.0.0.1:99999"] {
            assert_eq!(site(address, &[]).unwrap_err().code, 2, "{address}");
        }
        assert_eq!(site("127.0.0.1:80", &["x"]).unwrap_err().code, 2);
    }

    #[test]
    fn this_host_is_admitted_and_who_is_listed() {
        let site = site("10.0.0.1:80", &["10.1.0.0/16"]).unwrap();
        for (peer, is_admitted) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("::1", true),
            ("10.1.2.3", true),
            ("10.2.2.3", false),
        ] {
            assert_eq!(site.admits(peer.parse().unwrap()), is_admitted, "{peer}");
        }
    }
}
