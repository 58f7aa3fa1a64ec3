//! The engine as a command asks it: without waiting for anything but an answer, and with an error that tells what to do.

mod follow;
mod identity;

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::runtime::Runtime;

use super::request::FleetFile;
use crate::cli::applet::Call;
use crate::cli::failure::{Failure, failed};
use crate::cli::wait::interrupt::Interrupt;
use crate::fleet::engine::{Access, Committed, Engine, EngineError, Found, KeyRange, Transaction};
use crate::fleet::settings::{self, FleetSettings};
use crate::fleet::{AuditLine, Paths, Snapshot};
use follow::Following;
pub(super) use follow::WaitEnd;
use identity::{CERT_VARIABLE, CertAndKey, KEY_VARIABLE, host_identity, identity};

/// How long something that goes on may wait for an answer.
const LOOK_MAX: Duration = Duration::from_secs(10);

/// How often a wait looks at the clock and at Ctrl-C.
const TICK: Duration = Duration::from_millis(100);

/// The engine, and what the file of the fleet says.
pub(super) struct FleetClient {
    // Dropped before the runtime that its connections live in.
    engine: Engine,
    runtime: Runtime,
    pub(super) settings: FleetSettings,
    pub(super) paths: Paths,
    /// Whether a certificate is shown.
    has_identity: bool,
    /// The lease of this command's lines of the log.
    log_lease: Option<i64>,
}

/// The settings of the fleet.
pub(super) fn settings(call: &Call, file: &FleetFile) -> Result<FleetSettings, Failure> {
    if file.is_none() {
        let path = file.path.display();
        return Err(failed!(
            "this host is in no fleet: there is no {path}; write it, or name another file with --fleet-file"
        ));
    }

    let (settings, warnings) = settings::load(&file.path).map_err(Failure::failed)?;
    for warning in warnings {
        call.note(&warning.to_string());
    }

    Ok(settings)
}

impl FleetClient {
    /// Nothing is connected yet.
    pub(super) fn open(call: &Call, file: &FleetFile) -> Result<Self, Failure> {
        let settings = settings(call, file)?;
        let identity = identity(&settings)?;
        Self::with(settings, identity.as_ref())
    }

    /// The same for what a host writes of itself: with the daemon's certificate, where this user may read it.
    pub(super) fn open_on_host(call: &Call, file: &FleetFile) -> Result<Self, Failure> {
        let settings = settings(call, file)?;
        let identity = match host_identity(&settings) {
            Some(own) => Some(own),
            None => identity(&settings)?,
        };
        Self::with(settings, identity.as_ref())
    }

    fn with(settings: FleetSettings, identity: Option<&CertAndKey>) -> Result<Self, Failure> {
        let access = access(&settings, identity)?;
        Ok(Self {
            engine: Engine::new(access),
            runtime: runtime()?,
            paths: settings.paths(),
            has_identity: identity.is_some(),
            log_lease: None,
            settings,
        })
    }

    /// What the engine holds of the fleet now.
    pub(super) fn snapshot(&mut self) -> Result<Snapshot, Failure> {
        let read = Snapshot::of(&mut self.engine, &self.paths);
        let read = self.runtime.block_on(read);
        read.map_err(|e| self.failure(&e))
    }

    /// The same with how far the rolls are, where nobody can wait for long.
    pub(super) fn snapshot_within(&mut self, limit: Duration) -> Result<Snapshot, Failure> {
        let paths = self.paths.clone();
        let reading = async |engine: &mut Engine| {
            let mut snapshot = Snapshot::of(engine, &paths).await?;
            snapshot.read_rolls(engine, &paths).await?;
            Ok(snapshot)
        };
        match self.ask(AskLimits::within(limit), reading) {
            EngineAnswer::Got(snapshot) => Ok(snapshot),
            EngineAnswer::Trouble(failure, _) => Err(failure),
            EngineAnswer::Stopped(_) => Err(failed!(
                "etcd did not answer within {} s; see endpoints in fleet.yml, and whether etcd runs there",
                limit.as_secs()
            )),
        }
    }

    /// All pairs of some ranges.
    pub(super) fn read(&mut self, ranges: &[KeyRange]) -> Result<Found, Failure> {
        let found = self.runtime.block_on(self.engine.read(ranges));
        found.map_err(|e| self.failure(&e))
    }

    /// The lease for lines of the log: one for all tries, as each stays in the engine for as long as a line would.
    pub(super) fn log_lease(&mut self) -> Result<i64, Failure> {
        if let Some(lease) = self.log_lease {
            return Ok(lease);
        }

        let lease = self.grant(AuditLine::LIFE)?;
        self.log_lease = Some(lease);
        Ok(lease)
    }

    /// Begins a lease.
    pub(super) fn grant(&mut self, life: Duration) -> Result<i64, Failure> {
        let granted = self.runtime.block_on(self.engine.grant(life));
        granted.map_err(|e| self.failure(&e))
    }

