//! The RPM package has what the Debian package has.
//!
//! Waits for the release, as the tests of the Debian package do.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use hacheck::cli::APPLETS;

use crate::support::package::package;
use crate::support::root::{both, succeed};

/// What only one of the two packages has, and why.
const OF_ONE: [(&str, &str); 8] = [
    (
        "/usr/share/doc/hacheck/changelog.gz",
        "Debian's name for it",
    ),
    ("/usr/share/doc/hacheck/CHANGELOG.md", "the same"),
    ("/usr/share/doc/hacheck/changelog.Debian.gz", "Debian's own"),
    ("/usr/share/doc/hacheck/copyright", "Debian's own"),
    ("/usr/share/licenses/hacheck/LICENSE.txt", "RPM's own"),
    ("/usr/share/lintian/overrides/hacheck", "Debian's own"),
    (
        "/usr/share/zsh/vendor-completions/_hacheck",
        "Debian's folder for packages",
    ),
    (
        "/usr/share/zsh/site-functions/_hacheck",
        "the folder of zsh itself",
    ),
];

/// The package, made of the release that the Debian package was made of.
fn rpm() -> String {
    package();
    let mut build = Command::new("packaging/build-rpm");
    let ran = build.arg("--no-build").output().unwrap();
    let text = both(&ran);
    assert!(
        ran.status.success(),
        "packaging/build-rpm: {text}\nwithout rpmbuild: apt-get install rpm"
    );
    let path = text.lines().last().expect("the path of the package");
    assert!(Path::new(path).is_file(), "build-rpm made no {path}");
    path.to_owned()
}

/// All files and links of the Debian package; no folders.
fn files_of_deb() -> BTreeSet<String> {
    let list = succeed(Command::new("dpkg-deb").arg("--contents").arg(package()));
    let files = list.lines().filter(|line| !line.starts_with('d'));
    let paths = files.filter_map(|line| line.split_whitespace().nth(5));
    paths
        .filter_map(|path| path.strip_prefix('.').map(str::to_owned))
        .collect()
}

fn files_of_rpm(rpm: &str) -> BTreeSet<String> {
    let format = "[%{FILEMODES:perms} %{FILENAMES}\\n]";
    let list = succeed(Command::new("rpm").args(["-qp", "--qf", format, rpm]));
    let files = list.lines().filter(|line| !line.starts_with('d'));
    files
        .filter_map(|line| Some(line.split_once(' ')?.1.to_owned()))
        .collect()
}

#[test]
fn the_rpm_has_the_files_of_the_debian_package_and_rpmlint_has_no_complaint() {
    let rpm = rpm();
    let (debian, own) = (files_of_deb(), files_of_rpm(&rpm));
    let differing: Vec<&String> = debian
        .symmetric_difference(&own)
        .filter(|path| !OF_ONE.iter().any(|(of_one, _)| path == of_one))
        .collect();
    assert!(differing.is_empty(), "in one package only: {differing:?}");
    for name in APPLETS.iter().filter_map(|a| a.alias) {
        let page = format!("/usr/share/man/man8/{name}.8.gz");
        assert!(own.contains(&page), "no {page}");
    }

    let mut rpmlint = Command::new("rpmlint");
    rpmlint.args(["-c", "packaging/rpm/rpmlint.toml", &rpm]);
    let ran = rpmlint.arg("packaging/rpm/hacheck.spec").output();
    let ran = ran.unwrap_or_else(|e| panic!("cannot run rpmlint: {e}; apt-get install rpmlint"));
    let text = both(&ran);
    assert!(
        ran.status.success() && text.contains("0 errors, 0 warnings"),
        "{text}"
    );
}
