//! `hadown` and `haup`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::support::daemon::{Daemon, Setup};
use crate::support::process::permissions_count;
use crate::support::waiting::ended;
use crate::support::{BINARY, Ran, Spool, copy_binary, unix_now as now};

fn expiration(args: &[&str]) -> f64 {
    let spool = Spool::new();
    spool
        .run("hadown", &[&["-r", "x"], args, &["web"]].concat())
        .code_is(0);
    spool.json("web")["expiration"]
        .as_f64()
        .expect("an expiration")
}

#[test]
fn down_and_up_of_services_and_instances_are_silent() {
    let spool = Spool::new();
    spool
        .run(
            "hadown",
            &[
                "-r",
                "why",
                "web",
                "web:8080",
                "web:10.0.0.7:8080",
                "web:::1:80",
                "all",
            ],
        )
        .is(0, "");
    assert_eq!(
        spool.files(),
        ["all", "web", "web:10.0.0.7:8080", "web:8080", "web:::1:80"]
    );
    let json = spool.json("web:8080");
    assert_eq!(
        (&json["reason"], json["expiration"].is_null()),
        (&"why".into(), true),
        "{json}"
    );
    assert!(
        (json["creation"].as_f64().unwrap() - now()).abs() < 60.0,
        "{json}"
    );
    let ran = spool.run("haup", &["web:8080", "never-down", "all", "web:::1:80"]);
    ran.is_with(0, "", "haup: note: never-down was not down\n");
    ran.is_with(
        0,
        "",
        "note: web:8080 is still held by the downtime of web since ",
    );
    assert_eq!(spool.files(), ["web", "web:10.0.0.7:8080"]);
    spool
        .run("haup", &["-P", "8080", "-H", "10.0.0.7", "web"])
        .code_is(0);
    assert_eq!(spool.files(), ["web"]);
}

#[test]
fn a_duration_counts_from_now() {
    let before = now();
    let end = expiration(&["--for", "2h30m"]);
    assert!(
        (before + 9000.0..now() + 9000.0 + 1.0).contains(&end),
        "{end}"
    );
}

#[test]
fn a_time_is_local_unless_marked() {
    assert_eq!(
        expiration(&["--until", "2100-12-01T18:00Z"]),
        4_131_367_200.0
    );
    assert_eq!(
        expiration(&["--until", "2100-12-01T18:00+01:00"]),
        4_131_363_600.0
    );
    assert_eq!(
        expiration(&["--until", "2100-12-01 18:00"]),
        4_131_367_200.0,
        "TZ is UTC here"
    );
    assert_eq!(expiration(&["--until", "2100-12-01"]), 4_131_302_400.0);
    let spool = Spool::new();
    let mut command = spool.command("hadown", &["-r", "x", "--until", "2100-12-01 18:00", "web"]);
    Ran::from(command.env("TZ", "EST5").output().unwrap()).code_is(0);
    assert_eq!(
        spool.json("web")["expiration"].as_f64(),
        Some(4_131_385_200.0),
        "18:00 at UTC-5"
    );
}

#[test]
fn a_time_of_day_lies_within_the_next_day() {
    for time in ["00:00", "12:00", "23:59:59"] {
        let (before, end) = (now(), expiration(&["--until", time]));
        assert!((before..now() + 86_400.0).contains(&end), "{time}: {end}");
    }
}

#[test]
fn a_time_zone_that_is_unknown_is_said_not_guessed() {
    let spool = Spool::new();
    let mut command = spool.command("hadown", &["-r", "x", "--until", "18:00", "web"]);
    let ran = Ran::from(command.env("TZ", "Nowhere/Land").output().unwrap());
    ran.is_with(2, "", "the local time zone is unknown");
    assert_eq!(spool.files(), [""; 0]);
}

#[test]
fn the_reason_is_who_did_it_unless_given() {
    let user = Ran::from(Command::new("id").arg("-un").output().unwrap()).out;
    for (sudo, ssh, args, expected) in [
        (Some("alice"), Some("bob"), &[][..], "alice"),
        (None, Some("bob"), &[], "bob"),
        (Some(""), Some("bob"), &["-r", ""], "bob"),
        (Some(""), Some(""), &[], user.trim()),
        (None, None, &["--reason="], user.trim()),
        (Some("alice"), None, &["-r", "given"], "given"),
    ] {
        let spool = Spool::new();
        let mut command = spool.command("hadown", &[args, &["web"]].concat());
        sudo.map(|name| command.env("SUDO_USER", name));
        ssh.map(|name| command.env("SSH_USER", name));
        Ran::from(command.output().unwrap()).is(0, "");
        assert_eq!(
            spool.json("web")["reason"],
            expected,
            "{sudo:?} {ssh:?} {args:?}"
        );
    }
}

