//! File systems of a test's own, which nobody else sees.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use nix::sched::{CloneFlags, unshare};

/// Runs a test where mounts are its own and end with it; without the right to that, it is told and left out.
pub fn in_own(test: impl FnOnce() + Send) {
    thread::scope(|scope| {
        // The mounts belong to the thread and all that it starts.
        let running = scope.spawn(|| {
            if unshare(CloneFlags::CLONE_NEWNS).is_err()
                || !sh("mount --make-rprivate /", &[]).status.success()
            {
                eprintln!("no mounts of our own (that needs root): left out");
                return;
            }
            test();
        });
        if let Err(panic) = running.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn sh(script: &str, args: &[&Path]) -> Output {
    Command::new("sh")
        .args(["-ec", script, "sh"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Runs a script, which must succeed.
#[track_caller]
pub fn shell(script: &str, args: &[&Path]) {
    let output = sh(script, args);
    assert!(
        output.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
