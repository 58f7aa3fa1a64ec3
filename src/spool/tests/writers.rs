//! Those who change a downtime: the lock, the files they leave, several at once.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Fixture, because, key};

#[test]
fn down_replaces_the_file_instead_of_writing_into_it() {
    let f = Fixture::new();
    f.put("web", "old");
    let (before, mut old) = (
        fs::metadata(f.path("web")).unwrap().ino(),
        File::open(f.path("web")).unwrap(),
    );
    assert_eq!(
        f.spool
            .down(&key("web"), because("new"))
            .unwrap()
            .map(|d| d.reason),
        Some("old".into())
    );
    assert_ne!(
        fs::metadata(f.path("web")).unwrap().ino(),
        before,
        "the file was written in place"
    );
    assert_eq!(
        std::io::read_to_string(&mut old).unwrap(),
        "old",
        "a reader saw its file change"
    );
    assert_eq!(f.files(), ["web"]);
}

#[test]
fn nothing_is_removed_while_another_writer_holds_the_lock() {
    let f = Fixture::new();
    f.put("web", r#"{"expiration": 1000}"#);
    let lock = File::open(f.spool.root()).unwrap();
    lock.lock().unwrap();
    assert_eq!(
        f.spool.read(&key("web")).unwrap(),
        None,
        "expired is up, even where the file stays"
    );
    assert_eq!(f.files(), ["web"]);
}

#[test]
fn a_writer_waits_for_the_lock() {
    let f = Fixture::new();
    let lock = File::open(f.spool.root()).unwrap();
    lock.lock().unwrap();
    let released = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            f.spool.down(&key("web"), because("r")).unwrap();
            released.load(Ordering::SeqCst)
        });
        // Far fewer looks than fit into the two seconds after which a writer goes on without.
        assert!(
            (0..2000).all(|_| !f.path("web").exists()),
            "written without the lock"
        );
        released.store(true, Ordering::SeqCst);
        drop(lock);
        assert!(
            writer.join().unwrap(),
            "the writer was done before the lock was free"
        );
    });
    assert_eq!(f.files(), ["web"]);
}

#[test]
fn a_lock_that_never_comes_free_does_not_stop_an_operator() {
    let f = Fixture::new();
    let lock = File::open(f.spool.root()).unwrap();
    lock.lock().unwrap();
    f.spool.down(&key("web"), because("r")).unwrap();
    assert_eq!(f.files(), ["web"]);
    assert!(f.spool.up(&key("web")).unwrap());
}

#[test]
fn a_lock_that_was_waited_for_in_vain_is_waited_for_again_once_it_was_free() {
    let f = Fixture::new();
    let is_stuck = || f.spool.lock_is_stuck.load(Ordering::Relaxed);
    let lock = File::open(f.spool.root()).unwrap();
    lock.lock().unwrap();
    f.spool.down(&key("web"), because("r")).unwrap();
    assert!(is_stuck() && f.spool.clone().lock_is_stuck.load(Ordering::Relaxed));
    drop(lock);
    f.spool.down(&key("web"), because("r")).unwrap();
    assert!(!is_stuck());
}

#[test]
fn two_writers_leave_one_whole_file_and_no_other() {
    let f = Fixture::new();
    let reasons = ["a".repeat(5000), "b".repeat(20_000)];
    f.spool.down(&key("web"), because(&reasons[0])).unwrap();
    let done = AtomicBool::new(false);
    let write = &|reason: &str| {
        (0..50).for_each(|_| drop(f.spool.down(&key("web"), because(reason)).unwrap()));
    };
    thread::scope(|scope| {
        let writers = reasons
            .each_ref()
            .map(|reason| scope.spawn(move || write(reason)));
        let reader = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let reason = f
                    .spool
                    .read(&key("web"))
                    .unwrap()
                    .expect("a reader saw no file")
                    .reason;
                assert!(
                    reasons.contains(&reason),
                    "a reader saw a part: {} bytes",
                    reason.len()
                );
            }
        });
        let written: Vec<_> = writers.into_iter().map(|w| w.join().is_ok()).collect();
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap();
        assert_eq!(written, [true, true]);
    });
    assert_eq!(f.files(), ["web"]);
}

#[test]
fn what_killed_writers_left_is_ignored_and_swept() {
    let f = Fixture::new();
    f.put("~hacheck", "half");
    f.put("~hacheck-1-0-0", "half");
    f.put("~hacheck-1-0-1", "being written");
    let old = std::time::UNIX_EPOCH + Duration::from_secs(1000);
    File::options()
        .write(true)
        .open(f.path("~hacheck-1-0-0"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    let listing = f.spool.list().unwrap();
    assert!(
        listing.downtimes.is_empty() && listing.odd.is_empty(),
        "{listing:?}"
    );
    f.gate();
    assert_eq!(
        f.files(),
        ["~hacheck-1-0-1"],
        "only the fresh one of a writer without lock stays"
    );
    f.spool.down(&key("web"), because("r")).unwrap();
    assert_eq!(f.files(), ["web", "~hacheck-1-0-1"]);
}

#[test]
fn a_temporary_file_that_cannot_be_removed_is_walked_around() {
    let f = Fixture::new();
    // A folder stands for a file of another user under the sticky bit, which root could remove.
    fs::create_dir(f.path("~hacheck")).unwrap();
    f.spool.down(&key("web"), because("r")).unwrap();
    assert_eq!(f.files(), ["web", "~hacheck"]);
}