#[test]
fn a_replaced_downtime_is_told_and_so_is_another_end() {
    let spool = Spool::new();
    spool.put(
        "web",
        r#"{"reason": "disk\nswap", "creation": 1000000000.0, "expiration": 4e9}"#,
    );
    let expected = "hadown: note: web was already down since 2001-09-09 01:46:40 +00:00 until 2096-10-02 07:06:40 +00:00, \
                    by ME, for \"disk swap\"; replaced\n";
    let user = Ran::from(Command::new("id").arg("-un").output().unwrap()).out;
    let ran = spool.run("hadown", &["-r", "reboot", "web"]);
    ran.is_with(0, "", &expected.replace("ME", user.trim()));
    let end =
        "note: the downtime of web was to end at 2096-10-02 07:06:40 +00:00, and now never ends\n";
    ran.is_with(0, "", end);
    spool
        .run("hadown", &["-r", "reboot", "-e", "4000000000", "web"])
        .is_with(0, "", "web had no end, and now ends at 2096-10-02 07:06:40");
    spool
        .run("hadown", &["-r", "reboot", "-e", "4000000060", "web"])
        .is_with(
            0,
            "",
            "was to end at 2096-10-02 07:06:40 +00:00, and now ends at 2096-10-02 07:07:40",
        );
    spool
        .run("hadown", &["-r", "reboot", "-e", "4000000060", "web"])
        .is_with(0, "", "is over a year from now");
    spool.put("web", "");
    spool
        .run("hadown", &["-r", "reboot", "web"])
        .is_with(0, "", "without a reason; replaced");
}

#[test]
fn an_end_that_nobody_can_have_meant_is_told_and_written() {
    let spool = Spool::new();
    let in_two_years = (now() + 2.0 * 366.0 * 86400.0).to_string();
    let in_milliseconds = (now() * 1000.0).to_string();
    for (end, says) in [
        ("1", "the expiration is in the past"),
        (&in_two_years, "is over a year from now"),
        (&in_milliseconds, "looks like milliseconds"),
    ] {
        let ran = spool.run("hadown", &["-r", "x", "-e", end, "web"]);
        ran.is_with(0, "", says);
    }
    // Midnight is always over today.
    let ran = spool.run("hadown", &["-r", "x", "--until", "00:00", "mail"]);
    ran.is_with(
        0,
        "",
        "00:00 has passed today, so the downtime ends tomorrow",
    );
}

#[test]
fn a_downtime_says_who_wrote_it_whatever_the_reason() {
    let spool = Spool::new();
    for args in [
        &["web"][..],
        &["-r", "x", "web"],
        &["--soft", "-r", "x", "web"],
    ] {
        let mut command = spool.command("hadown", args);
        Ran::from(command.env("SUDO_USER", "alice").output().unwrap()).code_is(0);
        assert_eq!(spool.json("web")["by"], "alice", "{args:?}");
    }
}

#[test]
fn what_still_holds_is_told_when_a_downtime_is_lifted() {
    let spool = Spool::new();
    spool.run("hadown", &["-r", "new disk", "all"]).is(0, "");
    spool
        .run("hadown", &["--soft", "-r", "slow", "web:8080"])
        .is(0, "");
    spool.run("hadown", &["web"]).is(0, "");
    let ran = spool.run("haup", &["web"]);
    ran.is_with(0, "", "web is still held by the downtime of all since ");
    ran.is_with(0, "", "for \"new disk\"; 'haup all' lifts it\n");
    ran.is_with(
        0,
        "",
        "web is still held in part by the downtime of web:8080 (soft) since ",
    );
    spool
        .run("haup", &["web"])
        .is_with(0, "", "note: web was not down\n");
}

#[test]
fn a_name_that_no_check_can_carry_is_written_and_told() {
    let spool = Spool::new();
    spool.run("hadown", &["-r", "x", "caf\u{e9}"]).is_with(
        0,
        "",
        "note: no check can ask for a service named \"caf\u{e9}\"",
    );
    assert_eq!(spool.files(), ["caf\u{e9}"]);
}

#[test]
fn a_missing_root_is_made_for_its_owner_and_group() {
    let spool = Spool::missing();
    let made = "note: the spool folder ";
    spool
        .run("hadown", &["-r", "x", "web"])
        .is_with(0, "", made);
    let mode = fs::metadata(spool.root()).unwrap().permissions().mode();
    assert_eq!(mode & 0o027, 0, "{mode:o}");
}

#[test]
fn haup_does_not_make_a_folder_that_would_lift_what_a_daemon_holds() {
    let spool = Spool::missing();
    spool
        .run("haup", &["web"])
        .is_with(0, "", "there is no spool folder");
    assert!(!spool.root().exists());
}

