//! A fleet as the engine holds it: hosts that this test plays, each in another state.

use std::fs;

use hacheck::fleet::{Alive, OrderState, Record as _, RollRecord, now_micros};
use serde_json::{Value, json};

use crate::support::etcd::Etcd;
use crate::support::fleet::{give, order};
use crate::support::{Ran, TempDir, command, unix_now};

/// The root of the fleet's keys.
const ROOT: &str = "/hacheck/v1/test";

/// The id of its order.
const ORDER: &str = "1795632137020409-3fa9";

pub struct Scene {
    pub etcd: Etcd,
    folder: TempDir,
}

impl Scene {
    /// Nobody is known.
    pub fn empty() -> Self {
        let scene = Self {
            etcd: Etcd::start(),
            folder: TempDir::new(),
        };
        let text = scene.etcd.fleet_yml("host: ops1\ntimeout: 2\n");
        fs::write(scene.folder.file("fleet.yml"), text).unwrap();
        scene
    }

    /// Three hosts, on which everything is up.
    pub fn quiet() -> Self {
        Self::empty()
            .host("web01", "a", &json!({}))
            .host("web02", "a", &json!({}))
            .host("web03", "b", &json!({}))
    }

    /// Three hosts of which one is down as a whole.
    pub fn one_down() -> Self {
        Self::quiet().reports(
            "web02",
            "all",
            "local",
            "root",
            "disk swap, ticket OPS-2291",
        )
    }

    /// Hosts hold what the engine has lost, and it holds what nobody can read.
    pub fn wiped() -> Self {
        let held = json!({"held": {"web/*": 5, "api/zone=a": 7}});
        let scene = Self::quiet()
            .host("web01", "a", &held)
            .reports("web01", "web", "fleet:*", "alice", "new disk");
        scene.put("orders/mail/*", "{}");
        scene
    }

    /// A host in every state, with an order, a waiver and a roll.
    pub fn busy() -> Self {
        let at = now_micros() - 240_000_000;
        let held = json!({"held": {"web/zone=a,b": at}});
        let waived = json!({"waived": {"web/zone=a,b": {
            "order": ORDER, "by": "bob", "reason": "last one standing", "since": unix_now() - 60.0,
        }}});
        Self::quiet()
            .host("web01", "a", &held)
            .ordered(at, OrderState::Down, "web", "zone=a,b", "new disk")
            .reports("web01", "web", "fleet:zone=a,b", "alice", "new disk")
            .host("web04", "a", &waived)
            .host(
                "web05",
                "b",
                &json!({"problems": ["the state folder is full"]}),
            )
            .lost("web05")
            .host("web06", "b", &held)
            .reports("web06", "all", "local", "carol", "bad RAM, ticket OPS-2291")
            .reports("web06", "web", "fleet:zone=a,b", "alice", "new disk")
            .host("web07", "b", &held)
            .reports("web07", "web", "local", "deploy", "kernel")
            .slot("web07", "web", "r-5k2")
            .host("api01", "c", &json!({"services": ["api"]}))
            .host("api02", "c", &json!({"services": ["api"]}))
            .reports("api02", "api:8080", "local", "dave", "one instance")
            .rolled(&["api01", "web05", "api02"])
    }

    /// A host that lives and serves `api` and `web`, unless its record says otherwise.
    pub fn host(self, name: &str, zone: &str, more: &Value) -> Self {
        let now = unix_now();
        let mut record = json!({
            "v": 1, "host": name, "address": "127.0.0.1", "port": 3333, "tags": {"zone": zone},
            "services": ["api", "web"], "version": "1.0.0", "since": now - 2400.0, "seen": now - 240.0,
        });
        for (key, value) in more.as_object().unwrap() {
            record[key] = value.clone();
        }
        self.put(&format!("hosts/{name}"), &record.to_string());
        self.put(&format!("alive/{name}"), &Alive::default().to_json());
        self
    }

    pub fn lost(self, name: &str) -> Self {
        self.etcd.delete(0, &format!("{ROOT}/alive/{name}"));
        self
    }

    pub fn ordered(self, at: u64, state: OrderState, key: &str, selector: &str, why: &str) -> Self {
        let mut order = order(at, state, key, selector);
        order.id = ORDER.to_owned();
        order.reason = why.to_owned();
        order.creation = Some(unix_now() - 240.0);
        order.expiration = Some(unix_now() + 7200.0);
        give(&self.etcd, 0, &order);
        self
    }

    pub fn reports(self, host: &str, key: &str, origin: &str, by: &str, why: &str) -> Self {
        let (order, until) = match origin {
            "local" => ("", None),
            _ => (ORDER, Some(unix_now() + 7200.0)),
        };
        let report = json!({
            "v": 1, "since": unix_now() - 240.0, "until": until, "reason": why, "by": by, "origin": origin, "order": order,
            "pollers": 3, "acted": 2, "sessions": 17,
        });
        self.put(&format!("down/{host}/{key}"), &report.to_string());
        self
    }

    pub fn slot(self, host: &str, key: &str, roll: &str) -> Self {
        let slot = json!({
            "v": 1, "roll": roll, "by": "deploy", "from": "ops1", "since": unix_now() - 120.0, "phase": "command",
        });
        self.put(&format!("slots/{host}/{key}"), &slot.to_string());
        self
    }

    /// A roll of `api` over some hosts: the first is done, the second under way.
    pub fn rolled(self, hosts: &[&str]) -> Self {
        let record = json!({
            "v": 1, "id": "", "key": "api", "max_down": "1", "max_failed": 0, "command": ["true"], "by": "deploy", "from": "ops1",
            "at": now_micros() - 600_000_000, "hosts": hosts,
        });
        let record: RollRecord = serde_json::from_value(record).unwrap();
        let record = record.with_id();
        self.put(&format!("rolls/{}", record.id), &record.to_json());
        let done = json!({"v": 1, "state": "done", "at": 1});
        self.put(
            &format!("rolls/{}/{}", record.id, hosts[0]),
            &done.to_string(),
        );
        let lock = json!({"v": 1, "roll": record.id, "by": "bob", "from": "ops2", "since": unix_now() - 300.0});
        self.put("rolls/lock/api", &lock.to_string());
        self.slot(hosts[1], "api", &record.id)
    }

    pub fn put(&self, key: &str, value: &str) {
        self.etcd.put(0, &format!("{ROOT}/{key}"), value);
    }

    pub fn file(&self) -> String {
        self.folder.file("fleet.yml").display().to_string()
    }

    /// `hacheck fleet` with further arguments.
    pub fn args(&self, args: &[&str]) -> Vec<String> {
        let file = self.file();
        let all = [&["fleet", "--fleet-file", &file], args].concat();
        all.iter().map(|arg| (*arg).to_owned()).collect()
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        let mut command = command("hacheck");
        command.args(self.args(args)).env("TZ", "UTC0");
        command.output().unwrap().into()
    }

    pub fn kill_all(&mut self) {
        for member in 0..crate::support::etcd::MEMBERS {
            self.etcd.kill(member);
        }
    }
}
