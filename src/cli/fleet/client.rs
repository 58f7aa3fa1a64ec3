//! The engine as a command asks it: without waiting for anything but an answer, and with an error that tells what to do.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::request::FleetFile;
use super::waiting::WaitEnd;
use crate::cli::applet::Call;
use crate::cli::failure::{Failure, failed};
use crate::cli::wait::interrupt::Interrupt;
use crate::fleet::engine::{
    Access, Changes, Committed, Engine, EngineError, Found, KeyRange, Transaction,
};
use crate::fleet::settings::{self, FleetSettings};
use crate::fleet::{Paths, Snapshot};
use crate::os::access;

/// Name the certificate and the key of the commands, and win over the file of the fleet.
const CERT_VARIABLE: &str = "HACHECK_FLEET_CERT";
const KEY_VARIABLE: &str = "HACHECK_FLEET_KEY";

/// How long a line of the log lives: 90 days.
const LOG_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// How often a wait looks at the clock and at Ctrl-C.
const TICK: Duration = Duration::from_millis(100);

/// How long a wait pauses before it asks an engine again that did not answer.
const PAUSE: Duration = Duration::from_millis(200);

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
        return Err(failed!(
            "this host is in no fleet: there is no {}; write it, or name another file with --fleet-file",
            file.path.display()
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
        let paths_of = identity.as_ref();
        let access = Access::new(&settings, paths_of.map(|(cert, key)| (&**cert, &**key)));
        let access = access.map_err(Failure::failed)?;
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
        let granted = self.runtime.block_on(self.engine.grant(LOG_LIFE));
        let lease = granted.map_err(|e| self.failure(&e))?;
        self.log_lease = Some(lease);
        Ok(lease)
    }

    pub(super) fn commit(&mut self, transaction: &Transaction) -> Result<Committed, Failure> {
        let committed = self.runtime.block_on(self.engine.commit(transaction));
        committed.map_err(|e| self.failure(&e))
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
        let is_encrypted = self.settings.endpoints.iter().any(|endpoint| endpoint.tls);
        let failure = Failure::failed(error);
        if is_encrypted && !self.has_identity && self.settings.username.is_none() {
            return failure.and_line(format!(
                "no certificate was shown: set ops_cert_file and ops_key_file in the file of the fleet, or {CERT_VARIABLE} and {KEY_VARIABLE}"
            ));
        }
        failure
    }
}

fn runtime() -> Result<Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.map_err(|e| failed!("cannot start: {e}"))
}

/// Certificate and key of the commands.
fn identity(settings: &FleetSettings) -> Result<Option<(PathBuf, PathBuf)>, Failure> {
    let variable = |name| std::env::var_os(name).filter(|path| !path.is_empty());
    let pair = match (variable(CERT_VARIABLE), variable(KEY_VARIABLE)) {
        (Some(cert), Some(key)) => Some((cert.into(), key.into())),
        (None, None) => settings
            .ops_cert_file
            .clone()
            .zip(settings.ops_key_file.clone()),
        (Some(_), None) => {
            return Err(failed!(
                "{CERT_VARIABLE} is set without {KEY_VARIABLE}; set both"
            ));
        }
        (None, Some(_)) => {
            return Err(failed!(
                "{KEY_VARIABLE} is set without {CERT_VARIABLE}; set both"
            ));
        }
    };
    if let Some((cert, key)) = &pair {
        expect_readable(cert)?;
        expect_readable(key)?;
    }
    Ok(pair)
}

fn expect_readable(file: &Path) -> Result<(), Failure> {
    match access::unreadable(file) {
        None => Ok(()),
        Some(cause) => Err(failed!(
            "cannot read {}: {cause}; run as root or as a member of the group hacheck-ops, or set {CERT_VARIABLE} and {KEY_VARIABLE}",
            file.display()
        )),
    }
}

/// A snapshot that is kept up to date.
struct Following<'a> {
    engine: &'a mut Engine,
    paths: &'a Paths,
    snapshot: &'a mut Snapshot,
    end: Instant,
    interrupt: &'a Interrupt,
    is_done: &'a dyn Fn(&Snapshot) -> bool,
}

impl Following<'_> {
    async fn run(&mut self) -> WaitEnd {
        loop {
            let trouble = match self.watch().await {
                Ok(ended) => return ended,
                Err(e) => e,
            };
            // The watch is lost with its member; another one may know more.
            if let Some(ended) = self.ended(Some(&trouble)) {
                return ended;
            }
            tokio::time::sleep(PAUSE).await;
            if let Ok(new) = Snapshot::of(self.engine, self.paths).await {
                *self.snapshot = new;
            }
        }
    }

    async fn watch(&mut self) -> Result<WaitEnd, EngineError> {
        if let Some(ended) = self.ended(None) {
            return Ok(ended);
        }
        let all = KeyRange::under(&format!("{}/", self.paths.root()));
        let from = self.snapshot.revision + 1;
        let mut watch = self.engine.watch(&all, from).await?;
        loop {
            let left = self.end.saturating_duration_since(Instant::now());
            let mut limit = TICK.min(left);
            // All that has come is taken before it is looked at: a look costs more than a change.
            while let Ok(changes) = timeout(limit, watch.next()).await {
                self.apply(&changes?);
                limit = Duration::ZERO;
            }
            if let Some(ended) = self.ended(None) {
                return Ok(ended);
            }
        }
    }

    fn apply(&mut self, changes: &Changes) {
        for pair in &changes.deletes {
            self.snapshot.drop_key(self.paths, &pair.key);
        }
        for pair in &changes.puts {
            self.snapshot.take(self.paths, pair);
        }
        self.snapshot.revision = self.snapshot.revision.max(changes.revision);
    }

    fn ended(&self, trouble: Option<&EngineError>) -> Option<WaitEnd> {
        if (self.is_done)(self.snapshot) {
            return Some(WaitEnd::Done);
        }
        if let Some(signal) = self.interrupt.came() {
            return Some(WaitEnd::Interrupted(signal));
        }
        let is_over = Instant::now() >= self.end;
        is_over.then(|| WaitEnd::TimeUp(trouble.map(ToString::to_string)))
    }
}
