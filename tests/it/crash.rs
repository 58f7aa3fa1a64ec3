//! Operators' commands that are killed at any moment.

use std::fs;
use std::io::ErrorKind;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::daemon::{Daemon, Setup};
use crate::support::random::Random;
use crate::support::upstream::Upstream;
use crate::support::{PATIENCE, Spool, client, wait_until};

const WRITERS: usize = 8;
const CALLS: usize = 125;
const KEYS: [&str; 3] = ["web", "web:80", "db"];

/// Long enough that a half of it could not pass for the whole.
fn reason(writer: usize) -> String {
    format!("{}.", format!("writer {writer} ").repeat(1000))
}

/// What became of the calls.
#[derive(Default)]
struct Tally {
    done: AtomicUsize,
    killed: AtomicUsize,
}

/// Calls `hadown` and `haup` by turns, and kills most of them at a random moment of the time that such a call takes.
fn write_and_die(spool: &Spool, writer: usize, tally: &Tally) {
    let mut random = Random::new(writer as u64 + 1);
    let reason = reason(writer);
    let mut usual = Duration::from_millis(3);
    for _ in 0..CALLS {
        let key = *random.pick(&KEYS);
        let down = random.below(3) > 0;
        let (name, args): (_, &[&str]) = if down {
            ("hadown", &["-r", &reason, key])
        } else {
            ("haup", &[key])
        };
        let begun = Instant::now();
        let mut child = spool
            .command(name, args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if random.below(8) > 0 {
            // The moment is what is tried here, not waited for.
            thread::sleep(usual.mul_f64(random.below(1000) as f64 / 1000.0));
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        match status.code() {
            Some(0) => {
                tally.done.fetch_add(1, Ordering::Relaxed);
                usual = begun.elapsed().min(Duration::from_millis(50));
            }
            None => {
                tally.killed.fetch_add(1, Ordering::Relaxed);
            }
            Some(code) => panic!("{name} {key} ended with {code}"),
        }
    }
}

/// Reads what is in a file now: nothing, or one writer's whole downtime.
fn look_at_file(spool: &Spool, key: &str, reasons: &[String]) -> bool {
    let content = match fs::read(spool.path(key)) {
        Err(e) if e.kind() == ErrorKind::NotFound => return false,
        content => content.unwrap(),
    };
    let json: serde_json::Value = serde_json::from_slice(&content).unwrap_or_else(|e| {
        panic!(
            "{key} is not whole: {e}: {:?}",
            String::from_utf8_lossy(&content)
        )
    });
    let object = json.as_object().unwrap_or_else(|| panic!("{key}: {json}"));
    assert!(
        reasons.iter().any(|r| object["reason"] == r.as_str()),
        "{key}: a reason nobody gave: {json}"
    );
    assert!(
        object["creation"].is_f64() && object["expiration"].is_null(),
        "{key}: {json}"
    );
    true
}

fn ask_daemon(daemon: &Daemon, reasons: &[String]) {
    let response = daemon.get("/spool/web/80");
    let whole = match response.status {
        200 => response.body.is_empty(),
        503 => response
            .body
            .split_once(": ")
            .is_some_and(|(head, reason)| {
                head.starts_with("Service web in down state since ")
                    && reasons.iter().any(|r| r == reason)
            }),
        _ => false,
    };
    assert!(whole, "{response:?}");
}

#[test]
fn killed_writers_leave_whole_files_and_nothing_in_the_way() {
    let mut daemon = Daemon::start();
    let (spool, tally) = (&daemon.spool, Tally::default());
    let reasons: Vec<String> = (0..WRITERS).map(reason).collect();
    let over = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !over.load(Ordering::Relaxed) {
                seen += KEYS
                    .iter()
                    .filter(|key| look_at_file(spool, key, &reasons))
                    .count();
                ask_daemon(&daemon, &reasons);
            }
            seen
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|w| {
                scope.spawn({
                    let tally = &tally;
                    move || write_and_die(spool, w, tally)
                })
            })
            .collect();
        let ended: Vec<_> = writers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        over.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok), "a writer failed");
        reader.join().unwrap()
    });
    let (done, killed) = (tally.done.into_inner(), tally.killed.into_inner());
    assert_eq!(done + killed, WRITERS * CALLS);
    assert!(
        done > 50 && killed > 200 && seen > 0,
        "{done} done, {killed} killed, {seen} downtimes seen"
    );

    // A lock in the way would cost two seconds and a warning.
    let left = daemon.spool.files();
    let lifted = daemon.run("haup", &KEYS);
    assert_eq!(lifted.code, Some(0), "{lifted:?}");
    // Which were down when the last writer was killed is chance.
    for line in lifted.err.lines() {
        assert!(line.ends_with(" was not down"), "{line}");
    }
    daemon
        .run("hadown", &[&["-r", "after"][..], &KEYS].concat())
        .is(0, "");
    assert_eq!(
        daemon.spool.files(),
        ["db", "web", "web:80"],
        "left before: {left:?}"
    );
    daemon.get("/spool/web/80").says(503, ": after");
    assert_eq!(daemon.status("/spool/errors"), 0);
    daemon.is_sound();
}

#[test]
fn a_killed_daemon_is_followed_by_one_that_says_the_same() {
    let hung = Upstream::hung();
    let mut spool = Daemon::start().spool;
    for round in 0..20 {
        let mut setup =
            Setup::new().config("allow_remote_spool_changes: yes\nhealthcheck_timeout: 300\n");
        setup.spool = spool;
        let mut daemon = setup.start();
        if round > 0 {
            daemon
                .get("/spool/web/0")
                .says(503, &format!(": round {}.", round - 1));
        }
        // It dies with checks under way, and changes of which some may not have been answered.
        let checks: Vec<_> = (0..10)
            .map(|i| {
                client::send(
                    daemon.address,
                    "GET",
                    &format!("/http/db/{}/{i}", hung.port()),
                    &[],
                )
            })
            .collect();
        assert_eq!(
            daemon
                .run("hadown", &["-r", &format!("round {round}."), "web"])
                .code,
            Some(0)
        );
        let path = |i: usize| format!("/spool/other-{round}-{i}/0?status=down&reason=all+of+it.");
        let changes: Vec<_> = (0..10)
            .map(|i| client::send(daemon.address, "POST", &path(i), &[]))
            .collect();
        let made = || {
            daemon
                .spool
                .files()
                .iter()
                .filter(|n| n.starts_with(&format!("other-{round}-")))
                .count()
        };
        wait_until(PATIENCE, "some changes are made", || made() >= round % 10);
        daemon.process.signal(Signal::SIGKILL);
        assert_eq!(daemon.process.wait(PATIENCE), -9);
        drop((checks, changes));
        spool = std::mem::replace(&mut daemon.spool, Spool::new());
        for name in spool
            .files()
            .iter()
            .filter(|n| n.starts_with("other") && !n.contains('~'))
        {
            assert_eq!(spool.json(name)["reason"], "all of it.", "{name}");
        }
    }
}
