//! A spool that breaks under the daemon: nobody comes back into traffic by accident.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::stat::{Mode, SFlag, mknod};

use crate::support::daemon::{Daemon, Setup};
use crate::support::process::{bound_to_us, permissions_count};
use crate::support::{BINARY, PATIENCE, Ran, Spool, wait_until};

const DOWN: &str = "Service web in down state: old news";

/// A daemon that has read a downtime of `web`, none of `db`, and for which file permissions count.
fn daemon() -> Daemon {
    let setup = Setup::new().privileges(&permissions_count());
    setup.spool.put("web", r#"{"reason": "old news"}"#);
    let daemon = setup.start();
    daemon.get("/spool/web/80").is(503, DOWN);
    daemon.get("/spool/db/80").is(200, "");
    assert_eq!(daemon.status("/spool/readable"), true);
    assert_eq!(
        (
            daemon.metric("hacheck_spool_readable"),
            daemon.metric("hacheck_spool_errors_total")
        ),
        (1.0, 0.0)
    );
    daemon
}

/// Checks that states are held, that the fault is shown everywhere, and that it is logged once, not per request.
#[track_caller]
fn holds(daemon: &Daemon, fault: &str) {
    for _ in 0..20 {
        daemon.get("/spool/web/80").is(503, DOWN);
        daemon.get("/spool/db/80").is(200, "");
    }
    assert_eq!(daemon.status("/spool/readable"), false);
    let error = daemon.status("/spool/error");
    assert!(
        error.as_str().is_some_and(|e| e.contains(fault)),
        "expected {fault:?}, got {error}"
    );
    assert_eq!(daemon.metric("hacheck_spool_readable"), 0.0);
    assert!(daemon.metric("hacheck_spool_errors_total") >= 20.0);
    assert_eq!(
        daemon.logged("every service keeps the state read last"),
        1,
        "{}",
        daemon.log()
    );
    daemon.wait_for_log(fault);
}

#[test]
fn states_are_held_while_the_root_is_gone() {
    let mut daemon = daemon();
    let away = daemon.spool.outside().join("away");
    fs::rename(daemon.spool.root(), &away).unwrap();
    holds(&daemon, "no such file or directory");
    fs::rename(&away, daemon.spool.root()).unwrap();
    daemon.get("/spool/web/80").is(503, DOWN);
    daemon.run("haup", &["web"]).is(0, "");
    daemon.get("/spool/web/80").is(200, "");
    daemon.is_sound();
}

#[test]
fn a_root_that_is_gone_is_shown_before_anybody_asks_for_a_service() {
    let daemon = daemon();
    fs::rename(daemon.spool.root(), daemon.spool.outside().join("away")).unwrap();
    let patience = PATIENCE;
    wait_until(patience, "/status shows it", || {
        daemon.status("/spool/readable") == false
    });
    assert_eq!(daemon.metric("hacheck_spool_readable"), 0.0);
}

#[test]
fn a_root_that_comes_and_goes_never_lets_a_service_up() {
    let daemon = daemon();
    let (root, away) = (daemon.spool.root(), daemon.spool.outside().join("away"));
    let over = AtomicBool::new(false);
    let wrong = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                fs::rename(&root, &away).unwrap();
                fs::rename(&away, &root).unwrap();
            }
        });
        let answers: Vec<_> = (0..3000).map(|_| daemon.get("/spool/web/80")).collect();
        over.store(true, Ordering::Relaxed);
        answers
            .into_iter()
            .filter(|r| r.status != 503 || r.body != DOWN)
            .count()
    });
    assert_eq!(wrong, 0, "answers of 3000 that let the service up");
}

#[test]
fn a_root_that_was_replaced_counts_and_is_told() {
    let daemon = daemon();
    let root = daemon.spool.root();
    fs::rename(&root, daemon.spool.outside().join("away")).unwrap();
    daemon.get("/spool/web/80").is(503, DOWN);
    fs::create_dir(&root).unwrap();
    daemon.get("/spool/web/80").is(200, "");
    daemon.wait_for_log("was replaced by another one, which counts now");
    daemon
        .run("hadown", &["-r", "in the new one", "db"])
        .is(0, "");
    daemon.get("/spool/db/80").says(503, "in the new one");
}

