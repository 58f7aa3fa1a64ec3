//! Who rolls a service over the fleet: one haroll at a time.
//!
//! Rule: the lock lives as long as a lease of 30 s. One that may be over begins no host; it is no reason to end those that
//! have begun, since each has a place of its own.

use std::time::{Duration, Instant};

use super::begin::RollPlan;
use crate::cli::failure::{Failure, failed};
use crate::cli::fleet::client::FleetClient;
use crate::cli::fleet::write::author;
use crate::cli::output::times;
use crate::fleet::engine::{Committed, Engine, KeyRange, Transaction};
use crate::fleet::{AuditLine, Record as _, RollLock, RollRecord, Snapshot, Version, now_micros};
use crate::names::text::one_line;
use crate::spool::unix_now;

/// How long the lock lives without a sign.
const LIFE: Duration = Duration::from_secs(30);

/// How often a sign is given.
const EVERY: Duration = Duration::from_secs(10);

/// How long one may take, of all members together: several fit into what the lock has left then.
const SIGN: Duration = Duration::from_secs(5);

/// How soon it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Why it is lost.
const GONE: &str = "its lease has ended, or somebody took it";

/// How often it is tried where nobody knows how it went.
const ATTEMPTS: usize = 5;

/// Most characters of a command in the log.
const SHOWN: usize = 1000;

/// A lock that this process holds.
pub(super) struct HeldLock {
    path: String,
    value: String,
    revision: i64,
    lease: i64,
    /// Until when it certainly lives.
    until: Instant,
    /// When the next sign is due.
    due: Instant,
    /// Why it is held no more.
    lost: Option<String>,
}

impl HeldLock {
    /// Takes the lock of a roll's key; writes the roll's record with it where that is new.
    pub(super) fn take(
        client: &mut FleetClient,
        plan: &RollPlan,
        is_new: bool,
    ) -> Result<Self, Failure> {
        let record = &plan.record;
        let sent = Instant::now();
        let mut lock = Self {
            path: client.paths.roll_lock(&record.key),
            value: content(plan).to_json(),
            revision: 0,
            lease: client.grant(LIFE)?,
            until: sent + LIFE,
            due: sent + EVERY,
            lost: None,
        };
        for _ in 0..ATTEMPTS {
            if let Some(revision) = lock.found(client, record)? {
                lock.revision = revision;
                return Ok(lock);
            }
            let transaction = lock.transaction(client, plan, is_new)?;
            // One of which nobody knows is found, or can never be applied any more.
            if let Committed::Done(revision) = client.commit(&transaction)? {
                lock.revision = revision;
                return Ok(lock);
            }
        }
        Err(failed!(
            "others change the lock of {} all the time; nothing was begun; try again",
            record.key
        ))
    }

    /// At which revision this lock was written, if it was; fails where there is another one.
    fn found(&self, client: &mut FleetClient, record: &RollRecord) -> Result<Option<i64>, Failure> {
        let found = client.read(&[KeyRange::one(&self.path)])?;
        match found.pairs.first() {
            None => Ok(None),
            Some(pair) if pair.value == self.value.as_bytes() => Ok(Some(pair.mod_revision)),
            Some(pair) => Err(held(record, &self.path, &pair.value)),
        }
    }

    fn transaction(
        &self,
        client: &mut FleetClient,
        plan: &RollPlan,
        is_new: bool,
    ) -> Result<Transaction, Failure> {
        let record = &plan.record;
        let log = client.log_lease()?;
        let line = audit_line(record, is_new);
        let mut transaction = Transaction::new()
            .absent(&self.path)
            .put_leased(&self.path, self.value.as_str(), self.lease)
            .put_leased(&client.paths.log_line(line.at), line.to_json(), log);
        if is_new {
            let path = client.paths.roll(&plan.id);
            transaction = transaction
                .absent(&path)
                .put_leased(&path, record.to_json(), log);
        }
        Ok(transaction)
    }

    /// Gives a sign when it is due. What is given back is why the lock is lost, when that has just been found.
    pub(super) fn keep(&mut self, client: &mut FleetClient) -> Option<String> {
        let now = Instant::now();
        if self.lost.is_some() || now < self.due {
            return None;
        }
        // Counted from before it is sent: the lease may have been renewed at once, or at the last moment.
        match self.give_sign(client) {
            Ok(true) => {
                self.until = now + LIFE;
                self.due = now + EVERY;
            }
            Ok(false) => self.lost = Some(GONE.to_owned()),
            Err(e) if Instant::now() >= self.until => self.lost = Some(e.message),
            Err(_) => self.due = Instant::now() + AGAIN,
        }
        self.lost.clone()
    }

    /// Looks whether it is still there: an administrator may delete a key and leave its lease, and this machine's clock
    /// may have stood still. What is given back is why it is lost, when that has just been found.
    pub(super) fn check(&mut self, snapshot: &Snapshot) -> Option<String> {
        if self.lost.is_some() || snapshot.mod_revision(&self.path) == self.revision {
            return None;
        }
        self.lost = Some(GONE.to_owned());
        self.lost.clone()
    }

    /// Whether its lease was kept alive.
    fn give_sign(&self, client: &mut FleetClient) -> Result<bool, Failure> {
        let asking = async |engine: &mut Engine| engine.keep_alive(self.lease).await;
        client.ask_within(SIGN, asking)
    }

    /// Whether nobody else can have it now.
    pub(super) fn is_sure(&self) -> bool {
        self.lost.is_none() && Instant::now() < self.until
    }

    /// Gives it back. Where that fails it ends by itself.
    pub(super) fn release(&self, client: &mut FleetClient) {
        if self.lost.is_some() {
            return;
        }
        let transaction = Transaction::new()
            .unchanged(&self.path, self.revision)
            .delete(KeyRange::one(&self.path));
        let _ = client.commit(&transaction);
    }
}

fn content(plan: &RollPlan) -> RollLock {
    let author = author();
    RollLock {
        v: Version,
        roll: plan.id.to_string(),
        by: author.by,
        from: author.from,
        since: unix_now(),
        pid: std::process::id(),
    }
}

fn held(record: &RollRecord, path: &str, value: &[u8]) -> Failure {
    let key = &record.key;
    let Ok(other) = RollLock::parse(value) else {
        // Whoever wrote it may have given it no lease, so it might never go.
        return failed!(
            "{key} is being rolled already, by whom cannot be read; nothing was begun; 'etcdctl del {path}' if nobody rolls it"
        );
    };
    failed!(
        "{key} is being rolled already: roll {} by {}@{} since {}; nothing was begun; wait for its end (the lock of a haroll that is dead goes after {} s)",
        one_line(&other.roll),
        one_line(&other.by),
        one_line(&other.from),
        times::brief(other.since),
        LIFE.as_secs()
    )
}

fn audit_line(record: &RollRecord, is_new: bool) -> AuditLine {
    let author = author();
    let what = match is_new {
        true => "roll",
        false => "resume",
    };
    let command = shell_words::join(&record.command);
    AuditLine {
        at: now_micros(),
        by: author.by,
        from: author.from,
        what: what.to_owned(),
        key: record.key.file_name(),
        selector: record.selector.to_string(),
        reason: command.chars().take(SHOWN).collect(),
        order: record.id.clone(),
        ..AuditLine::default()
    }
}
