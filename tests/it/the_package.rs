//! The Debian package: what is in it, and its life on a fresh Debian system.
//!
//! These tests wait for the release to be built, which takes long. Tests begin in the order of their names: this one
//! lets most others go first.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use hacheck::cli::APPLETS;

use crate::support::package::{Chroot, package};
use crate::support::process::Process;
use crate::support::root::{as_root, both, succeed};
use crate::support::{PATIENCE, TempDir, client, wait_until};

#[test]
fn the_package_has_every_name_as_a_link() {
    let list = succeed(Command::new("dpkg-deb").arg("--contents").arg(package()));
    for (folder, ending) in [
        ("./usr/bin/", ""),
        ("./usr/share/bash-completion/completions/", ""),
        ("./usr/share/fish/vendor_completions.d/", ".fish"),
    ] {
        let target = format!("{ending} -> hacheck{ending}");
        let links = list
            .lines()
            .filter_map(|l| l.split_once(folder)?.1.strip_suffix(target.as_str()));
        let expected: BTreeSet<&str> = APPLETS.iter().filter_map(|a| a.alias).collect();
        assert_eq!(links.collect::<BTreeSet<_>>(), expected, "in {folder}");
    }
    assert!(list.contains("./usr/share/zsh/vendor-completions/_hacheck"));
}

#[test]
fn lintian_finds_no_error_and_no_warning() {
    let mut lintian = Command::new("lintian");
    lintian
        .args([
            "--no-cfg",
            "--allow-root",
            "--display-info",
            "--fail-on",
            "error,warning",
        ])
        .arg(package());
    let ran = lintian
        .output()
        .unwrap_or_else(|e| panic!("cannot run lintian: {e}; apt-get install lintian"));
    let text = both(&ran);
    assert!(
        ran.status.success() && !text.contains("unused-override"),
        "{text}"
    );
}

/// A newer package, whose configuration has changed.
fn newer(folder: &TempDir) -> std::path::PathBuf {
    let (tree, file) = (folder.path().join("tree"), folder.path().join("newer.deb"));
    succeed(as_root("dpkg-deb").arg("-R").arg(package()).arg(&tree));
    let script = "sed -i 's/^Version: .*/Version: 99-1/' DEBIAN/control; echo '# newer' >> etc/hacheck/hacheck.yml";
    succeed(as_root("sh").args(["-ec", script]).current_dir(&tree));
    succeed(as_root("dpkg-deb").arg("-b").arg(&tree).arg(&file));
    succeed(as_root("rm").arg("-rf").arg(&tree));
    file
}

/// The daemon of an installed package, started as its unit does, with what the unit forbids forbidden as far as that
/// goes without systemd: its own user, no capabilities, no new privileges, nothing to write but its log folder.
struct Installed {
    _process: Process,
    address: SocketAddr,
}

impl Installed {
    fn start(chroot: &Chroot, options: &str) -> Self {
        let unit = fs::read_to_string(chroot.root().join("usr/lib/systemd/system/hacheck.service"))
            .unwrap();
        let line = |key: &str| {
            unit.lines()
                .find_map(|l| l.strip_prefix(key))
                .unwrap_or_else(|| panic!("no {key}"))
        };
        let root = chroot.root().display();
        let script = format!(
            "mkdir -p {root}/var/log/hacheck && chroot {root} chown {user}:{group} /var/log/hacheck
             chmod 0750 {root}/var/log/hacheck
             mount --bind {root} {root} && mount --bind {root}/var/log/hacheck {root}/var/log/hacheck
             mount -t proc proc {root}/proc && mount -o remount,ro,bind {root}
             umask {umask}
             # Not exec: what changes its user outlives whoever started it, unlike this shell and all below it.
             chroot {root} setpriv --reuid {user} --regid {group} --groups {groups} --no-new-privs \\
                 --bounding-set=-all --inh-caps=-all sh -ec '{check}; HACHECK_OPTIONS=\"{options}\"; exec {start}' & wait $!",
            user = line("User="),
            group = line("Group="),
            groups = line("SupplementaryGroups="),
            umask = line("UMask="),
            check = line("ExecStartPre="),
            start = line("ExecStart="),
        );
        let output = chroot.root().with_extension("output");
        let mut command = as_root("unshare");
        command
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-ec",
                &script,
            ])
            .env("LC_ALL", "C");
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let log = File::create(&output).unwrap();
        let mut process = Process::spawn(command.stdout(log.try_clone().unwrap()).stderr(log));
        let log = chroot.root().join("var/log/hacheck/hacheck.log");
        let mut address = None;
        wait_until(PATIENCE, "the installed daemon listens", || {
            let text = fs::read_to_string(&output).unwrap() + &succeed_or_empty(&log);
            assert!(process.ended().is_none(), "{text}");
            let rest = text.split_once("listening on ").map(|(_, rest)| rest);
            address = rest.and_then(|r| r.lines().next()?.parse().ok());
            address.is_some()
        });
        fs::remove_file(output).unwrap();
        Self {
            _process: process,
            address: address.unwrap(),
        }
    }

    fn get(&self, path: &str) -> client::Response {
        client::request(self.address, "GET", path, &[])
    }
}

