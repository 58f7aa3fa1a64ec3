//! Many hosts of one fleet in one process, on a real cluster of etcd: all of them obey, report and come up again.
//!
//! Figures: `cargo test --release --test it fleet_scale -- --nocapture --test-threads 1`. The hosts' folders are in memory, since
//! hosts have a disk each, and here all would wait for one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hacheck::fleet::agent::{Agent, HostView};
use hacheck::fleet::engine::{Access, Committed, Engine, KeyRange, Transaction};
use hacheck::fleet::settings::FleetSettings;
use hacheck::fleet::{FleetFigures, HostRecord, OrderState, Record as _, Report};
use hacheck::spool::{Gate, Key, Spool};

use crate::support::etcd::Etcd;
use crate::support::fleet::{order, paths};
use crate::support::running::Running;
use crate::support::{PATIENCE, TempDir, block_on, wait_until};

/// How often an order goes down and up again.
const ROUNDS: u64 = 9;

/// A host that serves web.
struct ServesWeb;

impl HostView for ServesWeb {
    fn address(&self) -> (String, u16) {
        ("127.0.0.1".to_owned(), 3333)
    }

    fn services(&self) -> Vec<String> {
        vec!["web".to_owned()]
    }

    fn downtimes(&self) -> BTreeMap<Key, Report> {
        BTreeMap::new()
    }
}

/// Hosts, each with an agent and a folder of its own, in one thread.
struct Hosts {
    agents: Option<Running>,
    etcd: Etcd,
    folder: TempDir,
    count: usize,
}

impl Hosts {
    fn start(count: usize) -> Self {
        let mut hosts = Self {
            agents: None,
            etcd: Etcd::start(),
            folder: TempDir::in_memory(),
            count,
        };
        let agents: Vec<Agent> = (0..count).map(|number| hosts.agent(number)).collect();
        hosts.agents = Some(Running::start(run_all(agents)));
        let known = KeyRange::under(&paths().hosts());
        wait_until(PATIENCE, "all hosts are known", || {
            hosts.count_of(&known) == count
        });
        hosts
    }

    fn agent(&self, number: usize) -> Agent {
        let state = self.state(number);
        fs::create_dir(&state).unwrap();
        let gate = Arc::new(Gate::open(Spool::at(&state)).unwrap());
        let settings = self.settings(&format!("host{number}"), &state);
        let figures = Arc::new(FleetFigures::default());
        Agent::new(settings, gate, Arc::new(ServesWeb), figures)
    }

    fn settings(&self, host: &str, state: &Path) -> FleetSettings {
        let lines = format!("host: {host}\nstate_dir: {}\n", state.display());
        self.etcd.settings(&lines)
    }

    fn state(&self, number: usize) -> PathBuf {
        self.folder.file(&format!("host{number}"))
    }

    fn engine(&self) -> Engine {
        let settings = self.settings("operator", self.folder.path());
        Engine::new(Access::of_daemon(&settings).unwrap())
    }

    fn count_of(&self, range: &KeyRange) -> usize {
        let mut engine = self.engine();
        let found = block_on(engine.read(std::slice::from_ref(range)));
        found.unwrap().pairs.len()
    }

    /// Gives an order, and waits until each host has it on its disk and has told so: the clock of the next one starts when
    /// nothing is written any more.
    fn obey(&self, at: u64, state: OrderState) -> Duration {
        let took = self.order(at, state);
        let held = (state == OrderState::Down).then_some(at);
        wait_until(PATIENCE, "all hosts have reported", || {
            self.reported(held) == self.count
        });
        took
    }

    /// How many hosts say in the engine that they hold just this.
    fn reported(&self, held: Option<u64>) -> usize {
        let mut engine = self.engine();
        let found = block_on(engine.read(&[KeyRange::under(&paths().hosts())])).unwrap();
        let records = found
            .pairs
            .iter()
            .map(|pair| HostRecord::parse(&pair.value));
        let holds =
            records.filter(|record| record.as_ref().unwrap().held.get("web/*").copied() == held);
        holds.count()
    }

    /// How long an order takes until it is on the disk of each host.
    fn order(&self, at: u64, state: OrderState) -> Duration {
        let mut order = order(at, state, "web", "*");
        // As `hadown --fleet` says it: reports of many hosts are spread.
        order.hosts = self.count as u64;
        let path = paths().order(&order.key, &order.selector);
        let write = Transaction::new().put(&path, order.to_value());
        let given = block_on(async {
            let mut engine = self.engine();
            // The connection is there before the clock runs.
            engine.read(&[KeyRange::one(&path)]).await.unwrap();
            let given = Instant::now();
            let done = engine.commit(&write).await.unwrap();
            assert!(matches!(done, Committed::Done(_)));
            given
        });
        // Whichever is last, the time is that of the last.
        for number in 0..self.count {
            wait_for(&self.state(number).join("web"), state == OrderState::Down);
        }
        given.elapsed()
    }
}

/// Waits until a file is there, or is gone. It looks more often than `wait_until`, whose pauses would be all that is measured.
#[track_caller]
fn wait_for(file: &Path, there: bool) {
    let began = Instant::now();
    while file.exists() != there {
        assert!(
            began.elapsed() < PATIENCE,
            "{}: not {there}",
            file.display()
        );
        thread::sleep(Duration::from_micros(100));
    }
}

async fn run_all(agents: Vec<Agent>) {
    for agent in agents {
        tokio::spawn(agent.run());
    }
    std::future::pending::<()>().await;
}

#[track_caller]
fn all_obey(count: usize) {
    let hosts = Hosts::start(count);
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let at = 1 + round * 2;
        times.push(hosts.obey(at, OrderState::Down));
        hosts.obey(at + 1, OrderState::Up);
    }
    times.sort();
    let median = times[times.len() / 2];
    println!("{count} hosts: an order is on the last disk after {median:?} (median) of {times:?}");
}

#[test]
fn three_hosts_obey_each_order() {
    all_obey(3);
}

#[test]
fn three_hundred_hosts_in_one_process_obey_each_order() {
    all_obey(300);
}
