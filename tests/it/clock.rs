//! The wall clock jumps: downtimes end by it, everything that lasts goes by a clock that does not jump.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::daemon::{Daemon, Setup};
use crate::support::upstream::Upstream;
use crate::support::{PATIENCE, wait_until};

const HOUR: i64 = 3600;

/// libfaketime, which gives a process another wall clock and leaves the monotonic one alone.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib")
        .unwrap()
        .flatten()
        .map(|f| f.path().join("faketime/libfaketime.so.1"));
    folders
        .into_iter()
        .find(|p| p.exists())
        .expect("libfaketime is missing: apt-get install libfaketime")
}

/// A daemon whose wall clock is off by what a file says, in seconds.
fn daemon(config: &str) -> (Daemon, PathBuf) {
    let setup = Setup::new().config(config);
    let file = setup.spool.outside().join("clock");
    jump(&file, 0);
    let daemon = setup
        .env("LD_PRELOAD", library().to_str().unwrap())
        .env("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap())
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start();
    (daemon, file)
}

fn jump(file: &Path, seconds: i64) {
    let new = file.with_extension("new");
    fs::write(&new, format!("{seconds:+}\n")).unwrap();
    fs::rename(new, file).unwrap();
}

fn in_one_hour() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now.as_secs() + 3600).to_string()
}

#[test]
fn a_downtime_ends_when_the_wall_clock_says_so() {
    let (mut daemon, clock) = daemon("");
    daemon
        .spool
        .run("hadown", &["-r", "short", "-e", &in_one_hour(), "web"]);
    daemon.spool.run("hadown", &["-r", "long", "other"]);
    daemon.get("/spool/web/0").says(503, "short");
    // A clock that goes back, as after a start without a battery, ends nothing early.
    jump(&clock, -1000 * HOUR);
    daemon.get("/spool/web/0").says(503, "short");
    daemon.get("/spool/other/0").says(503, "long");
    jump(&clock, 2 * HOUR);
    daemon.get("/spool/web/0").is(200, "");
    daemon.get("/spool/other/0").says(503, "long");
    daemon.is_sound();
}

#[test]
fn results_deadlines_and_idle_times_do_not_jump() {
    let upstream = Upstream::answering("fine");
    let hung = Upstream::hung();
    let (mut daemon, clock) =
        daemon("cache_time: 300\nhealthcheck_timeout: 1\nheader_timeout: 300\n");
    let path = format!("/http/web/{}/", upstream.port());
    daemon.get(&path).is(200, "fine");
    for seconds in [1000 * HOUR, -1000 * HOUR, 0] {
        jump(&clock, seconds);
        daemon.get(&path).is(200, "fine");
        daemon
            .get(&format!(
                "/http/web/{}/{}",
                hung.port(),
                seconds + 4_000_000
            ))
            .says(503, "timed out after ");
        let uptime = daemon.status("/uptime").as_f64().unwrap();
        assert!((0.0..300.0).contains(&uptime), "{uptime}");
    }
    assert_eq!(
        upstream.seen().len(),
        1,
        "a jump of the clock ended a stored result"
    );
    daemon.reload("cache_time: 0.2\n", "configuration read from");
    jump(&clock, -5000 * HOUR);
    let asked = upstream.seen().len();
    wait_until(PATIENCE, "a new result is fetched", || {
        daemon.get(&format!("{path}?new"));
        upstream.seen().len() > asked + 2
    });
    daemon.is_sound();
}
