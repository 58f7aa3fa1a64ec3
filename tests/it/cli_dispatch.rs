//! One binary, many names.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::mounts;
use crate::support::{BINARY, Ran, Spool, TempDir, copy_binary, run};

const NAMES: &[&str] = &[
    "hacheck",
    "haup",
    "hadown",
    "hastatus",
    "halist",
    "hashowdowned",
];
const SUBCOMMANDS: &[&str] = &[
    "serve", "up", "down", "status", "downed", "list", "probe", "config", "install",
];

#[test]
fn a_link_a_copy_and_a_subcommand_do_the_same() {
    let spool = Spool::new();
    spool.put("web", "why");
    let folder = TempDir::new();
    let (link, copy) = (
        folder.path().join("hastatus"),
        folder.path().join("copy").join("hastatus"),
    );
    fs::create_dir(folder.path().join("copy")).unwrap();
    symlink(BINARY, &link).unwrap();
    copy_binary(&copy);
    for program in [link, copy] {
        let output = Command::new(program)
            .arg("--spool-root")
            .arg(spool.root())
            .arg("web")
            .output();
        Ran::from(output.unwrap()).is(1, "DOWN\tinf\tweb\twhy\n");
    }
    let root = spool.root();
    run(
        "hacheck",
        &["status", "--spool-root", root.to_str().unwrap(), "web"],
    )
    .is(1, "DOWN\tinf\tweb\twhy\n");
}

#[test]
fn only_the_whole_name_counts() {
    for name in ["hadown2", "my-hadown", "HADOWN", ""] {
        run(name, &["frobnicate"]).is_with(2, "", "hacheck: unknown subcommand \"frobnicate\"");
    }
    run("/some/where/hadown", &[]).is_with(2, "", "usage: hadown [options] SERVICE...");
    run("-hadown", &["--version"]).is(0, concat!("hacheck ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn an_unknown_subcommand_gets_the_list_and_the_nearest() {
    let ran = run("hacheck", &["stauts", "web"]);
    ran.is_with(
        2,
        "",
        "hacheck: unknown subcommand \"stauts\"; did you mean status?\n",
    );
    for name in SUBCOMMANDS {
        assert!(
            ran.err.lines().any(|l| l.trim().starts_with(name)),
            "{name} is not in the list: {}",
            ran.err
        );
    }
    run("hacheck", &["hadonw"]).is_with(2, "", "did you mean down?");
}

#[test]
fn the_name_of_a_link_is_a_subcommand_too() {
    run("hacheck", &["hastatus"]).is_with(2, "", "usage: hacheck status [options] SERVICE...");
    let help = run("hacheck", &["help", "hadown"]);
    assert!(help.out.starts_with("usage: hacheck down"), "{help:?}");
}

#[test]
fn options_without_a_subcommand_are_those_of_the_daemon() {
    run("hacheck", &["-c", "f", "-p", "http"]).is_with(2, "", "hacheck: -p: 'http' is not a port");
    run("hacheck", &["-vp", "3333", "stray"]).is_with(2, "", "the daemon takes options only");
    run("hacheck", &["serve", "-n", "x"]).is_with(2, "", "usage: hacheck serve [options]");
    let help = run("hacheck", &["-v", "--help"]);
    assert!(help.out.contains("--bind-address"), "{help:?}");
}

#[test]
fn the_daemon_refuses_values_that_make_no_sense() {
    for (args, part) in [
        (["-p", "65536"], "-p: '65536'"),
        (["--port=0x50", "-v"], "-p: '0x50'"),
        (["-B", "localhost:80"], "-B:"),
        (["-n", "257"], "give 1 to 256"),
        (["-n", "two"], "give 1 to 256"),
        (["--no-such", "1"], "unknown option --no-such"),
    ] {
        run("hacheck", &args).is_with(2, "", part);
    }
}

#[test]
fn help_and_version_come_from_every_name() {
    for name in NAMES
        .iter()
        .map(|n| vec![*n])
        .chain(SUBCOMMANDS.iter().map(|s| vec!["hacheck", *s]))
    {
        for flag in ["-h", "--help"] {
            let ran = run(name[0], &[&name[1..], &[flag]].concat());
            assert_eq!(
                (ran.code, ran.err.as_str()),
                (Some(0), ""),
                "{name:?} {flag}"
            );
            assert!(
                ran.out.starts_with(&format!("usage: {} ", name.join(" "))),
                "{name:?}: {}",
                ran.out
            );
        }
        for flag in ["-V", "--version"] {
            run(name[0], &[&name[1..], &[flag]].concat())
                .is(0, concat!("hacheck ", env!("CARGO_PKG_VERSION"), "\n"));
        }
    }
    run("hacheck", &["version"]).is(0, concat!("hacheck ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn help_lists_every_applet() {
    for args in [["help"], ["--help"], ["-h"]] {
        let out = run("hacheck", &args).out;
        for name in SUBCOMMANDS.iter().chain(&NAMES[1..]) {
            assert!(out.contains(name), "{name} is not in {out}");
        }
    }
    assert_eq!(
        run("hacheck", &["help", "down"]),
        run("hacheck", &["down", "--help"])
    );
}

#[test]
fn help_wins_over_mistakes_and_touches_nothing() {
    let spool = Spool::missing();
    let ran = spool.run("hadown", &["--nonsense", "-P", "http", "web", "--help"]);
    assert_eq!(
        (ran.code, ran.err.as_str(), spool.root().exists()),
        (Some(0), "", false)
    );
}

#[test]
fn a_service_may_be_named_help() {
    let spool = Spool::new();
    spool
        .run(
            "hadown",
            &["-r", "--help", "web", "help", "--", "--version"],
        )
        .is(0, "");
    assert_eq!(spool.files(), ["--version", "help", "web"]);
    assert_eq!(spool.json("help")["reason"], "--help");
}

#[test]
fn arguments_that_are_not_utf_8_are_a_usage_error() {
    use std::os::unix::ffi::OsStrExt as _;
    let spool = Spool::new();
    for name in ["hadown", "hacheck"] {
        let mut command = spool.command(name, &["web"]);
        let ran = Ran::from(
            command
                .arg(std::ffi::OsStr::from_bytes(b"caf\xe9"))
                .output()
                .unwrap(),
        );
        ran.is_with(2, "", "is not UTF-8");
    }
    assert_eq!(spool.files(), [""; 0]);
}

#[test]
fn a_probe_goes_by_the_settings_of_the_daemon_and_says_so() {
    mounts::in_own(|| {
        let spool = Spool::new();
        let root = spool.root();
        let args = [
            "probe",
            "--spool-root",
            root.to_str().unwrap(),
            "tcp",
            "web",
            "1",
        ];
        let probe = || run("hacheck", &args);
        mounts::shell("mount -t tmpfs none /etc", &[]);
        assert!(!probe().err.contains("settings"), "there are none");
        let file = "mkdir /etc/hacheck; echo 'allowed_ports: [80]' >/etc/hacheck/hacheck.yml";
        mounts::shell(file, &[]);
        let ran = probe();
        let says = "the settings are those of /etc/hacheck/hacheck.yml; -c names another";
        assert!(
            ran.out.starts_with("403 ") && ran.err.contains(says),
            "{ran:?}"
        );
    });
}
