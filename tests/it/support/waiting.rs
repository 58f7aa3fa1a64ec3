//! A command that waits, and what it has said so far.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use super::daemon::Daemon;
use super::{PATIENCE, Ran, wait_until};

/// `hadown --wait`, `haup --wait` or `haroll` while it runs; it is killed when this is dropped.
pub struct Waiting {
    child: Child,
    output: PathBuf,
}

impl Waiting {
    /// Starts one that takes the balancers for known.
    pub fn start(daemon: &Daemon, name: &str, args: &[&str]) -> Self {
        let output = daemon.spool.outside().join(format!("{name}.err"));
        let port = daemon.address.port().to_string();
        let args = [&["-p", &port, "--min-pollers", "0"], args].concat();
        let mut command = daemon.spool.command(name, &args);
        command.stdout(Stdio::null());
        let child = command.stderr(File::create(&output).unwrap()).spawn();
        Self {
            child: child.unwrap(),
            output,
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    /// Waits until it has said something.
    #[track_caller]
    pub fn says(&self, text: &str) {
        wait_until(PATIENCE, &format!("it says {text:?}"), || {
            self.said().contains(text)
        });
    }

    /// Waits until it ends, and does something meanwhile.
    #[track_caller]
    pub fn ends_while(mut self, mut act: impl FnMut()) -> Ran {
        wait_until(PATIENCE, "it ends", || {
            act();
            self.has_ended()
        });
        Ran {
            code: self.child.wait().unwrap().code(),
            out: String::new(),
            err: self.said(),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
