//! Why a daemon cannot start, or a configuration cannot be put to use; the sentences stand here.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::tokens::TokenError;
use crate::config::Faults;
use crate::http::tls::TlsServerError;
use crate::os::cause::cause_text;
use crate::os::file_limit::FileLimitError;
use crate::os::logging::LogError;
use crate::os::signals::SignalError;
use crate::os::systemd::PassedSocketError;
use crate::probe::TlsError;
use crate::spool::SpoolError;

/// Why a configuration cannot be put to use.
#[derive(Debug)]
pub enum SetupError {
    /// The certificates that it names.
    Tls(TlsError),
    /// The certificate and the key for pollers.
    TlsServer(TlsServerError),
    /// There is none of them, and a port that needs them.
    NoCertificate,
    /// Its log.
    Log(LogError),
}

/// Why the daemon cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The sockets of the service manager.
    Passed(PassedSocketError),
    /// The configuration.
    Config(Faults),
    /// What the configuration names.
    Setup(SetupError),
    /// The tokens that it names.
    Tokens(TokenError),
    /// The limit of open files.
    FileLimit(FileLimitError),
    /// The spool.
    Spool(SpoolError),
    /// Signals.
    Signals(SignalError),
    /// A thread's runtime.
    Runtime(io::Error),
    /// A further thread, by its number.
    Thread(usize, io::Error),
    /// A socket that is open, and what cannot be done with it.
    Socket(String, io::Error),
    /// A port of this setting is one that the daemon listens on for something else.
    PortTwice {
        /// The setting.
        setting: &'static str,
        /// The port.
        port: u16,
    },
    /// An address.
    Listen(ListenError),
    /// The unix socket.
    ListenUnix(PathBuf, io::Error),
    /// A group's own listener.
    Group(GroupListenError),
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// The cause.
    pub cause: io::Error,
}

/// Why a group has no listener.
#[derive(Debug)]
pub struct GroupListenError {
    /// The group.
    pub name: String,
    /// The address.
    pub address: SocketAddr,
    /// The cause; `None` where the daemon itself listens there.
    pub cause: Option<io::Error>,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(e) => e.fmt(f),
            Self::TlsServer(e) => e.fmt(f),
            Self::NoCertificate => f.write_str(
                "there is no certificate for a port with TLS; set tls_cert_file and tls_key_file",
            ),
            Self::Log(e) => e.fmt(f),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(e) => e.fmt(f),
            Self::Config(faults) => faults.fmt(f),
            Self::Setup(e) => e.fmt(f),
            Self::Tokens(e) => e.fmt(f),
            Self::FileLimit(e) => e.fmt(f),
            Self::Spool(e) => e.fmt(f),
            Self::Signals(e) => e.fmt(f),
            Self::Runtime(e) => cannot(f, "start the runtime", e),
            Self::Thread(n, e) => cannot(f, &format!("start thread {n}"), e),
            Self::Socket(doing, e) => cannot(f, doing, e),
            Self::PortTwice { setting, port } => write!(
                f,
                "{setting}: hacheck listens on port {port} for something else already; choose another port"
            ),
            Self::Listen(e) => e.fmt(f),
            // A socket's name is made in its folder, so that is where the right to write counts.
            Self::ListenUnix(path, e) => {
                cannot(f, &format!("listen on {}", path.display()), e)?;
                f.write_str("; see listen_unix, and make its folder writable")
            }
            Self::Group(e) => e.fmt(f),
        }
    }
}

fn cannot(f: &mut fmt::Formatter<'_>, what: &str, cause: &io::Error) -> fmt::Result {
    write!(f, "cannot {what}: {}", cause_text(cause))
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listen_sentence(f, self.address, &self.cause)
    }
}

impl fmt::Display for GroupListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, address, .. } = self;
        write!(f, "group {name}: ")?;
        match &self.cause {
            Some(cause) => listen_sentence(f, *address, cause),
            None => write!(
                f,
                "hacheck itself listens on {address}; give the group another port"
            ),
        }
    }
}

fn listen_sentence(
    f: &mut fmt::Formatter<'_>,
    address: SocketAddr,
    cause: &io::Error,
) -> fmt::Result {
    cannot(f, &format!("listen on {address}"), cause)?;
    write!(f, "; {}", remedy_of_listening(cause.kind()))
}

fn remedy_of_listening(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::AddrNotAvailable => {
            "the address is not one of this host's; see --bind-address"
        }
        io::ErrorKind::AddrInUse => {
            "another program listens there; stop it or choose another --port"
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 need root or CAP_NET_BIND_SERVICE",
        _ => "see --bind-address and --port",
    }
}
