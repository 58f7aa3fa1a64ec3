//! Who listens on which port of this host, as the kernel lists it: proc_net_tcp(5).

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A socket that listens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListeningSocket {
    pub(crate) address: SocketAddr,
    /// The user who opened it.
    pub(crate) user: u32,
    /// What tells it from all others.
    pub(crate) inode: u64,
}

/// The state of a socket that listens.
const LISTENING: &str = "0A";

/// All sockets for TCP that listen.
///
/// # Errors
/// When the kernel's lists cannot be read.
pub(crate) fn listening_sockets() -> io::Result<Vec<ListeningSocket>> {
    let mut sockets = Vec::new();
    for list in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        match File::open(list) {
            Ok(file) => read(BufReader::new(file), &mut sockets)?,
            // A kernel without IPv6.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }

    Ok(sockets)
}

fn read(list: BufReader<File>, sockets: &mut Vec<ListeningSocket>) -> io::Result<()> {
    for line in list.lines().skip(1) {
        match socket(&line?) {
            Some(socket) => sockets.push(socket),
            // Those that listen come first; the others may be many.
            None => return Ok(()),
        }
    }

    Ok(())
}

/// `0: 0100007F:0D05 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 0 12345 …`.
fn socket(line: &str) -> Option<ListeningSocket> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    if *words.get(3)? != LISTENING {
        return None;
    }

    Some(ListeningSocket {
        address: address(words.get(1)?)?,
        user: words.get(7)?.parse().ok()?,
        inode: words.get(9)?.parse().ok()?,
    })
}

fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddr::new(ip_address(ip)?, port))
}

/// Words of 32 bits, each in the order of this machine.
fn ip_address(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for at in (0..hex.len()).step_by(8) {
        let word = u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }

    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd as _;

    use nix::sys::stat::fstat;

    use super::*;

    #[test]
    fn a_socket_that_listens_is_found_with_its_inode() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let own = TcpListener::bind(address).unwrap();
            let found = listening_sockets().unwrap();
            let inode = fstat(own.as_fd()).unwrap().st_ino;
            let found = found.into_iter().find(|socket| socket.inode == inode);
            let found = found.map(|socket| socket.address);
            assert_eq!(found, Some(own.local_addr().unwrap()));
        }
    }

    #[test]
    fn lines_of_no_socket_that_listens_are_none() {
        for line in [
            "",
            "x",
            "0: 0100007F:0D05 00000000:0000 01",
            "0: : : 0A a b c d e f g",
        ] {
            assert_eq!(socket(line), None, "{line}");
        }
    }
}
