//! The terminal that `hacheck top` fills: a screen of its own, keys without Enter, and all as it was at the end.

use std::io::{self, Write as _};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, read};

use super::picture::Size;
use crate::cli::failure::{Failure, failed};
use crate::os::cause::cause_text;
use crate::os::sys::window_size;

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

/// A size to go by where the terminal does not tell one.
const USUAL: Size = Size {
    width: 80,
    height: 24,
};

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
    signals: SignalFd,
}

impl Terminal {
    /// Takes the terminal over, and holds signals back.
    pub(super) fn open() -> Result<Self, Failure> {
        let signals =
            hold_signals().map_err(|e| failed!("cannot watch for Ctrl-C: {}", e.desc()))?;
        let terminal = Self {
            keys: tcgetattr(io::stdin()).ok(),
            signals,
        };
        terminal.enter()?;
        Ok(terminal)
    }

    fn enter(&self) -> Result<(), Failure> {
        if let Some(keys) = &self.keys {
            let mut raw = keys.clone();
            raw.local_flags -= LocalFlags::ICANON | LocalFlags::ECHO;
            // Where this fails, q needs an Enter.
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &raw);
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
        match window_size(&io::stdout()) {
            Ok((columns, rows)) if columns > 0 && rows > 0 => Size {
                width: columns.into(),
                height: rows.into(),
            },
            _ => USUAL,
        }
    }

    /// Draws a screen in place of the last one, its first line bold.
    pub(super) fn draw(&self, lines: &[String]) -> Result<(), Failure> {
        let mut text = String::from("\x1b[H\x1b[1m");
        for (i, line) in lines.iter().enumerate() {
            if i > 0 {
                text.push_str("\r\n");
            }
            text.push_str(line);
            text.push_str("\x1b[0m\x1b[K");
        }
        text.push_str("\x1b[J");
        write(&text)
    }

    /// Waits for a key, a signal, or whatever else is readable.
    pub(super) fn wait(&mut self, other: &impl AsFd) -> Result<Wake, Failure> {
        loop {
            let stdin = io::stdin();
            let ready = |fd| PollFd::new(fd, PollFlags::POLLIN);
            let mut wanted = vec![ready(self.signals.as_fd()), ready(other.as_fd())];
            if self.keys.is_some() {
                wanted.push(ready(stdin.as_fd()));
            }
            match poll(&mut wanted, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                Err(e) => return Err(failed!("cannot wait for keys: {}", e.desc())),
                Ok(_) => {}
            }
            let is_ready = |fd: &PollFd<'_>| fd.any().unwrap_or_default();
            let [signal, answer] = [is_ready(&wanted[0]), is_ready(&wanted[1])];
            let key = wanted.get(2).is_some_and(is_ready);
            let wake = match (signal, key, answer) {
                (true, _, _) => self.signal()?,
                (_, true, _) => pressed(),
                (_, _, true) => Some(Wake::Answer),
                _ => None,
            };
            if let Some(wake) = wake {
                return Ok(wake);
            }
        }
    }

    fn signal(&self) -> Result<Option<Wake>, Failure> {
        let Ok(Some(info)) = self.signals.read_signal() else {
            return Ok(None);
        };
        let number = i32::try_from(info.ssi_signo).unwrap_or_default();
        match Signal::try_from(number) {
            Ok(Signal::SIGWINCH) => Ok(Some(Wake::Redraw)),
            Ok(Signal::SIGTSTP) => {
                self.leave();
                // Goes on here when the shell says so (fg).
                let _ = kill(Pid::this(), Signal::SIGSTOP);
                self.enter()?;
                Ok(Some(Wake::Redraw))
            }
            _ => Ok(Some(Wake::End)),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

fn hold_signals() -> Result<SignalFd, Errno> {
    let set: SigSet = SIGNALS.into_iter().collect();
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
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
