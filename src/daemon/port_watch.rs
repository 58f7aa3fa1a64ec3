//! Whether another process listens on a port of this daemon. Upgrades need that two do for a while; left so, polls go to
//! either of them, and what one knows of downtimes and pollers the other does not.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd as _;

use nix::sys::stat::fstat;

use crate::os::listening::{ListeningSocket, listening_sockets};
use crate::os::users::user_name;

/// What was seen last.
pub(super) struct PortWatch {
    /// Where this process listens.
    addresses: Vec<SocketAddr>,
    /// Its sockets.
    inodes: Vec<u64>,
    /// Ports on which others listen, with the user.
    shared: BTreeMap<u16, u32>,
}

impl PortWatch {
    pub(super) fn new(sockets: &[&TcpListener]) -> Self {
        let addresses = sockets.iter().filter_map(|s| s.local_addr().ok());
        let inodes = sockets.iter().filter_map(|s| fstat(s.as_fd()).ok());
        Self {
            addresses: addresses.collect(),
            inodes: inodes.map(|status| status.st_ino).collect(),
            shared: BTreeMap::new(),
        }
    }

    /// Logs who has begun or ended to listen there since the last look.
    pub(super) fn look(&mut self) {
        // Where the lists cannot be read, nothing is known of others.
        let Ok(sockets) = listening_sockets() else {
            return;
        };

        let shared = self.shared_by(&sockets);
        log_changes(&self.shared, &shared);
        self.shared = shared;
    }

    fn shared_by(&self, sockets: &[ListeningSocket]) -> BTreeMap<u16, u32> {
        let mut shared = BTreeMap::new();
        for socket in sockets {
            // By inode, as nothing else tells a socket of ours from one of another process on the same port.
            let is_own = self.inodes.contains(&socket.inode);
            let meets = |own: &SocketAddr| meet(*own, socket.address);
            if !is_own && self.addresses.iter().any(meets) {
                shared.insert(socket.address.port(), socket.user);
            }
        }

        shared
    }
}

fn log_changes(before: &BTreeMap<u16, u32>, now: &BTreeMap<u16, u32>) {
    for (port, user) in now {
        if !before.contains_key(port) {
            log_shared(*port, &user_name(*user));
        }
    }

    for port in before.keys() {
        if !now.contains_key(port) {
            log::info!("no other process listens on port {port} any more");
        }
    }
}

fn log_shared(port: u16, user: &str) {
    log::warn!(
        "another process, of user {user}, listens on port {port} too, so polls go to either; end one of the two, \
         unless one is about to replace the other"
    );
}

/// Whether a connection can come to either of two addresses. One that is not specified stands for all.
fn meet(own: SocketAddr, other: SocketAddr) -> bool {
    let is_any = own.ip().is_unspecified() || other.ip().is_unspecified();
    own.port() == other.port() && (is_any || own.ip().to_canonical() == other.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_others_count_where_they_take_connections_too() {
        let watch = PortWatch {
            addresses: vec!["127.0.0.1:3333".parse().unwrap()],
            inodes: vec![1],
            shared: BTreeMap::new(),
        };
        for (address, inode, is_shared) in [
            ("127.0.0.1:3333", 1, false),
            ("127.0.0.1:3333", 2, true),
            ("0.0.0.0:3333", 2, true),
            ("[::]:3333", 2, true),
            ("127.0.0.2:3333", 2, false),
            ("127.0.0.1:3334", 2, false),
        ] {
            let socket = ListeningSocket {
                address: address.parse().unwrap(),
                user: 7,
                inode,
            };
            let shared = watch.shared_by(&[socket]);
            assert_eq!(
                shared.get(&3333) == Some(&7),
                is_shared,
                "{address} {inode}"
            );
        }
    }
}
