//! `heartbeat`, from outside: its files, its actions, its life in the background.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::server::free_port;
use crate::support::upstream::{Upstream, http};
use crate::support::{PATIENCE, Ran, TempDir, command, wait_until};

/// A folder with a heartbeat.conf; a heartbeat in the background is killed when this is dropped.
pub struct Stage {
    pub folder: TempDir,
}

impl Stage {
    pub fn new() -> Self {
        Self {
            folder: TempDir::new(),
        }
    }

    /// `general` and the rest, with actions that note what they are.
    pub fn conf(&self, general: &str, rest: &str) {
        let (script, actions) = (self.folder.file("note.sh"), self.folder.file("actions"));
        fs::write(&script, "eval \"echo $1\" >> \"$2\"\n").unwrap();
        let note = |word: &str| {
            let (script, actions) = (script.display(), actions.display());
            format!("/bin/sh {script} {word} {actions}")
        };
        let text = format!(
            "[general]\nloglevel = debug\nlogfile = heartbeat.log\npidfile = heartbeat.pid\nuser = None\ngroup = None\n\
             threads = 1\ninterval = 1\n{general}\n[promotions]\nnginx = {}\n[demotions]\nnginx = {}\n{rest}",
            note("up"),
            note("down")
        );
        fs::write(self.folder.file("heartbeat.conf"), text).unwrap();
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        command("heartbeat")
            .args(["-c", "heartbeat.conf"])
            .args(args)
            .current_dir(self.folder.path())
            .output()
            .unwrap()
            .into()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.file(name)).unwrap_or_default()
    }

    pub fn actions(&self) -> Vec<String> {
        self.read("actions").lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn wait_for_actions(&self, expected: &[&str]) {
        wait_until(PATIENCE, &format!("the actions {expected:?}"), || {
            self.actions() == expected
        });
    }

    /// Waits until so many more checks have failed.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str, times: usize) {
        wait_until(PATIENCE, &format!("{text:?} in the log"), || {
            self.read("heartbeat.log").matches(text).count() >= times
        });
    }

    fn pid(&self) -> Option<Pid> {
        self.read("heartbeat.pid")
            .trim()
            .parse()
            .ok()
            .map(Pid::from_raw)
    }

    /// Starts it in the background and waits until it has written its number.
    #[track_caller]
    pub fn start(&self) -> Pid {
        let before = self.pid();
        self.run(&["-d"]).is(0, "");
        let mut found = None;
        wait_until(PATIENCE, "the pid file", || {
            found = self
                .pid()
                .filter(|pid| Some(*pid) != before && kill(*pid, None).is_ok());
            found.is_some()
        });
        found.unwrap()
    }

    #[track_caller]
    fn stop(&self, pid: Pid, signal: Signal) {
        kill(pid, signal).unwrap();
        let stat = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        wait_until(PATIENCE, "it ended", || {
            stat().is_empty() || stat().contains(") Z ")
        });
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

fn tcp(port: u16) -> String {
    format!("[DEFAULT]\ntype = tcp\nhostname = localhost\naction = nginx\n[ssh]\nport = {port}\n")
}

/// The example of the original's own documentation, with a port of ours.
#[test]
fn the_documented_example_runs_once_and_tells_by_its_exit_code() {
    let stage = Stage::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let flag = stage.folder.file("health.html");
    let text = format!(
        "# heartbeat.conf - Configuration file for Heartbeat.\n#\n\n################\n# General configuration.\n\n\
         [general]\nloglevel = info\nlogfile = heartbeat.log\npidfile = heartbeat.pid\nuser = None\ngroup = None\nthreads = 1\n\
         interval = 60\ndaemonize = no\n\n[promotions]\nsentinel = touch {0}\n\n[demotions]\nsentinel = rm -f {0}\n\n\
         [DEFAULT]\naction = sentinel\nhostname = localhost\npath = /\nport = 8080\ntimeout = 5\ntype = tcp\n\n[ssh]\nport = {1}\n",
        flag.display(),
        listener.local_addr().unwrap().port()
    );
    fs::write(stage.folder.file("heartbeat.conf"), text).unwrap();
    stage.run(&[]).is(0, "");
    assert!(flag.exists() && !stage.folder.file("heartbeat.pid").exists());
    drop(listener);
    stage.run(&[]).is(1, "");
    assert!(!flag.exists());
    let log = stage.read("heartbeat.log");
    let first = log.lines().next().unwrap();
    let (time, rest) = first.split_at(19);
    assert!(
        time.as_bytes()[4] == b'-' && time.as_bytes()[13] == b':',
        "{first}"
    );
    assert!(
        rest.starts_with(" INFO     Heartbeat started (") && rest.ends_with("Mode: Run Once."),
        "{first}"
    );
    assert!(log.contains(
        " WARNING  heartbeat is now DOWN: group heartbeat: 0 of 1 checks passed, 1 must; failed: ssh tcp://"
    ));
}

#[test]
fn http_checks_defaults_interpolation_and_continuation_work() {
    let upstream = Upstream::start(|head| {
        Some(if head.starts_with("GET /app/login ") {
            http("200 OK", "")
        } else {
            http("500 Internal Server Error", "")
        })
    });
    let stage = Stage::new();
    let port = upstream.port();
    let web = |path: &str| {
        format!(
            "[DEFAULT]\nBASE = /app\naction = nginx\ntimeout = 9\n[webapp]\nTYPE: HTTP\nhostname = 127.0.0.1 ; here\nport = {port}\npath = {path}\n"
        )
    };
    stage.conf("daemonize = off", &web("%(base)s/login"));
    assert_eq!(stage.run(&[]).code, Some(0));
    stage.conf("daemonize = off", &web("%(base)s/other"));
    assert_eq!(stage.run(&[]).code, Some(1));
    assert_eq!(stage.actions(), ["up", "down"]);
}

#[test]
fn an_action_has_the_environment_that_heartbeat_was_started_with() {
    let stage = Stage::new();
    let port = free_port();
    stage.conf("", &tcp(port));
    let conf = stage.read("heartbeat.conf");
    let conf = conf.replace("note.sh down", "note.sh $SITE_TOKEN");
    fs::write(stage.folder.file("heartbeat.conf"), conf).unwrap();
    let ran = command("heartbeat")
        .args(["-c", "heartbeat.conf"])
        .current_dir(stage.folder.path())
        .env("SITE_TOKEN", "t0ken")
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert_eq!(stage.actions(), ["t0ken"]);
}

#[test]
fn every_action_that_a_check_names_runs_and_no_other() {
    let stage = Stage::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let touch = |name: &str| format!("touch {}", stage.folder.file(name).display());
    let text = format!(
        "[general]\n[promotions]\na = {}\nb = {}\n  \nc = {}\n[demotions]\na = true\nb = true\nc = true\n\
         [DEFAULT]\ntype = tcp\nhostname = localhost\nport = {port}\n[one]\naction = a\n[two]\naction = B\n[three]\naction = a\n",
        touch("a"),
        touch("b"),
        touch("c")
    );
    fs::write(stage.folder.file("heartbeat.conf"), text).unwrap();
    stage.run(&[]).is(0, "");
    assert!(
        stage.folder.file("a").exists()
            && stage.folder.file("b").exists()
            && !stage.folder.file("c").exists()
    );
}

#[test]
fn bad_files_are_refused_with_every_fault_and_its_line() {
    let stage = Stage::new();
    for (text, faults) in [
        ("", &["1: there is no section [general]; add it"][..]),
        (
            "[general]\n",
            &["1: there is no check; add a section such as [web] with type, hostname and port"],
        ),
        (
            "[general]\nnonsense\n",
            &["2: 'nonsense' is neither [section] nor name = value"],
        ),
        (
            "x = 1\n[general]\n",
            &["1: stands before the first [section]; put it into one"],
        ),
        (
            "[general]\ninterval = soon\ndaemonize = maybe\n[web]\ntype = ftp\nport = 70000\ntimeout = 0\naction = x\n",
            &[
                "2: [general] interval: 'soon' is not valid; write a whole number from 1 to 1000000",
                "3: [general] daemonize: 'maybe' is not valid; write yes or no",
                "4: [web] has no hostname; add it here or to [DEFAULT]",
                "5: [web] type: 'ftp' is not valid; write http, https or tcp",
                "6: [web] port: '70000' is not valid; write a number from 1 to 65535",
                "7: [web] timeout: '0' is not valid; write a whole number of seconds, 1 at least",
                "8: action 'x' is not in [promotions]; add it there, or correct the name",
                "8: action 'x' is not in [demotions]; add it there, or correct the name",
            ],
        ),
        (
            "[general]\n[promotions]\na = b 'c\n[demotions]\na =\n[web]\ntype = tcp\nhostname = %(nope)s\nport = 1\naction = a\n",
            &[
                "5: [demotions] a: '' names no program; write a command",
                "8: [web] hostname: %(nope)s names an option that is not there",
            ],
        ),
        (
            "[general]\n[web]\ntype = tcp\nhostname = h\nport = 1\n",
            &["2: [web] has no action; name one of [promotions] and [demotions]"],
        ),
    ] {
        fs::write(stage.folder.file("heartbeat.conf"), text).unwrap();
        let ran = stage.run(&[]);
        let expected: String = faults
            .iter()
            .map(|f| format!("heartbeat: heartbeat.conf:{f}\n"))
            .collect();
        assert_eq!(
            (ran.code, ran.err.as_str()),
            (Some(1), expected.as_str()),
            "{text}"
        );
    }
    let ran = Ran::from(
        command("heartbeat")
            .args(["-c", "/nonexistent"])
            .output()
            .unwrap(),
    );
    ran.is_with(1, "", "cannot read /nonexistent: ");
}

#[test]
fn in_the_background_actions_run_once_per_change_and_not_at_every_check() {
    let stage = Stage::new();
    let port = free_port();
    stage.conf("daemonize = yes\nrise = 1\nfall = 2", &tcp(port));
    stage.run(&[]).is(0, "");
    stage.wait_for_actions(&["down"]);
    let failed = "0 of 1 checks passed";
    let seen = stage.read("heartbeat.log").matches(failed).count();
    stage.wait_for_log(failed, seen + 2);
    stage.wait_for_actions(&["down"]);
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    stage.wait_for_actions(&["down", "up"]);
    drop(listener);
    stage.wait_for_actions(&["down", "up", "down"]);
    let pid = stage.pid().unwrap();
    stage.stop(pid, Signal::SIGTERM);
    assert!(!stage.folder.file("heartbeat.pid").exists());
    stage.wait_for_log("Heartbeat stopped.", 1);
}

#[test]
fn with_repeat_actions_run_at_every_check() {
    let stage = Stage::new();
    stage.conf("repeat = yes", &tcp(free_port()));
    stage.start();
    stage.wait_for_actions(&["down", "down", "down"]);
}

#[test]
fn a_second_instance_names_the_first_and_a_stale_pid_file_is_taken_over() {
    let stage = Stage::new();
    stage.conf("", &tcp(free_port()));
    fs::write(stage.folder.file("heartbeat.pid"), "999999999\n").unwrap();
    let first = stage.start();
    let second = stage.run(&[]);
    second.is_with(
        1,
        "",
        &format!("heartbeat: heartbeat is already running with pid {first} ("),
    );
    assert_eq!(
        stage.pid(),
        Some(first),
        "the second instance touched the pid file"
    );
    stage.wait_for_actions(&["down"]);
    stage.stop(first, Signal::SIGKILL);
    assert_eq!(stage.pid(), Some(first));
    let third = stage.start();
    assert_ne!(first, third);
    stage.wait_for_actions(&["down", "down"]);
}

#[test]
fn it_leaves_its_terminal_and_keeps_its_folder() {
    let stage = Stage::new();
    stage.conf("", &tcp(free_port()));
    let pid = stage.start();
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).unwrap();
    assert_eq!(link("cwd"), stage.folder.path().canonicalize().unwrap());
    for fd in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(link(fd), PathBuf::from("/dev/null"), "{fd}");
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session: i32 = stat
        .rsplit_once(") ")
        .unwrap()
        .1
        .split(' ')
        .nth(3)
        .unwrap()
        .parse()
        .unwrap();
    assert_ne!(session, nix::unistd::getsid(None).unwrap().as_raw());
}

