//! A host in a fleet: a daemon against three real members of etcd, order by order and fault by fault.

use std::fs;

use hacheck::fleet::now_micros;
use serde_json::json;

use crate::support::daemon::{Daemon, Setup};
use crate::support::etcd::{Etcd, MEMBERS};
use crate::support::fleet::{FleetHost, down, give, other_machine, paths, up};
use crate::support::process::permissions_count;
use crate::support::{PATIENCE, TempDir, wait_until};

#[test]
fn an_order_takes_a_host_down_with_its_words_and_the_next_one_lifts_it() {
    let etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "tags: {zone: a}");
    host.wait_until_connected();
    give(&etcd, 0, &down(1, "web", "zone=b"));
    give(&etcd, 0, &down(2, "web", "zone=a"));
    host.wait_until_told("web", ": reason 2");
    assert_eq!(host.told("api"), "");
    wait_until(PATIENCE, "the engine knows", || {
        let report = host.report(&etcd, 0, "web");
        report["origin"] == "fleet:zone=a" && report["by"] == "alice"
    });
    let record = host.record(&etcd, 0);
    assert_eq!(record["held"], json!({"web/zone=a": 2}));
    assert_eq!(
        (&record["host"], &record["tags"]),
        (&json!("web01"), &json!({"zone": "a"}))
    );
    // The page is for those alone who ask by an address.
    let page = host.daemon.get_with("/downtimes", &[("Host", "127.0.0.1")]);
    let row = &page.json()["downtimes"][0];
    assert_eq!(
        (&row["origin"], &row["by"]),
        (&json!("fleet:zone=a"), &json!("alice"))
    );
    assert_eq!(host.metric("orders_held"), Some(1.0));
    host.daemon
        .wait_for_log("by alice@ops1: web down on zone=a: reason 2");
    give(&etcd, 1, &up(3, "web", "zone=a"));
    host.wait_until_told("web", "");
    wait_until(PATIENCE, "the engine knows of the lift", || {
        host.report(&etcd, 0, "web").is_null() && host.record(&etcd, 0)["held"] == json!({})
    });
}

#[test]
fn a_host_is_down_until_both_its_own_downtime_and_the_fleet_s_are_lifted() {
    let etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "");
    host.wait_until_connected();
    host.daemon
        .run("hadown", &["-r", "local reason", "web"])
        .code_is(0);
    give(&etcd, 0, &down(1, "web", "*"));
    host.wait_for_metric("orders_held", 1.0);
    // The local one is told first.
    host.wait_until_told("web", "local reason");
    wait_until(PATIENCE, "the engine knows of the local one", || {
        host.report(&etcd, 0, "web")["origin"] == "local"
    });
    host.daemon.run("haup", &["web"]).code_is(0);
    host.wait_until_told("web", "reason 1");
    host.daemon
        .run("hadown", &["-r", "local reason", "web"])
        .code_is(0);
    give(&etcd, 0, &up(2, "web", "*"));
    host.wait_for_metric("orders_held", 0.0);
    host.wait_until_told("web", "local reason");
    host.daemon.run("haup", &["web"]).code_is(0);
    host.wait_until_told("web", "");
}

/// A host that was ordered down, and whose engine is gone.
fn holds_without_the_engine() -> (Etcd, FleetHost) {
    let mut etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "");
    give(&etcd, 0, &down(1, "web", "*"));
    host.wait_until_told("web", "reason 1");
    (0..MEMBERS).for_each(|member| etcd.kill(member));
    (etcd, host)
}

