//! Commands that need root: by sudo where the tests run as somebody else.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

/// A program as root.
pub fn as_root(program: impl AsRef<OsStr>) -> Command {
    let mut command = if nix::unistd::geteuid().is_root() {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("-n").arg(program);
        sudo
    };
    command.stdin(Stdio::null());
    command
}

/// Runs a command, which must succeed; its standard output.
#[track_caller]
pub fn succeed(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}; tests/run installs it"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        both(&output)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command printed.
pub fn both(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes))
        .concat()
}
