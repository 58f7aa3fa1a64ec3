//! `haroll --max-down`: rolls of several hosts at once at a real etcd, and what becomes of a slot whatever fails.

mod finish;
mod grants;

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use hacheck::fleet::RollId;
use hacheck::spool::Key;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::balancer::Balancer;
use crate::support::etcd::Etcd;
use crate::support::fleet::{FleetHost, down, give, paths, up};
use crate::support::waiting::Waiting;
use crate::support::{PATIENCE, Ran, command, server, until_there, wait_until};

/// Hosts that serve web, in a fleet with a real etcd.
struct Site {
    etcd: Etcd,
    hosts: Vec<FleetHost>,
}

impl Site {
    fn start(hosts: usize) -> Self {
        let etcd = Etcd::start();
        let zones = ["a", "a", "b"];
        let start = |number: usize| {
            let more = format!("services: [web]\ntags: {{zone: {}}}", zones[number]);
            FleetHost::start(&etcd, &format!("web0{}", number + 1), &more)
        };
        let hosts: Vec<FleetHost> = (0..hosts).map(start).collect();
        let site = Self { etcd, hosts };
        for host in &site.hosts {
            wait_until(PATIENCE, "the host has registered", || {
                let record = host.record(&site.etcd, 0);
                record["services"] == json!(["web"]) && site.is_alive(&host.name)
            });
        }
        site
    }

    fn is_alive(&self, host: &str) -> bool {
        self.etcd.value(0, &paths().alive(host)).is_some()
    }

    /// `haroll` on a host, with words behind what every roll here has.
    fn haroll(&self, host: usize, args: &[&str]) -> Command {
        let host = &self.hosts[host];
        let outside = host.daemon.spool.outside();
        let mut command = host.daemon.spool.command("haroll", &[]);
        let port = host.daemon.address.port().to_string();
        command.args(["-p", &port, "--min-pollers", "0"]).args(args);
        command.env("HACHECK_FLEET_FILE", outside.join("fleet.yml"));
        command.env("SUDO_USER", "alice").current_dir(outside);
        command.process_group(0);
        command
    }

    fn run(&self, host: usize, args: &[&str]) -> Ran {
        self.haroll(host, args).output().unwrap().into()
    }

    fn begin(&self, host: usize, args: &[&str]) -> Waiting {
        self.begin_as(host, self.haroll(host, args))
    }

    /// A roll in the background.
    fn begin_as(&self, host: usize, haroll: Command) -> Waiting {
        Waiting::of(haroll, self.file(host, "haroll"))
    }

    /// A roll whose command begins, and ends when the file `go` is there.
    fn begin_and_hold(&self, host: usize, args: &[&str]) -> Waiting {
        let hold = ["web", "--", "sh", "-c", HOLD];
        let rolling = self.begin(host, &[&["--max-down", "1"], args, &hold].concat());
        self.wait_for_command(host);
        rolling
    }

    fn wait_for_command(&self, host: usize) {
        let began = self.file(host, "began");
        wait_until(PATIENCE, "the command runs", || began.exists());
    }

    fn go(&self, host: usize) {
        fs::write(self.file(host, "go"), "").unwrap();
    }

    fn file(&self, host: usize, name: &str) -> PathBuf {
        self.hosts[host].daemon.spool.outside().join(name)
    }

    fn fleet(&self, args: &[&str]) -> Ran {
        let file = self.file(0, "fleet.yml");
        let mut command = command("hacheck");
        command
            .arg("fleet")
            .args(args)
            .arg("--fleet-file")
            .arg(file);
        command.output().unwrap().into()
    }