#[test]
fn without_the_engine_the_disk_says_what_holds_also_at_the_start() {
    let (mut etcd, host) = holds_without_the_engine();
    host.wait_for_metric("connected", 0.0);
    host.wait_until_told("web", "reason 1");
    let host = host.restart(&etcd, "");
    host.wait_until_told("web", "reason 1");
    host.daemon
        .run("hadown", &["-r", "local", "api"])
        .code_is(0);
    host.wait_until_told("api", "local");
    host.daemon.wait_for_log("etcd cannot be reached");
    (0..MEMBERS).for_each(|member| etcd.start_member(member));
    etcd.wait_until_it_answers();
    give(&etcd, 0, &up(2, "web", "*"));
    host.wait_until_told("web", "");
}

#[test]
fn a_member_that_freezes_and_a_majority_that_is_lost_change_nothing_and_the_next_order_comes() {
    let etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "");
    give(&etcd, 0, &down(1, "web", "*"));
    host.wait_until_told("web", "reason 1");
    let at = 10;
    for member in 0..MEMBERS {
        let (other, third) = ((member + 1) % MEMBERS, (member + 2) % MEMBERS);
        etcd.freeze(member);
        etcd.wait_until_member_answers(other);
        let now = at + member as u64;
        give(&etcd, other, &down(now, "web", "*"));
        host.wait_until_told("web", &format!("reason {now}"));
        etcd.freeze(third);
        host.wait_for_metric("connected", 0.0);
        host.wait_until_told("web", &format!("reason {now}"));
        etcd.thaw(member);
        etcd.thaw(third);
        etcd.wait_until_it_answers();
        host.wait_until_connected();
    }
    give(&etcd, 0, &up(20, "web", "*"));
    host.wait_until_told("web", "");
}

#[test]
fn what_the_engine_forgets_is_held_and_told_until_a_new_order_lifts_it() {
    let mut etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "reconcile: 1");
    host.wait_until_connected();
    give(&etcd, 0, &down(1, "web", "*"));
    host.wait_until_told("web", "reason 1");
    assert_eq!(host.metric("engine_regressed"), Some(0.0));
    // Deleted.
    etcd.delete_under(0, &paths().orders());
    host.wait_for_metric("engine_regressed", 1.0);
    host.wait_until_told("web", "reason 1");
    give(&etcd, 0, &down(2, "web", "*"));
    host.wait_for_metric("engine_regressed", 0.0);
    // Set up anew.
    etcd.wipe();
    host.wait_for_metric("engine_regressed", 1.0);
    host.daemon.wait_for_log("etcd is not what it was");
    host.wait_until_told("web", "reason 2");
    // After a restart too, and whatever older orders come back.
    let host = host.restart(&etcd, "reconcile: 1");
    host.wait_for_metric("engine_regressed", 1.0);
    give(&etcd, 0, &up(1, "web", "*"));
    wait_until(PATIENCE, "it was read", || {
        host.metric("engine_regressed") == Some(0.0)
    });
    host.wait_until_told("web", "reason 2");
    give(&etcd, 0, &up(3, "web", "*"));
    host.wait_until_told("web", "");
}

#[test]
fn a_compacted_history_or_a_killed_member_flips_nothing() {
    let mut etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "");
    give(&etcd, 0, &down(1, "web", "*"));
    host.wait_until_told("web", "reason 1");
    for member in 0..MEMBERS {
        let other = (member + 1) % MEMBERS;
        etcd.kill(member);
        etcd.wait_until_member_answers(other);
        etcd.compact(other);
        let at = 10 + member as u64;
        give(&etcd, other, &down(at, "web", "*"));
        host.wait_until_told("web", &format!("reason {at}"));
        etcd.start_member(member);
        etcd.wait_until_it_answers();
    }
    assert_eq!(host.daemon.logged("web up"), 0);
}

#[test]
fn a_host_whose_lease_is_lost_registers_anew() {
    let etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "lease: 3");
    let alive = paths().alive("web01");
    let lives = || etcd.value(0, &alive).is_some();
    wait_until(PATIENCE, "it lives", lives);
    etcd.revoke_leases(0);
    wait_until(PATIENCE, "it lives again", lives);
    // It dies with its daemon.
    drop(host);
    wait_until(PATIENCE, "it is lost", || !lives());
}

