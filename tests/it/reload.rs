//! `hacheck reload`, which is the unit's `ExecReload=`: it tells what came of a reload.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::support::daemon::{Daemon, Setup};
use crate::support::passed::Manager;
use crate::support::{PATIENCE, Ran, TempDir, command, wait_until};

/// A daemon with a runtime folder, as the unit gives it one.
fn start(config: &str, folder: &Path) -> Daemon {
    let folder = folder.to_str().unwrap();
    Setup::new()
        .config(config)
        .env("RUNTIME_DIRECTORY", folder)
        .start()
}

fn reload_with(pid: u32, folder: &Path, args: &[&str]) -> Ran {
    let mut reload = command("hacheck");
    reload
        .arg("reload")
        .args(args)
        .env("RUNTIME_DIRECTORY", folder);
    reload
        .env("MAINPID", pid.to_string())
        .output()
        .unwrap()
        .into()
}

fn reload(daemon: &mut Daemon, folder: &Path, config: &str) -> Ran {
    daemon.write_config(config);
    reload_with(daemon.process.child().id(), folder, &[])
}

#[test]
fn a_good_file_is_in_force_when_it_returns_and_a_bad_one_is_a_failure_with_every_fault() {
    let folder = TempDir::new();
    let mut daemon = start("allow_remote_spool_changes: no\n", folder.path());
    reload(
        &mut daemon,
        folder.path(),
        "allow_remote_spool_changes: yes\nremote_spool_tokens: []\n",
    )
    .code_is(0);
    daemon
        .request("POST", "/spool/web/80?status=up", &[])
        .is(200, "");
    let bad = reload(
        &mut daemon,
        folder.path(),
        "cache_time: soon\nlog_level: loud\n",
    );
    bad.is_with(1, "", "hacheck reload: the configuration stays as it was: ");
    assert!(
        bad.err.contains("soon") && bad.err.contains("loud"),
        "{}",
        bad.err
    );
    daemon
        .request("POST", "/spool/web/80?status=up", &[])
        .is(200, "");
    reload(
        &mut daemon,
        folder.path(),
        "tls_verify: true\ntls_ca_file: /nowhere\n",
    )
    .is_with(1, "", "/nowhere");
    reload(&mut daemon, folder.path(), "cache_time: 1\n").is(0, "");
}

#[test]
fn what_does_not_hold_at_once_or_at_all_is_told() {
    let folder = TempDir::new();
    let mut daemon = start("max_connections: 100\n", folder.path());
    let restart = "max_connections has changed; it takes effect at the next restart";
    reload(&mut daemon, folder.path(), "max_connections: 200\n").is_with(0, "", restart);
    let token = "remote_spool_tokens: [/nowhere]\nallow_remote_spool_changes: yes\n";
    reload(&mut daemon, folder.path(), token).is_with(
        1,
        "",
        "the configuration is in force, but not all of it: ",
    );
    let port = daemon.address.port();
    let group = format!(
        "groups: {{node: {{listen: '127.0.0.1:{port}', checks: ['tcp://localhost:1']}}}}\n"
    );
    reload(&mut daemon, folder.path(), &group).is_with(
        1,
        "",
        "group node: hacheck itself listens on",
    );
}

#[test]
fn a_daemon_that_hangs_is_gone_or_tells_nothing_is_a_failure() {
    let folder = TempDir::new();
    let mut daemon = start("", folder.path());
    // It listens before it is ready, which it tells after this.
    wait_until(PATIENCE, "reloads are reported", || {
        folder.file("reload.json").exists()
    });
    let pid = daemon.process.child().id();
    daemon.process.signal(Signal::SIGSTOP);
    let args = ["--timeout", "0.2"];
    reload_with(pid, folder.path(), &args).is_with(1, "", "has not read its configuration in time");
    daemon.process.signal(Signal::SIGCONT);
    // It got the signal, and tells of that; without a folder in common nobody hears it.
    let elsewhere = TempDir::new();
    let unknown = reload_with(pid, elsewhere.path(), &[]);
    unknown.is_with(1, "", "so the outcome is unknown: see its log");
    daemon.wait_for_log("SIGHUP: configuration read from");
    daemon.process.signal(Signal::SIGKILL);
    daemon.process.wait(PATIENCE);
    reload_with(pid, folder.path(), &[]).is_with(1, "", "there is no process");
    let mut without = command("hacheck");
    let ran = Ran::from(
        without
            .arg("reload")
            .env_remove("MAINPID")
            .output()
            .unwrap(),
    );
    ran.is_with(
        2,
        "",
        "name the daemon's process with --pid, or use systemctl reload hacheck",
    );
}

#[test]
fn the_service_manager_shows_why_the_last_reload_failed_until_one_works() {
    let manager = Manager::new();
    let config = manager.spool.outside().join("c.yml");
    fs::write(&config, "").unwrap();
    let path = config.to_str().unwrap();
    let daemon = manager.start(&[], "", &["-p", "0", "-B", "127.0.0.1", "-c", path], &[]);
    manager.wait_for("READY=1");
    fs::write(&config, "cache_time: soon\n").unwrap();
    daemon.signal(Signal::SIGHUP);
    manager.wait_for("RELOADING=1");
    let status = manager.wait_for("READY=1");
    assert!(
        status.contains("STATUS=answering checks; the reload at "),
        "{status}"
    );
    assert!(
        status.contains(" failed: ") && status.contains("'soon'"),
        "{status}"
    );
    fs::write(&config, "").unwrap();
    daemon.signal(Signal::SIGHUP);
    let status = manager.wait_for("READY=1");
    assert!(status.ends_with("STATUS=answering checks\n"), "{status}");
}

#[test]
fn a_reload_that_runs_already_is_not_taken_for_the_one_that_is_asked_for() {
    let folder = TempDir::new();
    let mut daemon = start("cache_time: 1\n", folder.path());
    let report = folder.path().join("reload.json");
    let pid = daemon.process.child().id();
    wait_until(PATIENCE, "the daemon's first report", || report.exists());
    // As if an earlier one hung.
    let running =
        format!(r#"{{"pid":{pid},"begun":7,"ended":6,"is_new":true,"faults":[],"notes":[]}}"#);
    fs::write(&report, running).unwrap();
    let args = ["--timeout", "0.2"];
    reload_with(pid, folder.path(), &args).is_with(1, "", "has not read its configuration in time");
}
