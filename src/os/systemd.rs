//! What a service manager tells this process, and wants to hear from it: sd_notify(3), sd_listen_fds(3), the journal.
//!
//! Rule: without a service manager all of this does nothing. A message that cannot be sent is logged, never an error:
//! a daemon that answers must not end because nobody wants to know.

use std::fmt;
use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockaddrLike as _, SockaddrStorage, getsockname, getsockopt, sockopt,
};
use sd_notify::NotifyState;

use crate::os::cause::cause_text;
use crate::os::sys;

/// A listening socket that the service manager opened.
#[derive(Debug)]
pub struct PassedSocket {
    /// `FileDescriptorName=` of its unit.
    pub name: String,
    /// The socket, non-blocking.
    pub listener: TcpListener,
}

/// Why passed sockets cannot be used.
#[derive(Debug)]
pub enum PassedSocketError {
    /// The variables name descriptors that are not open, or contradict each other.
    Variables(io::Error),
    /// A descriptor, with its name, is no listening TCP socket.
    NotListening(i32, String),
    /// A descriptor, with its name, cannot be used.
    Unusable(i32, String, io::Error),
}

impl fmt::Display for PassedSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variables(e) => write!(
                f,
                "cannot take the sockets of the service manager (LISTEN_FDS): {}; start hacheck without that variable",
                cause_text(e)
            ),
            Self::NotListening(number, name) => write!(
                f,
                "descriptor {number} ({name}) of the service manager is no listening TCP socket; \
                 write ListenStream= with a port, and Accept=no, in hacheck.socket"
            ),
            Self::Unusable(number, name, e) => write!(
                f,
                "cannot use descriptor {number} ({name}) of the service manager: {}",
                cause_text(e)
            ),
        }
    }
}

impl std::error::Error for PassedSocketError {}

/// Takes the sockets that were passed to this process. To be called before anything else is opened; a second call
/// finds none.
///
/// # Errors
/// [`PassedSocketError`] names the descriptor that is no listening TCP socket.
pub(crate) fn passed_sockets() -> Result<Vec<PassedSocket>, PassedSocketError> {
    let passed = sys::passed_descriptors().map_err(PassedSocketError::Variables)?;
    let sockets = passed.into_iter().map(|(name, fd)| socket(name, fd));
    sockets.collect()
}

fn socket(name: String, fd: OwnedFd) -> Result<PassedSocket, PassedSocketError> {
    // For messages: the descriptor itself is moved below.
    let number = fd.as_raw_fd();
    if !is_tcp(number) || !is_listening(&fd) {
        return Err(PassedSocketError::NotListening(number, name));
    }

    let listener = TcpListener::from(fd);
    // Systemd passes them as its unit says, and blocking is its default.
    match listener.set_nonblocking(true) {
        Ok(()) => Ok(PassedSocket { name, listener }),
        Err(e) => Err(PassedSocketError::Unusable(number, name, e)),
    }
}

fn is_tcp(descriptor: RawFd) -> bool {
    match getsockname::<SockaddrStorage>(descriptor) {
        Ok(address) => matches!(
            address.family(),
            Some(AddressFamily::Inet | AddressFamily::Inet6)
        ),
        Err(_) => false,
    }
}

/// Not so with `Accept=yes`, where each connection is passed to a process of its own. UDP never listens.
fn is_listening(socket: &OwnedFd) -> bool {
    getsockopt(socket, sockopt::AcceptConn) == Ok(true)
}

/// Requests are served from now on, also after a reload.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is read anew; [`ready`] must follow.
pub fn reloading() {
    // Without the time, systemd 253 and newer would not take the message for one of a reload.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(e) => {
            let cause = cause_text(e);
            log::warn!("cannot read the clock for the service manager: {cause}");
        }
    }
}

/// The end has begun.
pub fn stopping() {
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status("waiting for running requests"),
    ]);
}

/// All threads that serve are alive.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How long [`alive`] may be missing before the service manager ends this process; `None` when it does not watch.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    // A period of 0 would mean notifications without a pause.
    sd_notify::watchdog_enabled().filter(|period| !period.is_zero())
}

fn tell(message: &[NotifyState<'_>]) {
    // Without NOTIFY_SOCKET this sends nothing and succeeds.
    if let Err(e) = sd_notify::notify(message) {
        let cause = cause_text(e);
        log::warn!("cannot tell the service manager (NOTIFY_SOCKET): {cause}");
    }
}

/// Whether what is written to this file goes to the journal, which takes levels as `<N>` in front of lines
/// (`JOURNAL_STREAM` in systemd.exec(5)).
#[must_use]
pub(crate) fn is_journal(file: impl std::os::fd::AsFd) -> bool {
    // The variable may be inherited from a service whose output this process does not have; so both are compared.
    match (journal_stream(), file_id(file.as_fd())) {
        (Some(journal), Some(own)) => journal == own,
        _ => false,
    }
}

/// Of the journal's socket, or of what is written to: device and inode.
type StreamId = (u64, u64);

/// The journal's socket.
fn journal_stream() -> Option<StreamId> {
    let text = std::env::var("JOURNAL_STREAM").ok()?;
    let (device, inode) = text.split_once(':')?;
    let device = device.parse().ok()?;
    let inode = inode.parse().ok()?;
    Some((device, inode))
}

fn file_id(file: BorrowedFd<'_>) -> Option<StreamId> {
    // A copy of the descriptor, because `File` closes its own.
    let file = File::from(file.try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}
