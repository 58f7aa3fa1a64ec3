//! Files that a process of root writes: a link or a second name that somebody planted leads it nowhere.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use nix::unistd::geteuid;

use crate::support::daemon::Setup;
use crate::support::{PATIENCE, Ran, TempDir, command, wait_until};

/// A user who is not root.
const OTHER: u32 = 65534;

/// A folder of that user's with a file of root's beside it.
struct Planted {
    folder: TempDir,
}

impl Planted {
    fn new() -> Self {
        let planted = Self {
            folder: TempDir::new(),
        };
        fs::write(planted.victim(), "precious").unwrap();
        fs::create_dir(planted.theirs()).unwrap();
        fs::set_permissions(planted.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(planted.theirs(), Some(OTHER), Some(OTHER)).unwrap();
        planted
    }

    fn victim(&self) -> std::path::PathBuf {
        self.folder.path().join("victim")
    }

    fn theirs(&self) -> std::path::PathBuf {
        self.folder.path().join("theirs")
    }

    /// The victim is as it was.
    #[track_caller]
    fn is_unharmed(&self) {
        assert_eq!(fs::read_to_string(self.victim()).unwrap(), "precious");
        assert_eq!(fs::metadata(self.victim()).unwrap().uid(), 0);
    }

    fn heartbeat(&self, pid_file: &Path, log_file: &Path, user: &str) -> Ran {
        let conf = self.folder.path().join("heartbeat.conf");
        let text = format!(
            "[general]\nlogfile = {}\npidfile = {}\nuser = {user}\ngroup = None\n[promotions]\na = true\n[demotions]\na = true\n\
             [web]\naction = a\ntype = tcp\nhostname = 127.0.0.1\nport = 1\n",
            log_file.display(),
            pid_file.display()
        );
        fs::write(&conf, text).unwrap();
        let mut heartbeat = command("heartbeat");
        heartbeat.arg("-c").arg(conf).output().unwrap().into()
    }
}

#[test]
fn heartbeat_follows_no_link_to_its_pid_file_and_gives_nothing_away() {
    if !geteuid().is_root() {
        return;
    }
    let planted = Planted::new();
    let log = planted.theirs().join("log");
    let pid = planted.theirs().join("pid");
    symlink(planted.victim(), &pid).unwrap();
    let ran = planted.heartbeat(&pid, &log, "nobody");
    ran.is_with(1, "", "it is a symbolic link, which root does not follow");
    planted.is_unharmed();
    fs::remove_file(&pid).unwrap();

    fs::hard_link(planted.victim(), &pid).unwrap();
    let ran = planted.heartbeat(&pid, &log, "nobody");
    ran.is_with(1, "", "it is a hard link");
    planted.is_unharmed();
    fs::remove_file(&pid).unwrap();

    nix::unistd::mkfifo(&pid, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let ran = planted.heartbeat(&pid, &log, "nobody");
    ran.is_with(1, "", "it is not a regular file");
    fs::remove_file(&pid).unwrap();

    // A folder on the way that is a link of that user's.
    let way = planted.theirs().join("way");
    symlink(planted.folder.path(), &way).unwrap();
    std::os::unix::fs::lchown(&way, Some(OTHER), Some(OTHER)).unwrap();
    let ran = planted.heartbeat(&way.join("new.pid"), &log, "nobody");
    ran.is_with(1, "", "is a symbolic link of user nobody");
    assert!(!planted.folder.path().join("new.pid").exists());

    // What was there before stays root's.
    fs::write(&pid, "").unwrap();
    planted.heartbeat(&pid, &log, "nobody").code_is(1);
    assert!(!pid.exists() || fs::metadata(&pid).unwrap().uid() == 0);
}

#[test]
fn a_log_of_root_follows_no_link() {
    if !geteuid().is_root() {
        return;
    }
    let planted = Planted::new();
    let link = planted.theirs().join("log");
    symlink(planted.victim(), &link).unwrap();
    let pid = planted.folder.path().join("pid");
    let ran = planted.heartbeat(&pid, &link, "None");
    ran.is_with(1, "", "it is a symbolic link, which root does not follow");
    planted.is_unharmed();

    let config = format!("log_path: {}\n", link.display());
    let mut daemon = Setup::new().config(config).spawn();
    assert_ne!(daemon.process.wait(PATIENCE), 0);
    let log = daemon.log();
    assert!(log.contains("log_path: cannot open"), "{log}");
    assert!(log.contains("it is a symbolic link"), "{log}");
    planted.is_unharmed();
}

#[test]
fn a_log_is_written_where_links_of_root_lead_to_its_folder() {
    let folder = TempDir::new();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let link = folder.path().join("link");
    symlink("logs", &link).unwrap();
    let config = format!("log_path: {}/hacheck.log\n", link.display());
    let _daemon = Setup::new().config(config).spawn();
    let log = folder.path().join("logs/hacheck.log");
    let is_listening = || fs::read_to_string(&log).is_ok_and(|log| log.contains("listening on"));
    wait_until(PATIENCE, "the log is written", is_listening);
}
