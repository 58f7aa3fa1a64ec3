//! The command on this side for one host: its output line by line, and its end.
//!
//! Rule: it is in a process group of its own, so that a terminal's Ctrl-C is for haroll alone.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::lines::RollLines;
use crate::cli::failure::{Failure, failed};
use crate::os::cause::cause_text;
use crate::os::sys::with_default_signals;

/// How long output may come after the end of the command, from what it left behind.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Most bytes of a line; longer ones are broken.
const LINE_MAX: u64 = 16 << 10;

/// A line of a host's output.
pub(super) struct HostLine {
    pub(super) host: String,
    pub(super) text: String,
    pub(super) is_error: bool,
}

/// A command that runs, or has just ended.
pub(super) struct HostCommand {
    child: Child,
    readers: Vec<JoinHandle<()>>,
    ended: Option<(ExitStatus, Instant)>,
}

impl HostCommand {
    /// Starts it. Its lines go to `lines`.
    pub(super) fn start(
        mut command: Command,
        host: &str,
        lines: &Arc<RollLines>,
    ) -> Result<Self, Failure> {
        // ssh would take what is typed for this terminal.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let started = with_default_signals(&mut command).spawn();
        let mut child =
            started.map_err(|e| failed!("cannot start {program}: {}", cause_text(e)))?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let mut readers = Vec::new();
        readers.extend(output.and_then(|pipe| reader(pipe, host, false, lines)));
        readers.extend(errors.and_then(|pipe| reader(pipe, host, true, lines)));
        Ok(Self {
            child,
            readers,
            ended: None,
        })
    }

    /// How it ended, once all of its output is there.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            // One that cannot be waited for any more has ended, nobody knows how: as by a broken connection.
            let status = self.child.try_wait().unwrap_or(Some(unknown()));
            self.ended = status.map(|status| (status, Instant::now()));
        }
        let (status, at) = self.ended?;
        let is_read = self.readers.iter().all(JoinHandle::is_finished);
        (is_read || at.elapsed() > LAST_WORDS).then_some(status)
    }
}

fn unknown() -> ExitStatus {
    std::os::unix::process::ExitStatusExt::from_raw(255 << 8)
}

/// Reads lines on a thread of its own. Without one the pipe is closed, and the output lost; the command is not.
fn reader(
    pipe: impl Read + Send + 'static,
    host: &str,
    is_error: bool,
    lines: &Arc<RollLines>,
) -> Option<JoinHandle<()>> {
    let (host, lines) = (host.to_owned(), Arc::clone(lines));
    let work = move || {
        let mut pipe = BufReader::new(pipe);
        while let Some(text) = line(&mut pipe) {
            lines.pass_on(HostLine {
                host: host.clone(),
                text,
                is_error,
            });
        }
    };
    let thread = std::thread::Builder::new().name("output".into());
    thread.spawn(work).ok()
}

/// The next line, without its end. Of what stands on one line after the other, as a bar that grows, the last counts.
fn line(pipe: &mut BufReader<impl Read>) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        match pipe.take(LINE_MAX).read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(_) => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_end_matches(['\n', '\r']);
    Some(text.rsplit('\r').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_read_line_by_line_whatever_it_holds() {
        let long = "x".repeat(20_000);
        let text = format!("a\r\n\n10%\r20%\nb\n{long}\nlast");
        let mut pipe = BufReader::new(text.as_bytes());
        let mut lines = Vec::new();
        while let Some(line) = line(&mut pipe) {
            lines.push(line);
        }
        assert_eq!(lines[..4], ["a", "", "20%", "b"]);
        assert_eq!(
            (lines[4].len(), lines[5].len(), lines[6].as_str()),
            (16 << 10, 20_000 - (16 << 10), "last")
        );
        let mut odd = BufReader::new(&b"\xff\xfe\n"[..]);
        assert_eq!(line(&mut odd).unwrap(), "\u{fffd}\u{fffd}");
    }
}
