//! What all probes share: settings, slots, name look-ups, TLS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;

use hyper::StatusCode;
use tokio::sync::Semaphore;

use super::slots::{Limits, Name, Slots};
use super::tls::{TlsClient, TlsError};
use super::{Outcome, Settings, Target, mysql};
use crate::net::{Host, is_metadata};
use crate::os::sys::LocalAddresses;

/// Name look-ups at once. Each blocks a thread for as long as the resolver likes.
const LOOKUPS: usize = 16;

/// Settings and shared means of all probes.
pub struct Context {
    /// The settings.
    pub settings: Settings,
    pub(super) tls: TlsClient,
    pub(super) mysql: mysql::Ways,
    local: Arc<LocalAddresses>,
    pub(super) slots: Slots,
    lookups: Arc<Semaphore>,
}

/// How much there is room for in this process.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Probes that can run at once, as far as the limit of open files allows.
    pub probes: usize,
    /// Requests that may wait for a probe.
    pub waiting: usize,
}

impl Context {
    /// Prepares for settings, on a host with these addresses.
    ///
    /// # Errors
    /// [`TlsError`] when the certificates that they name cannot be read.
    pub fn new(
        settings: Settings,
        room: Room,
        local: Arc<LocalAddresses>,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            tls: TlsClient::new(&settings)?,
            mysql: mysql::Ways::default(),
            slots: Slots::new(Limits {
                all: settings.max_clients.min(room.probes),
                target: settings.max_probes_per_target,
                waiting: room.waiting,
            }),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            settings,
            local,
        })
    }

    /// The unix socket of a service that is checked on this host.
    #[must_use]
    pub fn socket(&self, target: &Target) -> Option<&Path> {
        let path = self.settings.sockets.get(&*target.service)?;
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
        self.slots.running()
    }

    /// Probes that wait for a slot.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.slots.waiting()
    }

    /// The most probes that run at once: `max_clients`, or what the limit of open files leaves.
    #[must_use]
    pub fn max(&self) -> usize {
        self.slots.max()
    }

    /// Whether a check passed lately.
    #[must_use]
    pub fn passed_lately(&self, check: Name) -> bool {
        self.slots.passed_lately(check)
    }

    /// The most requests that wait for probes, but for checks that passed lately.
    #[must_use]
    pub fn max_waiting(&self) -> usize {
        self.slots.max_waiting()
    }

    /// Remembers which checks passed under the configuration before.
    pub fn adopt(&self, before: &Self) {
        self.slots.adopt(&before.slots);
    }

    /// The addresses of a target that may be probed, in the order to try them. What is checked here is what is
    /// connected to: there is no second look-up.
    pub(super) async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Outcome> {
        let port = target.port;
        if port != 0
            && !target.trusted
            && !self.settings.allowed_ports.iter().any(|p| p.contains(port))
        {
            let text =
                format!("port {port} may not be checked from here: it is outside allowed_ports");
            return Err(Outcome::new(StatusCode::FORBIDDEN, text));
        }
        match &target.host {
            Host::Local => Ok(vec![(Ipv4Addr::LOCALHOST, port).into()]),
            Host::Address(a) => self.allowed(target, vec![(*a, port).into()]),
            Host::Name(name) => {
                let found = self.look_up(name, port).await?;
                self.allowed(target, found)
            }
        }
    }

    fn allowed(
        &self,
        target: &Target,
        mut found: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Outcome> {
        if target.trusted {
            return Ok(found);
        }
        let host = &target.host;
        let first = found.first().map(SocketAddr::ip);
        found.retain(|a| self.may_probe(a.ip()));
        if found.is_empty() {
            let why = match first {
                Some(a) if is_metadata(a) => "cloud metadata is never checked",
                _ => "it is outside check_hosts",
            };
            let resolved = match (host, first) {
                (Host::Name(_), Some(a)) => format!(" ({a})"),
                _ => String::new(),
            };
            return Err(Outcome::new(
                StatusCode::FORBIDDEN,
                format!("host {host}{resolved} may not be checked from here: {why}"),
            ));
        }
        Ok(found)
    }

    /// Whether an address lies inside `check_hosts` or is this host's own, and serves no cloud metadata.
    #[must_use]
    pub fn may_probe(&self, address: IpAddr) -> bool {
        let allowed = || {
            self.settings
                .check_hosts
                .iter()
                .any(|n| n.contains(address))
        };
        !is_metadata(address) && (allowed() || self.local.contains(address))
    }

    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Outcome> {
        let failed = |cause: String| {
            Outcome::unavailable(format!("host {name} cannot be resolved: {cause}"))
        };
        // The permit goes with the blocking call, which may outlive this probe.
        let permit = Arc::clone(&self.lookups)
            .acquire_owned()
            .await
            .map_err(|e| failed(e.to_string()))?;
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
                let cause = text
                    .strip_prefix("failed to lookup address information: ")
                    .unwrap_or(&text);
                Err(failed(cause.to_owned()))
            }
        }
    }
}
