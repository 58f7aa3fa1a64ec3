//! What can go wrong between us and a PostgreSQL server.

use std::fmt;
use std::io;

use postgres_protocol::message::backend::ErrorResponseBody;

use fallible_iterator::FallibleIterator as _;

use crate::os::cause::cause_text;

/// Why there is no login, or no answer.
#[derive(Debug)]
pub(super) enum PostgresError {
    /// The server says no.
    Refused(ServerError),
    /// The connection broke.
    Broken(io::Error),
    /// The server closed the connection.
    Closed,
    /// The server sends more than one probe reads.
    TooMuch,
    /// The peer speaks another protocol; its first bytes.
    NotPostgres(String),
    /// A message with this tag does not belong here.
    Unexpected(u8),
    /// A message with this tag cannot be decoded.
    Malformed(u8, io::Error),
    /// The user, the database or the password contains a zero byte.
    ZeroByte,
    /// The server wants a password, and none is set.
    NoPassword,
    /// The server wants the password in clear text, and others could read it.
    ClearText,
    /// The server wants a way to log in that is not supported.
    Unsupported(String),
    /// The SCRAM challenge of the server has no answer.
    Challenge(io::Error),
    /// The server let us in without its own half of the SCRAM exchange.
    NoServerProof,
    /// The server's half of the SCRAM exchange is wrong.
    WrongServerProof(io::Error),
    /// The statement gave no row.
    NoRow,
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "{error}"),
            Self::Broken(cause) => f.write_str(&cause_text(cause)),
            Self::Closed => f.write_str("the server closed the connection"),
            Self::TooMuch => f.write_str("the server sends too much"),
            Self::NotPostgres(start) => write!(
                f,
                "the answer is not PostgreSQL's: it begins with '{}'",
                start.escape_debug()
            ),
            Self::Unexpected(tag) => write!(
                f,
                "the server sent an unexpected message '{}'",
                char::from(*tag)
            ),
            Self::Malformed(tag, cause) => write!(
                f,
                "the server sent a malformed message '{}': {}",
                char::from(*tag),
                cause_text(cause)
            ),
            Self::ZeroByte => f.write_str("user, database or password contains a zero byte"),
            Self::NoPassword => f.write_str("the server wants a password; set postgres_password"),
            Self::ClearText => {
                f.write_str("the server wants the password in clear text, which takes TLS")
            }
            Self::Unsupported(method) => write!(
                f,
                "the server wants {method}, which is not supported; \
                 use scram-sha-256 for this user in pg_hba.conf"
            ),
            Self::Challenge(cause) => write!(
                f,
                "cannot answer the server's SCRAM challenge: {}",
                cause_text(cause)
            ),
            Self::NoServerProof => {
                f.write_str("the server ended the SCRAM exchange without its proof")
            }
            Self::WrongServerProof(cause) => write!(
                f,
                "the server does not know the password itself: {}",
                cause_text(cause)
            ),
            Self::NoRow => f.write_str("no row came"),
        }
    }
}

/// What an ErrorResponse says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerError {
    /// The SQLSTATE.
    pub code: String,
    /// The text for people.
    pub text: String,
}

impl ServerError {
    /// Reads the fields that matter here.
    pub(super) fn read(body: &ErrorResponseBody) -> Self {
        let mut error = Self {
            code: String::new(),
            text: "(no text)".into(),
        };

        let mut fields = body.fields();
        // A malformed field ends the list; those before it still say what is wrong.
        while let Ok(Some(field)) = fields.next() {
            error.set(field.type_(), field.value_bytes());
        }

        error
    }

    /// Sets a field by its type (PostgreSQL manual, "Error and Notice Message Fields").
    fn set(&mut self, kind: u8, value: &[u8]) {
        // The server may write in any encoding before the login is through.
        let text = String::from_utf8_lossy(value);
        match kind {
            b'C' => self.code = text.into_owned(),
            b'M' => self.text = text.into_owned(),
            _ => {}
        }
    }

    /// Whether the configuration is to blame: who logs in (class 28), where to (3D000), with what rights (42501).
    pub(super) fn is_about_the_login(&self) -> bool {
        self.code.starts_with("28") || self.code == "3D000" || self.code == "42501"
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}
