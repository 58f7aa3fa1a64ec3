//! What all requests share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::counters::Counters;
use super::error::SetupError;
use super::fleet::Fleet;
use super::interval_notes::IntervalNotes;
use super::shared_pages::SharedPages;
use super::spool_watch::SpoolWatch;
use super::this_host::ThisHost;
use super::tokens::Tokens;
use super::{event_log, room};
use crate::check::{Checker, Observer};
use crate::config::Config;
use crate::group::CheckContext;
use crate::http::connections::Connections;
use crate::http::memory::MemoryBudget;
use crate::http::tls::TlsServer;
use crate::ledger::history::{EventKind, HostEvent};
use crate::ledger::{Ledger, Moment};
use crate::net::LocalAddresses;
use crate::os::host_names::HostNames;
use crate::probe;
use crate::spool::{Gate, unix_now};

/// What a reload replaces.
pub(crate) struct Live {
    /// The configuration in force.
    pub config: Arc<Config>,
    /// The checks' side of it.
    pub context: Arc<CheckContext>,
    /// Who may change the spool from afar.
    pub tokens: Tokens,
    /// This host's own addresses.
    pub own: Arc<LocalAddresses>,
    /// For listeners with TLS.
    pub(super) tls: Option<Arc<TlsServer>>,
    /// What this host is called.
    pub(super) host: HostNames,
}

impl Live {
    /// Puts a configuration to use.
    ///
    /// # Errors
    /// When certificates that it names cannot be read.
    pub(crate) fn new(
        config: Config,
        tokens: Tokens,
        own: &Arc<LocalAddresses>,
        memory: &Arc<MemoryBudget>,
    ) -> Result<Self, SetupError> {
        let context = room::check_context(&config, Arc::clone(own), Arc::clone(memory));
        let context = context.map_err(SetupError::Tls)?;
        let tls = room::tls_server(&config).map_err(SetupError::TlsServer)?;
        Ok(Self {
            config: Arc::new(config),
            context: Arc::new(context),
            tokens,
            own: Arc::clone(own),
            host: HostNames::read(),
            tls,
        })
    }

    /// What tells this host from others.
    pub(super) fn this_host(&self) -> ThisHost<'_> {
        ThisHost {
            addresses: &self.own,
            names: &self.host,
        }
    }
}

fn connections(config: &Config, memory: &Arc<MemoryBudget>) -> Arc<Connections> {
    let most = room::connections(config);
    let settings = config.http.clone();
    Arc::new(Connections::new(most, settings, Arc::clone(memory)))
}

/// A ledger that knows of the start, and nothing else.
fn ledger(config: &Config, started: f64) -> Ledger {
    let mut ledger = Ledger::new(&config.ledger);
    let start = HostEvent::new(started, EventKind::Start);
    ledger.events.push(start);
    ledger
}

/// Counts each probe when it ends.
fn counting(counters: &Arc<Counters>) -> Arc<Observer> {
    let counters = Arc::clone(counters);
    Arc::new(move |check, outcome, _| {
        let took = outcome.run.map_or(Duration::ZERO, |run| run.took);
        counters.probed(check.protocol.name, outcome.passes(), took);
    })
}

/// Whether other targets may be probed than before.
fn reaches_elsewhere(new: &probe::ProbeSettings, old: &probe::ProbeSettings) -> bool {
    new.check_hosts != old.check_hosts
        || new.allowed_ports != old.allowed_ports
        || new.login_to != old.login_to
}

/// What all requests share.
pub(crate) struct DaemonState {
    /// When it began.
    pub started: Instant,
    /// The spool.
    pub gate: Gate,
    /// The results of checks.
    pub checker: Checker,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// The pollers' connections.
    pub connections: Arc<Connections>,
    /// The budget for what is held for others.
    pub memory: Arc<MemoryBudget>,
    /// Another one after each start.
    pub id: String,
    /// When it began, in seconds of unix time.
    pub(super) started_unix: f64,
    /// What stands in the spool.
    pub(super) spool_watch: SpoolWatch,
    /// What is said once of pollers' intervals.
    pub(super) interval_notes: IntervalNotes,
    /// This host in its fleet, if it is in one.
    pub(super) fleet: Option<Fleet>,
    /// The pages that are being built.
    pub(super) pages: SharedPages,
    ledger: Mutex<Ledger>,
    live: RwLock<Arc<Live>>,
}

impl DaemonState {
    /// Nothing is remembered yet.
    #[must_use]
    pub(crate) fn new(gate: Gate, live: Live, memory: Arc<MemoryBudget>) -> Self {
        let config = &live.config;
        let counters = Arc::new(Counters::new());
        let started_unix = unix_now();
        Self {
            started: Instant::now(),
            gate,
            checker: Checker::new(&config.check, counting(&counters)),
            connections: connections(config, &memory),
            memory,
            counters,
            // The time too, as in a container each daemon has the same process id.
            id: format!("{}-{}", std::process::id(), unix_now()),
            interval_notes: IntervalNotes::default(),
            pages: SharedPages::default(),
            ledger: Mutex::new(ledger(config, started_unix)),
            live: RwLock::new(Arc::new(live)),
            started_unix,
            spool_watch: SpoolWatch::default(),
            fleet: None,
        }
    }

    /// Time since the start: the ledger's clock.
    #[must_use]
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// A moment that is now, on both clocks.
    #[must_use]
    pub(crate) fn moment(&self, now: Instant) -> Moment {
        Moment {
            since_start: now.saturating_duration_since(self.started),
            unix: unix_now(),
        }
    }

    /// What is remembered of polls.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration in force.
    #[must_use]
    pub(crate) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the configuration. Running probes end under the old one.
    pub(crate) fn set_live(&self, live: Live) {
        self.checker.cache().set(&live.config.check);
        self.memory.set_limit(room::memory_limit(&live.config));
        let before = self.live();
        let is_other = reaches_elsewhere(&live.config.probe, &before.config.probe);
        self.ledger().pollers.set_rules(&live.config.ledger.pollers);
        // The lock is let go with this line: emptying the cache takes longer than polls should wait.
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
        if is_other {
            // What may no longer be probed must not be told from memory either.
            self.checker.cache().clear();
        }
    }

    /// Looks at the spool, and notes what changed there. May block for as long as the file system does.
    pub(super) fn look_at_spool(&self) {
        for event in self.spool_watch.look(&self.gate) {
            if !self.spool_watch.was_logged(&event) {
                event_log::changed(&event);
            }
            self.happened(event);
        }
    }

    /// Notes a change.
    pub(super) fn happened(&self, event: HostEvent) {
        self.ledger().events.push(event);
    }
}