    fn value(&self, path: &str) -> Value {
        let value = self.etcd.value(0, path);
        value.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    /// The slot of a host for web.
    fn slot(&self, host: usize) -> Value {
        self.value(&paths().slot(&self.hosts[host].name, &web()))
    }

    fn result(&self, roll: &str, host: usize) -> Value {
        let roll = RollId::parse(roll).unwrap();
        self.value(&paths().roll_result(&roll, &self.hosts[host].name))
    }

    #[track_caller]
    fn wait_for_phase(&self, host: usize, phase: &str) {
        wait_until(PATIENCE, &format!("the slot says {phase}"), || {
            self.slot(host)["phase"] == phase
        });
    }

    /// Waits until the engine knows whether a host is down.
    #[track_caller]
    fn wait_for_report(&self, host: usize, is_down: bool) {
        wait_until(PATIENCE, "the host has reported", || {
            self.hosts[host].report(&self.etcd, 0, "web").is_null() != is_down
        });
    }

    fn is_down(&self, host: usize) -> bool {
        self.hosts[host].daemon.spool.path("web").exists()
    }
}

/// Says that it began, and ends when it may.
const HOLD: &str = concat!("touch began; ", until_there!("go"), "; rm began go");

fn web() -> Key {
    Key::parse("web").unwrap()
}

#[test]
fn of_two_rolls_at_once_with_one_down_the_second_waits_and_says_for_whom() {
    let site = Site::start(2);
    let first = site.begin_and_hold(0, &["--roll", "r-one", "-r", "kernel"]);
    let slot = site.slot(0);
    assert_eq!(
        (&slot["roll"], &slot["by"], &slot["phase"]),
        (&json!("r-one"), &json!("alice"), &json!("command"))
    );
    site.wait_for_report(0, true);
    let downed = site.hosts[1].run("hashowdowned", &["--fleet"]);
    let row = downed.out.lines().nth(1).unwrap();
    assert!(
        row.starts_with("web01  web ")
            && row.contains("slot r-one  alice  0/0    kernel (command since "),
        "{}",
        downed.out
    );

    let second = site.begin(
        1,
        &[
            "--max-down",
            "1",
            "--roll",
            "r-two",
            "web",
            "--",
            "touch",
            "ran",
        ],
    );
    second.says("haroll: roll r-two: web on 2 hosts, at most 1 down; now out: web01 (roll r-one, command since ");
    second.says("), so nothing can begin\nharoll: 'hacheck fleet release web01 -r WHY' if its roll is dead, or --max-down 2\n");
    assert!(!site.is_down(1) && site.slot(1).is_null());
    site.go(0);
    let first = first.ends();
    first.is_with(
        0,
        "",
        "haroll: roll r-one: web01 is done, and its slot is free\n",
    );
    let second = second.ends();
    second.is_with(
        0,
        "",
        "haroll: roll r-two: web02 is done, and its slot is free\n",
    );
    assert!(site.file(1, "ran").exists());
    for (host, roll) in [(0, "r-one"), (1, "r-two")] {
        assert!(site.slot(host).is_null() && !site.is_down(host));
        let result = site.result(roll, host);
        assert_eq!(
            (
                &result["v"],
                &result["state"],
                &result["code"],
                &result["why"]
            ),
            (&json!(1), &json!("done"), &json!(0), &json!(""))
        );
        assert!(result["at"].as_u64().unwrap() > 1_700_000_000_000_000);
        assert!(
            fs::read_dir(site.file(host, "roll"))
                .unwrap()
                .next()
                .is_none()
        );
    }
    let log = site.fleet(&["log", "-o", "tsv"]);
    let said: Vec<Vec<&str>> = log.out.lines().map(|l| l.split('\t').collect()).collect();
    let said: Vec<[&str; 2]> = said.iter().map(|line| [line[2], line[4]]).collect();
    assert_eq!(
        said,
        [
            ["roll", "host=web01"],
            ["rolled", "host=web01"],
            ["roll", "host=web02"],
            ["rolled", "host=web02"]
        ]
    );
}

#[test]
fn groups_of_a_tag_and_hosts_that_are_not_selected_do_not_wait_for_each_other() {
    let site = Site::start(3);
    let first = site.begin_and_hold(0, &["--per", "zone"]);
    let last = ["web", "--", "true"];
    for more in [
        &["--per", "zone"][..],
        &["--where", "zone=b"],
        &["--max-down", "70%"],
    ] {
        let args = [&["--max-down", "1"], more, &last].concat();
        let args = if more[0] == "--max-down" {
            [more, &last].concat()
        } else {
            args
        };
        site.run(2, &args).is_with(0, "", "web03 is done");
    }
    let same = site.run(
        1,
        &[
            "--max-down",
            "1",
            "--per",
            "zone",
            "--timeout",
            "0.2",
            "web",
            "--",
            "true",
        ],
    );
    same.is_with(
        1,
        "",
        "haroll: slot: not within 0.2 s: waiting for web01 (roll r-",
    );
    site.go(0);
    first.ends().code_is(0);
    let elsewhere = site.run(
        0,
        &["--max-down", "1", "--where", "zone=b", "web", "--", "true"],
    );
    elsewhere.is_with(
        1,
        "",
        "haroll: web01 is not selected by zone=b; run it on a host that is; nothing was changed\n",
    );
    let untagged = site.run(
        0,
        &["--max-down", "1", "--per", "rack", "web", "--", "true"],
    );
    untagged.is_with(1, "", "web01 has no tag rack");
}

#[test]
fn a_lost_host_holds_all_others_back_until_it_is_forgotten() {
    let site = Site::start(1);
    let lost = json!({"v": 1, "host": "web07", "tags": {}, "services": ["web"]});
    site.etcd.put(0, &paths().host("web07"), &lost.to_string());
    let waiting = site.begin(
        0,
        &["--max-down", "1", "--roll", "r-5k2", "web", "--", "true"],
    );
    waiting.says("haroll: roll r-5k2: web on 2 hosts, at most 1 down; now out: web07 (lost), so nothing can begin\n");
    waiting.says("haroll: 'hacheck fleet forget web07' if it is gone for good, or --max-down 2\n");
    site.fleet(&["forget", "web07"]).code_is(0);
    waiting.ends().is_with(0, "", "web01 is done");
}

#[test]
fn a_host_that_is_down_by_hand_or_by_order_counts() {
    let site = Site::start(2);
    site.hosts[1]
        .run("hadown", &["-r", "bad RAM", "web"])
        .code_is(0);
    site.wait_for_report(1, true);
    let args = ["--max-down", "1", "--timeout", "0.2", "web", "--", "true"];
    let ran = site.run(0, &args);
    ran.is_with(1, "", "now out: web02 (down, local), so nothing can begin");
    assert!(
        ran.err.contains("'haup web' on web02 if it can serve"),
        "{}",
        ran.err
    );
    site.hosts[1].run("haup", &["web"]).code_is(0);
    give(&site.etcd, 0, &down(1, "web", "host=web02"));
    site.hosts[1].wait_until_told("web", "reason 1");
    wait_until(PATIENCE, "the order is reported", || {
        site.hosts[1].report(&site.etcd, 0, "web")["origin"] == "fleet:host=web02"
    });
    site.run(0, &args)
        .is_with(1, "", "now out: web02 (down, by the fleet)");
    // On the host itself the roll could not put it back.
    let own = site.run(1, &args);
    own.is_with(1, "", "haroll: web stays down: fleet order by alice");
    assert!(
        own.err
            .contains("--force runs the command all the same; nothing was changed\n"),
        "{}",
        own.err
    );
    give(&site.etcd, 0, &up(2, "web", "host=web02"));
    site.wait_for_report(1, false);
    site.run(0, &args).code_is(0);
}

#[test]
fn a_command_that_fails_keeps_the_slot_until_the_roll_is_repeated_or_an_operator_releases_it() {
    let site = Site::start(2);
    let failing = [
        "--max-down",
        "1",
        "--roll",
        "r-bad",
        "web",
        "--",
        "sh",
        "-c",
        "exit 7",
    ];
    let failed = site.run(0, &failing);
    failed.is_with(7, "", "haroll: web stays down; 'haup web' puts it back\n");
    let keeps = "haroll: web01 keeps its slot in roll r-bad, so that others wait: repair it and run this again, or \
                 'hacheck fleet release web01 -r WHY'\n";
    assert!(failed.err.ends_with(keeps), "{}", failed.err);
    assert_eq!(site.slot(0)["phase"], "failed");
    let result = site.result("r-bad", 0);
    assert_eq!(
        (&result["state"], &result["code"]),
        (&json!("failed"), &json!(7))
    );
    assert!(
        result["why"]
            .as_str()
            .unwrap()
            .contains("sh failed: exit status: 7"),
        "{result}"
    );
    let other = ["--max-down", "1", "--timeout", "0.2", "web", "--", "true"];
    site.run(1, &other)
        .is_with(1, "", "now out: web01 (roll r-bad, failed since ");
    // Its own repair is not blocked, and nobody has to force it.
    site.run(0, &["--max-down", "1", "web", "--", "true"])
        .is_with(0, "", "web01 is done");
    assert!(site.slot(0).is_null() && !site.is_down(0));
    site.wait_for_report(0, false);

    site.run(0, &failing).code_is(7);
    site.fleet(&["release", "web01"])
        .is_with(2, "", "say why, with -r");
    site.fleet(&["release", "web01", "api", "-r", "x"]).is_with(
        1,
        "",
        "web01 has no slot for api; it has one for web",
    );
    site.wait_for_report(0, true);
    let released = site.fleet(&["release", "web01", "web", "-r", "rebuilt"]);
    released.is_with(0, "", "hacheck fleet: the slot of web01 for web is free\n");
    assert!(
        released
            .err
            .contains("note: roll r-bad by alice had it for web: failed since "),
        "{}",
        released.err
    );
    assert!(
        released.err.contains(
            "web01 still counts as out, as web is down there; 'haup web' on it puts it back"
        ),
        "{}",
        released.err
    );
    site.run(1, &other)
        .is_with(1, "", "now out: web01 (down, local)");
    site.hosts[0].run("haup", &["web"]).code_is(0);
    site.wait_for_report(0, false);
    site.run(1, &other).code_is(0);
    let log = site.fleet(&["log", "-o", "tsv"]);
    assert!(
        log.out.contains("\trelease\tweb\thost=web01\trebuilt\n"),
        "{}",
        log.out
    );
    assert!(
        log.out.contains("\troll failed\tweb\thost=web01\t"),
        "{}",
        log.out
    );
}

#[test]
fn a_host_that_is_out_already_may_begin_however_many_others_are() {
    let site = Site::start(2);
    let first = site.begin_and_hold(0, &[]);
    site.hosts[1]
        .run("hadown", &["-r", "broken", "web"])
        .code_is(0);
    let repair = ["--max-down", "1", "web", "--", "true"];
    site.run(1, &repair)
        .is_with(1, "", "web is already down since ");
    let forced = site.run(1, &[&["--force"], &repair[..]].concat());
    forced.is_with(0, "", "web02 is done");
    assert!(!site.is_down(1));
    site.go(0);
    first.ends().code_is(0);
}

#[test]
fn who_stops_waiting_holds_nothing() {
    let site = Site::start(2);
    let first = site.begin_and_hold(0, &[]);
    let args = ["--max-down", "1", "web", "--", "touch", "ran"];
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let waiting = site.begin(1, &args);
        waiting.says("so nothing can begin");
        waiting.signal(signal);
        let ran = waiting.ends();
        if signal != Signal::SIGKILL {
            let said = format!(
                "haroll: slot: interrupted ({}): waiting for web01 (roll r-",
                signal.as_str()
            );
            ran.is_with(1, "", &said);
            assert!(ran.err.ends_with("; nothing was changed\n"), "{}", ran.err);
        }
        assert!(site.slot(1).is_null() && !site.is_down(1));
    }
    site.go(0);
    first.ends().code_is(0);
    assert!(!site.file(1, "ran").exists());
}

