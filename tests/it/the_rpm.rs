//! The RPM package has what the Debian package has.
//!
//! Waits for the release, as the tests of the Debian package do.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use hacheck::cli::APPLETS;

use crate::support::package::{Chroot, package};
use crate::support::root::{as_root, both, succeed};

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

/// The package, made once of the release that the Debian package was made of.
fn rpm() -> &'static str {
    static PACKAGE: OnceLock<String> = OnceLock::new();
    PACKAGE.get_or_init(build)
}

fn build() -> String {
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
    let (debian, own) = (files_of_deb(), files_of_rpm(rpm));
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
    rpmlint.args(["-c", "packaging/rpm/rpmlint.toml", rpm]);
    let ran = rpmlint.arg("packaging/rpm/hacheck.spec").output();
    let ran = ran.unwrap_or_else(|e| panic!("cannot run rpmlint: {e}; apt-get install rpmlint"));
    let text = both(&ran);
    assert!(
        ran.status.success() && text.contains("0 errors, 0 warnings"),
        "{text}"
    );
}

/// A system of Debian does for one of RPM: the database is RPM's own, and the scripts run in it.
#[test]
fn the_rpm_is_installed_used_and_removed_and_a_downtime_stays() {
    let system = Chroot::new();
    let package = rpm();
    let rpm = |args: &[&str]| {
        // Debian's packages have what this one needs, which RPM's database cannot know.
        let mut rpm = as_root("rpm");
        rpm.arg("--root").arg(system.root()).args(args);
        succeed(&mut rpm)
    };
    rpm(&["--install", "--nodeps", package]);
    assert_eq!(rpm(&["--verify", "--nodeps", "hacheck"]), "");
    let owners = "stat -c '%U:%G %a' /var/spool/hacheck /etc/hacheck/hacheck.yml";
    assert_eq!(
        system.run(owners),
        "root:hacheck-ops 2775\nroot:hacheck 640\n"
    );
    system.run("hacheck config --quiet -c /etc/hacheck/hacheck.yml");
    system.run("hadown -r disk web");
    assert_eq!(
        system.run("hastatus web || test $? = 1"),
        "DOWN\tinf\tweb\tdisk\n"
    );
    rpm(&["--erase", "hacheck"]);
    assert_eq!(system.run("ls /var/spool/hacheck"), "web\n");
    system.run("test ! -e /usr/bin/hacheck && test ! -L /usr/bin/hadown");
}
