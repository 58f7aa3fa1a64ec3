//! A network of a test's own: a host, and a client beside it that reaches the host over one wire and nothing else.
//!
//! Where the kernel does not let us make one, both are on the loopback network of the machine, and the client comes
//! from another address of it.

use super::PATIENCE;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};

use super::process::find;

/// What the host's side of a test knows of the network.
pub struct Host {
    separate: bool,
    wires: AtomicU8,
}

/// What the client's side of a test knows of the network.
#[derive(Clone, Copy)]
pub struct Client {
    host: IpAddr,
}

/// Runs a test on the host of a new network, with these lines in its `/etc/hosts` and these further addresses.
pub fn on_host(folder: &Path, hosts: &str, addresses: &[&str], test: impl FnOnce(&Host) + Send) {
    let file = folder.join("hosts");
    std::fs::write(&file, format!("127.0.0.1 localhost\n{hosts}")).unwrap();
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            // A new network belongs to the thread and all that it starts, and ends with them.
            let separate = unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).is_ok();
            if separate {
                assert!(
                    find("ip").is_some(),
                    "ip is missing: apt-get install iproute2"
                );
                shell(
                    "mount --make-rprivate / && mount --bind \"$1\" /etc/hosts",
                    &[file.to_str().unwrap()],
                );
                shell("ip link set lo up", &[]);
                for address in addresses {
                    // An address that is still looked for on the network cannot be used yet.
                    let at_once = if address.contains(':') { "nodad" } else { "" };
                    shell(&format!("ip addr add \"$1\" dev lo {at_once}"), &[address]);
                }
            } else {
                eprintln!(
                    "no network of our own (that needs root): the client is on the loopback network"
                );
            }
            test(&Host {
                separate,
                wires: AtomicU8::new(0),
            });
        });
        if let Err(panic) = running.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Has names looked up at an address, for whoever is in the network of this thread, which must be separate.
pub fn resolve_by(folder: &Path, address: &str) {
    resolve_with(folder, address, "timeout:2 attempts:2");
}

/// The same with other options of resolv.conf(5).
pub fn resolve_with(folder: &Path, address: &str, options: &str) {
    let file = folder.join("resolv.conf");
    let text = format!("nameserver {address}\noptions {options}\n");
    std::fs::write(&file, text).unwrap();
    shell(
        "mount --bind \"$1\" /etc/resolv.conf",
        &[file.to_str().unwrap()],
    );
}

fn shell(script: &str, args: &[&str]) {
    let output = Command::new("sh")
        .args(["-ec", script, "sh"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Host {
    /// Whether the network is one of our own, with the names and addresses that were asked for.
    pub fn is_separate(&self) -> bool {
        self.separate
    }

    /// Runs a client's side, on a wire of its own.
    pub fn beside(&self, client: impl FnOnce(Client) + Send) {
        let wire = self.wires.fetch_add(1, Ordering::Relaxed);
        let number = wire.to_string();
        thread::scope(|scope| {
            let (tell, told) = sync_channel(1);
            let (go, wait) = sync_channel(1);
            let own = number.clone();
            let running = scope.spawn(move || {
                if !self.separate {
                    return client(Client { host: Ipv4Addr::LOCALHOST.into() });
                }
                unshare(CloneFlags::CLONE_NEWNET).unwrap();
                tell.send(nix::unistd::gettid().to_string()).unwrap();
                wait.recv_timeout(PATIENCE).unwrap();
                shell("ip link set lo up && ip addr add 10.77.$1.2/24 dev far$1 && ip link set far$1 up", &[&own]);
                client(Client { host: Ipv4Addr::new(10, 77, wire, 1).into() });
            });
            if self.separate {
                let thread: String = told.recv_timeout(PATIENCE).unwrap();
                shell(
                    "ip link add near$1 type veth peer name far$1 && ip addr add 10.77.$1.1/24 dev near$1",
                    &[&number],
                );
                shell(
                    "ip link set near$1 up && ip link set far$1 netns \"$2\"",
                    &[&number, &thread],
                );
                go.send(()).unwrap();
            }
            if let Err(panic) = running.join() {
                std::panic::resume_unwind(panic);
            }
        });
    }
}

impl Client {
    /// Where the host is, seen from here.
    pub fn address(self, port: u16) -> SocketAddr {
        (self.host, port).into()
    }

    /// A connection, or none when the host does not answer in time.
    pub fn connect(self, port: u16) -> Option<TcpStream> {
        let stream =
            TcpStream::connect_timeout(&self.address(port), Duration::from_secs(10)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        Some(stream)
    }
}
