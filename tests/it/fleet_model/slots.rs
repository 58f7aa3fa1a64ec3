//! The model of slots: rolls on many hosts at once, under faults of the engine and with `kill -9` of those that are down.
//! However long a dead one stays away, never more hosts are down than may be.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hacheck::fleet::engine::{Access, Committed, Engine, KeyRange, Transaction};
use hacheck::fleet::settings::FleetSettings;
use hacheck::fleet::slots::{
    Ending, MaxDown, OwnDowntimes, SlotHolder, SlotLook, SlotRequest, SlotScope,
};
use hacheck::fleet::{Record as _, RollId, RollResult, RollState, Slot, Snapshot, now_micros};
use hacheck::spool::Key;
use serde_json::json;

use super::{Fault, World, host, number};
use crate::support::PATIENCE;
use crate::support::fleet::paths;
use crate::support::random::Random;
use crate::support::running::Running;

/// How many hosts roll.
const ROLLING: usize = 6;

/// How many of them may be down.
const MAX: usize = 2;

/// How long one that was killed stays away: longer than any lease here.
const AWAY: Duration = Duration::from_secs(4);

/// Which hosts are down, and what was seen of that.
#[derive(Default)]
struct Down {
    now: BTreeSet<usize>,
    most: usize,
    rolls: usize,
}

type SharedDown = Arc<Mutex<Down>>;

/// A host that rolls.
#[derive(Clone)]
struct Roller {
    number: usize,
    settings: FleetSettings,
    down: SharedDown,
    seed: u64,
}

impl Roller {
    fn name(&self) -> String {
        format!("host{}", self.number)
    }

    fn engine(&self) -> Engine {
        Engine::new(Access::of_daemon(&self.settings).unwrap())
    }

    fn is_down(&self) -> bool {
        self.down.lock().unwrap().now.contains(&self.number)
    }

    /// As the spool is: it survives whoever writes it.
    fn go_down(&self) {
        let mut down = self.down.lock().unwrap();
        down.now.insert(self.number);
        down.most = down.most.max(down.now.len());
    }

    fn come_up(&self) {
        let mut down = self.down.lock().unwrap();
        down.now.remove(&self.number);
        down.rolls += 1;
    }

    /// What is done while it is down.
    async fn work(&self, random: &mut Random) {
        self.go_down();
        let time = 20 + random.below(100) as u64;
        tokio::time::sleep(Duration::from_millis(time)).await;
        self.come_up();
    }

    fn holder(&self) -> SlotHolder {
        let request = SlotRequest {
            host: self.name(),
            keys: vec![web()],
            scope: SlotScope::default(),
            max: MaxDown::Hosts(2),
            roll: RollId::new(),
            by: "alice".to_owned(),
            from: "ops1".to_owned(),
            reason: String::new(),
        };
        SlotHolder::new(paths(), request)
    }
}

impl OwnDowntimes for Roller {
    fn is_out(&mut self, _: &Key) -> bool {
        self.is_down()
    }

    fn take_over(&mut self, _: &Key) -> bool {
        self.is_down()
    }
}

fn web() -> Key {
    Key::parse("web").unwrap()
}

async fn soon(random: &mut Random) {
    let time = 5 + random.below(40) as u64;
    tokio::time::sleep(Duration::from_millis(time)).await;
}

/// As it is.
async fn roll(roller: Roller) {
    let mut random = Random::new(roller.seed);
    let mut engine = roller.engine();
    loop {
        let mut holder = roller.holder();
        let mut own = roller.clone();
        while !matches!(
            holder.look(&mut engine, &mut own).await,
            Ok(SlotLook::Granted(_))
        ) {
            soon(&mut random).await;
        }
        roller.work(&mut random).await;
        let done = RollResult {
            state: RollState::Done,
            at: now_micros(),
            ..RollResult::default()
        };
        while !matches!(
            holder.end(&mut engine, &done, Ending::Released).await,
            Ok(true)
        ) {
            soon(&mut random).await;
        }
    }
}

/// Hosts with a slot, besides one.
async fn others(engine: &mut Engine, own: &str) -> Option<usize> {
    let slots = KeyRange::under(&paths().slots());
    let found = engine.read(&[slots]).await.ok()?;
    let snapshot = Snapshot::read(&paths(), &found);
    let names = snapshot.slots.keys();
    Some(names.filter(|name| *name != own).count())
}

/// As one would write it first: looks, then writes.
async fn read_then_put(roller: Roller) {
    naive(roller, None).await;
}

/// As one would write it next: a slot that ends by itself, should its host die.
async fn with_a_lease(roller: Roller) {
    naive(roller, Some(Duration::from_secs(1))).await;
}

