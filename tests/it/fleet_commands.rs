//! The commands of the fleet at a real etcd, with hosts that this test plays.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use hacheck::fleet::engine::{Access, Engine, KeyRange, Transaction};
use hacheck::fleet::settings::{self, FleetSettings};
use hacheck::fleet::{HostRecord, OrderState, Paths, Record as _, Report, Snapshot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::etcd::{Etcd, MEMBERS};
use crate::support::fleet::FleetHost;
use crate::support::root::succeed;
use crate::support::{PATIENCE, Ran, TempDir, block_on, command, run, server, wait_until};

/// A fleet called shop, its etcd, and who asks it.
struct Shop {
    etcd: Etcd,
    folder: TempDir,
}

impl Shop {
    fn open() -> Self {
        let shop = Self {
            etcd: Etcd::start(),
            folder: TempDir::new(),
        };
        let endpoints = shop.etcd.endpoints().join(", ");
        let text = format!("fleet: shop\nendpoints: [{endpoints}]\nhost: ops1\ntimeout: 20\n");
        fs::write(shop.file(), text).unwrap();
        shop
    }

    fn file(&self) -> String {
        self.folder.file("fleet.yml").display().to_string()
    }

    fn settings(&self) -> FleetSettings {
        settings::load(self.folder.file("fleet.yml").as_path())
            .unwrap()
            .0
    }

    fn paths(&self) -> Paths {
        self.settings().paths()
    }

    /// A command of the fleet, called by a name.
    fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = command(name);
        command.args(args).env("HACHECK_FLEET_FILE", self.file());
        command.env("SUDO_USER", "alice");
        command
    }

    fn run(&self, name: &str, args: &[&str]) -> Ran {
        self.command(name, args).output().unwrap().into()
    }

    /// `hadown --fleet` and its like.
    fn fleet(&self, name: &str, args: &[&str]) -> Ran {
        self.run(name, &[&["--fleet"], args].concat())
    }

    fn spawn(&self, name: &str, args: &[&str]) -> Child {
        let mut command = self.command(name, args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).spawn().unwrap()
    }

    fn put(&self, path: &str, value: &Value) {
        let path = format!("{}/{path}", self.paths().root());
        self.etcd.put(0, &path, &value.to_string());
    }

    fn get(&self, path: &str) -> Option<Value> {
        let path = format!("{}/{path}", self.paths().root());
        let text = self.etcd.value(0, &path)?;
        serde_json::from_str(&text).ok()
    }

    /// When a key was written, in revisions.
    fn revision(&self, path: &str) -> Value {
        let key = BASE64.encode(format!("{}/{path}", self.paths().root()));
        let found = self.etcd.post(0, "kv/range", &json!({"key": key}));
        found.unwrap()["kvs"][0]["mod_revision"].clone()
    }

    /// Takes a host's sign of life away.
    fn lose(&self, host: &str) {
        let key = BASE64.encode(self.paths().alive(host));
        self.etcd
            .post(0, "kv/deleterange", &json!({"key": key}))
            .unwrap();
    }

    /// Runs a line of `hacheck fleet roles`.
    fn etcdctl(&self, line: &str) -> String {
        server::require("/usr/bin/etcdctl", "etcd-client");
        let words: Vec<&str> = line.split(' ').collect();
        let mut etcdctl = Command::new(words[0]);
        etcdctl
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.etcd.endpoint(0)]);
        succeed(etcdctl.args(&words[1..]))
    }

    /// A host that serves web, and does nothing.
    fn host(&self, name: &str, zone: &str) {
        let record = json!({"v": 1, "host": name, "address": "127.0.0.1", "port": 1, "tags": {"zone": zone}, "services": ["web"]});
        self.put(&format!("hosts/{name}"), &record);
        self.put(&format!("alive/{name}"), &json!({}));
    }

    fn local_downtime(&self, host: &str) {
        let report =
            json!({"v": 1, "since": 1e9, "origin": "local", "by": "carol", "reason": "bad RAM"});
        self.put(&format!("down/{host}/web"), &report);
    }

    fn snapshot(&self) -> Snapshot {
        let mut engine = Engine::new(Access::new(&self.settings(), None).unwrap());
        block_on(Snapshot::of(&mut engine, &self.paths())).unwrap()
    }

    /// Three hosts that obey, as long as what is given back lives.
    fn three_hosts(&self) -> Players {
        for (name, zone) in [("web01", "a"), ("web02", "a"), ("web03", "b")] {
            self.host(name, zone);
        }
        self.play(&["web01", "web02", "web03"])
    }

    fn play(&self, names: &[&str]) -> Players {
        let stop = Arc::new(AtomicBool::new(false));
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (settings, stopped) = (self.settings(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || block_on(play(&settings, &names, &stopped)));
        Players {
            stop,
            thread: Some(thread),
        }
    }
}

