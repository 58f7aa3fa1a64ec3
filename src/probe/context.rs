//! What all probes share: settings, slots, name look-ups, TLS.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::tls::TlsClient;
use super::{Host, Outcome, Target, mysql};
use crate::config::{Config, is_metadata};
use crate::sys::LocalAddresses;

/// Name look-ups at once. Each blocks a thread for as long as the resolver likes.
const LOOKUPS: usize = 16;

/// Settings and shared means of all probes.
pub struct Context {
    /// The settings.
    pub config: Arc<Config>,
    pub(super) tls: TlsClient,
    pub(super) mysql: mysql::Ways,
    local: Arc<LocalAddresses>,
    slots: Semaphore,
    waiting: AtomicUsize,
    lookups: Arc<Semaphore>,
    busy: Mutex<HashMap<(Host, u16), usize>>,
}

/// Why a configuration cannot be put to use.
#[derive(Debug)]
pub struct ContextError(pub(super) String);

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ContextError {}

/// The right to probe a target, given back when dropped.
pub(super) struct Slot<'a> {
    _reserved: Reserved<'a>,
    _global: SemaphorePermit<'a>,
}

impl Context {
    /// Prepares for a configuration.
    ///
    /// # Errors
    /// When the certificates that it names cannot be read.
    pub fn new(config: Arc<Config>, local: Arc<LocalAddresses>) -> Result<Self, ContextError> {
        Ok(Self {
            tls: TlsClient::new(&config)?,
            mysql: mysql::Ways::default(),
            slots: Semaphore::new(config.max_clients.min(Semaphore::MAX_PERMITS)),
            waiting: AtomicUsize::new(0),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            busy: Mutex::default(),
            config,
            local,
        })
    }

    /// The unix socket of a service that is checked on this host.
    #[must_use]
    pub fn socket(&self, target: &Target) -> Option<&Path> {
        let path = self.config.sockets.get(&*target.service)?;
        let here = match &target.host {
            Host::Local => true,
            Host::Address(a) => a.is_loopback() || self.local.contains(*a),
            Host::Name(name) => &**name == "localhost",
        };
        here.then_some(path)
    }

    /// Probes that run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.config.max_clients.saturating_sub(self.slots.available_permits())
    }

    /// Probes that wait for a slot.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for one of the `max_clients` slots. A target that has all of its own taken is answered at once, so that
    /// one hung service cannot make the others wait.
    pub(super) async fn slot(&self, target: &Target) -> Result<Slot<'_>, Outcome> {
        let key = (target.host.clone(), target.port);
        let limit = self.config.max_probes_per_target;
        {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            let running = busy.entry(key.clone()).or_insert(0);
            if *running >= limit {
                return Err(Outcome::unavailable(format!(
                    "{}:{}: {limit} checks are already running there (max_probes_per_target)",
                    target.host, target.port
                )));
            }
            *running += 1;
        }
        let reserved = Reserved { context: self, target: key };
        let waiting = Waiting::begin(&self.waiting);
        // The semaphore is never closed.
        let permit = self.slots.acquire().await.map_err(|e| Outcome::unavailable(e.to_string()))?;
        drop(waiting);
        Ok(Slot { _reserved: reserved, _global: permit })
    }

    fn release(&self, target: &(Host, u16)) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = busy.get_mut(target) {
            *running -= 1;
            if *running == 0 {
                busy.remove(target);
            }
        }
    }

    /// The addresses of a target that may be probed, in the order to try them. What is checked here is what is
    /// connected to: there is no second look-up.
    pub(super) async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Outcome> {
        let port = target.port;
        match &target.host {
            Host::Local => Ok(vec![(Ipv4Addr::LOCALHOST, port).into()]),
            Host::Address(a) => self.allowed(&target.host, vec![(*a, port).into()]),
            Host::Name(name) => {
                let found = self.look_up(name, port).await?;
                self.allowed(&target.host, found)
            }
        }
    }

    fn allowed(&self, host: &Host, mut found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Outcome> {
        let first = found.first().map(SocketAddr::ip);
        found.retain(|a| self.may_probe(a.ip()));
        if found.is_empty() {
            let resolved = match (host, first) {
                (Host::Name(_), Some(a)) => format!(" ({a})"),
                _ => String::new(),
            };
            return Err(Outcome::new(
                StatusCode::FORBIDDEN,
                format!("host {host}{resolved} may not be checked from here: it is outside check_hosts"),
            ));
        }
        Ok(found)
    }

    /// Whether an address lies inside `check_hosts` or is this host's own, and serves no cloud metadata.
    #[must_use]
    pub fn may_probe(&self, address: IpAddr) -> bool {
        let allowed = || self.config.check_hosts.iter().any(|n| n.contains(address));
        !is_metadata(address) && (allowed() || self.local.contains(address))
    }

    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Outcome> {
        let failed = |cause: String| Outcome::unavailable(format!("host {name} cannot be resolved: {cause}"));
        // The permit goes with the blocking call, which may outlive this probe.
        let permit = Arc::clone(&self.lookups).acquire_owned().await.map_err(|e| failed(e.to_string()))?;
        let question = (name.to_owned(), port);
        let answer = tokio::task::spawn_blocking(move || {
            let found = question.to_socket_addrs();
            drop(permit);
            found
        });
        match answer.await.map_err(|e| failed(e.to_string()))? {
            Ok(found) => Ok(found.collect()),
            Err(e) => {
                let text = e.to_string();
                let cause = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
                Err(failed(cause.to_owned()))
            }
        }
    }
}

/// A place at the target, given back when dropped.
struct Reserved<'a> {
    context: &'a Context,
    target: (Host, u16),
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.context.release(&self.target);
    }
}

/// Counts who waits, also when the deadline ends the waiting.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
