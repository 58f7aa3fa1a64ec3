//! Logging in, and one statement.

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::message::backend::{
    AUTHENTICATION_TAG, BACKEND_KEY_DATA_TAG, COMMAND_COMPLETE_TAG, DATA_ROW_TAG, DataRowBody,
    Message, READY_FOR_QUERY_TAG, ROW_DESCRIPTION_TAG,
};
use postgres_protocol::message::frontend;

use super::error::PostgresError;
use super::scram;
use super::wire::{Frame, Wire};
use crate::settings::Secret;

/// Who logs in.
pub(super) struct PostgresCredentials<'a> {
    pub user: &'a str,
    pub password: Option<&'a Secret>,
}

impl PostgresCredentials<'_> {
    fn password(&self) -> Result<&[u8], PostgresError> {
        match self.password {
            Some(secret) => Ok(secret.reveal().as_bytes()),
            None => Err(PostgresError::NoPassword),
        }
    }

    /// What PostgreSQL before 14 usually asks for: the password hashed with the user, then with the server's salt.
    fn md5(&self, password: &[u8], salt: [u8; 4]) -> String {
        md5_hash(self.user.as_bytes(), password, salt)
    }
}

/// Logs in, up to where the server takes statements.
pub(super) async fn log_in(
    wire: &mut Wire,
    credentials: &PostgresCredentials<'_>,
    database: &str,
) -> Result<(), PostgresError> {
    send_startup(wire, credentials.user, database).await?;
    let request = wire.authentication().await?;
    // A server that trusts the user asks for nothing.
    if !matches!(request, Message::AuthenticationOk) {
        prove(wire, credentials, request).await?;
        expect_admission(wire).await?;
    }

    wait_until_ready(wire).await
}

/// Sends the first message: who wants to log in, and where.
pub(super) async fn send_startup(
    wire: &mut Wire,
    user: &str,
    database: &str,
) -> Result<(), PostgresError> {
    let parameters = [
        ("user", user),
        ("database", database),
        ("application_name", "hacheck"),
    ];
    wire.send(|buffer| frontend::startup_message(parameters, buffer))
        .await
}

/// Proves the password in the way that the server requests.
async fn prove(
    wire: &mut Wire,
    credentials: &PostgresCredentials<'_>,
    request: Message,
) -> Result<(), PostgresError> {
    let password = credentials.password()?;
    match request {
        Message::AuthenticationCleartextPassword => send_clear_text(wire, password).await,
        Message::AuthenticationMd5Password(body) => {
            let hash = credentials.md5(password, body.salt());
            send_password(wire, hash.as_bytes()).await
        }
        Message::AuthenticationSasl(offer) => scram::prove(wire, password, &offer).await,
        other => Err(unsupported(&other)),
    }
}

async fn send_clear_text(wire: &mut Wire, password: &[u8]) -> Result<(), PostgresError> {
    // Whoever answers in the server's place could ask for this, to get the password.
    if !wire.private {
        return Err(PostgresError::ClearText);
    }

    send_password(wire, password).await
}

async fn send_password(wire: &mut Wire, password: &[u8]) -> Result<(), PostgresError> {
    wire.send(|buffer| frontend::password_message(password, buffer))
        .await
}

fn unsupported(request: &Message) -> PostgresError {
    let method = match request {
        Message::AuthenticationKerberosV5 => "Kerberos authentication",
        Message::AuthenticationGss => "GSSAPI authentication",
        Message::AuthenticationSspi => "SSPI authentication",
        // What continues an exchange cannot begin one.
        _ => return PostgresError::Unexpected(AUTHENTICATION_TAG),
    };
    PostgresError::Unsupported(method.to_owned())
}

async fn expect_admission(wire: &mut Wire) -> Result<(), PostgresError> {
    match wire.authentication().await? {
        Message::AuthenticationOk => Ok(()),
        _ => Err(PostgresError::Unexpected(AUTHENTICATION_TAG)),
    }
}

async fn wait_until_ready(wire: &mut Wire) -> Result<(), PostgresError> {
    loop {
        let frame = wire.next().await?;
        match frame.tag {
            READY_FOR_QUERY_TAG => return Ok(()),
            // The key to cancel a statement by, which is not needed: the connection is closed instead.
            BACKEND_KEY_DATA_TAG => {}
            _ => return Err(frame.unexpected()),
        }
    }
}

/// Sends a statement, and returns the first column of its first row.
pub(super) async fn query(wire: &mut Wire, statement: &str) -> Result<String, PostgresError> {
    wire.send(|buffer| frontend::query(statement, buffer))
        .await?;
    read_answer(wire).await
}

async fn read_answer(wire: &mut Wire) -> Result<String, PostgresError> {
    let mut answer = None;
    loop {
        let frame = wire.next().await?;
        match frame.tag {
            READY_FOR_QUERY_TAG => return answer.ok_or(PostgresError::NoRow),
            DATA_ROW_TAG => {
                // Further rows are read, so that the server's end of the answer is seen, and forgotten.
                let column = row_answer(frame)?;
                answer = answer.or(column);
            }
            ROW_DESCRIPTION_TAG | COMMAND_COMPLETE_TAG => {}
            _ => return Err(frame.unexpected()),
        }
    }
}

fn row_answer(frame: Frame) -> Result<Option<String>, PostgresError> {
    match frame.decode()? {
        Message::DataRow(row) => Ok(first_column(&row)),
        _ => Ok(None),
    }
}

/// The first column of a row; `None` for NULL, and for a row that is malformed.
pub(super) fn first_column(row: &DataRowBody) -> Option<String> {
    // In this order: malformed, no column, NULL.
    let range = row.ranges().next().ok()???;
    // The range is the server's word for it, and may lie outside.
    let value = row.buffer().get(range)?;
    Some(String::from_utf8_lossy(value).into_owned())
}
