//! Spools on file systems that are full, read-only, or on the network.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::daemon::{Daemon, Setup};
use crate::support::mounts::{in_own, shell};
use crate::support::process::Process;
use crate::support::{PATIENCE, Spool, unix_now, wait_until};

/// A daemon whose spool is a small file system.
fn on_small_disk() -> Daemon {
    let setup = Setup::new().config("allow_remote_spool_changes: yes\n");
    shell(
        "mount -t tmpfs -o size=64k,mode=755 tmpfs \"$1\"",
        &[&setup.spool.root()],
    );
    setup.start()
}

fn down_for(daemon: &Daemon, seconds: f64, service: &str) {
    let end = format!("{:.6}", unix_now() + seconds);
    daemon
        .run("hadown", &["-r", "for a moment", "-e", &end, service])
        .is(0, "");
    daemon
        .get(&format!("/spool/{service}/0"))
        .says(503, "for a moment");
}

/// What must hold while nothing can be written: `web` is down, `soon` ends by itself, no change is made, and all is told.
fn holds(daemon: &Daemon, cause: &str) {
    let post = |change: &str| {
        daemon.request(
            "POST",
            &format!("/spool/db/0?{change}"),
            &[("Content-Length", "0")],
        )
    };
    post("status=down&reason=new").says(500, cause);
    let ran = daemon.run("hadown", &["-r", "new", "db"]);
    assert!(ran.code == Some(1) && ran.err.contains(cause), "{ran:?}");
    daemon.get("/spool/db/0").is(200, "");
    daemon.get("/spool/web/0").says(503, ": old");
    wait_until(PATIENCE, "an ended downtime is over", || {
        daemon.get("/spool/soon/0").status == 200
    });
    daemon.get("/spool/web/0").says(503, ": old");
    assert_eq!(daemon.status("/spool/readable"), true);
}

#[test]
fn on_a_full_disk_downtimes_stay_and_end_and_changes_are_refused() {
    in_own(|| {
        let mut daemon = on_small_disk();
        daemon.run("hadown", &["-r", "old", "web"]).is(0, "");
        down_for(&daemon, 3.0, "soon");
        let filler = daemon.spool.path("filler~");
        shell("cat /dev/zero > \"$1\" 2>/dev/null || :", &[&filler]);
        holds(&daemon, "no space left on device");
        // What is there can be taken away all the same.
        daemon.run("haup", &["web"]).is(0, "");
        daemon.get("/spool/web/0").is(200, "");
        fs::remove_file(filler).unwrap();
        daemon.run("hadown", &["-r", "again", "db"]).is(0, "");
        daemon.get("/spool/db/0").says(503, "again");
        daemon.is_sound();
    });
}

#[test]
fn on_a_read_only_disk_downtimes_stay_and_end_and_changes_are_refused() {
    in_own(|| {
        let mut daemon = on_small_disk();
        daemon.run("hadown", &["-r", "old", "web"]).is(0, "");
        down_for(&daemon, 3.0, "soon");
        let root = daemon.spool.root();
        shell("mount -o remount,ro \"$1\"", &[&root]);
        holds(&daemon, "read-only");
        let ran = daemon.run("haup", &["web"]);
        assert!(
            ran.code == Some(1) && ran.err.contains("read-only"),
            "{ran:?}"
        );
        daemon.get("/spool/web/0").says(503, ": old");
        shell("mount -o remount,rw \"$1\"", &[&root]);
        daemon.run("haup", &["web"]).is(0, "");
        daemon.get("/spool/web/0").is(200, "");
        daemon.is_sound();
    });
}

#[test]
fn a_disk_that_is_unmounted_is_a_replaced_root_and_told() {
    in_own(|| {
        let mut daemon = on_small_disk();
        daemon.run("hadown", &["-r", "old", "web"]).is(0, "");
        daemon.get("/spool/web/0").says(503, ": old");
        shell("umount -l \"$1\"", &[&daemon.spool.root()]);
        daemon.get("/spool/web/0").is(200, "");
        daemon.wait_for_log("was replaced by another one, which counts now");
        daemon.is_sound();
    });
}

/// A folder served through FUSE, which is a file system that may be anywhere, as one of the network is.
fn mirrored(from: &Path, to: &Path) -> Process {
    let mut command = Command::new("bindfs");
    command
        .args(["-f", "--no-allow-other"])
        .args([from, to])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let server = Process::spawn(&mut command);
    let mounted = || {
        fs::read_to_string("/proc/thread-self/mounts")
            .unwrap()
            .contains(to.to_str().unwrap())
    };
    wait_until(PATIENCE, "the folder is mirrored", mounted);
    server
}

#[test]
fn a_spool_on_the_network_is_warned_about_and_held_when_the_server_is_gone() {
    in_own(|| {
        if !Path::new("/dev/fuse").exists() {
            eprintln!("no FUSE here: left out");
            return;
        }
        let setup = Setup::new();
        let behind = Spool::new();
        let mut server = mirrored(&behind.root(), &setup.spool.root());
        let mut daemon = setup.start();
        daemon.wait_for_log("is on a network file system (FUSE), which is not supported");
        daemon.run("hadown", &["-r", "far away", "web"]).is(0, "");
        assert_eq!(behind.files(), ["web"]);
        daemon.get("/spool/web/0").says(503, ": far away");
        daemon.get("/spool/db/0").is(200, "");
        server.child().kill().unwrap();
        server.wait(PATIENCE);
        for _ in 0..20 {
            daemon.get("/spool/web/0").says(503, ": far away");
            daemon.get("/spool/db/0").is(200, "");
        }
        assert_eq!(daemon.status("/spool/readable"), false);
        daemon.is_sound();
    });
}

#[test]
fn a_local_spool_is_not_warned_about() {
    let daemon = Daemon::start();
    daemon.get("/healthz").is(200, "ok\n");
    assert!(
        !daemon.log().contains("network file system"),
        "{}",
        daemon.log()
    );
}
