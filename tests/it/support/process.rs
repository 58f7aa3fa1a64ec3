//! Child processes that end with the test, whatever ends the test.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::{PATIENCE, wait_until};

/// A command that the kernel kills when the thread that started it ends, where `setpriv` (util-linux) is there to ask
/// for it. `more` are further options for `setpriv`, which must then be there.
pub fn bound_to_us(program: &str, more: &[&str]) -> Command {
    bound_by("KILL", program, more)
}

/// The same with another signal, for what ends others when it ends.
pub fn bound_by(signal: &str, program: &str, more: &[&str]) -> Command {
    let Some(setpriv) = find("setpriv") else {
        assert!(
            more.is_empty(),
            "setpriv is missing: apt-get install util-linux"
        );
        return Command::new(program);
    };
    let mut command = Command::new(setpriv);
    command
        .args(["--pdeathsig", signal])
        .args(more)
        .arg("--")
        .arg(program);
    command
}

/// Options for `setpriv` that make file permissions count for root too.
pub fn permissions_count() -> Vec<&'static str> {
    if !nix::unistd::geteuid().is_root() {
        return vec![];
    }
    let without = "-dac_override,-dac_read_search";
    vec!["--inh-caps", without, "--bounding-set", without]
}

/// A program in the folders where Debian puts them.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    folders
        .map(|folder| folder.join(program))
        .find(|p| p.is_file())
}

/// A child that is killed when this is dropped.
pub struct Process(Child);

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        Self(
            command
                .spawn()
                .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}")),
        )
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).unwrap())
    }

    /// The processes that it has started and not yet waited for.
    pub fn children(&self) -> Vec<Pid> {
        let id = self.pid();
        let list = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let ids = list.split_whitespace().map(|word| word.parse().unwrap());
        ids.map(Pid::from_raw).collect()
    }

    /// Stops it, and waits until all of its threads have: for some time after the signal was sent, others may still run.
    #[track_caller]
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        let pid = self.pid();
        // What is found stays to be found, so one that was stopped already counts too.
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        wait_until(PATIENCE, "it has stopped", || {
            matches!(waitid(Id::Pid(pid), flags), Ok(WaitStatus::Stopped(..)))
        });
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    /// Waits for its end, and tells whether it came in time.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let start = Instant::now();
        while self.ended().is_none() {
            if start.elapsed() > time {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Waits for its end; the exit code, or the signal as a negative number.
    #[track_caller]
    pub fn wait(&mut self, deadline: Duration) -> i32 {
        let mut status = None;
        wait_until(deadline, "the process ended", || {
            status = self.ended();
            status.is_some()
        });
        let status = status.unwrap();
        status.code().or(status.signal().map(|s| -s)).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
