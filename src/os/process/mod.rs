//! One program, run to its end: for `exec` checks, and for the actions of watches.
//!
//! Rules: there is no shell. The program leads a process group of its own, has no standard input, and is killed with
//! its whole group when the caller drops the run, so a deadline is the caller's. What it leaves behind when it ends by
//! itself is left alone, even if that holds the pipes open: nothing is waited for but the program. Output beyond a
//! bound is read and thrown away, so that a chatty program neither blocks nor fills memory. It is always reaped.

mod argv;
mod environment;
mod program;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

use crate::os::cause::cause_text;

pub use argv::{Argv, CommandError};
pub use environment::{Environment, all_names};
pub use program::can_be_run;

/// Most bytes that are kept of each of the two outputs.
const OUTPUT_MAX: usize = 64 << 10;

/// How a program ended, and what it wrote.
#[derive(Debug)]
pub struct Ran {
    /// Exit code or signal.
    pub end: End,
    /// The beginning of its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of its standard error.
    pub stderr: Vec<u8>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with an exit code; 0 is success.
    Exit(i32),
    /// By a signal.
    Signal(i32),
}

impl End {
    /// Whether the program ended by itself with 0.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Exit(0)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "killed by {signal}"),
                Err(_) => write!(f, "killed by signal {number}"),
            },
        }
    }
}

/// Why a program could not be run.
#[derive(Debug)]
pub struct RunError {
    program: String,
    cause: io::Error,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot run {}: {}", self.program, cause(&self.cause))
    }
}

impl std::error::Error for RunError {}

/// The cause with its remedy.
fn cause(e: &io::Error) -> String {
    let text = match e.raw_os_error() {
        Some(code) if code == Errno::ENOENT as i32 => {
            "there is no such program, or not the interpreter in its first line"
        }
        Some(code) if code == Errno::EACCES as i32 => {
            "it may not be executed; see its mode, and the user that hacheck runs as"
        }
        Some(code) if code == Errno::ENOEXEC as i32 => {
            "it is no program; a script needs a first line such as #!/bin/sh"
        }
        _ => return cause_text(e),
    };
    text.into()
}

/// Runs a program with the inherited environment, and some variables more. Dropping the future kills it.
///
/// # Errors
/// [`RunError`] when the program cannot be started.
pub async fn run(
    argv: &Argv,
    variables: &[(&str, &str)],
    environment: &Environment<'_>,
) -> Result<Ran, RunError> {
    let failed = |cause: io::Error| RunError {
        program: argv.program().to_owned(),
        cause,
    };
    let (mut group, mut stdout, mut stderr) =
        start(argv, variables, environment).map_err(failed)?;
    let status = loop {
        tokio::select! {
            () = stdout.fill() => {}
            () = stderr.fill() => {}
            status = group.wait() => break status.map_err(failed)?,
        }
    };
    // What was written before the end lies in the pipes; more is not waited for.
    stdout.take_rest();
    stderr.take_rest();
    Ok(Ran {
        end: end(status),
        stdout: stdout.kept,
        stderr: stderr.kept,
    })
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exit(code),
        (None, signal) => End::Signal(signal.unwrap_or_default()),
    }
}

fn start(
    argv: &Argv,
    variables: &[(&str, &str)],
    environment: &Environment<'_>,
) -> io::Result<(ProcessGroup, Capture, Capture)> {
    let (stdout, stdout_end) = io::pipe()?;
    let (stderr, stderr_end) = io::pipe()?;
    let mut command = Command::new(argv.program());
    command
        .args(argv.arguments())
        .env_clear()
        .envs(environment.inherited())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(stdout_end)
        .stderr(stderr_end)
        .process_group(0);
    let child = command.spawn()?;
    let group = ProcessGroup {
        pid: child.id(),
        child: Some(child),
    };
    // The command holds our ends for writing, which would keep the pipes open.
    drop(command);
    Ok((
        group,
        Capture::new(stdout.into())?,
        Capture::new(stderr.into())?,
    ))
}

/// The program and what it started in its process group.
struct ProcessGroup {
    /// The leader while it was not reaped: only so long is its number certainly that of its group.
    child: Option<Child>,
    pid: Option<u32>,
}

impl ProcessGroup {
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        let Some(child) = &mut self.child else {
            return std::future::pending().await;
        };
        let status = child.wait().await;
        self.child = None;
        status
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        if let Some(pid) = self.pid.and_then(|pid| i32::try_from(pid).ok()) {
            // It fails only when nothing is left to kill.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { child.wait().await });
        }
    }
}

/// One output of a program, as far as it is kept.
struct Capture {
    pipe: Option<Receiver>,
    kept: Vec<u8>,
}

impl Capture {
    fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            pipe: Some(Receiver::from_owned_fd(pipe)?),
            kept: Vec::new(),
        })
    }

    /// Waits until something was read; for ever once the pipe is closed.
    async fn fill(&mut self) {
        let Some(pipe) = &self.pipe else {
            return std::future::pending().await;
        };
        if pipe.readable().await.is_err() {
            self.pipe = None;
            return;
        }
        self.read();
    }

    /// Reads once; whether there may be more now.
    fn read(&mut self) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        let mut buffer = [0; 8192];
        match pipe.try_read(&mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => {
                let room = OUTPUT_MAX - self.kept.len();
                self.kept.extend_from_slice(&buffer[..count.min(room)]);
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => self.pipe = None,
        }
        self.pipe.is_some()
    }

    /// Reads what is there, up to the bound: someone else may go on writing.
    fn take_rest(&mut self) {
        while self.kept.len() < OUTPUT_MAX && self.read() {}
    }
}

#[cfg(test)]
mod tests;
