//! `tests/run`, with a cargo and a build of the package that only pretend.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::process::find;
use crate::support::{PATIENCE, Ran, TempDir, wait_until, write_program};

/// The script in a folder of its own.
fn stage(cargo: &str, build: &str) -> TempDir {
    let folder = TempDir::new();
    let script = |path: &str, text: &str| {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        write_program(&file, text);
    };
    script("tests/run", include_str!("../run"));
    script("packaging/build-deb", &format!("#!/bin/sh\n{build}\n"));
    script("bin/cargo", &format!("#!/bin/sh\n{cargo}\n"));
    script("bin/dpkg-query", "#!/bin/sh\necho install ok installed\n");
    folder
}

fn run(stage: &TempDir) -> Ran {
    let bin = stage.path().join("bin");
    let path = std::env::var("PATH").unwrap();
    // Scripts are run by a shell, since one that was just written may be busy for a moment.
    let mut run = Command::new(find("sh").unwrap());
    run.arg(stage.path().join("tests/run"))
        .current_dir(stage.path())
        .stdin(Stdio::null())
        .env("PATH", format!("{}:{path}", bin.display()));
    run.output().unwrap().into()
}

const BUILD_ENDS_AT_ONCE: &str = "echo $$ > pid";

const PASSED_LONG_AFTER_THE_BUILD: &str = "\
until [ -s pid ]; do sleep 0.01; done
while [ -d /proc/$(cat pid) ]; do sleep 0.01; done
echo 'test result: ok. 1 passed; 0 failed'";

#[test]
fn a_run_that_passed_exits_0_though_the_package_was_built_long_before() {
    let stage = stage(PASSED_LONG_AFTER_THE_BUILD, BUILD_ENDS_AT_ONCE);
    run(&stage).is_with(0, "test result: ok. 1 passed; 0 failed\n", "");
}

#[test]
fn a_run_that_passed_ends_the_build_of_the_package() {
    let cargo = "until [ -s pid ]; do sleep 0.01; done";
    let stage = stage(cargo, "echo $$ > pid; exec sleep 600");
    run(&stage).is_with(0, "", "");
    let pid = fs::read_to_string(stage.path().join("pid")).unwrap();
    let stat = format!("/proc/{}/stat", pid.trim());
    wait_until(PATIENCE, "the build ended", || {
        fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
    });
}

#[test]
fn a_run_whose_tests_were_not_built_fails() {
    let stage = stage(
        "echo 'error: could not compile'; exit 101",
        BUILD_ENDS_AT_ONCE,
    );
    let ran = run(&stage);
    ran.is_with(1, "error: could not compile\n", "nothing is run again");
}
