//! One session with one member: everything goes over one connection, so that what is wrong with it is found out at once.
//!
//! Rule: the orders are read as the majority has them, then watched from the next revision on; and read again now and then,
//! in case that something was missed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Agent;
use crate::fleet::engine::{Changes, EngineError, EngineSession, Found, KeyRange, KeyWatch, Pair};
use crate::fleet::order::{jittered, now_micros, random_part};
use crate::fleet::report::{OwnKeys, OwnRecords, Reported};
use crate::fleet::{HostRecord, Order, Record as _, Report, Version};
use crate::names::Key;
use crate::spool::unix_now;

/// How often this host looks at itself.
const LOOK: Duration = Duration::from_secs(1);

/// How often it asks which services are polled.
const SERVICES: Duration = Duration::from_secs(10);

/// How long after its begin a downtime's balancers are reported as they act.
const ACTING: f64 = 600.0;

/// How often a host tells that it still is there, so that of a lost one the time is known; in seconds.
const SEEN_EVERY: f64 = 300.0;

/// Reports of so many hosts are spread over a second.
const REPORTS_A_SECOND: f64 = 1000.0;

pub(super) struct Session<'a> {
    agent: &'a mut Agent,
    engine: &'a EngineSession,
    own: OwnKeys,
    lease: i64,
    /// Another machine has this host's name, so nothing is reported.
    is_mute: bool,
    services: Vec<String>,
    /// What was reported last.
    reported: BTreeMap<Key, Report>,
    next_report: Instant,
    next_services: Instant,
}

impl<'a> Session<'a> {
    pub(super) fn new(agent: &'a mut Agent, engine: &'a EngineSession) -> Self {
        let own = OwnKeys::new(&agent.paths, &agent.host);
        let now = Instant::now();
        Self {
            agent,
            engine,
            own,
            lease: 0,
            is_mute: false,
            services: Vec::new(),
            reported: BTreeMap::new(),
            next_report: now,
            next_services: now,
        }
    }

    /// Runs until something fails.
    pub(super) async fn run(mut self) -> Result<Infallible, EngineError> {
        let orders = KeyRange::under(&self.agent.paths.orders());
        let revision = self.sync(&orders).await?;
        // From the very next revision on, so that nothing can be ordered between the reading and the watch.
        let mut watch = self.engine.watch(&orders, revision + 1).await?;
        let member = self.engine.member();
        log::info!("fleet: connected to etcd at {member}, revision {revision}");
        // The life sign comes last: whoever sees this host alive may wait for what it does.
        self.own.read(self.engine).await?;
        self.live().await?;
        self.serve(&orders, &mut watch).await
    }

    async fn serve(
        &mut self,
        orders: &KeyRange,
        watch: &mut KeyWatch,
    ) -> Result<Infallible, EngineError> {
        let beat = self.agent.settings.lease / 3;
        let reconcile = self.agent.settings.reconcile;
        let mut next_beat = Instant::now() + beat;
        let mut next_sync = Instant::now() + jittered(reconcile);
        loop {
            tokio::select! {
                changes = watch.next() => self.changed(&changes?),
                () = sleep_until(self.next_report) => self.report().await?,
                () = sleep_until(next_beat) => {
                    self.beat().await?;
                    next_beat = Instant::now() + beat;
                }
                () = sleep_until(next_sync) => {
                    self.sync(orders).await?;
                    self.read_own().await?;
                    next_sync = Instant::now() + jittered(reconcile);
                }
            }
        }
    }

    /// Reads the orders: those that changed since, where the engine's history goes on; else all of them.
    async fn sync(&mut self, orders: &KeyRange) -> Result<i64, EngineError> {
        let known = self.agent.held.place();
        // Only what is new costs some hundred bytes; all the orders of a large fleet are 200 KB, for each host each time.
        let from = self.agent.held.next_revision().unwrap_or(0);
        let found = self.engine.read(orders, from).await?;
        let goes_on = is_continued(known, &found);
        let knew_engine = known.0 != 0;
        if knew_engine && !goes_on {
            log_regress();
        }

        let is_whole = from == 0;
        if goes_on || is_whole {
            self.take(&found, is_whole);
            return Ok(found.revision);
        }

        // A part of another history: what it lacks may never have been there.
        let all = self.engine.read(orders, 0).await?;
        self.take(&all, true);
        Ok(all.revision)
    }

    fn take(&mut self, found: &Found, is_whole: bool) {
        if is_whole {
            self.agent.held.begin_whole();
        }

        self.learn(&found.pairs);
        let boot = self.agent.alive.boot.clone();
        self.agent.held.synced(found.cluster, found.revision, &boot);
        self.show(found.revision);
        self.warn_of_missing();
    }

