//! `hacheck install`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::{Ran, TempDir, copy_binary, run};

const ALIASES: &[&str] = &[
    "hadown",
    "halist",
    "haroll",
    "hashowdowned",
    "hastatus",
    "haup",
    "health-checker",
    "heartbeat",
];

fn names(folder: &Path) -> Vec<String> {
    let name = |e: std::io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

fn install(folder: &TempDir, options: &[&str]) -> Ran {
    run(
        "hacheck",
        &[&["install"], options, &[folder.path().to_str().unwrap()]].concat(),
    )
}

#[test]
fn beside_the_binary_the_links_are_relative() {
    let folder = TempDir::new();
    let binary = folder.path().join("hacheck");
    copy_binary(&binary);
    let ran = Ran::from(Command::new(&binary).arg("install").output().unwrap());
    assert_eq!(
        (ran.code, ran.out.lines().count(), ran.err.as_str()),
        (Some(0), ALIASES.len(), ""),
        "{}",
        ran.out
    );
    for alias in ALIASES {
        assert_eq!(
            fs::read_link(folder.path().join(alias)).unwrap(),
            Path::new("hacheck"),
            "{alias}"
        );
        assert!(
            ran.out.contains(&format!("{alias} -> hacheck\n")),
            "{}",
            ran.out
        );
    }
    let help = Command::new(folder.path().join("haup"))
        .arg("--help")
        .output()
        .unwrap();
    assert!(Ran::from(help).out.starts_with("usage: haup "));
}

#[test]
fn elsewhere_the_links_are_absolute_and_a_second_time_changes_nothing() {
    let folder = TempDir::new();
    let first = install(&folder, &[]);
    assert_eq!(
        (first.code, names(folder.path())),
        (Some(0), ALIASES.iter().map(|a| (*a).to_owned()).collect())
    );
    assert!(
        fs::read_link(folder.path().join("haup"))
            .unwrap()
            .is_absolute()
    );
    let second = install(&folder, &[]);
    assert_eq!(second.code, Some(0));
    assert!(
        second.out.lines().all(|l| l.starts_with("already right:")),
        "{}",
        second.out
    );
}

#[test]
fn a_dry_run_says_what_it_would_do() {
    let folder = TempDir::new();
    let ran = install(&folder, &["--dry-run"]);
    assert_eq!((ran.code, names(folder.path()).len()), (Some(0), 0));
    assert!(
        ran.out.lines().all(|l| l.starts_with("would make ")),
        "{}",
        ran.out
    );
}

#[test]
fn foreign_files_stay_unless_forced_and_nothing_else_is_done() {
    let folder = TempDir::new();
    let other = folder.path().join("other-hacheck");
    fs::write(&other, "another program").unwrap();
    symlink(&other, folder.path().join("hadown")).unwrap();
    fs::write(folder.path().join("hastatus"), "mine").unwrap();
    symlink("nowhere", folder.path().join("haup")).unwrap();
    let before = names(folder.path());
    for options in [&[][..], &["--dry-run"]] {
        let ran = install(&folder, options);
        ran.is_with(1, "", "hacheck install: nothing was changed:");
        for name in ["hadown", "hastatus", "haup"] {
            assert!(
                ran.err
                    .contains(&format!("{name} exists and is not a link to this binary")),
                "{}",
                ran.err
            );
        }
        assert_eq!(names(folder.path()), before);
    }
    let ran = install(&folder, &["--force"]);
    assert_eq!(
        (ran.code, ran.out.matches("replaced ").count()),
        (Some(0), 3),
        "{}",
        ran.out
    );
    assert_eq!(
        fs::read_to_string(other).unwrap(),
        "another program",
        "replaced through a link"
    );
    assert_eq!(
        names(folder.path()).len(),
        ALIASES.len() + 1,
        "a temporary link stayed"
    );
}

#[test]
fn a_folder_in_the_way_is_not_even_forced() {
    let folder = TempDir::new();
    fs::create_dir(folder.path().join("haup")).unwrap();
    install(&folder, &["--force"]).is_with(1, "", "is a folder or this binary itself");
    assert_eq!(names(folder.path()), ["haup"]);
}

#[test]
fn a_wrong_folder_is_told() {
    let folder = TempDir::new();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    run("hacheck", &["install", file.to_str().unwrap()]).is_with(1, "", "cannot install into");
    run("hacheck", &["install", "/no/such/folder"]).is_with(
        1,
        "",
        "cannot install into /no/such/folder",
    );
    run("hacheck", &["install", "/a", "/b"]).is_with(2, "", "give one folder at most");
}