/// Hosts that obey.
struct Players {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Players {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        // Where the test itself has failed, that is what is to be told.
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

async fn play(settings: &FleetSettings, names: &[String], stop: &AtomicBool) {
    let paths = settings.paths();
    let mut engine = Engine::new(Access::new(settings, None).unwrap());
    while !stop.load(Ordering::Relaxed) {
        let now = Snapshot::of(&mut engine, &paths).await.unwrap();
        for name in names {
            obey(&mut engine, &paths, &now, name).await;
        }
        let orders = KeyRange::under(&paths.orders());
        // A member may hang: then another one is asked.
        let Ok(mut watch) = engine.watch(&orders, now.revision + 1).await else {
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let limit = Duration::from_millis(50);
            match tokio::time::timeout(limit, watch.next()).await {
                Ok(Ok(changes)) if changes.puts.is_empty() => {}
                Ok(_) => break,
                Err(_) => {}
            }
        }
    }
}

/// Does what the orders say, and reports it.
async fn obey(engine: &mut Engine, paths: &Paths, now: &Snapshot, name: &str) {
    let before = &now.hosts[name];
    let mut record: HostRecord = before.clone();
    let mut reports = BTreeMap::new();
    for order in now.orders.values() {
        if !order.selector.selects(name, &record.tags) {
            continue;
        }
        let down = paths.down(name, &order.key);
        let local = now
            .report(name, &order.key)
            .is_some_and(|r| r.origin == "local");
        if order.state == OrderState::Down {
            record.held.insert(order.register(), order.at);
            let report = Report {
                origin: format!("fleet:{}", order.selector),
                order: order.id.clone(),
                reason: order.reason.clone(),
                by: order.by.clone(),
                until: order.expiration,
                ..Report::default()
            };
            if !local {
                reports.insert(down, Some(report.to_json()));
            }
        } else if record.held.remove(&order.register()).is_some() && !local {
            reports.entry(down).or_insert(None);
        }
    }
    if record != *before {
        let mut change = Transaction::new();
        for (path, report) in reports {
            change = match report {
                Some(report) => change.put(&path, report),
                None => change.delete(KeyRange::one(&path)),
            };
        }
        change = change.put(&paths.host(name), record.to_json());
        // One that is not known to be done is done again.
        let _ = engine.commit(&change).await;
    }
}

#[test]
fn an_order_takes_all_hosts_down_and_a_lift_brings_them_back() {
    let shop = Shop::open();
    let _hosts = shop.three_hosts();
    let down = shop.fleet("hadown", &["--for", "2h", "-r", "new disk", "web"]);
    down.is_with(
        0,
        "",
        "hadown: note: that leaves web without a server: all 3 hosts that serve it\n",
    );
    assert!(
        down.err
            .contains("hadown: web: ordered down on 3 hosts until "),
        "{}",
        down.err
    );
    assert!(down.err.contains("; 3 have done it after "), "{}", down.err);
    let order = shop.get("orders/web/*").unwrap();
    assert_eq!(
        (
            &order["state"],
            &order["by"],
            &order["reason"],
            &order["hosts"]
        ),
        (
            &json!("down"),
            &json!("alice"),
            &json!("new disk"),
            &json!(3)
        )
    );

    let status = shop.fleet("hastatus", &["web"]);
    status.code_is(1);
    assert!(
        status.out.starts_with("DOWN    3   until ") && status.out.contains("   fleet by alice@"),
        "{}",
        status.out
    );
    assert!(status.out.ends_with(": new disk\n"), "{}", status.out);
    let downed = shop.fleet("hashowdowned", &["--where", "zone=a"]);
    downed.code_is(0);
    let lines: Vec<&str> = downed.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", downed.out);
    assert!(
        lines[0].starts_with("host   service  since  until"),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with("web01  web"), "{}", lines[1]);

    shop.fleet("haup", &["web"]).is_with(
        0,
        "",
        "haup: web: lifted on 3 hosts; 3 have done it after ",
    );
    shop.fleet("hastatus", &["web"]).is(0, "UP      3\n");
    let log = shop.run("hacheck", &["fleet", "log", "-o", "tsv"]);
    log.code_is(0);
    let said: Vec<Vec<&str>> = log.out.lines().map(|l| l.split('\t').collect()).collect();
    assert_eq!(said.len(), 2, "{}", log.out);
    assert_eq!(said[0][2..], ["down", "web", "*", "new disk"]);
    assert_eq!(said[1][2..], ["up", "web", "*", ""]);
    assert!(said[0][1].starts_with("alice@"), "{}", log.out);
    shop.fleet("haup", &["web"])
        .is_with(0, "", "haup: note: web was not ordered down\n");
}

#[test]
fn a_host_that_is_lost_is_named_and_one_that_lives_and_does_not_obey_fails_the_command() {
    let shop = Shop::open();
    let hosts = shop.three_hosts();
    shop.lose("web03");
    let down = shop.fleet("hadown", &["web"]);
    down.is_with(0, "", "hadown: web03 is lost and will when it is back\n");
    assert!(
        down.err
            .contains("ordered down on 3 hosts; 2 have done it after"),
        "{}",
        down.err
    );
    drop(hosts);
    shop.host("web04", "b");
    let again = shop.fleet("hadown", &["--timeout", "0.2", "-r", "x", "web"]);
    again.is_with(
        1,
        "",
        "web was already ordered down: fleet order by alice since ",
    );
    let said = "; 0 have done it within 0.2 s, but not web01, web02, web04; the order stays";
    assert!(again.err.contains(said), "{}", again.err);
    let status = shop.fleet("hastatus", &["--where", "zone=b", "web"]);
    let expected = "UP      1                 web04: does not know the order yet\n";
    assert!(status.out.contains(expected), "{}", status.out);
    assert!(
        status
            .out
            .contains("LOST    1                 web03: knew the order: no\n"),
        "{}",
        status.out
    );
    status.code_is(1);
}

#[test]
fn who_took_a_host_down_locally_and_which_wider_order_holds_is_named_after_a_lift() {
    let shop = Shop::open();
    for (name, zone) in [("web01", "a"), ("web02", "a"), ("web03", "b")] {
        shop.host(name, zone);
    }
    shop.local_downtime("web01");
    let _hosts = shop.play(&["web01", "web02", "web03"]);
    shop.fleet("hadown", &["web"]).code_is(0);
    shop.fleet("hadown", &["--where", "zone=a", "web"])
        .code_is(0);
    let narrow = shop.fleet("haup", &["--where", "zone=a", "web"]);
    narrow.is_with(1, "", "web: lifted on 2 hosts; 2 have done it after ");
    assert!(
        narrow
            .err
            .contains("web stays down on 2 hosts: fleet order by alice since "),
        "{}",
        narrow.err
    );
    assert!(
        narrow.err.contains("'haup --fleet web' lifts it"),
        "{}",
        narrow.err
    );
    let all = shop.fleet("haup", &["web"]);
    all.is_with(0, "", "haup: web01: web stays down: local by carol since 2001-09-09 01:46, for \"bad RAM\"; 'haup web' there lifts it\n");
    let status = shop.fleet("hastatus", &["web"]);
    assert!(
        status
            .out
            .contains("DOWN    1   until inf     web01: local by carol: bad RAM\n"),
        "{}",
        status.out
    );
    assert!(status.out.contains("UP      2\n"), "{}", status.out);
    shop.fleet("haup", &["--where", "zone=a", "web"]).is_with(
        0,
        "",
        "note: web was not ordered down for zone=a\n",
    );
}

#[test]
fn of_operators_who_order_at_once_each_is_told_what_is_so_and_the_log_has_all() {
    let shop = Shop::open();
    let _hosts = shop.three_hosts();
    let reasons: Vec<String> = (0..6).map(|n| format!("reason{n}")).collect();
    let running: Vec<Child> = reasons
        .iter()
        .map(|reason| shop.spawn("hadown", &["--fleet", "-r", reason, "web"]))
        .collect();
    for child in running {
        Ran::from(child.wait_with_output().unwrap()).is_with(0, "", "3 have done it");
    }
    let log = shop.run("hacheck", &["fleet", "log", "-o", "json"]);
    let log: Vec<Value> = serde_json::from_str(&log.out).unwrap();
    let mut logged: Vec<&str> = log.iter().map(|l| l["reason"].as_str().unwrap()).collect();
    let order = shop.get("orders/web/*").unwrap();
    assert_eq!(
        order["reason"],
        *logged.last().unwrap(),
        "the newest order is the one that holds"
    );
    logged.sort_unstable();
    assert_eq!(logged, reasons);
    shop.fleet("haup", &["web"]).code_is(0);

    let running: Vec<Child> = reasons
        .iter()
        .map(|reason| shop.spawn("hadown", &["--fleet", "--if-up", "-r", reason, "web"]))
        .collect();
    let mut done = 0;
    for child in running {
        let ran = Ran::from(child.wait_with_output().unwrap());
        match ran.code {
            Some(0) => done += 1,
            _ => ran.is_with(1, "", "web is already down: fleet order by alice since "),
        }
    }
    assert_eq!(done, 1);
}

/// Where a command dies, of its orders all are there or none; the hosts go on without it.
#[test]
fn the_orders_of_one_command_are_given_at_once_and_outlive_it() {
    let shop = Shop::open();
    let record = json!({"v": 1, "host": "web01", "services": ["api", "web"]});
    shop.put("hosts/web01", &record);
    shop.put("alive/web01", &json!({}));
    let mut child = shop.spawn("hadown", &["--fleet", "--timeout", "60", "api", "web"]);
    wait_until(PATIENCE, "an order is given", || {
        shop.get("orders/api/*").is_some() || shop.get("orders/web/*").is_some()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let given: Vec<Value> = ["orders/api/*", "orders/web/*"]
        .iter()
        .map(|path| shop.revision(path))
        .collect();
    assert!(given[0].is_string() && given[0] == given[1], "{given:?}");
    let log = shop.run("hacheck", &["fleet", "log", "-o", "tsv"]);
    assert_eq!(log.out.lines().count(), 2, "{}", log.out);
    let _hosts = shop.play(&["web01"]);
    wait_until(PATIENCE, "the host obeys", || {
        shop.get("down/web01/api").is_some() && shop.get("down/web01/web").is_some()
    });
}

/// A host may say that it holds whatever it likes; and operators may have ordered hosts down one by one.
#[test]
fn more_orders_than_one_transaction_holds_are_lifted_all_the_same() {
    let shop = Shop::open();
    let held: BTreeMap<String, u64> = (0..130).map(|n| (format!("web/zone=x{n}"), 5)).collect();
    let record = json!({"v": 1, "host": "web01", "services": ["web"], "held": held});
    shop.put("hosts/web01", &record);
    shop.put("alive/web01", &json!({}));
    shop.fleet("hadown", &["--timeout", "0.1", "-r", "new disk", "web"]);
    assert_eq!(shop.get("orders/web/*").unwrap()["state"], "down");
    shop.fleet("haup", &["--timeout", "0.1", "web"]);
    let orders = shop.snapshot().orders;
    assert_eq!(orders.len(), 131);
    assert!(orders.values().all(|order| order.state == OrderState::Up));
}

#[test]
fn an_interrupted_wait_says_that_the_order_stays() {
    let shop = Shop::open();
    shop.host("web01", "a");
    shop.host("web02", "a");
    let child = shop.spawn("hadown", &["--fleet", "--hosts", "web01", "web"]);
    wait_until(PATIENCE, "the order", || {
        shop.get("orders/web/host=web01").is_some()
    });
    kill(
        Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGINT,
    )
    .unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.is_with(
        1,
        "",
        "0 have done it when it was interrupted (SIGINT), but not web01; the order stays",
    );
    assert_eq!(shop.get("orders/web/host=web01").unwrap()["state"], "down");
}

#[test]
fn slips_of_the_finger_and_the_whole_fleet_are_refused_and_change_nothing() {
    let shop = Shop::open();
    shop.host("web01", "a");
    shop.host("web02", "b");
    for (args, said) in [
        (
            &["wbe"][..],
            "no host of the fleet shop serves wbe (did you mean web?)",
        ),
        (
            &["--where", "zone=north", "web"],
            "zone is never north; it is a, b",
        ),
        (
            &["--where", "rack=1", "web"],
            "no host has the tag rack; there are host, zone",
        ),
        (&["--hosts", "web09", "web"], "host is never web09"),
        (
            &["all"],
            "takes the whole fleet out of rotation; choose hosts with --where or --hosts, or add --force",
        ),
        (
            &["--wait", "web"],
            "that leaves web without a server: all 2 hosts that serve it; --force takes it down anyway",
        ),
        (&["web", "mail"], "serves mail"),
    ] {
        shop.fleet("hadown", args).is_with(1, "", said);
    }
    shop.fleet("haup", &["wbe"])
        .is_with(1, "", "did you mean web?");
    shop.fleet("hastatus", &["wbe"])
        .is_with(1, "", "did you mean web?");
    assert!(shop.snapshot().orders.is_empty());
    let forced = shop.fleet("hadown", &["--force", "--timeout", "0.1", "all"]);
    forced.is_with(
        1,
        "",
        "all: ordered down on 2 hosts; 0 have done it within 0.1 s",
    );
    assert!(shop.get("orders/all/*").is_some());
}

#[test]
fn programs_get_json_and_lines_of_fields() {
    let shop = Shop::open();
    let _hosts = shop.three_hosts();
    let of = |ran: Ran| -> Value {
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
    };
    let down = of(shop.fleet("hadown", &["-o", "json", "--hosts", "web01,web02", "web"]));
    assert_eq!(
        (&down[0]["state"], &down[0]["done"]),
        (&json!("down"), &json!(2)),
        "{down}"
    );
    assert_eq!(down[0]["hosts"], json!(["web01", "web02"]));
    let status = of(shop.fleet("hastatus", &["-o", "json", "web"]));
    assert_eq!(
        (&status[0]["down"], &status[0]["up"]),
        (&json!(2), &json!(1)),
        "{status}"
    );
    assert_eq!(
        status[0]["rows"][0]["report"]["origin"],
        "fleet:host=web01,web02"
    );
    let lines = shop.fleet("hastatus", &["-o", "tsv", "web"]);
    assert_eq!(lines.out.lines().count(), 3);
    assert!(
        lines
            .out
            .starts_with("DOWN\tinf\tweb01\tweb\tfleet:host=web01,web02\talice\t"),
        "{}",
        lines.out
    );
    assert!(
        lines.out.ends_with("UP\t\tweb03\tweb\t\t\t\n"),
        "{}",
        lines.out
    );
    let downed = of(shop.fleet("hashowdowned", &["-o", "json"]));
    assert_eq!(downed[1]["host"], "web02", "{downed}");
    let up = of(shop.fleet("haup", &["-o", "json", "web"]));
    assert_eq!(up[0]["where"], json!(["host=web01,web02"]), "{up}");
    let hosts = of(shop.run(
        "hacheck",
        &["fleet", "hosts", "-o", "json", "--where", "zone=b"],
    ));
    assert_eq!(
        (&hosts[0]["host"], &hosts[0]["state"]),
        (&json!("web03"), &json!("alive")),
        "{hosts}"
    );
}

#[test]
fn where_no_host_is_listed_the_remedy_is_told() {
    let shop = Shop::open();
    let hosts = || shop.run("hacheck", &["fleet", "hosts", "--where", "zone=b"]);
    let ran = hosts();
    assert!(ran.err.contains("shop is known; set fleet_file"), "{ran:?}");
    shop.host("web01", "a");
    let ran = hosts();
    assert!(ran.err.contains("zone=b: zone is never b"), "{ran:?}");
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_host_that_is_gone_is_forgotten_and_its_slots_are_released_only_with_a_reason() {
    let shop = Shop::open();
    shop.host("web01", "a");
    shop.local_downtime("web01");
    shop.put(
        "slots/web01/web",
        &json!({"v": 1, "roll": "r-1", "phase": "command", "since": 1e9}),
    );
    let fleet = |args: &[&str]| shop.run("hacheck", &[&["fleet"], args].concat());
    fleet(&["release", "web01"]).is_with(2, "", "say why, with -r");
    fleet(&["release", "-r", "rebuilt", "web01"]).is_with(0, "", "the slots of web01 are free");
    assert!(shop.get("slots/web01/web").is_none());
    fleet(&["release", "-r", "rebuilt", "web01"]).is_with(1, "", "web01 has no slot");
    fleet(&["forget", "web01"]).is_with(1, "", "web01 is alive, and would register again");
    fleet(&["forget", "web02"]).is_with(1, "", "there is no host web02 in the fleet");
    shop.lose("web01");
    fleet(&["hosts"]).is_with(0, "host   state  address      tags    services  held  waived  version\nweb01  lost   127.0.0.1:1  zone=a  web\n", "");
    fleet(&["forget", "web01"]).is_with(0, "", "web01 is forgotten");
    let left = shop.snapshot();
    assert!(left.hosts.is_empty() && left.report("web01", &"web".parse_key()).is_none());
    let log = fleet(&["log", "-o", "tsv"]);
    assert!(
        log.out.contains("\trelease\t\thost=web01\trebuilt\n"),
        "{}",
        log.out
    );
    assert!(
        log.out.contains("\tforget\t\thost=web01\talice\n"),
        "{}",
        log.out
    );
}

trait ParseKey {
    fn parse_key(&self) -> hacheck::spool::Key;
}

impl ParseKey for str {
    fn parse_key(&self) -> hacheck::spool::Key {
        hacheck::spool::Key::parse(self).unwrap()
    }
}

/// A command of an operator on a host that is in a fleet.
fn on_host(host: &FleetHost, name: &str, args: &[&str]) -> Ran {
    let file = host.daemon.spool.outside().join("fleet.yml");
    let mut command = match args.contains(&"--fleet") || name == "hacheck" {
        true => command(name),
        false => host.daemon.spool.command(name, &[]),
    };
    command.args(args).env("HACHECK_FLEET_FILE", file);
    command.env("SUDO_USER", "alice");
    command.output().unwrap().into()
}

#[test]
fn on_a_host_that_is_ordered_down_the_commands_say_so_and_a_waiver_holds_until_the_next_order() {
    let mut etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "tags: {zone: a}\nservices: [web]");
    wait_until(PATIENCE, "the host has registered", || {
        let hosts = on_host(&host, "hacheck", &["fleet", "hosts", "-o", "tsv"]);
        hosts.out.starts_with("web01\talive\t")
    });
    let down = [
        "--fleet",
        "--timeout",
        "60",
        "--for",
        "2h",
        "-r",
        "new disk",
        "web",
    ];
    on_host(&host, "hadown", &down).is_with(0, "", "web: ordered down on 1 host until ");
    host.wait_until_told("web", ": new disk");
    let port = host.daemon.address.port().to_string();
    let own = ["-p", port.as_str(), "web"];

    let up = on_host(&host, "haup", &own);
    up.is_with(
        0,
        "",
        "haup: note: web stays down: fleet order by alice since ",
    );
    let remedy = ", for \"new disk\"; 'haup --fleet web' lifts it everywhere, 'haup --override-fleet -r WHY web' here\n";
    assert!(
        up.err.contains(remedy) && up.err.contains(" until "),
        "{}",
        up.err
    );
    let waiting = on_host(&host, "haup", &[&["--wait"], &own[..]].concat());
    waiting.is_with(1, "", "haup: web stays down: fleet order by alice since ");
    let status = on_host(&host, "hastatus", &own);
    status.code_is(1);
    assert!(
        status.out.starts_with("DOWN\t") && status.out.ends_with("\tweb\tnew disk\n"),
        "{}",
        status.out
    );
    let instance = on_host(&host, "hastatus", &["-p", port.as_str(), "web:80"]);
    instance.is_with(
        0,
        "UP\tweb:80\n",
        "'web' is down, and with it every instance of it: new disk",
    );
    let downed = on_host(&host, "hashowdowned", &[]);
    assert!(downed.out.ends_with("\tweb\tnew disk\n"), "{}", downed.out);

    (0..MEMBERS).for_each(|member| etcd.kill(member));
    let why = ["--override-fleet", "-r", "last one standing"];
    let waived = on_host(&host, "haup", &[&why[..], &own].concat());
    waived.is_with(
        0,
        "",
        "haup: web: waived on this host: fleet order by alice since ",
    );
    host.wait_until_told("web", "");
    on_host(&host, "haup", &["--override-fleet", "web"]).is_with(2, "", "say why, with -r");
    let none = on_host(&host, "haup", &[&why[..], &own].concat());
    none.is_with(0, "", "note: no order of the fleet holds web down here");
    (0..MEMBERS).for_each(|member| etcd.start_member(member));
    etcd.wait_until_it_answers();
    wait_until(PATIENCE, "the picture has the waiver", || {
        let status = on_host(&host, "hastatus", &["--fleet", "web"]);
        status.out == "UP      1                 web01: waived by alice: last one standing\n"
    });

    on_host(&host, "hadown", &down).code_is(0);
    host.wait_until_told("web", ": new disk");
    let pollers = on_host(&host, "halist", &["--fleet", "--pollers", "web"]);
    pollers.code_is(0);
    on_host(&host, "haup", &["--fleet", "--timeout", "60", "web"]).is_with(
        0,
        "",
        "web: lifted on 1 host; 1 has done it",
    );
    host.wait_until_told("web", "");
}

#[test]
fn the_lines_that_grant_roles_are_taken_by_etcdctl() {
    let shop = Shop::open();
    let roles = shop.run("hacheck", &["fleet", "roles", "web01"]);
    roles.code_is(0);
    let mut granted = 0;
    for line in roles
        .out
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        shop.etcdctl(line);
        granted += 1;
    }
    assert!(granted > 10, "{}", roles.out);
    let role = shop.etcdctl("etcdctl role get fleet-host-web01");
    assert!(role.contains("/hacheck/v1/shop/down/web01/"), "{role}");
}

#[test]
fn a_member_that_hangs_is_passed_over_and_without_a_majority_the_command_says_so() {
    let shop = Shop::open();
    let hosts = shop.three_hosts();
    let text = fs::read_to_string(shop.file()).unwrap();
    fs::write(shop.file(), text.replace("timeout: 20", "timeout: 2")).unwrap();
    let (leader, follower) = shop.etcd.leader_and_follower();
    shop.etcd.freeze(follower);
    let args = ["--hosts", "web01", "--timeout", "60", "web"];
    let down = shop.fleet("hadown", &args);
    shop.etcd.thaw(follower);
    down.is_with(0, "", "1 has done it");
    drop(hosts);
    shop.etcd.freeze(leader);
    shop.etcd.freeze(follower);
    let ran = ["hastatus", "haup"].map(|name| shop.fleet(name, &["web"]));
    shop.etcd.thaw(leader);
    shop.etcd.thaw(follower);
    for ran in ran {
        ran.is_with(1, "", "etcd");
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
}

#[test]
fn what_keeps_a_command_from_the_engine_is_one_sentence_with_its_remedy() {
    let folder = TempDir::new();
    let file = folder.file("fleet.yml");
    let file = file.to_str().unwrap();
    let port = server::free_port();
    let fleet =
        |name: &str, args: &[&str]| run(name, &[&["--fleet", "--fleet-file", file], args].concat());
    fleet("hadown", &["web"]).is_with(
        1,
        "",
        "there is no such file; check the path given with --fleet-file\n",
    );
    let unnamed = command("hastatus")
        .args(["--fleet", "web"])
        .output()
        .unwrap();
    Ran::from(unnamed).is_with(1, "", "this host is in no fleet: there is no /etc/hacheck/fleet.yml; write it, or name another file with --fleet-file\n");
    fs::write(file, "fleet: shop\n").unwrap();
    fleet("hadown", &["web"]).is_with(1, "", "endpoints: is missing");
    fs::write(
        file,
        format!("fleet: shop\nendpoints: ['http://127.0.0.1:{port}']\ntimeout: 2\n"),
    )
    .unwrap();
    for name in ["hadown", "haup", "hastatus"] {
        let ran = fleet(name, &["web"]);
        ran.is_with(1, "", "etcd cannot be reached (http://127.0.0.1:");
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
    fs::write(file, "fleet: shop\nendpoints: [https://127.0.0.1:1]\nops_cert_file: /nowhere/c\nops_key_file: /nowhere/k\n").unwrap();
    fleet("hadown", &["web"]).is_with(
        1,
        "",
        "cannot read /nowhere/c: no such file or directory; run as root or as a member of the group hacheck-ops",
    );
    let half = command("hadown")
        .args(["--fleet", "--fleet-file", file, "web"])
        .env("HACHECK_FLEET_CERT", "/c")
        .output()
        .unwrap();
    Ran::from(half).is_with(1, "", "HACHECK_FLEET_CERT is set without HACHECK_FLEET_KEY");
}

#[test]
fn an_empty_variable_names_no_certificate_for_a_host_either() {
    let (folder, authority) = (TempDir::new(), Authority::new());
    let file = |name: &str| folder.file(name).display().to_string();
    let (own, ops) = (file("own.pem"), file("ops.pem"));
    for name in [&own, &ops] {
        fs::write(name, "no certificate").unwrap();
    }
    let fleet = file("fleet.yml");
    let text = format!(
        "fleet: shop\nendpoints: [https://127.0.0.1:1]\nca_file: {}\nstate_dir: {}\n\
         cert_file: {own}\nkey_file: {own}\nops_cert_file: {ops}\nops_key_file: {ops}\n",
        authority.cert().display(),
        folder.file("fleet").display()
    );
    fs::write(&fleet, text).unwrap();
    let roll = [
        "--fleet-file",
        &fleet,
        "--max-down",
        "1",
        "web",
        "--",
        "true",
    ];
    for (cert, key, said) in [
        ("", "", format!("cannot use {own}: ")),
        (ops.as_str(), ops.as_str(), format!("cannot use {ops}: ")),
        (
            "",
            ops.as_str(),
            "HACHECK_FLEET_KEY is set without HACHECK_FLEET_CERT".to_owned(),
        ),
    ] {
        let mut haroll = command("haroll");
        haroll.args(roll).env("HACHECK_FLEET_CERT", cert);
        let ran = haroll.env("HACHECK_FLEET_KEY", key).output().unwrap();
        Ran::from(ran).is_with(1, "", &said);
    }
}

#[test]
fn command_lines_that_make_no_sense_are_usage_errors_and_ask_nobody() {
    for (name, args, said) in [
        (
            "hadown",
            &["--where", "zone=a", "web"][..],
            "--where chooses hosts of the fleet: give it with --fleet",
        ),
        (
            "haup",
            &["--hosts", "web01", "web"],
            "--hosts chooses hosts of the fleet",
        ),
        (
            "hadown",
            &["--fleet", "--where", "zone", "web"],
            "--where: 'zone' selects no hosts",
        ),
        (
            "hadown",
            &["--fleet", "--hosts", "", "web"],
            "--where: host has an empty value",
        ),
        ("hadown", &["--fleet"], "name at least one service"),
        (
            "haup",
            &["--fleet", "--for", "2h", "web"],
            "only hadown takes them",
        ),
        (
            "hadown",
            &["--fleet", "--for", "2", "web"],
            "2 lacks a unit",
        ),
        (
            "hadown",
            &["--fleet", "--timeout", "soon", "web"],
            "--timeout",
        ),
        (
            "hadown",
            &["--override-fleet", "web"],
            "--override-fleet: only haup takes it",
        ),
        ("halist", &["--fleet"], "halist takes it with --pollers"),
        (
            "hastatus",
            &["--fleet", "-o", "uber", "web"],
            "with --fleet give table, tsv or json",
        ),
        (
            "hastatus",
            &["--fleet", "-o", "xml", "web"],
            "is not a format",
        ),
        ("hashowdowned", &["--fleet", "web"], "has no place here"),
        ("hadown", &["--fleet", "../x"], "service"),
        ("hadown", &["-o", "json", "web"], "-o: only hastatus"),
    ] {
        run(name, args).is_with(2, "", said);
    }
    for (name, option) in [
        ("hadown", &["--polls", "3"][..]),
        ("hadown", &["--min-pollers", "1"]),
        ("hadown", &["--drain-timeout", "5s"]),
        ("hadown", &["--grace", "5s"]),
        ("hadown", &["--agent-only"]),
        ("haup", &["--when-healthy", "3"]),
    ] {
        let said = format!("{} is for this host alone", option[0]);
        run(name, &[&["--fleet"], option, &["web"]].concat()).is_with(2, "", &said);
    }
    for (args, said) in [
        (&["host"][..], "\"host\" is not known"),
        (&["hosts", "web01"], "leave it out"),
        (&["forget"], "name the host"),
        (&["forget", "a", "b"], "one host at a time"),
        (&["forget", "-x"], "unknown option -x"),
        (&["forget", "a/b"], "is not the name of a host"),
        (
            &["log", "-n", "0"],
            "-n: \"0\" is not a positive whole number",
        ),
        (&["hosts", "-o", "uber"], "give tsv, json or table"),
    ] {
        run("hacheck", &[&["fleet"], args].concat()).is_with(2, "", said);
    }
}