    /// Tells of orders that the engine has lost. They stay in force: of an engine that was wiped, absence would lift all.
    fn warn_of_missing(&self) {
        let missing = self.agent.held.missing();
        let mut figures = self.agent.figures.lock();
        let known = std::mem::replace(&mut figures.missing, missing.len());
        drop(figures);
        // Once, and not with each change and each reading.
        if !missing.is_empty() && known != missing.len() {
            let registers = missing.join(", ");
            log::error!(
                "fleet: etcd no longer has the orders {registers}; they are held until 'haup --fleet' lifts them"
            );
        }
    }

    fn learn(&mut self, pairs: &[Pair]) {
        for pair in pairs {
            if let Some(key) = self.agent.held.learn(&self.agent.paths, pair) {
                self.agent.held.apply(&key);
            }
        }
    }

    /// Changes of orders. A deletion changes nothing but what is told.
    fn changed(&mut self, changes: &Changes) {
        self.learn(&changes.puts);
        for pair in &changes.deletes {
            self.agent.held.lost(&self.agent.paths, &pair.key);
        }

        self.agent.held.seen(changes.revision);
        self.note_skew(&changes.puts);
        self.show(changes.revision);
        self.warn_of_missing();
        // All hosts learn of an order at the same moment, and etcd would have to take all their reports at the next.
        let hosts = hosts_of(&changes.puts);
        self.next_report = Instant::now() + spread(hosts);
    }

    /// An order that has just come was given just now, by its own clock.
    fn note_skew(&self, pairs: &[Pair]) {
        let Some(order) = pairs.last().and_then(order_in) else {
            return;
        };

        #[allow(clippy::cast_precision_loss)] // to the microsecond for centuries
        let ahead = now_micros() as f64 - order.at as f64;
        self.agent.figures.lock().clock_skew = ahead / 1e6;
    }

    fn show(&self, revision: i64) {
        self.agent.show_held();
        let mut figures = self.agent.figures.lock();
        figures.connected = true;
        figures.last_sync = Some(unix_now());
        figures.revision = revision;
        figures.slot_since = self.own.slot_since;
    }

    /// Says that this host lives.
    async fn live(&mut self) -> Result<(), EngineError> {
        let agent = &self.agent;
        self.lease = self.engine.grant(agent.settings.lease).await?;
        let living = self.own.live(self.engine, &agent.alive, self.lease).await;
        match self.noted(living)? {
            Some(Reported::NameTaken) => self.be_mute(),
            Some(Reported::Done) => self.is_mute = false,
            None => {}
        }

        Ok(())
    }

    /// Another machine has this name. Two that report under one would overwrite each other; orders are obeyed all the same.
    fn be_mute(&mut self) {
        self.is_mute = true;
        let host = &self.agent.host;
        log::error!(
            "fleet: another machine is {host} too, so this one reports nothing; set host in fleet.yml"
        );
        self.agent.figures.lock().write_errors += 1;
    }

    /// Keeps the lease alive. One that is gone is begun anew, and with it nothing else.
    async fn beat(&mut self) -> Result<(), EngineError> {
        let is_there = self.engine.keep_alive(self.lease).await?;
        let lives = is_there && !self.is_mute;
        if lives {
            self.agent.figures.lock().last_sync = Some(unix_now());
        }

        if !lives || self.may_have_slot() {
            self.own.read(self.engine).await?;
        }

        match lives && self.own.is_alive() {
            true => Ok(()),
            // One that is mute has no life sign to keep; it looks whether the other machine still is there.
            false => self.live().await,
        }
    }

    fn may_have_slot(&self) -> bool {
        // A host that is up and has no slot will hardly have one: the engine is not asked for that.
        self.own.slot_since.is_some() || !self.reported.is_empty()
    }

    /// Reads what the engine has of this host. A life sign may be gone though its lease lives, as by
    /// `hacheck fleet forget --force`: the host would be lost for as long as this session holds.
    async fn read_own(&mut self) -> Result<(), EngineError> {
        self.own.read(self.engine).await?;
        match self.own.is_alive() {
            true => Ok(()),
            false => self.live().await,
        }
    }

    /// Looks at this host, and reports what changed.
    async fn report(&mut self) -> Result<(), EngineError> {
        self.agent.held.look();
        self.show(self.agent.held.place().1);
        self.look_at_services();
        // Ten thousand hosts that report each second would be more writes than etcd takes.
        let spread = spread_all(self.agent.held.most_hosts());
        self.next_report = Instant::now() + LOOK.max(spread);
        match self.is_mute {
            true => Ok(()),
            false => self.tell().await,
        }
    }

