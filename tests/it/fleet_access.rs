//! Who may do what in a fleet with which certificate: an etcd with TLS whose users are the names in certificates, with the
//! roles that `hacheck fleet roles` prints.

use std::fs;
use std::process::Command;

use hacheck::fleet::engine::{Access, Committed, Engine, EngineError, KeyRange, Transaction};
use hacheck::fleet::settings::FleetSettings;
use hacheck::fleet::{RollId, Selector};
use hacheck::spool::Key;
use serde_json::Value;

use crate::fleet_roll_hosts::{Fleet, OPERATOR};
use crate::support::authority::{Authority, Signed};
use crate::support::etcd::{Etcd, Manner};
use crate::support::fleet::{FleetHost, down, give, paths, up};
use crate::support::root::succeed;
use crate::support::{PATIENCE, Ran, TempDir, block_on, run, server, wait_until};

/// What a refusal says, with its remedy.
const DENIED: &str = "permission denied; grant the role that 'hacheck fleet roles' prints";

/// An authority, and an etcd that lets in what it signs, with the users and roles that are printed for these hosts.
fn secured(hosts: &[&str]) -> (Authority, Etcd) {
    let authority = Authority::new();
    let etcd = Etcd::start_as(&Manner {
        authority: Some(&authority),
        options: &[],
    });
    let folder = TempDir::new();
    let file = folder.file("fleet.yml");
    fs::write(&file, etcd.fleet_yml("")).unwrap();
    let named = ["--fleet-file", file.to_str().unwrap()];
    let roles = run("hacheck", &[&["fleet", "roles"], hosts, &named].concat());
    roles.code_is(0);
    let lines = roles.out.lines().filter(|line| line.starts_with("etcdctl"));
    lines.for_each(|line| etcdctl(&etcd, line));
    etcd.enable_users();
    (authority, etcd)
}

/// Runs a printed line.
fn etcdctl(etcd: &Etcd, line: &str) {
    server::require("/usr/bin/etcdctl", "etcd-client");
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3");
    command.args(["--endpoints", &etcd.plain_endpoint(0)]);
    succeed(command.args(line.split(' ').skip(1)));
}

/// The lines of `fleet.yml` with a certificate of this name: the daemon's, or the operator's.
fn lines(authority: &Authority, name: &str) -> String {
    let Signed { cert, key } = authority.sign_host(name);
    let begin = if name == OPERATOR { "ops_" } else { "" };
    format!(
        "ca_file: {}\n{begin}cert_file: {}\n{begin}key_file: {}\n",
        authority.cert().display(),
        cert.display(),
        key.display()
    )
}

#[test]
fn hosts_are_rolled_with_no_more_than_the_roles_that_are_printed() {
    let (authority, etcd) = secured(&["web01", "web02"]);
    let names = ["web01", "web02"];
    let fleet = Fleet::start_on(etcd, &names, &|name| lines(&authority, name));
    let mut roll = fleet.roll(&[]);
    for name in names {
        fleet.begins(name, &mut roll);
        assert!(fleet.has_slot(name));
        fleet.ends(name, "0");
    }
    let ran = roll.ends();
    ran.code_is(0);
    assert!(ran.err.contains(": done on 2 hosts after "), "{}", ran.err);
    assert!(names.iter().all(|name| !fleet.has_slot(name)));
    let ordered = fleet.run("hadown", &["--fleet", "--timeout", "60", "web"]);
    ordered.is_with(0, "", "web: ordered down on 2 hosts");
}

async fn write(settings: &FleetSettings, write: Transaction) -> Result<Committed, EngineError> {
    let mut engine = Engine::new(Access::of_daemon(settings)?);
    engine.commit(&write).await
}

#[track_caller]
fn is_denied(settings: &FleetSettings, path: &str) {
    let delete = Transaction::new().delete(KeyRange::one(path));
    for change in [Transaction::new().put(path, "{}"), delete] {
        let refused = block_on(write(settings, change)).unwrap_err().to_string();
        assert!(refused.contains(DENIED), "{path}: {refused}");
    }
}

