//! `haroll --finish`: what a reboot, or the end of haroll in its command, leaves.

use std::fs;

use nix::sys::signal::Signal;

use super::{HOLD, SPOOL, Site};
use crate::support::balancer::Balancer;
use crate::support::etcd::MEMBERS;
use crate::support::waiting::Waiting;
use crate::support::{PATIENCE, Ran, wait_until, write_program};

/// A folder with a `systemctl` that says that the host is going down, as the whole PATH would have it.
fn going_down(site: &Site) -> String {
    let folder = site.file(0, "bin");
    fs::create_dir(&folder).unwrap();
    write_program(
        &folder.join("systemctl"),
        "#!/bin/sh\necho stopping\nexit 1\n",
    );
    format!("{}:/usr/bin:/bin", folder.display())
}

/// A roll that waits for a balancer, which never acts while it is there.
fn begin_before_command(site: &Site) -> (Waiting, Balancer) {
    let address = site.hosts[0].daemon.address;
    let balancer = Balancer::stuck(address, "lb1", &[SPOOL], true);
    wait_until(PATIENCE, "the balancer is known", || {
        site.hosts[0].daemon.get("/pollers").body.contains("lb1")
    });
    let rolling = site.begin(0, &["--max-down", "1", "web", "--", "true"]);
    site.wait_for_phase(0, "down");
    (rolling, balancer)
}

#[test]
fn a_roll_whose_command_reboots_the_host_is_finished_after_the_boot() {
    let site = Site::start(2);
    let path = going_down(&site);
    let mut command = site.haroll(
        0,
        &["--max-down", "1", "--roll", "r-boot", "web", "--", "true"],
    );
    command.env("PATH", path);
    let rolling = site.begin_as(0, command);
    rolling.says("haroll: the host is going down\n");
    assert!(site.is_down(0));
    rolling.signal(Signal::SIGTERM);
    let ran = rolling.ends();
    ran.is_with(
        255,
        "",
        "haroll: 'haroll --finish' does the rest after the boot\n",
    );
    assert!(site.is_down(0) && site.result("r-boot", 0).is_null());
    assert_eq!(site.slot(0)["phase"], "command");
    let other = ["--max-down", "1", "--timeout", "0.2", "web", "--", "true"];
    site.run(1, &other)
        .is_with(1, "", "now out: web01 (roll r-boot, command since ");

    let finished = site.run(0, &["--finish"]);
    finished.is_with(
        0,
        "",
        "haroll: roll r-boot of web goes on after its command: true\n",
    );
    assert!(
        finished
            .err
            .ends_with("haroll: roll r-boot: web01 is done, and its slot is free\n"),
        "{}",
        finished.err
    );
    assert!(!site.is_down(0) && site.slot(0).is_null());
    assert_eq!(site.result("r-boot", 0)["state"], "done");
    site.run(0, &["--finish"])
        .is_with(0, "", "note: no roll is to be finished here");
}

#[test]
fn a_command_that_the_reboot_ends_is_finished_too_and_one_that_failed_is_not() {
    let site = Site::start(1);
    let path = going_down(&site);
    let hold = ["--max-down", "1", "web", "--", "sh", "-c", HOLD];
    let mut command = site.haroll(0, &hold);
    command.env("PATH", &path);
    let rolling = site.begin_as(0, command);
    site.wait_for_command(0);
    rolling.signal(Signal::SIGTERM);
    rolling
        .ends()
        .is_with(255, "", "interrupted (SIGTERM), sh ended");
    site.run(0, &["--finish"]).is_with(0, "", "web01 is done");

    let mut failing = site.haroll(
        0,
        &["--max-down", "1", "--roll", "r-bad", "web", "--", "false"],
    );
    let failed = Ran::from(failing.env("PATH", &path).output().unwrap());
    failed.is_with(1, "", "web01 keeps its slot in roll r-bad");
    let left = site.run(0, &["--finish"]);
    left.is_with(
        0,
        "",
        "note: roll r-bad of web has failed, and is left as it is",
    );
    assert!(site.is_down(0));
}

#[test]
fn a_roll_that_died_in_its_command_is_finished_without_etcd_up_to_its_slot() {
    let mut site = Site::start(1);
    let rolling = site.begin_and_hold(0, &["--roll", "r-dead"]);
    rolling.kill_group();
    (0..MEMBERS).for_each(|member| site.etcd.kill(member));
    let finishing = site.begin(0, &["--finish"]);
    finishing.says("haroll: web: seen up after ");
    assert!(!site.is_down(0));
    (0..MEMBERS).for_each(|member| site.etcd.start_member(member));
    finishing
        .ends()
        .is_with(0, "", "web01 is done, and its slot is free");
    assert!(site.slot(0).is_null());
}

#[test]
fn a_roll_that_died_before_its_command_is_not_finished() {
    let site = Site::start(1);
    let (rolling, balancer) = begin_before_command(&site);
    wait_until(PATIENCE, "it is down", || site.is_down(0));
    rolling.kill_group();
    drop(balancer);
    let left = site.run(0, &["--finish"]);
    left.is_with(
        1,
        "",
        "ended before its command, which was: true\nharoll: run it again\n",
    );
    assert!(site.is_down(0) && site.slot(0)["phase"] == "down");
    site.run(0, &["--finish", "web", "--", "true"]).is_with(
        2,
        "",
        "it takes no service and no command",
    );
}

/// A roll that runs has said that it has come to its command, or that it has not: neither is how it ended.
#[test]
fn a_roll_that_still_runs_is_not_taken_for_one_that_has_ended() {
    let site = Site::start(1);
    let running = "haroll: a roll of web is running on this host\n";
    let rolling = site.begin_and_hold(0, &[]);
    site.run(0, &["--finish"]).is_with(1, "", running);
    let said = site.run(0, &["--finish"]).err;
    assert_eq!(said, running);
    site.go(0);
    rolling.ends().code_is(0);

    let (rolling, balancer) = begin_before_command(&site);
    let said = site.run(0, &["--finish"]).err;
    assert_eq!(said, running);
    drop((rolling, balancer));
}
