//! The daemon as a container runs it: process 1, a root that cannot be written to, any user, the log on standard output.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::client;
use crate::support::process::Process;
use crate::support::root::as_root;
use crate::support::{BINARY, PATIENCE, Spool, copy_binary, wait_until};

/// A user that has no entry anywhere.
const NOBODY: &str = "54321";

/// The daemon in namespaces of its own, as process 1.
struct Container {
    unshare: Process,
    spool: Spool,
}

impl Container {
    /// `before` is a shell command that runs first as process 1, which then becomes the daemon.
    fn start(before: &str) -> Self {
        Self::with(before, "")
    }

    /// The same, with more in its configuration. In both, `ROOT` is the folder that it sees at the same place.
    fn with(before: &str, config: &str) -> Self {
        let spool = Spool::new();
        let root = spool.outside().display().to_string();
        let [before, config] = [before, config].map(|text| text.replace("ROOT", &root));
        fs::write(
            spool.outside().join("c.yml"),
            format!("log_path: stdout\n{config}"),
        )
        .unwrap();
        // Where the tests run may be closed to others.
        copy_binary(&spool.outside().join("hacheck"));
        let script = format!(
            "mount --bind / /mnt && mount -o remount,ro,bind /mnt && mount --bind {root} /mnt{root} &&
             mount -o remount,ro,bind /mnt{root} && mount -t proc proc /mnt/proc && mount --rbind /dev /mnt/dev && {before}
             exec chroot /mnt setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --no-new-privs \\
                 --bounding-set=-all --inh-caps=-all {root}/hacheck -c {root}/c.yml -B 127.0.0.1 -p 0 --spool-root {root}/spool",
        );
        let mut command = as_root("unshare");
        command.args([
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-ec",
            &script,
        ]);
        let log = File::create(spool.outside().join("log")).unwrap();
        let errors = File::create(spool.outside().join("errors")).unwrap();
        open_to_all(spool.outside());
        let container = Self {
            unshare: Process::spawn(command.stdout(log).stderr(errors)),
            spool,
        };
        wait_until(PATIENCE, "it listens", || {
            assert_eq!(container.read("errors"), "", "on standard error");
            container.read("log").contains("listening on ")
        });
        container
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.spool.outside().join(name)).unwrap()
    }

    /// Lets those end who wait for it.
    fn let_go(&self) {
        File::create(self.spool.outside().join("go")).unwrap();
    }

    fn address(&self) -> std::net::SocketAddr {
        let log = self.read("log");
        log.split_once("listening on ")
            .unwrap()
            .1
            .lines()
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// The daemon's number outside.
    fn daemon(&mut self) -> i32 {
        let mut pid = i32::try_from(self.unshare.child().id()).unwrap();
        // sudo, if any, unshare, and then the daemon.
        while !fs::read_to_string(format!("/proc/{pid}/comm"))
            .unwrap()
            .starts_with("hacheck")
        {
            pid = children(pid).first().expect("unshare has a child").0;
        }
        pid
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // A process that changed its user outlives whoever started it.
        let pid = i32::try_from(self.unshare.child().id()).unwrap();
        for (child, _) in children(pid)
            .into_iter()
            .flat_map(|(child, _)| [vec![(child, String::new())], children(child)].concat())
        {
            let _ = as_root("kill").args(["-KILL", &child.to_string()]).output();
        }
    }
}

/// Number and state of the children of a process.
fn children(parent: i32) -> Vec<(i32, String)> {
    let stat = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (state, rest) = stat.rsplit_once(") ")?.1.split_once(' ')?;
        (rest.split(' ').next()?.parse() == Ok(parent)).then(|| (pid, state.to_owned()))
    };
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(stat)
        .collect()
}

fn open_to_all(folder: &Path) {
    let ran = Command::new("chmod")
        .args(["-R", "a+rX"])
        .arg(folder)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(ran.success());
}

#[test]
fn as_process_1_it_answers_on_a_read_only_root_and_ends_when_told() {
    let mut container = Container::start("");
    let address = container.address();
    client::request(address, "GET", "/spool/web/80", &[]).is(200, "");
    container.spool.put("web", "by hand");
    client::request(address, "GET", "/spool/web/80", &[]).says(503, "by hand");
    // What HEALTHCHECK of the Dockerfile runs; a downtime of everything is none of its business.
    container.spool.put("all", "by hand");
    let port = address.port().to_string();
    let probe = [
        "probe",
        "--spool-root",
        "/nonexistent",
        "http",
        "hacheck",
        &port,
        "/healthz",
    ];
    let ran = Command::new(BINARY).args(probe).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let pid = container.daemon();
    assert!(children(pid).is_empty());
    assert!(
        as_root("kill")
            .arg(pid.to_string())
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        container.unshare.wait(PATIENCE),
        0,
        "{}",
        container.read("errors")
    );
    assert!(container.read("log").contains("stopping"));
}

#[test]
fn as_process_1_it_reaps_what_others_leave_behind() {
    // Processes whose parent is gone, and that end when the daemon is process 1 already.
    let orphan = "until [ -e ROOT/go ]; do sleep 0.05; done";
    let mut container = Container::start(&format!("(({orphan}) & ({orphan}) &)"));
    let pid = container.daemon();
    assert_eq!(children(pid).len(), 2, "the orphans have come to process 1");
    container.let_go();
    wait_until(PATIENCE, "the orphans are reaped", || {
        children(pid).is_empty()
    });
    client::request(container.address(), "GET", "/healthz", &[]).is(200, "ok\n");
}

#[test]
fn as_process_1_it_reaps_what_the_commands_of_checks_leave_behind() {
    // A grandchild in a session of its own survives the command that began it, and dies later.
    let wait = "echo; exec </dev/null >/dev/null 2>&1; until [ -e ROOT/go ]; do sleep 0.05; done";
    let script = format!("{{ setsid sh -c \"{wait}\" & }} | read there");
    let mut container = Container::with("", &format!("exec: {{leave: [sh, -c, '{script}']}}\n"));
    let pid = container.daemon();
    let answer = client::request(container.address(), "GET", "/exec/web/80/leave", &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        !children(pid).is_empty(),
        "the grandchild has come to process 1"
    );
    container.let_go();
    wait_until(PATIENCE, "the grandchild is reaped", || {
        children(pid).is_empty()
    });
}
