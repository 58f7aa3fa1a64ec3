//! The output of a roll's command. Where it goes to a terminal or a file the command has that itself; where a program reads
//! it, haroll passes it on, since that program may end before the command does.
//!
//! Rule: nobody who stops reading stops the command.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use nix::sys::stat::{SFlag, fstat};

/// How long output may come after the end of the command, from what it left behind.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How much is passed on at once, in bytes.
const PART: usize = 16 << 10;

/// Lets haroll read what would go to a program.
pub(super) fn pass_through(command: &mut Command) {
    if is_read_by_program(io::stdout()) {
        command.stdout(Stdio::piped());
    }

    if is_read_by_program(io::stderr()) {
        command.stderr(Stdio::piped());
    }
}

/// Whether a descriptor is a pipe or a socket, whose other end may be closed.
fn is_read_by_program(output: impl AsFd) -> bool {
    let Ok(status) = fstat(output) else {
        return false;
    };

    let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    kind == SFlag::S_IFIFO || kind == SFlag::S_IFSOCK
}

/// What passes the output on.
pub(super) struct Output(Vec<Receiver<()>>);

impl Output {
    /// Begins to pass on the output of a command that was started with [`pass_through`].
    pub(super) fn of(child: &mut Child) -> Self {
        let mut ends = Vec::new();
        if let Some(output) = child.stdout.take() {
            ends.extend(begin(output, io::stdout()));
        }

        if let Some(output) = child.stderr.take() {
            ends.extend(begin(output, io::stderr()));
        }

        Self(ends)
    }

    /// Waits until all is passed on, but not for what the command has left running.
    pub(super) fn finish(self) {
        let end = Instant::now() + LAST_WORDS;
        for receiver in self.0 {
            // It ends by an error too: the other side is gone.
            let _ = receiver.recv_timeout(end.saturating_duration_since(Instant::now()));
        }
    }
}

/// Copies on a thread of its own; what is given tells of the end.
fn begin(
    from: impl Read + Send + 'static,
    to: impl Write + Send + 'static,
) -> Option<Receiver<()>> {
    let (done, ended) = sync_channel(1);
    let thread = std::thread::Builder::new().name("output".into());
    // Without a thread the command's pipe is closed, and its output lost: the command itself is not.
    thread.spawn(move || copy(from, to, &done)).ok()?;
    Some(ended)
}

fn copy(mut from: impl Read, mut to: impl Write, done: &SyncSender<()>) {
    let mut part = [0; PART];
    loop {
        match from.read(&mut part) {
            Ok(0) => break,
            Ok(length) => {
                // Read on where nobody takes it: the command must not wait, nor end by a closed pipe.
                let _ = to.write_all(&part[..length]).and_then(|()| to.flush());
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }

    let _ = done.try_send(());
}
