//! Why there is no login, or no answer: errors of mysql_async, tidied.

use std::fmt;
use std::io::{self, ErrorKind};

use mysql_async::{DriverError, Error, IoError, ServerError};
use tokio_rustls::rustls;

use crate::probe::tls;

use crate::os::cause::cause_text;

/// Why there is no login, or no answer.
#[derive(Debug)]
pub(super) enum MysqlFailure {
    /// The server said no.
    Refused { code: u16, message: String },
    /// It offers no TLS.
    NoTls,
    /// There is no connection to it.
    Unreachable(String),
    /// What came was not as the protocol says, or nothing more came.
    Broken(String),
    /// The server is not in the state that was asked for.
    Unfit(String),
}

impl From<Error> for MysqlFailure {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(e) => Self::refused(e),
            Error::Io(e) => Self::transport(&e),
            Error::Driver(e) => Self::driver(&e),
            e => Self::Broken(cause_text(e)),
        }
    }
}

impl fmt::Display for MysqlFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, message } => write!(f, "error {code}: {message}"),
            Self::NoTls => f.write_str("the server offers no TLS, and mysql_tls is required"),
            Self::Unreachable(cause) | Self::Broken(cause) | Self::Unfit(cause) => {
                f.write_str(cause)
            }
        }
    }
}

impl MysqlFailure {
    /// Names the place that cannot be reached.
    pub(super) fn at(self, place: &str) -> Self {
        match self {
            Self::Unreachable(cause) => Self::Unreachable(format!("{place}: {cause}")),
            e => e,
        }
    }

    /// Names the statement that was not answered.
    pub(super) fn at_statement(self, statement: &str) -> Self {
        Self::Broken(format!("{statement}: {self}"))
    }

    fn refused(error: ServerError) -> Self {
        // mysql_async expects no SQL state before the login, where some servers send one.
        let message = match error.message.split_at_checked(6) {
            Some((state, text)) if state.starts_with('#') => text.to_owned(),
            _ => error.message,
        };

        Self::Refused {
            code: error.code,
            message,
        }
    }

    fn transport(error: &IoError) -> Self {
        match error {
            IoError::Io(e) => Self::io(e),
            IoError::Tls(e) => Self::tls(e),
        }
    }

    fn driver(error: &DriverError) -> Self {
        match error {
            DriverError::NoClientSslFlagFromServer => Self::NoTls,
            e => Self::Broken(driver_text(e)),
        }
    }

    fn tls(error: &dyn fmt::Display) -> Self {
        let mut cause = tls::failure_text(error);
        // Older versions of `openssl x509 -req` made such certificates where no extensions were given.
        if cause.contains("UnsupportedCertVersion") {
            cause = "the server's certificate has X.509 version 1; give it one of version 3".into();
        }

        Self::Broken(format!("TLS handshake failed: {cause}"))
    }

    fn io(error: &io::Error) -> Self {
        if is_of_tls(error) {
            return Self::tls(error);
        }

        if says_unreachable(error.kind()) {
            return Self::Unreachable(cause_text(error));
        }

        Self::Broken(broken_text(error))
    }
}

/// Whether no connection was made, so that another address of the host may be tried.
fn says_unreachable(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::TimedOut
            | ErrorKind::NotFound
            | ErrorKind::PermissionDenied
    )
}

fn broken_text(error: &io::Error) -> String {
    // mysql_async's own errors have no number of the system.
    if error.raw_os_error().is_some() {
        return cause_text(error);
    }

    if is_end(error) {
        return "the server closed the connection".to_owned();
    }

    format!("the answer is not MySQL's: {}", cause_text(error))
}

fn is_of_tls(error: &io::Error) -> bool {
    match error.get_ref() {
        Some(inner) => inner.is::<rustls::Error>(),
        None => false,
    }
}

/// The connection ended, in a packet or before one, or in the TLS handshake.
fn is_end(error: &io::Error) -> bool {
    // mysql_async and rustls say so in words only.
    let text = error.to_string();
    let ends = [
        "connection closed",
        "bytes remaining on stream",
        "tls handshake eof",
    ];
    ends.contains(&text.as_str())
}

fn driver_text(error: &DriverError) -> String {
    match error {
        DriverError::UnexpectedPacket { .. } => "the server's packets do not fit together".into(),
        DriverError::UnknownAuthPlugin { name } => {
            let name = name.escape_debug();
            format!(
                "the account's authentication plugin '{name}' is not supported; give the account another plugin"
            )
        }
        DriverError::MysqlOldPasswordDisabled => {
            "the account has a password of before MySQL 4.1; set its password again".into()
        }
        DriverError::CleartextPluginDisabled => {
            "the server wants the password in clear text; give the account another plugin".into()
        }
        e => cause_text(e).trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(error: impl Into<Error>) -> String {
        format!("{:?}", MysqlFailure::from(error.into()))
    }

    #[test]
    fn an_error_is_told_once() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(text(refused), r#"Unreachable("connection refused")"#);
        let reset = io::Error::from_raw_os_error(104);
        assert_eq!(text(reset), r#"Broken("connection reset by peer")"#);
        let large = io::Error::other("Packet too large");
        assert_eq!(
            text(large),
            r#"Broken("the answer is not MySQL's: packet too large")"#
        );
        let end = io::Error::new(ErrorKind::UnexpectedEof, "connection closed");
        assert_eq!(text(end), r#"Broken("the server closed the connection")"#);
        let plugin = DriverError::UnknownAuthPlugin {
            name: "dialog\n".into(),
        };
        assert_eq!(
            text(plugin),
            r#"Broken("the account's authentication plugin 'dialog\\n' is not supported; give the account another plugin")"#
        );
    }

    #[test]
    fn an_old_certificate_is_named() {
        let old = rustls::Error::General("UnsupportedCertVersion".into());
        assert_eq!(
            text(io::Error::new(ErrorKind::InvalidData, old)),
            r#"Broken("TLS handshake failed: the server's certificate has X.509 version 1; give it one of version 3")"#
        );
    }

    #[test]
    fn an_sql_state_is_not_part_of_the_message() {
        for message in ["#08004Host 'x' is blocked", "Host 'x' is blocked"] {
            let error = ServerError {
                code: 1129,
                message: message.into(),
                state: "HY000".into(),
            };
            assert_eq!(
                text(error),
                r#"Refused { code: 1129, message: "Host 'x' is blocked" }"#
            );
        }
    }
}