#[test]
fn a_host_s_certificate_can_neither_order_nor_roll_nor_write_what_is_another_host_s() {
    let (authority, etcd) = secured(&["web01", "web02"]);
    let names = ["web01", "web02"];
    let fleet = Fleet::start_on(etcd, &names, &|name| lines(&authority, name));
    let stolen = authority.sign_host("web02");
    let run = |name: &str, args: &[&str]| {
        let mut command = fleet.command(name, args);
        command.env("HACHECK_FLEET_CERT", &stolen.cert);
        command.env("HACHECK_FLEET_KEY", &stolen.key);
        Ran::from(command.output().unwrap())
    };
    let web = Key::parse("web").unwrap();
    let lock = paths().roll_lock(&web);
    run("hadown", &["--fleet", "--force", "web"]).is_with(1, "", DENIED);
    let roll = ["--fleet", "--max-down", "1", "--force", "web", "--", "true"];
    run("haroll", &roll).is_with(1, "", DENIED);
    assert_eq!(fleet.etcd.value(0, &lock), None);

    let mut roll = fleet.roll(&[]);
    let id = roll.roll_id();
    fleet.begins("web01", &mut roll);
    run("hacheck", &["fleet", "release", "-r", "why", "web01"]).is_with(1, "", DENIED);
    let settings = fleet.etcd.settings(&lines(&authority, "web02"));
    for path in [
        paths().order(&web, &Selector::every_host()),
        paths().host("web01"),
        paths().alive("web01"),
        paths().down("web01", &web),
        paths().slot("web01", &web),
        lock,
        format!("{}/elsewhere", paths().root()),
        "/hacheck/v1/other/hosts/web02".to_owned(),
    ] {
        is_denied(&settings, &path);
    }

    // What each host may write is how rolls ended, and so their records: one that was changed is no roll any more, and the
    // one that runs goes on as it began.
    let record = paths().roll(&RollId::parse(&id).unwrap());
    let text = fleet.etcd.value(0, &record).unwrap();
    let other = text.replace("\"max_failed\":0", "\"max_failed\":9");
    assert_ne!(text, other);
    let forged = Transaction::new().put(&record, other);
    block_on(write(&settings, forged)).unwrap();
    fleet.ends("web01", "0");
    fleet.begins("web02", &mut roll);
    fleet.ends("web02", "7");
    let ran = roll.ends();
    ran.code_is(1);
    assert!(ran.err.contains("; failed: web02"), "{}", ran.err);
    let resumed = fleet.run("haroll", &["--fleet", "--resume", &id]);
    resumed.is_with(1, "", "cannot be resumed");
}

#[test]
fn a_daemon_obeys_and_reports_by_its_certificate_and_says_when_that_is_another_host_s() {
    let (authority, etcd) = secured(&["web01", "web02"]);
    let start = |host: &str, name: &str| FleetHost::start(&etcd, host, &lines(&authority, name));
    let own = start("web01", "web01");
    let another = start("web02", "web01");
    let nobody = start("web03", "web03");
    give(&etcd, 0, &down(1, "web", "*"));
    own.wait_until_told("web", "reason 1");
    wait_until(PATIENCE, "the downtime is reported", || {
        own.report(&etcd, 0, "web")["origin"] == "fleet:*"
    });

    another.wait_until_told("web", "reason 1");
    another
        .daemon
        .wait_for_log("fleet: cannot report: etcd at https://127.0.0.1:");
    another.daemon.wait_for_log(DENIED);
    assert!(another.metric("write_errors_total").unwrap() > 0.0);
    assert_eq!(another.record(&etcd, 0), Value::Null);
    assert_eq!(another.report(&etcd, 0, "web"), Value::Null);
    // The one whose certificate was borrowed is what it was.
    assert_eq!(own.record(&etcd, 0)["host"], "web01");

    // A name that etcd does not know may not even read the orders.
    nobody.daemon.wait_for_log("https://127.0.0.1:");
    nobody.daemon.wait_for_log("refuses");
    assert_eq!(nobody.told("web"), "");
    assert_eq!(nobody.metric("connected"), Some(0.0));
    give(&etcd, 0, &up(2, "web", "*"));
    own.wait_until_told("web", "");
    another.wait_until_told("web", "");
}
