//! The command that a roll runs while its services are out of rotation.

use std::io::{self, IsTerminal as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::output::{self, Output};
use crate::cli::failure::{Failure, failed};
use crate::cli::wait::interrupt::Interrupt;
use crate::os::cause::cause_text;
use crate::os::process::can_be_run;
use crate::os::sys::with_default_signals;

/// How often the command is looked at while it runs.
const GLANCE: Duration = Duration::from_millis(20);

/// A program with its arguments.
pub(super) struct RollCommand {
    program: String,
    arguments: Vec<String>,
}

impl RollCommand {
    /// `words` are never empty.
    pub(super) fn new(words: &[String]) -> Self {
        let (program, arguments) = match words.split_first() {
            Some((program, arguments)) => (program.clone(), arguments.to_vec()),
            None => (String::new(), Vec::new()),
        };
        Self { program, arguments }
    }

    /// Refuses a command that cannot be started, before anything is taken down for it.
    pub(super) fn refuse_unless_runnable(&self) -> Result<(), Failure> {
        if can_be_run(&self.program) {
            return Ok(());
        }

        let program = &self.program;
        Err(failed!(
            "cannot start {program}: there is no such program that this user may run; give its path"
        ))
    }

    /// Runs the command to its end. Ctrl-C and SIGTERM are passed on to it.
    pub(super) fn run(&self, interrupt: &Interrupt) -> Result<ExitStatus, Failure> {
        let mut child = self.start()?;
        let output = Output::of(&mut child);
        let mut interrupted: Option<Signal> = None;
        loop {
            let status = child.try_wait().map_err(|e| self.cannot("wait for", e))?;
            if let Some(status) = status {
                output.finish();
                return self.ended(status, interrupted);
            }
            std::thread::sleep(GLANCE);
            if let Some(signal) = interrupt.came() {
                interrupted = Some(signal);
                pass_on(signal, &child);
            }
        }
    }

    fn start(&self) -> Result<Child, Failure> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        output::pass_through(&mut command);
        let started = with_default_signals(&mut command).spawn();
        started.map_err(|e| self.cannot("start", e))
    }

    fn cannot(&self, what: &str, e: io::Error) -> Failure {
        let (program, cause) = (&self.program, cause_text(e));
        failed!("cannot {what} {program}: {cause}")
    }

    fn ended(
        &self,
        status: ExitStatus,
        interrupted: Option<Signal>,
    ) -> Result<ExitStatus, Failure> {
        let Some(signal) = interrupted else {
            return Ok(status);
        };

        let (program, signal) = (&self.program, signal.as_str());
        Err(failed!("interrupted ({signal}), {program} ended: {status}"))
    }

    /// A command that failed is a failure with its own exit code.
    pub(super) fn check(&self, status: ExitStatus) -> Result<(), Failure> {
        if status.success() {
            return Ok(());
        }

        let failed = failed!("{} failed: {status}", self.program);
        let code = exit_code(status);
        Err(Failure { code, ..failed })
    }
}

/// Passes a signal on to the command, unless the terminal's Ctrl-C reached it already.
fn pass_on(signal: Signal, child: &Child) {
    if signal == Signal::SIGINT && io::stdin().is_terminal() {
        return;
    }

    if let Ok(pid) = i32::try_from(child.id()) {
        // The child is not waited for yet, so the id is still its own; one that has ended needs no
        // signal.
        let _ = signal::kill(Pid::from_raw(pid), signal);
    }
}

/// The command's own exit code, or 128 and its signal, as shells say it.
fn exit_code(status: ExitStatus) -> u8 {
    let code = match status.signal() {
        Some(signal) => 128 + signal,
        None => status.code().unwrap_or(1),
    };

    match u8::try_from(code) {
        Ok(0) | Err(_) => 1,
        Ok(code) => code,
    }
}