async fn naive(roller: Roller, life: Option<Duration>) {
    let mut random = Random::new(roller.seed);
    let mut engine = roller.engine();
    let slot = paths().slot(&roller.name(), &web());
    let gate = paths().gate();
    loop {
        let Ok(found) = engine.read(&[KeyRange::one(&gate)]).await else {
            continue;
        };
        let revision = found.pairs.first().map_or(0, |pair| pair.mod_revision);
        if !matches!(others(&mut engine, &roller.name()).await, Some(n) if n < MAX) {
            soon(&mut random).await;
            continue;
        }
        let value = Slot::default().to_json();
        let write = match life {
            None => Transaction::new().put(&slot, value),
            Some(life) => {
                let Ok(lease) = engine.grant(life).await else {
                    continue;
                };
                let write = Transaction::new().unchanged(&gate, revision);
                write.put(&gate, "").put_leased(&slot, value, lease)
            }
        };
        if !matches!(engine.commit(&write).await, Ok(Committed::Done(_))) {
            continue;
        }
        roller.work(&mut random).await;
        let free = Transaction::new().delete(KeyRange::one(&slot));
        let _ = engine.commit(&free).await;
    }
}

/// Rolling hosts, of which some die.
struct Rolls {
    rollers: Vec<Roller>,
    running: Vec<Option<Running>>,
    /// When those that died come back.
    back: Vec<Option<Instant>>,
    start: fn(Roller) -> Running,
    down: SharedDown,
}

impl Rolls {
    fn start(world: &World, start: fn(Roller) -> Running, seed: u64) -> Self {
        let down = SharedDown::default();
        let mut rolls = Self {
            rollers: Vec::new(),
            running: Vec::new(),
            back: vec![None; ROLLING],
            start,
            down: Arc::clone(&down),
        };
        for number in 0..ROLLING {
            let name = format!("host{number}");
            let record = json!({"v": 1, "host": name, "tags": {}, "services": ["web"]});
            world.etcd.put(0, &paths().host(&name), &record.to_string());
            world.etcd.put(0, &paths().alive(&name), "{}");
            let roller = Roller {
                number,
                settings: world.settings(0),
                down: Arc::clone(&down),
                seed: seed + number as u64,
            };
            rolls.running.push(Some(start(roller.clone())));
            rolls.rollers.push(roller);
        }
        rolls
    }

    /// Kills one that is down, and lets those come back that were away for long.
    fn happen(&mut self) {
        for number in 0..ROLLING {
            if self.back[number].is_some_and(|back| Instant::now() >= back) {
                self.back[number] = None;
                // What finishes it: it is still down, and its slot is what it was.
                self.running[number] = Some((self.start)(self.rollers[number].clone()));
            }
        }
        let down = self.down.lock().unwrap().now.clone();
        // One at a time, so that others roll meanwhile.
        let is_one_dead = self.back.iter().any(Option::is_some);
        if let Some(number) = down.first().filter(|_| !is_one_dead) {
            self.running[*number] = None;
            self.back[*number] = Some(Instant::now() + AWAY);
        }
    }

    fn most(&self) -> usize {
        self.down.lock().unwrap().most
    }
}

#[test]
fn rolls_never_take_more_than_max_down_whatever_happens_to_the_engine_and_to_hosts() {
    const FAULTS: [Fault; 5] = [
        Fault::Kill,
        Fault::Freeze,
        Fault::Majority,
        Fault::KillAll,
        Fault::Leases,
    ];
    let seconds = Duration::from_secs(number("HACHECK_MODEL_SECONDS", 20));
    let seed = number("HACHECK_MODEL_SEED", u64::from(std::process::id()));
    let mut world = World::new(0, host, seed);
    let mut rolls = Rolls::start(&world, |roller| Running::start(roll(roller)), seed);
    let begin = Instant::now();
    let mut happened = Vec::new();
    while begin.elapsed() < seconds {
        let fault = *world.random.pick(&FAULTS);
        happened.push(fault);
        rolls.happen();
        world.happen(fault);
        for _ in 0..world.random.below(8) {
            rolls.happen();
            thread::sleep(Duration::from_millis(100));
        }
    }
    let down = rolls.down.lock().unwrap();
    let told = format!("seed {seed}: {} rolls under {happened:?}", down.rolls);
    println!("{told}");
    assert!(down.most <= MAX, "{} were down at once; {told}", down.most);
    assert!(
        down.most == MAX && down.rolls > 0,
        "nothing happened: {told}"
    );
}

/// Runs rolls until more are down than may be.
fn is_found_out(start: fn(Roller) -> Running) {
    let world = World::new(0, host, 1);
    let mut rolls = Rolls::start(&world, start, 1);
    let begin = Instant::now();
    while rolls.most() <= MAX {
        assert!(begin.elapsed() < PATIENCE, "nothing was found");
        rolls.happen();
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn slots_that_are_read_and_then_put_are_found_out_by_the_model() {
    is_found_out(|roller| Running::start(read_then_put(roller)));
}

#[test]
fn slots_that_die_with_a_lease_are_found_out_by_the_model() {
    is_found_out(|roller| Running::start(with_a_lease(roller)));
}
