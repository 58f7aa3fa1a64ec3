//! The only module that may allow unsafe code.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::SigSet;

/// The descriptors that a service manager passed to this process (sd_listen_fds(3)), with their names; they will not
/// be inherited further. To be called before anything else is opened. Each is handed out once: a second call finds none.
///
/// # Errors
/// When the variables name descriptors that are not open, or contradict each other.
pub fn passed_descriptors() -> io::Result<Vec<(String, OwnedFd)>> {
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

/// Makes a command start with an empty signal mask, whatever this thread holds back: a mask is inherited by all that
/// the command starts, and a service that holds SIGTERM back can never be stopped.
pub fn with_empty_signal_mask(command: &mut Command) -> &mut Command {
    let clear = || SigSet::empty().thread_set_mask().map_err(io::Error::from);
    // SAFETY: between fork and exec only pthread_sigmask(3) is called, which is async-signal-safe; nothing is
    // allocated, and no lock is taken.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(clear)
    }
}