    /// The same as [`Self::read`], for a roll: it has a lock to keep meanwhile, so all members together have the time that
    /// two of them would by default, at most.
    pub(super) fn look(&mut self, ranges: &[KeyRange]) -> Result<Found, Failure> {
        let limit = LOOK_MAX.min(2 * self.settings.timeout);
        self.ask_within(limit, async |engine: &mut Engine| engine.read(ranges).await)
    }

    pub(super) fn commit(&mut self, transaction: &Transaction) -> Result<Committed, Failure> {
        let committed = self.runtime.block_on(self.engine.commit(transaction));
        committed.map_err(|e| self.failure(&e))
    }

    /// Asks the engine, for a time, unless somebody interrupts it. What is being written then may be written.
    pub(super) fn ask<T>(
        &mut self,
        limits: AskLimits<'_>,
        work: impl AsyncFnOnce(&mut Engine) -> Result<T, EngineError>,
    ) -> EngineAnswer<T> {
        let engine = &mut self.engine;
        let asked = self.runtime.block_on(async {
            tokio::select! {
                answer = work(engine) => Ok(answer),
                stopped = limits.stopped() => Err(stopped),
            }
        });
        match asked {
            Ok(Ok(answer)) => EngineAnswer::Got(answer),
            Ok(Err(e)) => EngineAnswer::Trouble(self.failure(&e), e.is_certain()),
            Err(stopped) => EngineAnswer::Stopped(stopped),
        }
    }

    /// The same for something that goes on while nobody answers.
    pub(super) fn ask_within<T>(
        &mut self,
        limit: Duration,
        work: impl AsyncFnOnce(&mut Engine) -> Result<T, EngineError>,
    ) -> Result<T, Failure> {
        match self.ask(AskLimits::within(limit), work) {
            EngineAnswer::Got(answer) => Ok(answer),
            EngineAnswer::Trouble(failure, _) => Err(failure),
            EngineAnswer::Stopped(_) => Err(failed!("etcd does not answer within {limit:?}")),
        }
    }

    /// Follows changes until a condition holds, the time is up, or somebody interrupts it; the snapshot is then the last one.
    pub(super) fn follow(
        &mut self,
        snapshot: &mut Snapshot,
        end: Instant,
        interrupt: &Interrupt,
        is_done: &dyn Fn(&Snapshot) -> bool,
    ) -> WaitEnd {
        let mut following = Following {
            engine: &mut self.engine,
            paths: &self.paths,
            snapshot,
            end,
            interrupt,
            is_done,
        };
        self.runtime.block_on(following.run())
    }

    fn failure(&self, error: &EngineError) -> Failure {
        let failure = Failure::failed(error);
        if !self.lacks_identity() {
            return failure;
        }

        // etcd says of a client without a certificate only that the handshake failed.
        failure.and_line(format!(
            "no certificate was shown: set ops_cert_file and ops_key_file in the file of the fleet, or {CERT_VARIABLE} and {KEY_VARIABLE}"
        ))
    }

    /// Whether an engine that asks who this is gets no answer.
    fn lacks_identity(&self) -> bool {
        let is_encrypted = self.settings.endpoints.iter().any(|endpoint| endpoint.tls);
        let is_known = self.has_identity || self.settings.username.is_some();
        is_encrypted && !is_known
    }
}

/// How long something is asked.
#[derive(Clone, Copy)]
pub(super) struct AskLimits<'a> {
    pub(super) end: Option<Instant>,
    /// Whoever may end it; nobody may, where it has to come to its end.
    pub(super) interrupt: Option<&'a Interrupt>,
}

impl AskLimits<'_> {
    /// For what has to come to its end, and may not take long.
    pub(super) fn within(limit: Duration) -> Self {
        Self {
            end: Some(Instant::now() + limit),
            interrupt: None,
        }
    }

    /// Waits until one of them is reached.
    async fn stopped(self) -> Stopped {
        loop {
            if let Some(signal) = self.interrupt.and_then(Interrupt::came) {
                return Stopped::Interrupted(signal);
            }
            if self.end.is_some_and(|end| Instant::now() >= end) {
                return Stopped::TimeUp;
            }
            tokio::time::sleep(TICK).await;
        }
    }
}

/// What came of a question.
pub(super) enum EngineAnswer<T> {
    Got(T),
    /// What went wrong, and whether that is certain to go wrong again.
    Trouble(Failure, bool),
    Stopped(Stopped),
}

/// Why nothing came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    Interrupted(Signal),
    TimeUp,
}

pub(super) fn runtime() -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let built = builder.enable_all().build();
    built.map_err(|e| failed!("cannot start: {e}"))
}

fn access(settings: &FleetSettings, identity: Option<&CertAndKey>) -> Result<Access, Failure> {
    let pair = identity.map(|(cert, key)| (cert.as_path(), key.as_path()));
    Access::new(settings, pair).map_err(Failure::failed)
}
