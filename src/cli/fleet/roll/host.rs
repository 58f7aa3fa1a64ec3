//! The command on this side for one host: its output line by line, and its end.
//!
//! Rule: it is in a process group of its own, so that a terminal's Ctrl-C is for haroll alone.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::lines::RollLines;
use crate::cli::failure::{Failure, failed};
use crate::os::cause::cause_text;
use crate::os::sys::with_default_signals;

/// After the end of the command, the pause that ends its output: what it left behind may keep the pipes open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long output may come after the end of the command without such a pause.
const OUTPOURING_MAX: Duration = Duration::from_secs(5);

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
    /// Lines that were read.
    read: Arc<AtomicUsize>,
    ended: Option<CommandEnd>,
}

/// The end of a command, and of its output.
#[derive(Clone, Copy)]
struct CommandEnd {
    status: ExitStatus,
    at: Instant,
    /// How many lines had come at the last look, and since when none has.
    read: usize,
    quiet: Instant,
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
        let read = Arc::new(AtomicUsize::new(0));
        let mut readers = Vec::new();
        readers.extend(output.and_then(|pipe| reader(pipe, host, false, lines, &read)));
        readers.extend(errors.and_then(|pipe| reader(pipe, host, true, lines, &read)));
        Ok(Self {
            child,
            readers,
            read,
            ended: None,
        })
    }

    /// How it ended, once all of its output is there.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        let mut end = self.ended.or_else(|| self.end())?;
        let read = self.read.load(Ordering::Relaxed);
        if read != end.read {
            end.read = read;
            end.quiet = Instant::now();
        }

        self.ended = Some(end);
        let is_read = self.readers.iter().all(JoinHandle::is_finished);
        let is_quiet = end.quiet.elapsed() > LAST_WORDS;
        let is_late = end.at.elapsed() > OUTPOURING_MAX;
        (is_read || is_quiet || is_late).then_some(end.status)
    }

    fn end(&mut self) -> Option<CommandEnd> {
        // One that cannot be waited for any more has ended, nobody knows how: as by a broken connection.
        let status = self.child.try_wait().unwrap_or(Some(unknown()))?;
        let now = Instant::now();
        Some(CommandEnd {
            status,
            at: now,
            read: 0,
            quiet: now,
        })
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
    read: &Arc<AtomicUsize>,
) -> Option<JoinHandle<()>> {
    let (host, lines, read) = (host.to_owned(), Arc::clone(lines), Arc::clone(read));
    let work = move || {
        let mut pipe = BufReader::new(pipe);
        while let Some(text) = line(&mut pipe) {
            lines.pass_on(HostLine {
                host: host.clone(),
                text,
                is_error,
            });
            read.fetch_add(1, Ordering::Relaxed);
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