#[test]
fn an_interrupted_command_keeps_the_slot_and_a_second_roll_on_the_host_is_refused_meanwhile() {
    let site = Site::start(1);
    let rolling = site.begin_and_hold(0, &[]);
    let again = site.run(0, &["--max-down", "1", "--force", "web", "--", "true"]);
    again.is_with(
        1,
        "",
        "haroll: a roll of web is running on this host; nothing was changed\n",
    );
    rolling.signal(Signal::SIGINT);
    rolling
        .ends()
        .is_with(1, "", "web01 keeps its slot in roll r-");
    assert!(site.is_down(0));
    assert_eq!(site.slot(0)["phase"], "failed");
}

/// Kills a roll in a phase, in which a balancer keeps it that is stuck; then the next one has one that is not.
fn killed_and_repeated(phase: &str, check: &str, stuck: bool, repair: impl FnOnce()) {
    let site = Site::start(2);
    let address = site.hosts[0].daemon.address;
    let balancer = Balancer::stuck(address, "lb1", &[check], stuck);
    wait_until(PATIENCE, "the balancer is known", || {
        site.hosts[0].daemon.get("/pollers").body.contains("lb1")
    });
    let roll = ["--max-down", "1", "web", "--", "sh", "-c", HOLD];
    if phase != "command" {
        site.go(0);
    }
    let rolling = site.begin(0, &roll);
    site.wait_for_phase(0, phase);
    // The slot tells of a step that begins.
    wait_until(PATIENCE, phase, || site.is_down(0) == (phase != "up"));
    rolling.kill_group();
    drop(balancer);
    let other = ["--max-down", "1", "--timeout", "0.2", "web", "--", "true"];
    site.run(1, &other)
        .is_with(1, "", "now out: web01 (roll r-");
    repair();
    site.go(0);
    let _balancer = Balancer::start(address, "lb1", &[check]);
    let again = site.run(0, &roll);
    again.is_with(0, "", "web01 is done");
    assert!(!site.is_down(0) && site.slot(0).is_null());
    site.wait_for_report(0, false);
    site.run(1, &other).code_is(0);
}

