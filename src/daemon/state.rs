//! What all requests share.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::metrics::Counters;
use super::room;
use super::target::Own;
use super::tokens::Tokens;
use crate::check::cache::Cache;
use crate::check::{Checker, Observer};
use crate::config::Config;
use crate::group::CheckContext;
use crate::http::connections::Connections;
use crate::ledger::Ledger;
use crate::ledger::stats::Stats;
use crate::os::sys::LocalAddresses;
use crate::spool::{Gate, unix_now};

/// How long the number of downtimes counts before the spool is listed again.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What a reload replaces.
pub struct Live {
    /// The configuration in force.
    pub config: Arc<Config>,
    /// The checks' side of it.
    pub context: Arc<CheckContext>,
    /// Who may change the spool from afar.
    pub tokens: Tokens,
}

impl Live {
    /// Puts a configuration to use.
    ///
    /// # Errors
    /// When certificates or tokens that it names cannot be read.
    pub fn new(config: Config, local: &Arc<LocalAddresses>) -> Result<Self, String> {
        let tokens = Tokens::load(&config.daemon.remote_spool_tokens)?;
        let config = Arc::new(config);
        let context = room::check_context(&config, Arc::clone(local)).map_err(|e| e.to_string())?;
        Ok(Self {
            config,
            context: Arc::new(context),
            tokens,
        })
    }
}

/// A moment, for all that is noted of it: to read a clock takes as long as to note something.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// On the ledger's clock: time since the start.
    pub since_start: Duration,
    /// On the wall clock, in seconds of unix time.
    pub unix: f64,
}

/// What is remembered of pollers and services, under one lock, as each check is noted in both.
pub struct Memory {
    /// The pollers.
    pub ledger: Ledger,
    /// The services.
    pub stats: Stats,
}

/// What all requests share.
pub struct State {
    /// When it began.
    pub started: Instant,
    /// This host's own addresses.
    pub own: Arc<LocalAddresses>,
    /// The policy, with spool and cache.
    pub checker: Checker,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// The pollers' connections.
    pub connections: Arc<Connections>,
    /// Another one after each start.
    pub id: String,
    memory: Mutex<Memory>,
    live: RwLock<Arc<Live>>,
    downtimes: Mutex<Option<(Instant, Option<usize>)>>,
}

impl State {
    /// An empty memory.
    #[must_use]
    pub fn new(gate: Gate, live: Live, own: Arc<LocalAddresses>) -> Self {
        let config = &live.config;
        let counters = Arc::new(Counters::new());
        let counting = Arc::clone(&counters);
        let observer: Arc<Observer> = Arc::new(move |protocol, outcome, seconds| {
            counting.probed(protocol.name, outcome.passes(), seconds);
        });
        let cache = Arc::new(Cache::new(config.check.cache_limits()));
        Self {
            started: Instant::now(),
            checker: Checker::new(gate, cache, observer),
            connections: Arc::new(Connections::new(room::limits(config))),
            counters,
            own,
            id: format!("{}-{}", std::process::id(), unix_now()),
            memory: Mutex::new(Memory {
                ledger: Ledger::new(config.ledger.max_pollers),
                stats: Stats::new(
                    config.ledger.max_services,
                    config.ledger.max_addresses_per_service,
                ),
            }),
            live: RwLock::new(Arc::new(live)),
            downtimes: Mutex::default(),
        }
    }

    /// Time since the start: the ledger's clock.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// A moment that is now, on both clocks.
    #[must_use]
    pub fn moment(&self, now: Instant) -> Moment {
        Moment {
            since_start: now.saturating_duration_since(self.started),
            unix: unix_now(),
        }
    }

    /// What is remembered of pollers and services.
    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration in force.
    #[must_use]
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the configuration. Running probes end under the old one.
    pub fn set_live(&self, live: Live) {
        self.checker
            .cache()
            .set_limits(live.config.check.cache_limits());
        let before = self.live();
        live.context.probes.adopt(&before.context.probes);
        let reach = |c: &Config| (c.probe.check_hosts.clone(), c.probe.allowed_ports.clone());
        let other_reach = reach(&live.config) != reach(&before.config);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
        if other_reach {
            // What may no longer be probed must not be told from memory either.
            self.checker.cache().clear();
        }
    }

    /// Downtimes in force, counted at most once a second; `None` while the spool cannot be listed.
    #[must_use]
    pub fn downtimes(&self) -> Option<usize> {
        let mut known = self
            .downtimes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((at, count)) = *known
            && at.elapsed() < COUNT_EVERY
        {
            return count;
        }
        let count = self.checker.gate().count();
        *known = Some((Instant::now(), count));
        count
    }
}

impl Own for LocalAddresses {
    fn is_own(&self, address: IpAddr) -> bool {
        self.contains(address)
    }

    fn by_name(&self) -> Option<IpAddr> {
        self.by_own_name()
    }
}
