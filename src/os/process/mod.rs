//! One program, run to its end: for `exec` checks, and for the actions of watches.
//!
//! Rules: there is no shell. The program leads a process group of its own, has no standard input, and is killed with
//! its whole group when the caller drops the run, so a deadline is the caller's. What it leaves behind when it ends by
//! itself is left alone, even if that holds the pipes open: nothing is waited for but the program. Output beyond a
//! bound is read and thrown away, so that a chatty program neither blocks nor fills memory. It is always reaped.

mod argv;
mod capture;
mod environment;
mod program;
mod shell_line;

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

use self::capture::Capture;
use crate::os::cause::cause_text;

pub use argv::{Argv, CommandError};
pub use environment::Environment;
pub(crate) use environment::all_names;
pub(crate) use program::can_be_run;
pub(crate) use shell_line::shell_line;

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
    pub(crate) fn is_success(self) -> bool {
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
    let text = match e.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT) => "there is no such program, or not the interpreter in its first line",
        Some(Errno::EACCES) => {
            "it may not be executed; see its mode, and the user that hacheck runs as"
        }
        Some(Errno::ENOEXEC) => "it is no program; a script needs a first line such as #!/bin/sh",
        _ => return cause_text(e),
    };
    text.to_owned()
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

    let mut command = command(argv);
    // In this order: hacheck's own variables override inherited ones.
    command
        .env_clear()
        .envs(environment.inherited())
        .envs(variables.iter().copied());
    let running = RunningProgram::start(command).map_err(failed)?;
    running.finish().await.map_err(failed)
}

/// A program with what it wrote so far.
struct RunningProgram {
    group: ProcessGroup,
    stdout: Capture,
    stderr: Capture,
}

impl RunningProgram {
    fn start(mut command: Command) -> io::Result<Self> {
        let (stdout, stdout_end) = io::pipe()?;
        let (stderr, stderr_end) = io::pipe()?;
        // Own pipes: tokio's cannot be read without waiting for more.
        command.stdout(stdout_end).stderr(stderr_end);
        let group = ProcessGroup::of(command.spawn()?);
        // The command holds our ends for writing, which would keep the pipes open.
        drop(command);
        Ok(Self {
            group,
            stdout: Capture::new(stdout.into())?,
            stderr: Capture::new(stderr.into())?,
        })
    }

    async fn finish(mut self) -> io::Result<Ran> {
        let status = self.wait().await?;
        // What was written before the end lies in the pipes; more is not waited for.
        self.stdout.take_rest();
        self.stderr.take_rest();
        Ok(Ran {
            end: end(status),
            stdout: self.stdout.kept,
            stderr: self.stderr.kept,
        })
    }

    /// Waits for the end, and reads meanwhile, as a program with a full pipe would wait for us.
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            tokio::select! {
                () = self.stdout.fill() => {}
                () = self.stderr.fill() => {}
                status = self.group.wait() => return status,
            }
        }
    }
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exit(code),
        // wait(2) has no third case.
        (None, signal) => End::Signal(signal.unwrap_or_default()),
    }
}

fn command(argv: &Argv) -> Command {
    let mut command = Command::new(argv.program());
    command
        .args(argv.arguments())
        .stdin(Stdio::null())
        // It leads a group, so that it can be killed together with what it starts.
        .process_group(0);
    command
}

/// The program and what it started in its process group.
struct ProcessGroup {
    /// The leader while it was not reaped: only so long is its number certainly that of its group.
    child: Option<Child>,
    pid: Option<u32>,
}

impl ProcessGroup {
    fn of(child: Child) -> Self {
        Self {
            pid: child.id(),
            child: Some(child),
        }
    }

    async fn wait(&mut self) -> io::Result<ExitStatus> {
        let Some(child) = &mut self.child else {
            return std::future::pending().await;
        };

        // The wait reaped it. Its number may belong to another process now, so it must not be killed any more.
        let status = child.wait().await;
        self.child = None;
        status
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else {
            return;
        };

        // Killed first: as long as the leader is not reaped, its number is certainly that of the group.
        if let Some(pid) = self.pid.and_then(|pid| i32::try_from(pid).ok()) {
            // It fails only when nothing is left to kill.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }

        reap(child);
    }
}

fn reap(mut child: Child) {
    // Without a runtime this process ends, and process 1 reaps the child.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move { child.wait().await });
    }
}

#[cfg(test)]
mod tests;