#[test]
fn a_missing_parent_is_a_failure() {
    let spool = Spool::missing();
    let root = spool.path("no/such");
    for name in ["hadown", "haup"] {
        let ran = crate::support::run(
            name,
            &["-r", "x", "--spool-root", root.to_str().unwrap(), "web"],
        );
        ran.is_with(1, "", "create the folder above it");
    }
}

#[test]
fn one_service_that_fails_does_not_stop_the_others() {
    let spool = Spool::new();
    fs::create_dir(spool.path("bad")).unwrap();
    spool.put("old", "x");
    let ran = spool.run("hadown", &["-r", "x", "a", "bad", "z"]);
    ran.is_with(
        1,
        "",
        &format!("hadown: cannot write {}", spool.path("bad").display()),
    );
    assert_eq!(spool.files(), ["a", "bad", "old", "z"]);
    let ran = spool.run("haup", &["a", "bad", "z"]);
    ran.is_with(
        1,
        "",
        &format!("haup: cannot remove {}", spool.path("bad").display()),
    );
    assert_eq!(spool.files(), ["bad", "old"]);
}

#[test]
fn a_write_that_fails_leaves_what_was_there() {
    let spool = Spool::new();
    spool.put("web", "old");
    // Files may not grow at all, which is what a full disk looks like.
    let root = spool.root();
    let limits = "trap '' XFSZ; ulimit -f 0; exec \"$0\" down -r new --spool-root \"$1\" web";
    let ran = Ran::from(
        Command::new("sh")
            .args(["-c", limits, BINARY])
            .arg(root)
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
fn without_permission_nothing_changes_and_the_remedy_is_said() {
    let spool = Spool::new();
    spool.put("web", "old");
    fs::set_permissions(spool.root(), fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(spool.path("web"), fs::Permissions::from_mode(0o644)).unwrap();
    for (name, doing) in [("hadown", "cannot write"), ("haup", "cannot remove")] {
        let ran = unprivileged(&spool, name, &["-r", "x", "web"]);
        ran.is_with(1, "", doing);
        assert!(
            ran.err
                .contains("permission denied; run as root, or as a user who may write"),
            "{}",
            ran.err
        );
    }
    fs::set_permissions(spool.root(), fs::Permissions::from_mode(0o575)).unwrap();
    let group = Ran::from(
        Command::new("stat")
            .args(["-c", "%G"])
            .arg(spool.root())
            .output()
            .unwrap(),
    )
    .out;
    let says = format!("run as root, or as a member of the group {}", group.trim());
    unprivileged(&spool, "hadown", &["-r", "x", "web"]).is_with(1, "", &says);
    unprivileged(&spool, "hastatus", &["web"]).is(1, "DOWN\tinf\tweb\told\n");
    unprivileged(&spool, "hashowdowned", &[]).is(0, "DOWN\tinf\tweb\told\n");
    fs::set_permissions(spool.path("web"), fs::Permissions::from_mode(0o000)).unwrap();
    unprivileged(&spool, "hastatus", &["web", "mail"]).is(
        1,
        "DOWN\tinf\tweb\tthe spool entry web cannot be read\nUP\tmail\n",
    );
    let unread = "DOWN\tinf\tweb\tthe spool entry web cannot be read\n";
    unprivileged(&spool, "hashowdowned", &[]).is(0, unread);
    fs::set_permissions(spool.root(), fs::Permissions::from_mode(0o000)).unwrap();
    unprivileged(&spool, "hastatus", &["web"]).is_with(1, "", "permission denied");
    unprivileged(&spool, "hashowdowned", &[]).is_with(1, "", "cannot list");
    fs::set_permissions(spool.root(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(spool.files(), ["web"]);
}

/// Runs a copy of the binary for which permissions count, also where the tests run as root.
fn unprivileged(spool: &Spool, name: &str, args: &[&str]) -> Ran {
    fs::set_permissions(spool.outside(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = spool.outside().join("hacheck");
    if !copy.exists() {
        copy_binary(&copy);
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(copy);
    command
        .arg0(name)
        .arg("--spool-root")
        .arg(spool.root())
        .args(args);
    if nix::unistd::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    command.output().unwrap().into()
}

#[test]
fn a_lock_that_is_held_for_too_long_is_told_once_and_does_not_stop_an_operator() {
    let spool = Spool::new();
    let lock = fs::File::open(spool.root()).unwrap();
    lock.lock().unwrap();
    let child = spool
        .command("hadown", &["-r", "x", "web", "mail", "db"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ran = ended(child);
    let told = "another process has held the lock of";
    ran.is_with(0, "", told);
    // It is told after each wait, so it was waited for once, not for each service.
    assert_eq!(ran.err.matches(told).count(), 1, "{}", ran.err);
    assert_eq!(spool.files(), ["db", "mail", "web"]);
}

#[test]
fn a_link_in_the_spool_is_replaced_not_written_through() {
    let spool = Spool::new();
    let victim = spool.outside().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, spool.path("web")).unwrap();
    let note = "the spool entry web cannot be read\"; replaced";
    spool
        .run("hadown", &["-r", "x", "web"])
        .is_with(0, "", note);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(spool.json("web")["reason"], "x");
}

#[test]
fn everybody_may_read_a_downtime_whatever_the_umask() {
    let spool = Spool::new();
    for umask in ["000", "022", "027", "077", "777"] {
        let script = format!("umask {umask}; exec \"$0\" down -r x --spool-root \"$1\" web");
        let mut down = Command::new("sh");
        down.args(["-c", &script, BINARY]).arg(spool.root());
        Ran::from(down.output().unwrap()).is(0, "");
        let mode = fs::metadata(spool.path("web"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o644, "umask {umask}");
    }
}

#[test]
fn a_downtime_that_the_daemon_cannot_read_is_a_failure_with_its_remedy() {
    let daemon = Setup::new().privileges(&permissions_count()).start();
    let port = daemon.address.port().to_string();
    let mode = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(daemon.spool.root(), mode).unwrap();
    };
    daemon
        .run("hadown", &["-p", &port, "-r", "x", "web"])
        .code_is(0);
    daemon.run("haup", &["-p", &port, "web"]).code_is(0);
    daemon.get("/spool/web/0").is(200, "");
    mode(0o000);
    if !nix::unistd::geteuid().is_root() {
        return mode(0o755);
    }
    let says = "the downtime of web is written, but the hacheck on port";
    for args in [&["web"][..], &["--wait", "--min-pollers", "0", "web"]] {
        let ran = daemon.run("hadown", &[&["-p", &port, "-r", "x"], args].concat());
        ran.is_with(1, "", says);
        assert!(
            ran.err.contains("goes on saying that it is up"),
            "{}",
            ran.err
        );
        assert!(
            ran.err.contains("let its user enter and read"),
            "{}",
            ran.err
        );
    }
    mode(0o755);
    daemon
        .run("hadown", &["-p", &port, "-r", "x", "web"])
        .code_is(0);
    daemon.get("/spool/web/0").says(503, "x");
}

#[test]
fn that_the_daemon_serves_another_spool_is_noted() {
    let (daemon, spool) = (Daemon::start(), Spool::new());
    let port = daemon.address.port().to_string();
    let ran = spool.run("hadown", &["-p", &port, "-r", "x", "web"]);
    let root = daemon.spool.root();
    ran.is_with(0, "", root.to_str().unwrap());
    assert_eq!(spool.files(), ["web"]);
    let ran = spool.run("haup", &["-p", &port, "web"]);
    ran.is_with(0, "", root.to_str().unwrap());
    assert!(
        ran.err.contains("it does not see this change"),
        "{}",
        ran.err
    );
    let ran = spool.run("haroll", &["-p", &port, "web", "--", "true"]);
    ran.is_with(1, "", root.to_str().unwrap());
    assert!(ran.err.contains("nothing was changed"), "{}", ran.err);
}

#[test]
fn haroll_makes_no_spool_folder() {
    let (daemon, spool) = (Daemon::start(), Spool::missing());
    let port = daemon.address.port().to_string();
    spool
        .run("haroll", &["-p", &port, "web", "--", "true"])
        .code_is(1);
    assert!(!spool.root().exists());
}

#[test]
fn the_name_of_the_host_in_capitals_is_a_service_and_noted() {
    let spool = Spool::new();
    spool.run("hadown", &["-r", "x", "ALL"]).is_with(
        0,
        "",
        "note: 'ALL' is a service like any other",
    );
    spool.run("hastatus", &["web"]).is(0, "UP\tweb\n");
    spool
        .run("haup", &["All"])
        .is_with(0, "", "the name for everything on this host is 'all'");
    spool.run("hadown", &["-r", "x", "all"]).is(0, "");
}

#[test]
fn a_folder_that_may_not_be_looked_at_is_no_missing_one() {
    let spool = Spool::new();
    spool.put("web", "old");
    let inner = Spool::new();
    let closed = inner.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let root = closed.join("spool");
    for (name, says) in [
        ("haup", "permission denied"),
        ("hastatus", "may read the spool folder"),
    ] {
        unprivileged(
            &spool,
            name,
            &["--spool-root", root.to_str().unwrap(), "web"],
        )
        .is_with(1, "", says);
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}