#[test]
fn privileges_are_dropped_for_good_before_any_check() {
    let stage = Stage::new();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(stage.folder.path(), mode).unwrap();
    stage.conf("", &tcp(free_port()));
    let text = stage
        .read("heartbeat.conf")
        .replace("user = None", "user = nobody");
    fs::write(stage.folder.file("heartbeat.conf"), text).unwrap();
    if !nix::unistd::geteuid().is_root() {
        stage
            .run(&["-d"])
            .is_with(1, "", "start as root, or set user and group to None");
        return;
    }
    let pid = stage.start();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let ids = |name: &str| -> Vec<u32> {
        let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap();
        line.split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect()
    };
    assert_eq!(ids("Uid:"), [nobody.uid.as_raw(); 4]);
    assert_eq!(ids("Gid:"), [nobody.gid.as_raw(); 4]);
    assert_eq!(ids("Groups:"), [nobody.gid.as_raw()]);
    for set in ["CapPrm:", "CapEff:"] {
        assert!(
            status
                .lines()
                .any(|l| l.starts_with(set) && l.ends_with("\t0000000000000000")),
            "{set} {status}"
        );
    }
    stage.wait_for_actions(&["down"]);
    let owner = |name: &str| {
        std::os::unix::fs::MetadataExt::uid(&fs::metadata(stage.folder.file(name)).unwrap())
    };
    for name in ["heartbeat.log", "heartbeat.pid", "actions"] {
        assert_eq!(owner(name), nobody.uid.as_raw(), "{name}");
    }
    let text = stage
        .read("heartbeat.conf")
        .replace("user = nobody", "user = no-such-user");
    fs::write(stage.folder.file("heartbeat.conf"), text).unwrap();
    stage
        .run(&[])
        .is_with(1, "", "there is no user no-such-user");
}
