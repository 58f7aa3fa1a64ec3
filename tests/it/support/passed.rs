//! The daemon as a service manager starts it: with passed sockets and a notify socket.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::process::{Process, bound_to_us};
use super::{BINARY, PATIENCE, Spool, wait_until};

/// The service manager's side.
pub struct Manager {
    pub spool: Spool,
    notify: UnixDatagram,
    notify_path: PathBuf,
}

impl Manager {
    pub fn new() -> Self {
        let spool = Spool::new();
        let notify_path = spool.outside().join("notify");
        let notify = UnixDatagram::bind(&notify_path).unwrap();
        Self {
            spool,
            notify,
            notify_path,
        }
    }

    /// Starts the daemon with up to two passed sockets, named `names` (`LISTEN_FDNAMES`).
    pub fn start(
        &self,
        sockets: &[&TcpListener],
        names: &str,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Process {
        // Of a child's descriptors, only the three standard ones can be chosen; the shell moves them.
        let script = "exec 3<&0 4<&1 </dev/null >&2; LISTEN_PID=$$ exec \"$@\"";
        let mut command = bound_to_us("sh", &[]);
        command
            .args(["-c", script, "sh", BINARY, "serve", "--spool-root"])
            .arg(self.spool.root())
            .args(args);
        let passed = |n: usize| -> Stdio {
            sockets.get(n).map_or_else(Stdio::null, |socket| {
                OwnedFd::from(socket.try_clone().unwrap()).into()
            })
        };
        command
            .stdin(passed(0))
            .stdout(passed(1))
            .stderr(self.log_file());
        command
            .env("NOTIFY_SOCKET", &self.notify_path)
            .envs(env.iter().copied());
        if !sockets.is_empty() {
            command
                .env("LISTEN_FDS", sockets.len().to_string())
                .env("LISTEN_FDNAMES", names);
        }
        Process::spawn(&mut command)
    }

    fn log_file(&self) -> std::fs::File {
        let path = self.spool.outside().join("output");
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap()
    }

    /// Everything that the daemons have printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.spool.outside().join("output")).unwrap_or_default()
    }

    /// Where the daemon says that it listens.
    #[track_caller]
    pub fn wait_for_address(&self) -> SocketAddr {
        let mut address = None;
        wait_until(PATIENCE, "the daemon logs where it listens", || {
            let log = self.log();
            let rest = log
                .split_once("listening on ")
                .map(|(_, rest)| rest.to_owned());
            address = rest.and_then(|r| r.split_once('\n')?.0.parse().ok());
            address.is_some()
        });
        address.unwrap()
    }

    /// The next message that has a line with this beginning.
    #[track_caller]
    pub fn wait_for(&self, line: &str) -> String {
        let start = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(start.elapsed());
            assert!(
                !left.is_zero(),
                "the daemon did not say {line}:\n{}",
                self.log()
            );
            match self.next(left) {
                Some(message) if message.lines().any(|l| l.starts_with(line)) => return message,
                _ => {}
            }
        }
    }

    /// The next message, if one comes within the time.
    pub fn next(&self, within: Duration) -> Option<String> {
        self.notify.set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0; 4096];
        match self.notify.recv(&mut buffer) {
            Ok(length) => Some(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(e) => panic!("cannot read from the notify socket: {e}"),
        }
    }
}

/// A listening socket as a socket unit would have it.
pub fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
