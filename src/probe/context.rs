//! What all probes share: settings, slots, name look-ups, TLS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use super::lookup::Resolver;
use super::slots::{SlotLimits, Slots};
use super::tls::{TlsClients, TlsError};
use super::{Check, Outcome, Probe, ProbeSettings, Protocol, Target, allowed, login, mysql};
use crate::http::memory::MemoryBudget;
use crate::net::Host;
use crate::net::LocalAddresses;

/// Settings and shared means of all probes.
pub struct Context {
    /// The settings.
    pub settings: ProbeSettings,
    pub(super) tls: TlsClients,
    pub(super) mysql: mysql::Client,
    local: Arc<LocalAddresses>,
    pub(super) slots: Slots,
    resolver: Resolver,
    /// For what targets send.
    pub(super) memory: Arc<MemoryBudget>,
}

/// How much there is room for in this process.
#[derive(Debug, Clone)]
pub struct Capacity {
    /// Probes that can run at once, as far as the limit of open files allows.
    pub probes: usize,
    /// Requests that may wait for a probe.
    pub waiting: usize,
    /// Memory for what targets send.
    pub memory: Arc<MemoryBudget>,
}

impl Context {
    /// Prepares for settings, on a host with these addresses.
    ///
    /// # Errors
    /// [`TlsError`] when the certificates that they name cannot be read.
    pub fn new(
        settings: ProbeSettings,
        room: Capacity,
        local: Arc<LocalAddresses>,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            tls: TlsClients::new(&settings)?,
            mysql: mysql::Client::new(&settings)?,
            slots: Slots::new(SlotLimits {
                all: settings.max_clients.min(room.probes),
                target: settings.max_probes_per_target,
                command: settings.max_runs_per_command,
                waiting: room.waiting,
            }),
            resolver: Resolver::default(),
            memory: room.memory,
            settings,
            local,
        })
    }

    /// Settings on a host about which nothing is known yet.
    #[cfg(test)]
    pub(crate) fn plain(settings: ProbeSettings) -> Self {
        let room = Capacity {
            probes: 64,
            waiting: 64,
            memory: MemoryBudget::new(64 << 20),
        };
        Self::new(settings, room, Arc::default()).unwrap()
    }

    /// The unix socket of a service that is checked on this host; refuses the target when hacheck listens on it.
    pub(super) fn socket(&self, target: &Target) -> Result<Option<&Path>, Outcome> {
        let Some(path) = self.settings.service(&target.service).socket() else {
            return Ok(None);
        };

        let is_here = match &target.host {
            Host::Local => true,
            Host::Address(address) => self.leads_here(*address),
            // Nothing is looked up for it: a name server must not decide whether the socket is used.
            Host::Name(_) => target.host.is_localhost(),
        };

        if !is_here {
            return Ok(None);
        }

        allowed::socket(self, target, path)?;
        Ok(Some(path))
    }

    /// Probes that run now.
    #[must_use]
    pub(crate) fn running(&self) -> usize {
        self.slots.running()
    }

    /// Probes that wait for a slot.
    #[must_use]
    pub(crate) fn waiting(&self) -> usize {
        self.slots.waiting()
    }

    /// The most probes that run at once: `max_clients`, or what the limit of open files leaves.
    #[must_use]
    pub(crate) fn max(&self) -> usize {
        self.slots.max()
    }

    /// The most requests of strangers that wait for probes.
    #[must_use]
    pub(crate) fn max_waiting(&self) -> usize {
        self.slots.max_waiting()
    }

    /// The addresses that a probe may go to, in the order to try them.
    pub(super) async fn addresses(&self, probe: &Probe<'_>) -> Result<Vec<SocketAddr>, Outcome> {
        let target = probe.target;
        // Before the look-up, which nobody is to have made for a port that is refused.
        allowed::port(self, target)?;
        let allowed = self.allowed_addresses(probe).await?;
        login::addresses(self, probe.protocol, target, allowed)
    }

    async fn allowed_addresses(&self, probe: &Probe<'_>) -> Result<Vec<SocketAddr>, Outcome> {
        let target = probe.target;
        let port = target.port;
        let found = match &target.host {
            Host::Local => return allowed::here(self, target),
            // What pollers call so is looked up, as the replaced tools did.
            Host::Name(_) if target.trusted && target.host.is_localhost() => {
                return Ok(loopback(port));
            }
            Host::Address(address) => vec![(*address, port).into()],
            Host::Name(name) => self.resolver.look_up(probe, name).await?,
        };
        allowed::addresses(self, target, found)
    }

    /// Whether any poller may ask for a check of the configuration that goes to this host.
    #[must_use]
    pub(crate) fn is_open(&self, check: &Check) -> bool {
        if check.target.host != Host::Local {
            return false;
        }

        // As if a request had named it: the configuration's own words lift the limits.
        let asked = Target {
            trusted: false,
            ..Target::clone(&check.target)
        };
        self.addresses_here(check.protocol, &asked).is_ok()
    }

    fn addresses_here(
        &self,
        protocol: &Protocol,
        target: &Target,
    ) -> Result<Vec<SocketAddr>, Outcome> {
        allowed::port(self, target)?;
        let found = allowed::here(self, target)?;
        login::addresses(self, protocol, target, found)
    }

    /// Whether an address is one of this host's.
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.local.contains(address)
    }

    /// Whether whoever connects to an address gets to this host.
    pub(super) fn leads_here(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || address.is_unspecified() || self.is_own(address)
    }

    /// Whether a connection to an address would come back to this process.
    pub(super) fn is_ourselves(&self, address: SocketAddr) -> bool {
        let listeners = &self.local.listeners;
        listeners.take(address, |ip| self.is_own(ip))
    }

    /// Whether a path names the unix socket of this process.
    pub(super) fn is_our_socket(&self, path: &Path) -> bool {
        self.local.listeners.is_unix(path)
    }
}

/// The addresses of `localhost`, whatever a resolver makes of it. The first is the one that access lists know best.
fn loopback(port: u16) -> Vec<SocketAddr> {
    let v4 = (Ipv4Addr::LOCALHOST, port).into();
    let v6 = (Ipv6Addr::LOCALHOST, port).into();
    vec![v4, v6]
}
