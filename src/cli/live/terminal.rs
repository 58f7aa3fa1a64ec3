//! The terminal that a live picture fills: a screen of its own, keys without Enter, and all as it was at the end.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, read};

use crate::cli::failure::{Failure, failed};
use crate::cli::output::terminal::{Size, is_plain};
use crate::os::cause::cause_text;
use crate::os::held_signals::HeldSignals;

/// What comes while the screen is shown.
const SIGNALS: [Signal; 5] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGTSTP,
    Signal::SIGWINCH,
];

/// Another screen, without a cursor, on which lines that are too long do not wrap.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// Ctrl-L, by which people have a screen redrawn.
const REDRAW: u8 = 0x0c;

/// Why a wait ended.
pub(super) enum Wake {
    /// Somebody wants to see no more.
    End,
    /// The screen is another one.
    Redraw,
    /// What was waited for is there.
    Answer,
}

/// The terminal; it is as it was when this is dropped.
pub(super) struct Terminal {
    /// How its keys were, where it has keys.
    keys: Option<Termios>,
    signals: HeldSignals,
}

impl Terminal {
    /// Takes the terminal over, and holds signals back.
    pub(super) fn open() -> Result<Self, Failure> {
        let signals = HeldSignals::hold(&SIGNALS)
            .map_err(|e| failed!("cannot watch for Ctrl-C: {}", e.desc()))?;
        let terminal = Self {
            keys: tcgetattr(io::stdin()).ok(),
            signals,
        };

        terminal.enter()?;
        Ok(terminal)
    }

    fn enter(&self) -> Result<(), Failure> {
        if let Some(keys) = &self.keys {
            // Where this fails, q needs an Enter.
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &without_enter(keys));
        }

        write(ENTER)
    }

    fn leave(&self) {
        // A terminal that is gone needs nothing more.
        let _ = write(LEAVE);
        if let Some(keys) = &self.keys {
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, keys);
        }
    }

    /// The room there is.
    pub(super) fn size(&self) -> Size {
        Size::of(&io::stdout())
    }

    /// Draws a screen in place of the last one, its first line bold.
    pub(super) fn draw(&self, lines: &[String]) -> Result<(), Failure> {
        let bold = if is_plain() { "" } else { "\x1b[1m" };
        // What is left of an old line is cleared behind a new one, so that nothing flickers.
        let lines = lines.join("\x1b[0m\x1b[K\r\n");
        write(&format!("\x1b[H{bold}{lines}\x1b[0m\x1b[K\x1b[J"))
    }

    /// Waits for a key, a signal, or whatever else is readable.
    pub(super) fn wait(&mut self, other: &impl AsFd) -> Result<Wake, Failure> {
        loop {
            let ready = self.ready(other.as_fd())?;
            let wake = match ready {
                Ready { signal: true, .. } => self.signal()?,
                Ready { key: true, .. } => pressed(),
                Ready { other: true, .. } => Some(Wake::Answer),
                _ => None,
            };
            if let Some(wake) = wake {
                return Ok(wake);
            }
        }
    }

    /// What can be read now; waits until something can, or a signal that nobody wants came.
    fn ready(&self, other: BorrowedFd<'_>) -> Result<Ready, Failure> {
        let stdin = io::stdin();
        let mut wanted = vec![readable(self.signals.as_fd()), readable(other)];
        if self.keys.is_some() {
            wanted.push(readable(stdin.as_fd()));
        }

        match poll(&mut wanted, PollTimeout::NONE) {
            // Nothing is ready then, and the caller waits again.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(failed!("cannot wait for keys: {}", e.desc())),
        }

        Ok(Ready {
            signal: is_ready(&wanted[0]),
            other: is_ready(&wanted[1]),
            key: wanted.get(2).is_some_and(is_ready),
        })
    }

    fn signal(&self) -> Result<Option<Wake>, Failure> {
        match self.signals.next() {
            None => Ok(None),
            Some(Signal::SIGWINCH) => Ok(Some(Wake::Redraw)),
            Some(Signal::SIGTSTP) => self.stop(),
            Some(_) => Ok(Some(Wake::End)),
        }
    }

    /// Stops as a program does at Ctrl-Z, with the shell's screen as it was.
    fn stop(&self) -> Result<Option<Wake>, Failure> {
        self.leave();
        // Goes on here when the shell says so (fg).
        let _ = kill(Pid::this(), Signal::SIGSTOP);
        self.enter()?;
        Ok(Some(Wake::Redraw))
    }
}

/// What can be read.
struct Ready {
    signal: bool,
    key: bool,
    other: bool,
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::POLLIN)
}

/// Whether it can be read, or has ended, which reading then tells.
fn is_ready(fd: &PollFd<'_>) -> bool {
    fd.any().unwrap_or_default()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Each key comes at once, and is not shown.
fn without_enter(keys: &Termios) -> Termios {
    let mut raw = keys.clone();
    raw.local_flags -= LocalFlags::ICANON | LocalFlags::ECHO;
    raw
}

/// What the keys mean that were pressed.
fn pressed() -> Option<Wake> {
    let mut keys = [0; 64];
    match read(io::stdin(), &mut keys) {
        // Nobody can press a key any more.
        Ok(0) => Some(Wake::End),
        Ok(length) => meaning(&keys[..length]),
        Err(Errno::EINTR | Errno::EAGAIN) => None,
        Err(_) => Some(Wake::End),
    }
}

fn meaning(keys: &[u8]) -> Option<Wake> {
    if keys.iter().any(|key| matches!(key, b'q' | b'Q')) {
        return Some(Wake::End);
    }

    keys.contains(&REDRAW).then_some(Wake::Redraw)
}

fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| failed!("cannot write to the terminal: {}", cause_text(e)))
}