/// As `hacheck fleet forget --force` does, and whoever tidies up by hand.
#[test]
fn a_host_whose_keys_are_deleted_while_its_lease_lives_registers_anew() {
    let etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "reconcile: 2");
    host.wait_until_connected();
    let (alive, record) = (paths().alive("web01"), paths().host("web01"));
    let is_there = || [&alive, &record].map(|path| etcd.value(0, path).is_some());
    wait_until(PATIENCE, "it has registered", || is_there() == [true; 2]);
    etcd.delete(0, &alive);
    etcd.delete(0, &record);
    wait_until(PATIENCE, "it has registered again", || {
        is_there() == [true; 2]
    });
}

#[test]
fn an_order_that_cannot_be_read_holds_what_is_held_and_is_told() {
    let etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "");
    give(&etcd, 0, &down(1, "web", "*"));
    host.wait_until_told("web", "reason 1");
    let path = format!("{}web/*", paths().orders());
    for value in ["{", r#"{"v":2,"state":"up"}"#, ""] {
        etcd.put(0, &path, value);
        host.wait_for_metric("orders_unknown", 1.0);
        host.wait_until_told("web", "reason 1");
    }
    wait_until(PATIENCE, "the engine knows of the problem", || {
        let problem = host.record(&etcd, 0)["problems"][0].to_string();
        problem.contains("cannot read the order web/*")
    });
    give(&etcd, 0, &up(2, "web", "*"));
    host.wait_until_told("web", "");
    host.wait_for_metric("orders_unknown", 0.0);
}

#[test]
fn a_host_whose_name_is_another_machine_s_reports_nothing_and_obeys() {
    let etcd = Etcd::start();
    etcd.put(0, &paths().alive("web01"), &other_machine());
    let host = FleetHost::start(&etcd, "web01", "");
    host.daemon.wait_for_log("another machine is web01 too");
    give(&etcd, 0, &down(1, "web", "*"));
    host.wait_until_told("web", "reason 1");
    assert!(host.record(&etcd, 0).is_null());
    assert!(host.metric("write_errors_total").unwrap() > 0.0);
}

#[test]
fn after_a_boot_a_host_waits_for_the_orders_as_long_as_it_is_told_to() {
    let mut etcd = Etcd::start();
    (0..MEMBERS).for_each(|member| etcd.kill(member));
    let wait = "boot_wait: 600";
    let host = FleetHost::start(&etcd, "web01", wait);
    host.wait_until_told("web", "waiting for the fleet");
    (0..MEMBERS).for_each(|member| etcd.start_member(member));
    host.wait_until_told("web", "");
    // A start that is no boot waits for nothing.
    (0..MEMBERS).for_each(|member| etcd.kill(member));
    let host = host.restart(&etcd, wait);
    assert_eq!(host.told("web"), "");
    let short = FleetHost::start(&etcd, "web02", "boot_wait: 1");
    short.wait_until_told("web", "");
}

#[test]
fn a_host_that_is_set_up_anew_waits_for_the_orders_if_told_to_and_learns_them_at_once() {
    let (mut etcd, host) = holds_without_the_engine();
    fs::remove_dir_all(host.state()).unwrap();
    let host = host.restart(&etcd, "boot_wait: 600");
    host.wait_until_told("web", "waiting for the fleet");
    (0..MEMBERS).for_each(|member| etcd.start_member(member));
    host.wait_until_told("web", "reason 1");
    host.wait_until_told("api", "");
    assert!(host.state().join("web").exists());
}