fn succeed_or_empty(log: &Path) -> String {
    let read = as_root("cat").arg(log).output().unwrap();
    String::from_utf8_lossy(&read.stdout).into_owned()
}

#[test]
fn installed_the_daemon_runs_as_its_own_user_and_operators_need_no_root() {
    let chroot = Chroot::new();
    let package = chroot.bring(package());
    chroot.run(&format!("dpkg -i {package} && dpkg --audit"));
    let stat = |path: &str| chroot.run(&format!("stat -c '%a %U:%G' {path}"));
    assert_eq!(stat("/etc/hacheck/hacheck.yml"), "640 root:hacheck\n");
    assert_eq!(stat("/var/spool/hacheck"), "2775 root:hacheck-ops\n");
    for name in APPLETS.iter().filter_map(|a| a.alias) {
        let help = chroot.run(&format!("{name} --help"));
        assert!(!help.is_empty(), "{name}");
    }
    for link in [
        "multi-user.target.wants/hacheck.service",
        "multi-user.target.wants/hacheck-roll-finish.service",
        "sockets.target.wants/hacheck.socket",
    ] {
        chroot.run(&format!("test -L /etc/systemd/system/{link}"));
    }
    chroot.run("useradd -U -G hacheck-ops alice; useradd -U bob");
    let daemon = Installed::start(&chroot, "-B 127.0.0.1 -p 0");
    daemon.get("/spool/web/80").is(200, "");
    // Whatever an operator's umask is.
    chroot
        .run_as("alice", "umask 077; hadown -r disk web")
        .is(0, "");
    daemon.get("/spool/web/80").says(503, "disk");
    chroot
        .run_as("bob", "hadown -r disk mail")
        .is_with(1, "", "permission denied");
    let status = chroot.run_as("bob", "hastatus web");
    // Whoever may ask for a check is told the reason too.
    status.is(1, "DOWN\tinf\tweb\tdisk\n");
    for user in ["alice", "bob"] {
        assert_eq!(
            chroot.run_as(user, "cat /etc/hacheck/hacheck.yml").code,
            Some(1),
            "{user} reads passwords"
        );
    }
    // An expired downtime that the daemon may not remove does no harm.
    chroot.run_as(
        "alice",
        r#"echo "{\"reason\":\"x\",\"expiration\":1,\"creation\":1}" > /var/spool/hacheck/old"#,
    );
    daemon.get("/spool/old/80").is(200, "");
    chroot.run_as("alice", "haup web").is(0, "");
    daemon.get("/spool/web/80").is(200, "");
    assert!(
        daemon
            .get("/metrics")
            .body
            .contains("hacheck_spool_readable 1\n")
    );
    daemon.get("/tcp/self/1").says(503, "refused");
}

#[test]
fn upgrade_removal_purge_and_reinstallation_never_drop_a_downtime() {
    let chroot = Chroot::new();
    let folder = TempDir::new();
    let (first, second) = (chroot.bring(package()), chroot.bring(&newer(&folder)));
    let is_down = |when: &str| {
        let ran = chroot.run_as("root", "hastatus web");
        assert_eq!(
            (ran.code, ran.out.contains("\tkernel")),
            (Some(1), true),
            "{when}: {ran:?}"
        );
    };
    let edited = |when: &str| {
        chroot.run("grep -qx \"cache_time: 3\" /etc/hacheck/hacheck.yml");
        assert_eq!(
            chroot.run("stat -c '%a %U:%G' /etc/hacheck/hacheck.yml"),
            "600 root:root\n",
            "{when}"
        );
    };
    chroot.run(&format!("dpkg -i {first}; hadown -r kernel web"));
    let daemon = Installed::start(&chroot, "-B 127.0.0.1 -p 0");
    chroot.run(
        "echo 'cache_time: 3' >> /etc/hacheck/hacheck.yml; chmod 600 /etc/hacheck/hacheck.yml",
    );
    chroot.run("chgrp root /etc/hacheck/hacheck.yml");

    chroot.run(&format!("dpkg --force-confdef --force-confold -i {second}"));
    edited("after the upgrade");
    is_down("after the upgrade");
    chroot.run("grep -qx '# newer' /etc/hacheck/hacheck.yml.dpkg-dist; hacheck config -c /etc/hacheck/hacheck.yml");
    daemon.get("/spool/web/80").says(503, "kernel");

    chroot.run("dpkg -r hacheck; test ! -e /usr/bin/hacheck; test ! -L /usr/bin/hadown");
    edited("after the removal");
    daemon.get("/spool/web/80").says(503, "kernel");
    chroot.run(&format!("dpkg --force-confdef --force-confold -i {second}"));
    edited("after the reinstallation");
    is_down("after the reinstallation");

    chroot.run("dpkg -P hacheck; test ! -e /etc/hacheck; test ! -e /etc/logrotate.d/hacheck");
    chroot.run("test -z \"$(find /etc/systemd /var/lib/systemd -name '*hacheck*' 2>/dev/null)\"");
    daemon.get("/spool/web/80").says(503, "kernel");
    chroot.run(&format!("dpkg -i {second}"));
    is_down("after the purge");
    drop(daemon);
    chroot
        .run("haup web; dpkg -P hacheck; test ! -e /var/spool/hacheck; test ! -e /var/log/hacheck");
}

