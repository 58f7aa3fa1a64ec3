//! What is said of settings that hide a reason from pollers, or delay what they are told; and of files that stay.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::thread::sleep;
use std::time::Duration;

use crate::support::daemon::{Daemon, Setup};
use crate::support::process::permissions_count;
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, TempDir, run, wait_until};

/// Polls until the daemon takes the poller for established, and once more.
fn poll_steadily(daemon: &Daemon, path: &str) {
    wait_until(PATIENCE, "it is established", || {
        daemon.get(path);
        sleep(Duration::from_millis(250));
        let page = daemon.get("/pollers").json();
        page["pollers"][0]["established"] == true
    });
    // The notes are looked at once a second.
    for _ in 0..8 {
        daemon.get(path);
        sleep(Duration::from_millis(250));
    }
}

const LATE: &str = "set cache_time below its interval";

const HIDDEN: &str = "set healthcheck_timeout below what it waits";

#[test]
fn a_poller_that_asks_more_often_than_results_expire_is_noted_once() {
    let upstream = Upstream::start(|_| Some(http("200 OK", "")));
    let daemon = Daemon::start();
    let path = format!("/http/web/{}/", upstream.port());
    poll_steadily(&daemon, &path);
    poll_steadily(&daemon, &path);
    let log = daemon.log();
    assert!(log.contains("127.0.0.1 polls web every "), "{log}");
    assert_eq!(
        (daemon.logged(LATE), daemon.logged(HIDDEN)),
        (1, 1),
        "{log}"
    );
}

#[test]
fn nothing_is_noted_of_settings_that_fit_nor_of_those_that_ask_for_downtimes_only() {
    let upstream = Upstream::start(|_| Some(http("200 OK", "")));
    let daemon = Daemon::with_config("cache_time: 0\nhealthcheck_timeout: 0.1\n");
    poll_steadily(&daemon, &format!("/http/web/{}/", upstream.port()));
    let other = Daemon::start();
    poll_steadily(&other, "/spool/web/1");
    for daemon in [&daemon, &other] {
        let log = daemon.log();
        assert_eq!(
            (daemon.logged(LATE), daemon.logged(HIDDEN)),
            (0, 0),
            "{log}"
        );
    }
}

#[test]
fn hacheck_config_says_beside_a_key_what_it_delays_or_hides() {
    let folder = TempDir::new();
    let file = folder.path().join("hacheck.yml");
    let shown = |text: &str| {
        fs::write(&file, text).unwrap();
        run("hacheck", &["config", "-c", file.to_str().unwrap()]).out
    };
    let late =
        "cache_time: 10\n# a poller that asks every 2 s is told of a failure up to 10 s late";
    let hidden = "healthcheck_timeout: 10\n# a poller that waits less ";
    let usual = shown("");
    assert!(usual.contains(late) && usual.contains(hidden), "{usual}");
    let slow = shown("pollers: [{user_agent: ELB, interval: 30}]\n");
    assert!(!slow.contains("# a poller that "), "{slow}");
    let short = shown("cache_time: 1\nhealthcheck_timeout: 1.5\n");
    assert!(!short.contains("# a poller that "), "{short}");
}

#[test]
fn the_file_of_a_downtime_that_has_ended_vanishes_though_nobody_polls() {
    let daemon = Daemon::start();
    daemon.run(
        "hadown",
        &["--for", "1s", "-r", "x", "-p", &port(&daemon), "web"],
    );
    assert_eq!(daemon.spool.files(), ["web"]);
    wait_until(PATIENCE, "the file is gone", || {
        daemon.spool.files().is_empty()
    });
    // One that was over before it was written, too.
    daemon
        .spool
        .put("api", r#"{"reason": "x", "expiration": 1}"#);
    wait_until(PATIENCE, "the file is gone", || {
        daemon.spool.files().is_empty()
    });
}

fn port(daemon: &Daemon) -> String {
    daemon.address.port().to_string()
}

#[test]
fn a_daemon_that_may_not_remove_files_says_at_its_start_that_they_stay() {
    let says = "a downtime that has ended counts as up, but its file stays";
    let may = Daemon::start();
    assert!(!may.log().contains(says), "{}", may.log());
    let setup = Setup::new().privileges(&permissions_count());
    let read_only = Permissions::from_mode(0o555);
    fs::set_permissions(setup.spool.root(), read_only).unwrap();
    let may_not = setup.start();
    may_not.wait_for_log(says);
}