/// A check that passes until the host is down.
const SPOOL: &str = "/spool/web/0/status";

#[test]
fn a_roll_that_is_killed_while_it_drains_is_gone_on_with() {
    killed_and_repeated("down", SPOOL, true, || ());
}

#[test]
fn a_roll_that_is_killed_in_its_command_is_gone_on_with() {
    killed_and_repeated("command", SPOOL, false, || ());
}

#[test]
fn a_roll_that_is_killed_before_the_host_is_healthy_is_gone_on_with() {
    let port = server::free_port();
    let mut listener = None;
    killed_and_repeated("healthy", &format!("/tcp/web/{port}/"), false, || {
        listener = Some(TcpListener::bind(("127.0.0.1", port)).unwrap());
    });
}

#[test]
fn a_roll_that_is_killed_before_the_host_is_seen_up_is_gone_on_with() {
    killed_and_repeated("up", SPOOL, false, || ());
}

#[test]
fn the_metric_of_a_held_slot_grows_and_falls_with_the_slot() {
    let etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "services: [web]\nlease: 3");
    let site = Site {
        etcd,
        hosts: vec![host],
    };
    wait_until(PATIENCE, "the host lives", || site.is_alive("web01"));
    let host = &site.hosts[0];
    host.wait_for_metric("slot_held_seconds", 0.0);
    let rolling = site.begin_and_hold(0, &[]);
    wait_until(PATIENCE, "the metric grows", || {
        host.metric("slot_held_seconds").unwrap() > 0.0
    });
    site.go(0);
    rolling.ends().code_is(0);
    host.wait_for_metric("slot_held_seconds", 0.0);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_changed() {
    let site = Site::start(1);
    for (args, said) in [
        (
            &["--max-down", "0"][..],
            "--max-down: \"0\" is no number of hosts; give one from 1, or a part of them such as 10%",
        ),
        (&["--max-down", "101%"], "is no number of hosts"),
        (
            &["--per", "zone"],
            "--per is about the hosts of a fleet: give it with --max-down",
        ),
        (&["--where", "zone=a"], "give it with --max-down"),
        (&["--roll", "r-1"], "give it with --max-down"),
        (
            &["--max-down", "1", "--roll", "5k2"],
            "--roll: \"5k2\" is no id of a roll; it looks like r-5k2",
        ),
        (
            &["--max-down", "1", "--per", "host"],
            "--per: \"host\" is no tag that groups hosts",
        ),
        (
            &["--max-down", "1", "--where", "zone"],
            "--where: 'zone' selects no hosts",
        ),
    ] {
        let ran = site.run(0, &[args, &["web", "--", "true"]].concat());
        ran.is_with(2, "", said);
    }
    site.etcd.delete_under(0, &paths().hosts());
    // A host that nobody knows; its daemon would register again.
    let mut unknown = site.haroll(0, &["--max-down", "1", "web", "--", "true"]);
    let file = site.file(0, "other.yml");
    let text = site.etcd.fleet_yml(&format!(
        "host: web09\nstate_dir: {}\n",
        site.file(0, "state9").display()
    ));
    fs::write(&file, text).unwrap();
    let ran = Ran::from(unknown.env("HACHECK_FLEET_FILE", &file).output().unwrap());
    ran.is_with(
        1,
        "",
        "haroll: the fleet test does not know web09, so nobody would see it go down",
    );
    assert!(ran.err.ends_with("; nothing was changed\n"), "{}", ran.err);
    let alone = command("haroll")
        .args(["--max-down", "1", "web", "--", "true"])
        .output()
        .unwrap();
    Ran::from(alone).is_with(1, "", "this host is in no fleet");
}

