//! The log: env_logger writes lines, a thread of its own brings them to standard output, standard error or a file.
//!
//! Rule: logging never makes a check wait. When the reader of the log hangs, lines are dropped and counted, and moving
//! the log elsewhere leaves the thread that waits for that reader behind. A log file that was renamed is opened anew
//! before the next line, so that logrotate needs no signal. A message is always one line.

mod line;
mod output;
mod rate;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use env_logger::Target;
use log::{Level, LevelFilter, Record, SetLoggerError};

use crate::os::cause::cause_text;
use crate::os::files::OwnFileError;
use line::{line, now};
use output::LogOutput;
use rate::Rate;
pub use rate::{Seldom, Times};

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPath {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, opened anew after it was renamed.
    File(PathBuf),
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Time, level, module and message.
    Text,
    /// The same as a JSON object.
    Json,
    /// As programs in Go with logrus write, for `health-checker`.
    Logrus,
}

/// Lines that may wait for a slow log. Room for them is taken at once, 32 bytes each.
const QUEUE: usize = 2048;

/// How long the end of the process waits for the last lines.
const FLUSH_WAIT: Duration = Duration::from_millis(500);

/// The way to the thread that writes; when this is replaced, the thread ends after what it was given.
static WRITER: RwLock<Option<SyncSender<Message>>> = RwLock::new(None);
static DROPPED: AtomicU64 = AtomicU64::new(0);
static RATE: Rate = Rate::new();
/// How lines look.
static FORMAT: RwLock<LogFormat> = RwLock::new(LogFormat::Text);
/// Whether the journal reads the log, and wants levels in front of lines.
static JOURNAL: AtomicBool = AtomicBool::new(false);

enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Why there is no log.
#[derive(Debug)]
pub enum LogError {
    /// The file cannot be opened.
    File(PathBuf, OwnFileError),
    /// The thread that writes cannot be started.
    Thread(io::Error),
    /// It was started already.
    Twice(SetLoggerError),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, e) => write!(
                f,
                "log_path: cannot open {}: {e}; create its folder, let hacheck write there, or use stdout or stderr",
                path.display()
            ),
            Self::Thread(e) => write!(f, "cannot start the log thread: {}", cause_text(e)),
            Self::Twice(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for LogError {}

/// Opens the log and starts to write to it. Called once.
///
/// # Errors
/// [`LogError`] when the log file cannot be opened.
pub fn start(path: &LogPath, format: LogFormat, level: LevelFilter) -> Result<(), LogError> {
    set_format(format);
    // Before env_logger is set up, so that its first record has somewhere to go.
    redirect(path)?;
    let started = env_logger::Builder::new()
        // Libraries log warnings only. The level of hacheck itself is set by `set_level`, and can change.
        .filter_level(LevelFilter::Warn)
        .filter_module("hacheck", LevelFilter::Trace)
        .format(write_record)
        .target(Target::Pipe(Box::new(Queue)))
        .try_init();
    started.map_err(LogError::Twice)?;
    set_level(level);
    Ok(())
}

/// Writes a record as a line, with one before it where lines were left out.
fn write_record(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    let Some(left_out) = admit(record) else {
        DROPPED.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    };

    if left_out > 0 {
        write_left_out(out, left_out)?;
    }

    write_line(out, record)
}

/// Whether a record is logged: how many were left out before it, `None` when it is left out too.
fn admit(record: &Record<'_>) -> Option<u64> {
    // Who asks for details wants them all, and they must not push out what an operator must know.
    if record.level() > Level::Info {
        return Some(0);
    }

    RATE.line()
}

fn write_left_out(out: &mut impl Write, lines: u64) -> io::Result<()> {
    let mut told = Record::builder();
    told.level(Level::Warn).target(module_path!());
    let text = format!("{lines} lines were left out (log_rate)");
    // One statement, as format_args! lives no longer.
    write_line(out, &told.args(format_args!("{text}")).build())
}

fn write_line(out: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    let format = current_format();
    let journal = JOURNAL.load(Ordering::Relaxed);
    let line = line(&now(format), record, format, journal);
    writeln!(out, "{line}")
}

/// Changes how lines look.
pub(crate) fn set_format(format: LogFormat) {
    *FORMAT.write().unwrap_or_else(PoisonError::into_inner) = format;
}

/// Changes what is logged.
pub(crate) fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

fn current_format() -> LogFormat {
    *FORMAT.read().unwrap_or_else(PoisonError::into_inner)
}

/// Changes how many lines may be logged in a second.
pub(crate) fn set_rate(lines: usize) {
    RATE.set(lines);
}

/// Changes where the log goes.
///
/// # Errors
/// [`LogError`] when the file cannot be opened; the log then stays where it was.
pub fn redirect(path: &LogPath) -> Result<(), LogError> {
    // Opened first: if that fails, the log stays where it was.
    let sink = LogOutput::open(path)?;
    let is_journal = sink.is_journal();
    let sender = spawn_writer(sink).map_err(LogError::Thread)?;
    JOURNAL.store(is_journal, Ordering::Relaxed);
    // The sender before is dropped, so its thread ends after what it was given.
    *WRITER.write().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    Ok(())
}

fn spawn_writer(sink: LogOutput) -> io::Result<SyncSender<Message>> {
    // Each output has a thread of its own: one that hangs in a write does not hold up the next output.
    let (sender, receiver) = sync_channel(QUEUE);
    let thread = std::thread::Builder::new().name("log".into());
    thread.spawn(move || write_all(sink, &receiver))?;
    Ok(sender)
}

/// Hands a message to the writer; `None` when there is none yet.
fn send(message: Message) -> Option<Result<(), TrySendError<Message>>> {
    let writer = WRITER.read().unwrap_or_else(PoisonError::into_inner);
    Some(writer.as_ref()?.try_send(message))
}

/// Waits for what was logged so far to be written, but not for long.
pub fn flush() {
    // It is queued behind the lines, so its answer means that they are written.
    let (done, wait) = sync_channel(1);
    if matches!(send(Message::Flush(done)), Some(Ok(()))) {
        let _ = wait.recv_timeout(FLUSH_WAIT);
    }
}

/// Lines that were dropped because the log did not keep up, or there were too many (`log_rate`).
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The side of env_logger: one write is one line.
struct Queue;

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(Err(TrySendError::Full(_))) = send(Message::Line(line.to_vec())) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }

        // Success even if dropped: env_logger could not do anything about it.
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(mut sink: LogOutput, messages: &Receiver<Message>) {
    for message in messages {
        match message {
            Message::Line(line) => {
                // There is nobody to tell that the log cannot be written.
                if sink.write(&line).is_err() {
                    DROPPED.fetch_add(1, Ordering::Relaxed);
                }
            }
            Message::Flush(done) => {
                // The caller may have stopped waiting.
                let _ = done.try_send(());
            }
        }
    }
}
