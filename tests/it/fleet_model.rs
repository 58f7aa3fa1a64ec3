//! The model of a host in the fleet, under faults of all kinds: no host comes up that is not owed a lift, none goes down
//! without an order, and in the end all of them are as the engine says.
//!
//! Twenty seconds; `HACHECK_MODEL_SECONDS` and `HACHECK_MODEL_SEED` ask for more, and for others.

mod slots;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hacheck::fleet::agent::{Agent, HostView};
use hacheck::fleet::engine::{Access, Committed, Engine, KeyRange, Pair, Transaction};
use hacheck::fleet::settings::FleetSettings;
use hacheck::fleet::{FleetFigures, Order, OrderState, Record as _, Report, next_at, now_micros};
use hacheck::spool::{Gate, Key, Spool};

use crate::support::etcd::{Etcd, MEMBERS};
use crate::support::fleet::{order, paths};
use crate::support::random::Random;
use crate::support::running::Running;
use crate::support::{PATIENCE, TempDir, wait_until};

/// What is ordered up and down.
const KEYS: [&str; 3] = ["web", "api", "db"];

/// How many hosts there are.
const HOSTS: usize = 4;

/// An order that was tried.
struct Tried {
    key: String,
    at: u64,
    state: OrderState,
    /// It was certainly not applied.
    failed: bool,
}

/// What happened so far.
#[derive(Default)]
struct History {
    tried: Vec<Tried>,
    /// What a host did that nothing allows.
    violations: Vec<String>,
    ups: usize,
    downs: usize,
}

type Shared = Arc<Mutex<History>>;

impl History {
    /// Notes that an entry went from one order, by its stamp, to another.
    fn note(&mut self, host: usize, key: &str, before: Option<u64>, now: Option<u64>) {
        let mut tried = self.tried.iter().filter(|t| t.key == key && !t.failed);
        match (before, now) {
            (_, Some(at)) => {
                self.downs += 1;
                if !tried.any(|t| t.at == at && t.state == OrderState::Down) {
                    let text = format!("host {host}: {key} is down by {at}, which nobody ordered");
                    self.violations.push(text);
                }
            }
            (Some(held), None) => {
                self.ups += 1;
                if !tried.any(|t| t.at > held && t.state == OrderState::Up) {
                    let text = format!("host {host}: {key} is up, and nothing lifted {held}");
                    self.violations.push(text);
                }
            }
            (None, None) => {}
        }
    }
}

/// What the tests need of a daemon.
struct NoDaemon;

impl HostView for NoDaemon {
    fn address(&self) -> (String, u16) {
        (String::new(), 0)
    }

    fn services(&self) -> Vec<String> {
        Vec::new()
    }

    fn downtimes(&self) -> BTreeMap<Key, Report> {
        BTreeMap::new()
    }
}

fn fleet(etcd: &Etcd, host: &str, folder: &Path) -> FleetSettings {
    let folder = folder.display();
    let more = format!("host: {host}\nstate_dir: {folder}\ntimeout: 2\nlease: 6\nreconcile: 2\n");
    etcd.settings(&more)
}

/// A host as it is.
fn host(settings: FleetSettings) -> Running {
    let gate = Arc::new(Gate::open(Spool::at(&settings.state_dir)).unwrap());
    let figures = Arc::new(FleetFigures::default());
    let agent = Agent::new(settings, gate, Arc::new(NoDaemon), figures);
    Running::start(agent.run())
}

