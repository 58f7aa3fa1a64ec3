//! The only module that may allow unsafe code.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// The descriptors that a service manager passed to this process (sd_listen_fds(3)), with their names; they will not
/// be inherited further. To be called before anything else is opened. Each is handed out once: a second call finds none.
///
/// # Errors
/// When the variables name descriptors that are not open, or contradict each other.
pub(crate) fn passed_descriptors() -> io::Result<Vec<(String, OwnedFd)>> {
    // After the first call the same numbers may belong to other files.
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }

    let passed = sd_notify::listen_fds_with_names()?;
    // SAFETY: LISTEN_PID names this process, so the descriptors from 3 on are ours by the protocol; sd-notify has just
    // used each of them, so they are open; and the flag above lets nobody take them twice.
    #[allow(unsafe_code)]
    Ok(passed
        .map(|(fd, name)| (name, unsafe { OwnedFd::from_raw_fd(fd) }))
        .collect())
}

/// Makes a command start with an empty signal mask, and with what the signals of `DEFAULTS` do by default, whatever this
/// thread holds back and this process ignores (as the job of a script that ends in `&` ignores SIGINT, and one behind nohup
/// SIGHUP): both are inherited by all that the command starts, and a service that takes no SIGTERM can never be stopped.
pub(crate) fn with_default_signals(command: &mut Command) -> &mut Command {
    // SAFETY: between fork and exec only sigaction(2) and pthread_sigmask(3) are called, which are async-signal-safe;
    // nothing is allocated, and no lock is taken.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(reset_signals)
    }
}

/// Signals that shells and others make a process ignore.
const DEFAULTS: [Signal; 5] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGPIPE,
];

nix::ioctl_read_bad!(
    /// See tty_ioctl(2).
    get_window_size,
    nix::libc::TIOCGWINSZ,
    nix::libc::winsize
);

/// Columns and rows of a terminal.
///
/// # Errors
/// When it is none.
pub(crate) fn window_size(terminal: &impl AsRawFd) -> io::Result<(u16, u16)> {
    let mut size = nix::libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };

    // SAFETY: TIOCGWINSZ writes one `winsize`, to the place that it is given, which is ours for as long as the call lasts.
    #[allow(unsafe_code)]
    unsafe {
        get_window_size(terminal.as_raw_fd(), &raw mut size)?;
    }

    Ok((size.ws_col, size.ws_row))
}

fn reset_signals() -> io::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in DEFAULTS {
        // SAFETY: the default action is no handler, so no code can run in a signal's context.
        #[allow(unsafe_code)]
        unsafe {
            sigaction(signal, &default)?;
        }
    }

    // Last: a signal that was held back acts by its default from here on.
    SigSet::empty().thread_set_mask()?;
    Ok(())
}

/// Makes the allocator give memory back: one arena for all threads, and what is large in mappings of its own, which go
/// back at once. To be called while there is one thread.
pub(crate) fn set_up_allocator() {
    // By default glibc has an arena for each thread and raises the mmap threshold as large blocks are freed, and so
    // keeps what a burst of large bodies took. Other libraries have no such options.
    #[cfg(target_env = "gnu")]
    for (option, value) in [
        (nix::libc::M_ARENA_MAX, 1),
        (nix::libc::M_MMAP_THRESHOLD, 64 << 10),
        (nix::libc::M_TRIM_THRESHOLD, 128 << 10),
    ] {
        // SAFETY: mallopt(3) takes two numbers; an option or a value that it does not know it refuses.
        #[allow(unsafe_code)]
        unsafe {
            nix::libc::mallopt(option, value);
        }
    }
}

/// Gives all pages back to the system that the allocator holds and nobody uses. It works on them under the allocator's
/// lock.
pub(crate) fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) may be called at any time, by any thread.
    #[allow(unsafe_code)]
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
