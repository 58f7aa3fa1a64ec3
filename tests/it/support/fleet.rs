//! Hosts of a fleet: daemons that obey a cluster of etcd, and the orders that they get.

use std::fs;
use std::path::PathBuf;

use hacheck::fleet::{Order, OrderState, Paths, Record as _, Selector};
use hacheck::spool::Key;
use serde_json::Value;

use super::daemon::{Daemon, Setup};
use super::etcd::Etcd;
use super::{PATIENCE, Ran, wait_until};

/// The keys of the tests' fleet.
pub fn paths() -> Paths {
    Paths::new("/hacheck/v1", "test")
}

/// A new order; the stamps of one test must grow.
pub fn order(at: u64, state: OrderState, key: &str, selector: &str) -> Order {
    let key = Key::parse(key).unwrap();
    let mut order = Order::new(at, state, key, Selector::parse(selector).unwrap());
    order.reason = format!("reason {at}");
    order.by = "alice".to_owned();
    order.from = "ops1".to_owned();
    order
}

pub fn down(at: u64, key: &str, selector: &str) -> Order {
    order(at, OrderState::Down, key, selector)
}

pub fn up(at: u64, key: &str, selector: &str) -> Order {
    order(at, OrderState::Up, key, selector)
}

/// Gives an order through a member.
#[track_caller]
pub fn give(etcd: &Etcd, member: usize, order: &Order) {
    let path = paths().order(&order.key, &order.selector);
    etcd.put(member, &path, &order.to_value());
}

/// A daemon in the fleet.
pub struct FleetHost {
    pub daemon: Daemon,
    pub name: String,
}

impl FleetHost {
    /// Starts one; `more` are further lines of its `fleet.yml`.
    pub fn start(etcd: &Etcd, name: &str, more: &str) -> Self {
        Self::start_as(Setup::new(), etcd, name, more)
    }

    pub fn start_as(setup: Setup, etcd: &Etcd, name: &str, more: &str) -> Self {
        let outside = setup.spool.outside().to_owned();
        let file = outside.join("fleet.yml");
        let state = outside.join("state");
        let lines = format!(
            "host: {name}\nstate_dir: {}\ntimeout: 2\n{more}",
            state.display()
        );
        fs::write(&file, etcd.fleet_yml(&lines)).unwrap();
        let config = format!("cache_time: 0\nfleet_file: {}\n", file.display());
        Self {
            daemon: setup.config(config).start(),
            name: name.to_owned(),
        }
    }

    /// Ends it, as a crash would, and starts it anew with the same folders.
    pub fn restart(self, etcd: &Etcd, more: &str) -> Self {
        let Daemon { process, spool, .. } = self.daemon;
        drop(process);
        let mut setup = Setup::new();
        setup.spool = spool;
        Self::start_as(setup, etcd, &self.name, more)
    }

    /// An operator's command on this host.
    pub fn run(&self, name: &str, args: &[&str]) -> Ran {
        let file = self.daemon.spool.outside().join("fleet.yml");
        let mut command = self.daemon.spool.command(name, args);
        let port = self.daemon.address.port().to_string();
        command.args(["-p", &port, "--fleet-file"]).arg(file);
        command.output().unwrap().into()
    }

    /// The folder of what the fleet ordered.
    pub fn state(&self) -> PathBuf {
        self.daemon.spool.outside().join("state")
    }

    /// What a balancer is told of a service; empty while it is in rotation.
    pub fn told(&self, service: &str) -> String {
        let answer = self.daemon.get(&format!("/spool/{service}/0/status"));
        match answer.status {
            200 => String::new(),
            503 => answer.body,
            other => panic!("{other}: {answer:?}"),
        }
    }

    #[track_caller]
    pub fn wait_until_told(&self, service: &str, text: &str) {
        wait_until(PATIENCE, &format!("{service} is told {text:?}"), || {
            let told = self.told(service);
            match text {
                "" => told.is_empty(),
                text => told.contains(text),
            }
        });
    }

    /// A figure of the fleet's metrics.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let page = self.daemon.get("/metrics").body;
        let begin = format!("hacheck_fleet_{name} ");
        let line = page.lines().find_map(|line| line.strip_prefix(&begin));
        line.map(|value| value.parse().unwrap())
    }

    #[track_caller]
    pub fn wait_for_metric(&self, name: &str, value: f64) {
        wait_until(PATIENCE, &format!("{name} is {value}"), || {
            self.metric(name) == Some(value)
        });
    }

    #[track_caller]
    pub fn wait_until_connected(&self) {
        self.wait_for_metric("connected", 1.0);
    }

    /// What it says of itself in the engine.
    pub fn record(&self, etcd: &Etcd, member: usize) -> Value {
        self.value(etcd, member, &paths().host(&self.name))
    }

    /// Its report of a downtime in the engine.
    pub fn report(&self, etcd: &Etcd, member: usize, key: &str) -> Value {
        let key = Key::parse(key).unwrap();
        self.value(etcd, member, &paths().down(&self.name, &key))
    }

    fn value(&self, etcd: &Etcd, member: usize, path: &str) -> Value {
        let value = etcd.value(member, path);
        value.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }
}

/// The sign of life of a machine that is not this one.
pub fn other_machine() -> String {
    let alive = hacheck::fleet::Alive {
        machine: "another".to_owned(),
        ..hacheck::fleet::Alive::default()
    };
    alive.to_json()
}
