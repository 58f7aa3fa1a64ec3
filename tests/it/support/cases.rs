//! Black-box cases that are written in Python: run on the binary, each failure named.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hacheck::cli::APPLETS;
use nix::sys::signal::Signal;

use super::process::{Process, find};
use super::{BINARY, TempDir};

/// How long the cases of one file may take.
const DEADLINE: Duration = Duration::from_secs(600);

/// A folder with the binary under all its names.
pub fn installed() -> TempDir {
    let folder = TempDir::new();
    let names = APPLETS.iter().filter_map(|applet| applet.alias);
    for name in names.chain(["hacheck"]) {
        symlink(BINARY, folder.path().join(name)).unwrap();
    }
    folder
}

/// Python, running a script of this repository. When the test ends early it is told, and ends what it has started.
pub fn python(script: &str) -> Command {
    let python = find("python3").expect("python3 is missing: apt-get install python3");
    let setpriv = find("setpriv").expect("setpriv is missing: apt-get install util-linux");
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "TERM", "--"]).arg(python);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
        .env_remove("SUDO_USER")
        .stdin(Stdio::null());
    command
}

/// Runs cases, which must all pass; else what they said is shown.
#[track_caller]
pub fn pass(command: &mut Command) {
    let folder = TempDir::new();
    let output = folder.file("output");
    let file = File::create(&output).unwrap();
    command.stdout(file.try_clone().unwrap()).stderr(file);
    let mut process = Process::spawn(command);
    let ended = process.ends_within(DEADLINE);
    if !ended {
        process.signal(Signal::SIGTERM);
    }
    let code = process.wait(Duration::from_secs(60));
    let said = fs::read_to_string(&output).unwrap();
    assert!(ended, "still running after {DEADLINE:?}:\n{said}");
    assert_eq!(code, 0, "\n{said}");
}

/// The names of the files of cases in a folder of `tests`, without their `.py`.
pub fn files(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let paths = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = paths.filter_map(|path| case_file(&path)).collect();
    names.sort();
    names
}

fn case_file(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".py")?;
    (name != "run").then(|| name.to_owned())
}