#[test]
fn states_are_held_while_permissions_are_missing() {
    let daemon = daemon();
    let (root, file) = (daemon.spool.root(), daemon.spool.path("web"));
    for path in [&root, &file] {
        let before = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
        for _ in 0..20 {
            daemon.get("/spool/web/80").is(503, DOWN);
        }
        assert_eq!(daemon.status("/spool/readable"), false);
        let error = daemon.status("/spool/error");
        assert!(
            error
                .as_str()
                .is_some_and(|e| e.contains("permission denied")),
            "{error}"
        );
        assert_eq!(daemon.metric("hacheck_spool_readable"), 0.0);
        fs::set_permissions(path, before).unwrap();
    }
    let logged = daemon.logged("permission denied; every service keeps the state read last");
    assert!((1..=3).contains(&logged), "{}", daemon.log());
    daemon.run("haup", &["web"]).is(0, "");
    daemon.get("/spool/web/80").is(200, "");
}

#[test]
fn a_state_is_held_while_its_name_is_a_folder() {
    let daemon = daemon();
    fs::remove_file(daemon.spool.path("web")).unwrap();
    fs::create_dir(daemon.spool.path("web")).unwrap();
    holds(&daemon, "it is a folder, not a file");
    fs::remove_dir(daemon.spool.path("web")).unwrap();
    daemon.get("/spool/web/80").is(200, "");
}

/// Something odd, made at a path.
type Odd = fn(&Path);

const ODD: [(&str, Odd); 9] = [
    ("a folder", |p| fs::create_dir(p).unwrap()),
    ("a FIFO", |p| {
        nix::unistd::mkfifo(p, Mode::from_bits_truncate(0o666)).unwrap();
    }),
    ("a socket", |p| drop(UnixListener::bind(p).unwrap())),
    ("a device", |p| {
        // Who may not make one has a link to one.
        let zero = nix::sys::stat::makedev(1, 5);
        if mknod(p, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), zero).is_err() {
            symlink("/dev/zero", p).unwrap();
        }
    }),
    ("a link to a device", |p| symlink("/dev/zero", p).unwrap()),
    ("a link out of the root", |p| {
        symlink("../config.yaml", p).unwrap();
    }),
    ("a link to nothing", |p| symlink("nothing", p).unwrap()),
    ("a link to itself", |p| symlink("web", p).unwrap()),
    ("a link to the root", |p| symlink(".", p).unwrap()),
];