/// The numbers of the requests for `/spool/nNUMBER/80` that stand in a log.
fn requests_in(log: &str) -> HashSet<u32> {
    let number = |line: &str| {
        let (_, rest) = line.split_once("GET /spool/n")?;
        rest.split_once("/80 ")?.0.parse().ok()
    };
    log.lines().filter_map(number).collect()
}

#[test]
fn logrotate_loses_no_line_while_requests_are_logged() {
    let chroot = Chroot::new();
    let package = chroot.bring(package());
    chroot
        .run(&format!("dpkg -i {package}; echo 'log_path: /var/log/hacheck/hacheck.log' >> /etc/hacheck/hacheck.yml"));
    let daemon = Installed::start(&chroot, "-B 127.0.0.1 -p 0 --verbose");
    let stop = AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !stop.load(Ordering::Relaxed) {
                daemon.get(&format!("/spool/n{asked}/80")).is(200, "");
                asked += 1;
            }
            asked
        });
        for _ in 0..6 {
            // Each into a file of its own; the packaged file keeps eight.
            chroot.run("logrotate --force /etc/logrotate.d/hacheck");
            let line = "test -s /var/log/hacheck/hacheck.log";
            wait_until(PATIENCE, "the new file is written to", || {
                chroot.command(line).status().unwrap().success()
            });
        }
        stop.store(true, Ordering::Relaxed);
        asking.join().expect("every request was answered")
    });
    let logged = || chroot.run("zcat -f /var/log/hacheck/hacheck.log*");
    wait_until(PATIENCE, "the last line is written", || {
        requests_in(&logged()).contains(&(asked - 1))
    });
    let there = requests_in(&logged());
    let missing: Vec<u32> = (0..asked).filter(|n| !there.contains(n)).collect();
    assert!(
        missing.is_empty(),
        "of {asked} requests {} are not in the log, such as {:?}",
        missing.len(),
        missing.first()
    );
    let files = chroot.run("ls /var/log/hacheck | wc -l");
    assert_eq!(files.trim(), "7", "six rotated files and the current one");
    assert_eq!(
        chroot.run("stat -c %U:%G /var/log/hacheck/hacheck.log"),
        "hacheck:hacheck\n"
    );
}

#[test]
fn the_units_are_right_and_tightly_closed() {
    let folder = TempDir::new();
    let files: Vec<_> = [
        "hacheck.service",
        "hacheck-roll-finish.service",
        "hacheck.socket",
    ]
    .map(|unit| {
        let text = fs::read_to_string(format!("packaging/systemd/{unit}")).unwrap();
        // Where the package is not installed.
        let path = folder.path().join(unit);
        let text = text.replace("/usr/bin/hacheck", crate::support::BINARY);
        let text = text.replace("/usr/bin/haroll", crate::support::BINARY);
        fs::write(&path, text).unwrap();
        path
    })
    .into();
    let analyze = |args: &[&str], files: &[std::path::PathBuf]| {
        let ran = Command::new("systemd-analyze")
            .args(args)
            .args(files)
            .stdin(Stdio::null())
            .output();
        let ran = ran
            .unwrap_or_else(|e| panic!("cannot run systemd-analyze: {e}; apt-get install systemd"));
        assert!(ran.status.success(), "{}", both(&ran));
        both(&ran)
    };
    assert_eq!(analyze(&["verify", "--man=no"], &files), "");
    // The second writes downtimes, and so may do a little more.
    for (unit, threshold) in [(0, "15"), (1, "20")] {
        let threshold = format!("--threshold={threshold}");
        analyze(
            &["security", "--offline=true", "--no-pager", &threshold],
            &files[unit..=unit],
        );
    }
}