#[test]
fn an_order_that_cannot_be_written_is_held_in_memory() {
    let etcd = Etcd::start();
    let setup = Setup::new().privileges(&permissions_count());
    let host = FleetHost::start_as(setup, &etcd, "web01", "");
    give(&etcd, 0, &down(1, "web", "*"));
    host.wait_until_told("web", "reason 1");
    set_mode(&host, 0o550);
    give(&etcd, 0, &down(2, "api", "*"));
    host.wait_until_told("api", "reason 2");
    give(&etcd, 0, &up(3, "web", "*"));
    host.daemon.wait_for_log("web stays down");
    host.wait_until_told("web", "reason 1");
    wait_until(PATIENCE, "the engine knows of the problem", || {
        let problems = host.record(&etcd, 0)["problems"].to_string();
        problems.contains("held in memory") && problems.contains("web stays down")
    });
    set_mode(&host, 0o750);
    host.wait_until_told("web", "");
    wait_until(PATIENCE, "it is written", || {
        host.state().join("api").exists()
    });
    host.wait_until_told("api", "reason 2");
}

fn set_mode(host: &FleetHost, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(host.state(), fs::Permissions::from_mode(mode)).unwrap();
}

/// The names of a daemon's threads.
fn threads(daemon: &mut Daemon) -> Vec<String> {
    let pid = daemon.process.child().id();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let name = |task: std::io::Result<fs::DirEntry>| {
        let comm = task.unwrap().path().join("comm");
        fs::read_to_string(comm).unwrap().trim().to_owned()
    };
    tasks.map(name).collect()
}

#[test]
fn a_host_without_a_fleet_has_no_thread_no_metric_and_no_page_of_it() {
    let mut alone = Daemon::start();
    assert!(!threads(&mut alone).contains(&"fleet".to_owned()));
    assert!(!alone.get("/metrics").body.contains("hacheck_fleet"));
    assert!(alone.get("/status").json().get("fleet").is_none());
    let etcd = Etcd::start();
    let mut host = FleetHost::start(&etcd, "web01", "");
    assert!(threads(&mut host.daemon).contains(&"fleet".to_owned()));
    host.wait_until_connected();
    assert_eq!(host.daemon.status("/fleet/connected"), json!(true));
}

#[test]
fn a_fleet_file_that_cannot_be_used_is_said_before_the_daemon_serves() {
    let mut daemon = Setup::new()
        .config("fleet_file: /nowhere/fleet.yml")
        .spawn();
    assert_eq!(daemon.process.wait(PATIENCE), 1);
    let log = daemon.log();
    assert!(
        log.contains("/nowhere/fleet.yml: there is no such file"),
        "{log}"
    );
}

/// Lines of `fleet.yml` for the user `web01`.
fn log_in(folder: &TempDir) -> String {
    let password = folder.file("password");
    fs::write(&password, "s3cret").unwrap();
    format!("username: web01\npassword_file: {}", password.display())
}

#[test]
fn a_host_that_may_not_report_says_what_to_grant_and_obeys_all_the_same() {
    let (etcd, folder) = (Etcd::start(), TempDir::new());
    give(&etcd, 0, &down(1, "web", "*"));
    etcd.add_user("web01", "READ", &format!("{}/", paths().root()));
    etcd.enable_users();
    let host = FleetHost::start(&etcd, "web01", &log_in(&folder));
    host.wait_until_told("web", "reason 1");
    host.daemon
        .wait_for_log("permission denied; grant the role that 'hacheck fleet roles' prints");
    host.wait_until_connected();
    assert!(host.metric("write_errors_total").unwrap() > 0.0);
    // A right that is granted later counts at once.
    etcd.grant("web01", "READWRITE", &format!("{}/", paths().root()));
    wait_until(PATIENCE, "it reports", || {
        host.record(&etcd, 0)["host"] == "web01"
    });
}