#[test]
fn whatever_takes_the_place_of_a_downtime_holds_it() {
    let mut daemon = daemon();
    fs::write(daemon.spool.outside().join("config.yaml"), "outside").unwrap();
    let path = daemon.spool.path("web");
    for (what, make) in ODD {
        fs::remove_file(&path).unwrap();
        make(&path);
        for _ in 0..5 {
            let answer = daemon.get("/spool/web/80");
            assert_eq!((answer.status, answer.body.as_str()), (503, DOWN), "{what}");
            daemon.get("/spool/db/80").is(200, "");
        }
        assert_eq!(daemon.status("/spool/readable"), false, "{what}");
        if what == "a folder" {
            fs::remove_dir(&path).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        daemon.spool.put("web", r#"{"reason": "old news"}"#);
        daemon.get("/spool/web/80").is(503, DOWN);
    }
    // A huge file is a downtime like any other; little of it is read.
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    daemon
        .get("/spool/web/80")
        .says(503, "Service web in down state: (spool file over 1 MiB)");
    let memory = daemon.metric("process_resident_memory_bytes");
    assert!(memory < f64::from(200 << 20), "{memory} bytes");
    daemon.run("haup", &["web"]).is(0, "");
    daemon.get("/spool/web/80").is(200, "");
    daemon.is_sound();
}

#[test]
fn an_entry_that_cannot_be_read_is_down_from_the_start_and_hangs_nothing() {
    let mut daemon = Daemon::start();
    let path = |name: &str| daemon.spool.path(name);
    nix::unistd::mkfifo(&path("fifo"), Mode::from_bits_truncate(0o666)).unwrap();
    let _socket = UnixListener::bind(path("socket")).unwrap();
    fs::write(daemon.spool.outside().join("secret"), "a secret").unwrap();
    symlink("../secret", path("out")).unwrap();
    symlink("/dev/zero", path("device")).unwrap();
    symlink("loop", path("loop")).unwrap();
    symlink("nothing", path("broken")).unwrap();
    symlink("fifo", path("tofifo")).unwrap();
    fs::create_dir(path("folder")).unwrap();
    daemon.spool.put("real", "a reason");
    symlink("real", path("inside")).unwrap();
    for name in [
        "fifo", "socket", "out", "device", "loop", "broken", "tofifo", "folder",
    ] {
        let errors = daemon.metric("hacheck_spool_errors_total");
        let answer = daemon.get(&format!("/spool/{name}/80"));
        let told = daemon.run("hastatus", &[name]);
        // A folder or a link to nothing is no entry.
        if matches!(name, "broken" | "folder") {
            answer.is(200, "");
        } else {
            answer.says(503, &format!("the spool entry {name} cannot be read"));
            assert_eq!(told.code, Some(1), "{name}: {told:?}");
        }
        assert!(
            daemon.metric("hacheck_spool_errors_total") > errors,
            "{name} was not told"
        );
    }
    daemon
        .get("/spool/inside/80")
        .is(503, "Service inside in down state: a reason");
    daemon
        .get("/spool/real/80")
        .is(503, "Service real in down state: a reason");
    assert_eq!(daemon.status("/spool/downtimes"), 8);
    daemon.is_sound();
}

/// A shell in which a small file system can be mounted that nobody else sees, if this kernel lets us.
fn in_own_mounts(script: &str, args: &[&Path]) -> Option<Ran> {
    let options = if nix::unistd::geteuid().is_root() {
        "-m"
    } else {
        "-rm"
    };
    let mut command = bound_to_us("unshare", &[]);
    let mounted = "mount -t tmpfs -o size=64k tmpfs \"$1\" || exit 77\n";
    command
        .args([options, "sh", "-c", &format!("{mounted}{script}"), BINARY])
        .args(args);
    let ran = Ran::from(command.output().unwrap());
    // 1 is unshare's own failure; the script says 0 when it got to its end.
    (ran.code == Some(0)).then_some(ran)
}

#[test]
fn hadown_on_a_full_disk_says_so_and_leaves_what_was_there() {
    let spool = Spool::new();
    let root = spool.root();
    // `web` is there before the disk is full, `db` is not.
    let script = "\"$0\" down -r old --spool-root \"$1\" web || exit 78\n\
                  cat /dev/zero > \"$1/filler\" 2>/dev/null\n\
                  \"$0\" down -r new --spool-root \"$1\" web db; echo \"code $?\"\n\
                  rm \"$1/filler\"; cat \"$1/web\"; ls -A \"$1\" | tr '\\n' ' '";
    let Some(ran) = in_own_mounts(script, &[&root]) else {
        // Where mounting is forbidden, a limit on the size of files has to stand for the full disk.
        return hadown_with_a_limit(&spool);
    };
    assert!(
        ran.out.starts_with("code 1\n") && ran.out.contains("\"reason\":\"old\""),
        "{ran:?}"
    );
    assert!(ran.out.ends_with("}web "), "{ran:?}");
    for name in ["web", "db"] {
        let expected = format!(
            "hacheck down: cannot write {}: no space left on device",
            spool.path(name).display()
        );
        assert!(ran.err.contains(&expected), "{ran:?}");
    }
    assert!(
        ran.err
            .contains("what was there is unchanged; make room and try again"),
        "{ran:?}"
    );
}

fn hadown_with_a_limit(spool: &Spool) {
    spool.put("web", "old");
    let limits = "trap '' XFSZ; ulimit -f 0; exec \"$0\" down -r new --spool-root \"$1\" web";
    let mut command = Command::new("sh");
    let ran = Ran::from(
        command
            .args(["-c", limits, BINARY])
            .arg(spool.root())
            .output()
            .unwrap(),
    );
    ran.is_with(1, "", "hacheck down: cannot write");
    assert_eq!(
        (
            spool.files(),
            fs::read_to_string(spool.path("web")).unwrap()
        ),
        (vec!["web".into()], "old".into())
    );
}

#[test]
fn a_spool_change_by_post_on_a_broken_spool_is_told_to_the_caller() {
    let config = "allow_remote_spool_changes: true\n";
    let mut daemon = Setup::new()
        .config(config)
        .privileges(&permissions_count())
        .start();
    fs::set_permissions(daemon.spool.root(), Permissions::from_mode(0o555)).unwrap();
    let change = "/spool/web/80?status=down&reason=why";
    let refused = daemon.request("POST", change, &[("Content-Length", "0")]);
    fs::set_permissions(daemon.spool.root(), Permissions::from_mode(0o755)).unwrap();
    refused.says(500, "permission denied");
    assert_eq!(daemon.spool.files(), [""; 0]);
    daemon
        .request("POST", change, &[("Content-Length", "0")])
        .is(200, "");
    daemon.get("/spool/web/80").says(503, ": why");
    daemon.is_sound();
}