    async fn tell(&mut self) -> Result<(), EngineError> {
        let told = self.told();
        self.reported.clone_from(&told.down);
        let telling = self.own.tell(self.engine, &told).await;
        self.noted(telling)?;
        Ok(())
    }

    fn look_at_services(&mut self) {
        let now = Instant::now();
        if now >= self.next_services {
            self.services = self.services();
            self.next_services = now + SERVICES;
        }
    }

    /// A refusal is noted, and ends no session: orders come all the same.
    fn noted<T>(&self, written: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
        let error = match written {
            Ok(done) => return Ok(Some(done)),
            Err(error) => error,
        };

        let mut figures = self.agent.figures.lock();
        figures.write_errors += 1;
        let is_first = figures.write_errors == 1;
        drop(figures);
        // Whatever else it is, another connection may help.
        if !error.is_certain() || error.ends_login() {
            return Err(error);
        }

        // Once: a role that lacks a right would fill the log each second.
        if is_first {
            log::error!("fleet: cannot report: {error}");
        }

        Ok(None)
    }

    fn services(&self) -> Vec<String> {
        match &self.agent.settings.services {
            Some(services) => services.clone(),
            None => self.agent.view.services(),
        }
    }

    fn told(&self) -> OwnRecords {
        let mut down = self.agent.view.downtimes();
        for (key, report) in &mut down {
            self.settle(key, report);
        }

        OwnRecords {
            host: self.host_record(),
            down,
        }
    }

    fn host_record(&self) -> HostRecord {
        let agent = &self.agent;
        let (address, port) = agent.view.address();
        HostRecord {
            v: Version,
            host: agent.host.clone(),
            address,
            port,
            tags: agent.settings.tags.clone(),
            services: self.services.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rev: agent.held.place().1,
            held: agent.held.held(),
            waived: agent.held.waived(),
            since: agent.since.floor(),
            seen: seen(agent.since.floor(), unix_now()),
            problems: agent.held.problems(),
        }
    }

    /// Makes a report what is written: how far balancers are is news only while they act.
    fn settle(&self, key: &Key, new: &mut Report) {
        let is_acting = new.since.is_none_or(|since| unix_now() - since < ACTING);
        if is_acting {
            return;
        }

        // Sessions of a long downtime come and go, and each change would be a write that all who watch are told.
        if let Some(old) = self.reported.get(key) {
            new.pollers = old.pollers;
            new.acted = old.acted;
            new.sessions = old.sessions;
        }
    }
}

/// The revision went back, or it is another cluster: then nothing that the engine says of before can be believed.
fn log_regress() {
    log::error!(
        "fleet: etcd is not what it was: it was set up anew, or restored from a backup; what was ordered is held, \
         and 'haup --fleet' lifts it"
    );
}

/// Whether the engine's history goes on from the cluster and the revision that are known. One that was set up anew has
/// another cluster id, and one that was restored from a backup an earlier revision.
fn is_continued((cluster, revision): (u64, i64), found: &Found) -> bool {
    found.cluster == cluster && found.revision >= revision
}

/// For how many hosts these orders are.
fn hosts_of(pairs: &[Pair]) -> u64 {
    let orders = pairs.iter().filter_map(order_in);
    let hosts = orders.map(|order| order.hosts);
    hosts.max().unwrap_or_default()
}

fn order_in(pair: &Pair) -> Option<Order> {
    Order::parse(&pair.value).ok()
}

/// When a host was seen last, in steps: each step is a write, and hosts that began at other times take it at others.
fn seen(since: f64, now: f64) -> f64 {
    let steps = ((now - since) / SEEN_EVERY).floor();
    since + steps * SEEN_EVERY
}

/// Over which time the reports of so many hosts are spread.
fn spread_all(hosts: u64) -> Duration {
    #[allow(clippy::cast_precision_loss)] // some million hosts at most
    let seconds = hosts.min(1_000_000) as f64 / REPORTS_A_SECOND;
    Duration::from_secs_f64(seconds)
}

/// This host's place in that time.
fn spread(hosts: u64) -> Duration {
    spread_all(hosts).mul_f64(random_part())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_many_hosts_are_spread_and_of_few_are_not() {
        assert_eq!(spread_all(3), Duration::from_millis(3));
        assert_eq!(spread_all(10_000), Duration::from_secs(10));
        assert_eq!(spread_all(u64::MAX), Duration::from_secs(1000));
        assert!((0..50).all(|_| spread(10_000) <= Duration::from_secs(10)));
    }
}
