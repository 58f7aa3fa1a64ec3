//! A command that waits, and what it has said so far.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::daemon::Daemon;
use super::process::Process;
use super::{PATIENCE, Ran, wait_until};

/// `hadown --wait`, `haup --wait` or `haroll` while it runs; it is killed when this is dropped.
pub struct Waiting {
    process: Process,
    /// The files of what it has said, without their extensions.
    said: PathBuf,
}

impl Waiting {
    /// Starts one that takes the balancers for known.
    pub fn start(daemon: &Daemon, name: &str, args: &[&str]) -> Self {
        let port = daemon.address.port().to_string();
        let args = [&["-p", &port, "--min-pollers", "0"], args].concat();
        let command = daemon.spool.command(name, &args);
        Self::of(command, daemon.spool.outside().join(name))
    }

    /// Starts a command whose output goes to files of a name, with `.out` and `.err` behind it.
    pub fn of(command: Command, said: PathBuf) -> Self {
        let out = File::create(said.with_extension("out")).unwrap();
        Self::of_into(command, out.into(), said)
    }

    /// The same with another standard output.
    pub fn of_into(mut command: Command, out: Stdio, said: PathBuf) -> Self {
        command.stdout(out);
        command.stderr(File::create(said.with_extension("err")).unwrap());
        Self {
            process: Process::spawn(&mut command),
            said,
        }
    }

    /// What it has started and not yet waited for: of a roll over a fleet one process for each host under way.
    pub fn children(&self) -> Vec<Pid> {
        self.process.children()
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.ended().is_some()
    }

    /// What it has said so far on standard error.
    pub fn said(&self) -> String {
        fs::read_to_string(self.said.with_extension("err")).unwrap()
    }

    /// Waits until it has said something.
    #[track_caller]
    pub fn says(&self, text: &str) {
        wait_until(PATIENCE, &format!("it says {text:?}"), || {
            self.said().contains(text)
        });
    }

    /// The id of the roll of a fleet, once it has begun.
    #[track_caller]
    pub fn roll_id(&self) -> String {
        self.says(": web on ");
        let said = self.said();
        let (_, rest) = said.split_once("haroll: roll ").unwrap();
        rest.split([':', ' ']).next().unwrap().to_owned()
    }

    #[track_caller]
    pub fn ends(self) -> Ran {
        self.ends_while(|| {})
    }

    /// Waits until it ends, and does something meanwhile.
    #[track_caller]
    pub fn ends_while(mut self, mut act: impl FnMut()) -> Ran {
        wait_until(PATIENCE, "it ends", || {
            act();
            self.has_ended()
        });
        Ran {
            code: self.process.ended().unwrap().code(),
            out: fs::read_to_string(self.said.with_extension("out")).unwrap(),
            err: self.said(),
        }
    }

    /// Kills it and what it runs: it leads a group of processes.
    pub fn kill_group(self) {
        killpg(self.process.pid(), Signal::SIGKILL).unwrap();
    }
}

/// Waits until a command ends whose output goes into pipes, and does something meanwhile.
#[track_caller]
pub fn ended_while(mut child: Child, mut act: impl FnMut()) -> Ran {
    wait_until(PATIENCE, "it ends", || {
        act();
        child.try_wait().unwrap().is_some()
    });
    child.wait_with_output().unwrap().into()
}

#[track_caller]
pub fn ended(child: Child) -> Ran {
    ended_while(child, || {})
}