#[test]
fn without_a_majority_a_roll_waits_and_a_host_that_is_done_gives_its_slot_back_later() {
    let site = Site::start(2);
    let first = site.begin_and_hold(0, &["--timeout", "60"]);
    let second = site.begin(1, &["--max-down", "1", "web", "--", "true"]);
    second.says("so nothing can begin");
    let freeze = |etcd: &Etcd| {
        etcd.freeze(0);
        etcd.freeze(1);
    };
    freeze(&site.etcd);
    second.says("(still waiting)");
    site.go(0);
    first.says("haroll: web: seen up after ");
    assert!(!site.is_down(0));
    site.etcd.thaw(0);
    site.etcd.thaw(1);
    first
        .ends()
        .is_with(0, "", "web01 is done, and its slot is free");
    second.ends().is_with(0, "", "web02 is done");
    freeze(&site.etcd);
    let refused = site.run(0, &["--max-down", "1", "web", "--", "true"]);
    site.etcd.thaw(0);
    site.etcd.thaw(1);
    refused.is_with(1, "", "etcd");
    assert!(
        refused.err.ends_with("; nothing was changed\n"),
        "{}",
        refused.err
    );
    assert!(site.slot(0).is_null());
}

/// Lets a user write what `hacheck fleet roles` grants to the role of its host.
fn grant_as_printed(site: &Site, user: &str) {
    let roles = site.fleet(&["roles", user]);
    let begin = "etcdctl role grant-permission ";
    let role = format!("fleet-host-{user} ");
    for line in roles.out.lines().filter(|line| line.contains(&role)) {
        let Some(line) = line.strip_prefix(begin) else {
            continue;
        };
        let words: Vec<&str> = line.split(' ').collect();
        let [.., _, kind, path] = words[..] else {
            panic!("{line}");
        };
        let mut end = path.as_bytes().to_vec();
        match words.len() {
            // A prefix: up to the first key behind all that begin with it.
            4 => *end.last_mut().unwrap() += 1,
            _ => end.clear(),
        }
        let (key, end) = (BASE64.encode(path), BASE64.encode(end));
        let permission = json!({"permType": kind.to_uppercase(), "key": key, "range_end": end});
        let body = json!({"name": user, "perm": permission});
        assert!(
            site.etcd.post(0, "auth/role/grant", &body).is_some(),
            "{line}"
        );
    }
}