#[test]
fn a_host_whose_right_to_read_is_gone_holds_what_it_held_and_says_why() {
    let (etcd, folder) = (Etcd::start(), TempDir::new());
    let host = FleetHost::start(&etcd, "web01", "");
    give(&etcd, 0, &down(1, "web", "*"));
    host.wait_until_told("web", "reason 1");
    etcd.add_user("web01", "READ", "/elsewhere/");
    etcd.enable_users();
    let host = host.restart(&etcd, &log_in(&folder));
    host.daemon.wait_for_log("permission denied");
    host.wait_until_told("web", "reason 1");
    assert_eq!(host.metric("connected"), Some(0.0));
    let page = host.daemon.get("/metrics").body;
    assert!(
        page.contains("hacheck_fleet_sessions_total{why=\"refused\"}"),
        "{page}"
    );
}

#[test]
fn a_clock_that_is_ahead_shows_when_an_order_comes() {
    let etcd = Etcd::start();
    let host = FleetHost::start(&etcd, "web01", "");
    host.wait_until_connected();
    let hour_ago = now_micros() - 3_600_000_000;
    give(&etcd, 0, &down(hour_ago, "web", "*"));
    wait_until(PATIENCE, "the skew shows", || {
        host.metric("clock_skew_seconds").unwrap() > 3500.0
    });
}

/// A host with the service `web` down by an order.
fn ordered_down(etcd: &Etcd) -> FleetHost {
    let host = FleetHost::start(etcd, "web01", "");
    let mut order = down(1, "web", "*");
    order.creation = Some(1_795_629_900.0);
    order.expiration = Some(4_102_444_800.0);
    give(etcd, 0, &order);
    host.wait_until_told("web", "reason 1");
    host
}

#[test]
fn what_the_fleet_ordered_is_shown_by_hastatus_and_hashowdowned_with_its_origin() {
    let etcd = Etcd::start();
    let host = ordered_down(&etcd);
    let line = "DOWN\t4102444800.000000\tweb\treason 1\n";
    host.run("hastatus", &["web"]).is_with(1, line, "");
    host.run("hashowdowned", &[]).is_with(0, line, "");
    for name in ["hastatus", "hashowdowned"] {
        let services: &[&str] = if name == "hastatus" { &["web"] } else { &[] };
        let ran = host.run(name, &[&["-o", "json"], services].concat());
        let entries: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(
            (&entries[0]["origin"], &entries[0]["by"]),
            (&json!("fleet:*"), &json!("alice"))
        );
    }
    // This host's own downtime is what is shown first.
    host.run("hadown", &["-r", "bad RAM", "web"]).code_is(0);
    let both = host.run("hastatus", &["web"]);
    both.is_with(1, "DOWN\tinf\tweb\tbad RAM\n", "");
    let downed = host.run("hashowdowned", &[]);
    assert_eq!(downed.out, format!("DOWN\tinf\tweb\tbad RAM\n{line}"));
}

#[test]
fn a_host_whose_order_is_waived_serves_without_the_engine_until_the_next_order() {
    let mut etcd = Etcd::start();
    let host = ordered_down(&etcd);
    host.run("haup", &["--override-fleet", "web"])
        .is_with(2, "", "with -r");
    (0..MEMBERS).for_each(|member| etcd.kill(member));
    host.run(
        "haup",
        &["--override-fleet", "-r", "last one standing", "web"],
    )
    .code_is(0);
    host.wait_until_told("web", "");
    host.run("hastatus", &["web"]).code_is(0);
    host.wait_for_metric("orders_waived", 1.0);
    let host = host.restart(&etcd, "");
    assert_eq!(host.told("web"), "");
    (0..MEMBERS).for_each(|member| etcd.start_member(member));
    etcd.wait_until_it_answers();
    wait_until(PATIENCE, "the engine knows of the waiver", || {
        host.record(&etcd, 0)["waived"]["web/*"]["reason"] == "last one standing"
    });
    assert_eq!(host.told("web"), "");
    give(&etcd, 0, &down(2, "web", "*"));
    host.wait_until_told("web", "reason 2");
    let again = host.run("haup", &["--override-fleet", "-r", "x", "api"]);
    again.is_with(0, "", "no order of the fleet holds api down here");
}