/// A host as one would write it first: what the engine has is what holds, and what it does not have is lifted.
fn naive_host(settings: FleetSettings) -> Running {
    Running::start(async move {
        loop {
            let access = Access::of_daemon(&settings).unwrap();
            let orders = KeyRange::under(&paths().orders());
            if let Ok(found) = Engine::new(access).read(&[orders]).await {
                mirror(&settings.state_dir, &found.pairs);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
}

fn mirror(folder: &Path, pairs: &[Pair]) {
    let orders = pairs.iter().map(|pair| Order::parse(&pair.value).unwrap());
    let down = orders.filter(|order| order.state == OrderState::Down);
    let down: BTreeMap<String, Order> = down.map(|o| (o.key.file_name(), o)).collect();
    for key in KEYS {
        let file = folder.join(key);
        match down.get(key) {
            Some(order) => {
                let temp = folder.join("~temp");
                fs::write(&temp, format!(r#"{{"order": {}}}"#, order.to_json())).unwrap();
                fs::rename(temp, file).unwrap();
            }
            None => drop(fs::remove_file(file)),
        }
    }
}

/// The stamp of the order that an entry is of.
fn stamp(file: &Path) -> Option<u64> {
    let content = fs::read(file).ok()?;
    let json: serde_json::Value = serde_json::from_slice(&content).unwrap();
    Some(json["order"]["at"].as_u64().unwrap())
}

/// Watches the disks of all hosts.
fn observe(folders: Vec<PathBuf>, history: &Shared, end: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (history, end) = (Arc::clone(history), Arc::clone(end));
    thread::spawn(move || {
        let mut seen: BTreeMap<(usize, &str), Option<u64>> = BTreeMap::new();
        while !end.load(Ordering::Relaxed) {
            for (host, folder) in folders.iter().enumerate() {
                for key in KEYS {
                    let now = stamp(&folder.join(key));
                    let before = seen.insert((host, key), now).flatten();
                    if before != now {
                        history.lock().unwrap().note(host, key, before, now);
                    }
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
    })
}

/// Gives orders, one after the other.
fn operate(settings: FleetSettings, history: &Shared, seed: u64) -> Running {
    let history = Arc::clone(history);
    Running::start(async move {
        let mut random = Random::new(seed);
        let mut engine = Engine::new(Access::of_daemon(&settings).unwrap());
        loop {
            let key = *random.pick(&KEYS);
            let state = *random.pick(&[OrderState::Down, OrderState::Down, OrderState::Up]);
            try_order(&mut engine, &history, key, state).await;
            let pause = 20 + random.below(200) as u64;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    })
}

async fn try_order(engine: &mut Engine, history: &Shared, key: &str, state: OrderState) {
    let mut new = order(0, state, key, "*");
    let path = paths().order(&new.key, &new.selector);
    let Ok(found) = engine.read(&[KeyRange::one(&path)]).await else {
        return;
    };
    let before = found.pairs.first();
    let known = before.map(|pair| Order::parse(&pair.value).unwrap().at);
    new.at = next_at(now_micros(), known);
    let number = {
        let mut history = history.lock().unwrap();
        history.tried.push(Tried {
            key: key.to_owned(),
            at: new.at,
            state,
            failed: false,
        });
        history.tried.len() - 1
    };
    let revision = before.map_or(0, |pair| pair.mod_revision);
    let write = Transaction::new()
        .unchanged(&path, revision)
        .put(&path, new.to_value());
    let failed = match engine.commit(&write).await {
        Ok(Committed::Conflict) | Err(_) => true,
        Ok(Committed::Done(_) | Committed::Unknown(_)) => false,
    };
    history.lock().unwrap().tried[number].failed = failed;
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill,
    Freeze,
    Majority,
    KillAll,
    Compact,
    Leases,
    Host,
    Delete,
    Wipe,
}

const FAULTS: [Fault; 9] = [
    Fault::Kill,
    Fault::Freeze,
    Fault::Majority,
    Fault::KillAll,
    Fault::Compact,
    Fault::Leases,
    Fault::Host,
    Fault::Delete,
    Fault::Wipe,
];

/// Hosts, and what happens to them.
struct World {
    etcd: Etcd,
    folder: TempDir,
    hosts: Vec<Option<Running>>,
    make: fn(FleetSettings) -> Running,
    random: Random,
}

impl World {
    fn new(hosts: usize, make: fn(FleetSettings) -> Running, seed: u64) -> Self {
        let mut world = Self {
            etcd: Etcd::start(),
            folder: TempDir::new(),
            hosts: Vec::new(),
            make,
            random: Random::new(seed),
        };
        for number in 0..hosts {
            fs::create_dir(world.state(number)).unwrap();
            let host = make(world.settings(number));
            world.hosts.push(Some(host));
        }
        world
    }

    fn state(&self, host: usize) -> PathBuf {
        self.folder.file(&format!("host{host}"))
    }

    fn states(&self) -> Vec<PathBuf> {
        (0..self.hosts.len()).map(|host| self.state(host)).collect()
    }

    fn settings(&self, host: usize) -> FleetSettings {
        fleet(&self.etcd, &format!("host{host}"), &self.state(host))
    }

    fn happen(&mut self, fault: Fault) {
        let member = self.random.below(MEMBERS);
        let other = (member + 1) % MEMBERS;
        let while_it_lasts = Duration::from_millis(200 + self.random.below(1500) as u64);
        match fault {
            Fault::Kill => {
                self.etcd.kill(member);
                thread::sleep(while_it_lasts);
                self.etcd.start_member(member);
            }
            Fault::Freeze => {
                self.etcd.freeze(member);
                thread::sleep(while_it_lasts * 2);
                self.etcd.thaw(member);
            }
            Fault::Majority => {
                self.etcd.freeze(member);
                self.etcd.freeze(other);
                thread::sleep(while_it_lasts * 2);
                self.etcd.thaw(member);
                self.etcd.thaw(other);
            }
            Fault::KillAll => {
                (0..MEMBERS).for_each(|m| self.etcd.kill(m));
                thread::sleep(while_it_lasts);
                (0..MEMBERS).for_each(|m| self.etcd.start_member(m));
            }
            Fault::Compact => {
                self.etcd.wait_until_member_answers(member);
                self.etcd.compact(member);
            }
            Fault::Leases => self.etcd.revoke_leases(member),
            Fault::Host => self.restart_host(),
            Fault::Delete => {
                self.etcd.wait_until_member_answers(member);
                self.etcd
                    .delete_under(member, &format!("{}/", paths().root()));
            }
            Fault::Wipe => self.etcd.wipe(),
        }
    }

    fn restart_host(&mut self) {
        let host = self.random.below(self.hosts.len());
        self.hosts[host] = None;
        let again = (self.make)(self.settings(host));
        self.hosts[host] = Some(again);
    }

    /// Every host is as the engine says, where the engine says anything.
    #[track_caller]
    fn converges(&self) {
        self.etcd.wait_until_it_answers();
        for key in KEYS {
            let order = order(0, OrderState::Up, key, "*");
            let path = paths().order(&order.key, &order.selector);
            let Some(value) = self.etcd.value(0, &path) else {
                continue;
            };
            let last = Order::parse(value.as_bytes()).unwrap();
            let wanted = (last.state == OrderState::Down).then_some(last.at);
            for state in self.states() {
                let what = format!("{} is as {last:?} says", state.display());
                wait_until(PATIENCE, &what, || stamp(&state.join(key)) == wanted);
            }
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(default, |text| text.parse().unwrap())
}

#[test]
fn no_host_comes_up_that_is_not_owed_a_lift_whatever_happens_to_the_engine() {
    let seconds = Duration::from_secs(number("HACHECK_MODEL_SECONDS", 20));
    let seed = number("HACHECK_MODEL_SEED", u64::from(std::process::id()));
    let mut world = World::new(HOSTS, host, seed);
    let (history, end) = (Shared::default(), Arc::new(AtomicBool::new(false)));
    let observer = observe(world.states(), &history, &end);
    let operator = operate(world.settings(0), &history, seed);
    let begin = Instant::now();
    let mut happened = Vec::new();
    let mut bag: Vec<Fault> = Vec::new();
    while begin.elapsed() < seconds {
        if bag.is_empty() {
            bag = FAULTS.to_vec();
        }
        let fault = bag.swap_remove(world.random.below(bag.len()));
        happened.push(fault);
        world.happen(fault);
        thread::sleep(Duration::from_millis(world.random.below(800) as u64));
    }
    drop(operator);
    world.converges();
    end.store(true, Ordering::Relaxed);
    observer.join().unwrap();
    let history = history.lock().unwrap();
    let told = format!(
        "seed {seed}: {} orders, {} downs and {} ups under {happened:?}",
        history.tried.len(),
        history.downs,
        history.ups
    );
    println!("{told}");
    assert!(
        history.violations.is_empty(),
        "{:#?}\n{told}",
        history.violations
    );
    assert!(
        history.downs > 0 && history.ups > 0,
        "nothing happened: {told}"
    );
}

#[test]
fn a_host_that_lifts_what_is_absent_is_found_out_by_the_model() {
    let mut world = World::new(1, naive_host, 1);
    let (history, end) = (Shared::default(), Arc::new(AtomicBool::new(false)));
    let observer = observe(world.states(), &history, &end);
    let operator = operate(world.settings(0), &history, 1);
    let has_fallen = || !history.lock().unwrap().violations.is_empty();
    let start = Instant::now();
    while !has_fallen() {
        assert!(start.elapsed() < PATIENCE, "nothing was found");
        wait_until(PATIENCE, "something is down", || {
            KEYS.iter().any(|key| world.state(0).join(key).exists())
        });
        world.happen(Fault::Delete);
        thread::sleep(Duration::from_millis(50));
    }
    drop(operator);
    end.store(true, Ordering::Relaxed);
    observer.join().unwrap();
}