#[test]
fn a_host_needs_no_more_for_a_roll_than_the_role_that_is_printed_for_it() {
    let site = Site::start(1);
    site.etcd.add_user("web01", "READ", "/elsewhere/");
    grant_as_printed(&site, "web01");
    site.etcd.enable_users();
    let file = site.file(0, "fleet.yml");
    let text = fs::read_to_string(&file).unwrap();
    let password = site.file(0, "password");
    fs::write(&password, "s3cret").unwrap();
    let login = format!("username: web01\npassword_file: {}\n", password.display());
    fs::write(&file, format!("{text}\n{login}")).unwrap();
    let ran = site.run(
        0,
        &["--max-down", "1", "--roll", "r-role", "web", "--", "true"],
    );
    ran.is_with(
        0,
        "",
        "haroll: roll r-role: web01 is done, and its slot is free\n",
    );
    assert_eq!(site.result("r-role", 0)["state"], "done");
    // Another host's slot is none of its business.
    let other = fs::read_to_string(&file)
        .unwrap()
        .replace("host: web01", "host: web02");
    fs::write(&file, other).unwrap();
    let ran = site.run(0, &["--max-down", "1", "--force", "web", "--", "true"]);
    ran.is_with(
        1,
        "",
        "permission denied; grant the role that 'hacheck fleet roles' prints",
    );
    assert!(!site.is_down(0));
}
