//! What all requests share.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::metrics::Counters;
use super::target::Own;
use crate::cache::{self, Cache};
use crate::check::{Checker, Observer};
use crate::config::Config;
use crate::http::listen::Connections;
use crate::ledger::Ledger;
use crate::probe::{Context, ContextError};
use crate::spool::{Gate, unix_now};
use crate::stats::Stats;
use crate::sys::{self, LocalAddresses};

/// How long the number of downtimes counts before the spool is listed again.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// File descriptors that connections leave to probes, spool and log.
const FILE_RESERVE: u64 = 64;

/// What a reload replaces.
pub struct Live {
    /// The configuration in force.
    pub config: Arc<Config>,
    /// The probes' side of it.
    pub context: Arc<Context>,
}

impl Live {
    /// Puts a configuration to use.
    ///
    /// # Errors
    /// When certificates that it names cannot be read.
    pub fn new(config: Config, local: &Arc<LocalAddresses>) -> Result<Self, ContextError> {
        let config = Arc::new(config);
        let context = Arc::new(Context::new(Arc::clone(&config), Arc::clone(local))?);
        Ok(Self { config, context })
    }
}

/// The daemon's memory.
pub struct State {
    /// When it began.
    pub started: Instant,
    /// This host's own addresses.
    pub own: Arc<LocalAddresses>,
    /// The policy, with spool and cache.
    pub checker: Checker,
    /// Who asked for what.
    pub stats: Stats,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// The pollers' connections.
    pub connections: Arc<Connections>,
    /// Another one after each start.
    pub id: String,
    ledger: Mutex<Ledger>,
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
        let observer: Arc<Observer> =
            Arc::new(move |protocol, outcome, seconds| counting.probed(protocol.name, outcome.passes(), seconds));
        let cache = Arc::new(Cache::new(cache_limits(config)));
        let max = config.max_connections.unwrap_or_else(|| {
            let files = sys::file_limit().saturating_sub(FILE_RESERVE).max(1);
            // Each connection may have a probe beside it.
            usize::try_from(files / 2).unwrap_or(usize::MAX).max(16)
        });
        Self {
            started: Instant::now(),
            checker: Checker::new(gate, cache, observer),
            stats: Stats::new(config.max_services),
            connections: Arc::new(Connections::new(max, config.header_timeout)),
            counters,
            own,
            id: format!("{}-{}", std::process::id(), unix_now()),
            ledger: Mutex::new(Ledger::new(config.max_pollers)),
            live: RwLock::new(Arc::new(live)),
            downtimes: Mutex::default(),
        }
    }

    /// Time since the start: the ledger's clock.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The memory of pollers.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration in force.
    #[must_use]
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the configuration. Running probes end under the old one.
    pub fn set_live(&self, live: Live) {
        self.checker.cache().set_limits(cache_limits(&live.config));
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
    }

    /// Downtimes in force, counted at most once a second; `None` while the spool cannot be listed.
    #[must_use]
    pub fn downtimes(&self) -> Option<usize> {
        let mut known = self.downtimes.lock().unwrap_or_else(PoisonError::into_inner);
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

fn cache_limits(config: &Config) -> cache::Limits {
    cache::Limits { time: config.cache_time, entries: config.cache_entries, bytes: config.cache_bytes }
}

impl Own for LocalAddresses {
    fn is_own(&self, address: IpAddr) -> bool {
        self.contains(address)
    }

    fn by_name(&self) -> Option<IpAddr> {
        self.by_own_name()
    }
}
