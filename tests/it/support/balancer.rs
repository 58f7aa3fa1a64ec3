//! A load balancer of a test's own, where a real one would be slow or cannot be made to say what is to be said: it
//! polls, and goes by the answers as HAProxy does with `fall 2` and `rise 2`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often it polls.
const INTERVAL: Duration = Duration::from_millis(100);

/// It polls until this is dropped.
pub struct Balancer {
    shared: Arc<Shared>,
    polling: Option<JoinHandle<()>>,
}

struct Shared {
    daemon: SocketAddr,
    node: String,
    sessions: AtomicU32,
    stop: AtomicBool,
}

impl Balancer {
    /// One with this node name, for these checks.
    pub fn start(daemon: SocketAddr, node: &str, checks: &[&str]) -> Self {
        let servers = checks.iter().map(|check| Server::new(check)).collect();
        Self::with(daemon, node, servers)
    }

    /// One that never changes its mind, whatever it is told.
    pub fn stuck(daemon: SocketAddr, node: &str, checks: &[&str], up: bool) -> Self {
        let stuck = |check: &&str| Server {
            up,
            patience: u32::MAX,
            ..Server::new(check)
        };
        Self::with(daemon, node, checks.iter().map(stuck).collect())
    }

    fn with(daemon: SocketAddr, node: &str, servers: Vec<Server>) -> Self {
        let shared = Arc::new(Shared {
            daemon,
            node: node.to_owned(),
            sessions: AtomicU32::new(0),
            stop: AtomicBool::new(false),
        });
        let polling = Arc::clone(&shared);
        Self {
            shared,
            polling: Some(thread::spawn(move || polling.poll(servers))),
        }
    }

    /// How many sessions it has on each server from now on.
    pub fn sessions(&self, count: u32) {
        self.shared.sessions.store(count, Ordering::SeqCst);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.polling.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn poll(&self, mut servers: Vec<Server>) {
        while !self.stop.load(Ordering::SeqCst) {
            for server in &mut servers {
                let sessions = self.sessions.load(Ordering::SeqCst);
                // The backend's other server has some too.
                let all = sessions + 3;
                let says = format!(
                    "{}; name={}/s1; node={}; weight=1/2; scur={sessions}/{all}; qcur=0",
                    server.words(),
                    server.name,
                    self.node,
                );
                server.learn(passes(self.daemon, &server.check, &says));
            }
            thread::sleep(INTERVAL);
        }
    }
}

/// Whether a check passes; no answer is none that passes.
fn passes(daemon: SocketAddr, check: &str, says: &str) -> bool {
    let request = format!("GET {check} HTTP/1.0\r\nx-haproxy-server-state: {says}\r\n\r\n");
    let mut answer = String::new();
    let asked = TcpStream::connect(daemon).and_then(|mut stream| {
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)
    });
    asked.is_ok() && matches!(answer.as_bytes().get(9), Some(b'2' | b'3'))
}

/// A server as the balancer sees it.
struct Server {
    check: String,
    name: String,
    up: bool,
    /// Answers in a row that speak against that.
    against: u32,
    /// How many of them change its mind.
    patience: u32,
}

impl Server {
    fn new(check: &str) -> Self {
        Self {
            check: check.to_owned(),
            name: check.split('/').nth(2).unwrap().to_owned(),
            up: true,
            against: 0,
            patience: 2,
        }
    }

    fn words(&self) -> &'static str {
        match (self.up, self.against) {
            (true, 0) => "UP",
            (true, _) => "UP 1/2",
            (false, 0) => "DOWN",
            (false, _) => "DOWN 1/2",
        }
    }

    fn learn(&mut self, passes: bool) {
        if passes == self.up {
            self.against = 0;
            return;
        }
        self.against += 1;
        if self.against == self.patience {
            self.up = passes;
            self.against = 0;
        }
    }
}
