//! Logging in, and one statement.

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{
    AUTHENTICATION_TAG, AuthenticationSaslBody, BACKEND_KEY_DATA_TAG, COMMAND_COMPLETE_TAG,
    DATA_ROW_TAG, DataRowBody, ERROR_RESPONSE_TAG, Message, NOTICE_RESPONSE_TAG,
    PARAMETER_STATUS_TAG, READY_FOR_QUERY_TAG, ROW_DESCRIPTION_TAG,
};
use postgres_protocol::message::frontend;

use super::error::{PostgresError, ServerError};
use super::wire::{Frame, Wire};
use crate::settings::Secret;

/// NegotiateProtocolVersion, which postgres-protocol does not know.
pub(super) const NEGOTIATE_TAG: u8 = b'v';

/// Who logs in.
pub(super) struct Credentials<'a> {
    pub user: &'a str,
    pub password: Option<&'a Secret>,
}

/// Logs in, up to where the server takes statements.
pub(super) async fn log_in(
    wire: &mut Wire,
    credentials: &Credentials<'_>,
    database: &str,
) -> Result<(), PostgresError> {
    send_startup(wire, credentials.user, database).await?;
    let request = authentication(wire).await?;
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
    credentials: &Credentials<'_>,
    request: Message,
) -> Result<(), PostgresError> {
    let Some(secret) = credentials.password else {
        return Err(PostgresError::NoPassword);
    };
    let password = secret.reveal().as_bytes();
    match request {
        Message::AuthenticationCleartextPassword if wire.private => {
            send_password(wire, password).await
        }
        Message::AuthenticationCleartextPassword => Err(PostgresError::ClearText),
        Message::AuthenticationMd5Password(body) => {
            let hash = md5_hash(credentials.user.as_bytes(), password, body.salt());
            send_password(wire, hash.as_bytes()).await
        }
        Message::AuthenticationSasl(offer) => prove_by_scram(wire, password, &offer).await,
        other => Err(unsupported(&other)),
    }
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

/// Both sides prove that they know the password (RFC 5802, RFC 7677), without channel binding.
async fn prove_by_scram(
    wire: &mut Wire,
    password: &[u8],
    offer: &AuthenticationSaslBody,
) -> Result<(), PostgresError> {
    expect_scram(offer)?;
    let scram = ScramSha256::new(password, ChannelBinding::unsupported());
    wire.send(|buffer| frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), buffer))
        .await?;
    let Message::AuthenticationSaslContinue(challenge) = authentication(wire).await? else {
        return Err(PostgresError::NoServerProof);
    };
    let mut scram = answer_challenge(scram, challenge.data().to_vec()).await?;
    wire.send(|buffer| frontend::sasl_response(scram.message(), buffer))
        .await?;
    let Message::AuthenticationSaslFinal(proof) = authentication(wire).await? else {
        return Err(PostgresError::NoServerProof);
    };
    scram
        .finish(proof.data())
        .map_err(PostgresError::WrongServerProof)
}

fn expect_scram(offer: &AuthenticationSaslBody) -> Result<(), PostgresError> {
    let offered: Vec<&str> = offer
        .mechanisms()
        .collect()
        .map_err(|cause| PostgresError::Malformed(AUTHENTICATION_TAG, cause))?;
    if offered.contains(&SCRAM_SHA_256) {
        return Ok(());
    }
    Err(PostgresError::Unsupported(offered.join(" or ")))
}

/// Computes the answer to the server's challenge.
///
/// The server chooses how many iterations that takes. The most that postgres-protocol computes, 100,000, are 75 ms of
/// a processor: too long for a thread that serves others.
async fn answer_challenge(
    mut scram: ScramSha256,
    challenge: Vec<u8>,
) -> Result<ScramSha256, PostgresError> {
    let computing = tokio::task::spawn_blocking(move || {
        scram.update(&challenge)?;
        Ok(scram)
    });
    match computing.await {
        Ok(computed) => computed.map_err(PostgresError::Challenge),
        Err(panicked) => Err(PostgresError::Challenge(panicked.into())),
    }
}

/// The next authentication message.
async fn authentication(wire: &mut Wire) -> Result<Message, PostgresError> {
    let frame = next(wire).await?;
    if frame.tag != AUTHENTICATION_TAG {
        return Err(frame.unexpected());
    }
    frame.decode()
}

async fn expect_admission(wire: &mut Wire) -> Result<(), PostgresError> {
    match authentication(wire).await? {
        Message::AuthenticationOk => Ok(()),
        _ => Err(PostgresError::Unexpected(AUTHENTICATION_TAG)),
    }
}

async fn wait_until_ready(wire: &mut Wire) -> Result<(), PostgresError> {
    loop {
        let frame = next(wire).await?;
        match frame.tag {
            READY_FOR_QUERY_TAG => return Ok(()),
            BACKEND_KEY_DATA_TAG => {}
            _ => return Err(frame.unexpected()),
        }
    }
}

/// Sends a statement, and returns the first column of its first row.
pub(super) async fn query(wire: &mut Wire, statement: &str) -> Result<String, PostgresError> {
    wire.send(|buffer| frontend::query(statement, buffer))
        .await?;
    let mut answer = None;
    loop {
        let frame = next(wire).await?;
        match frame.tag {
            READY_FOR_QUERY_TAG => return answer.ok_or(PostgresError::NoRow),
            DATA_ROW_TAG => {
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
    let range = row.ranges().next().ok()???;
    let value = row.buffer().get(range)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// The next message that is not just for information.
async fn next(wire: &mut Wire) -> Result<Frame, PostgresError> {
    loop {
        let frame = wire.receive().await?;
        match frame.tag {
            ERROR_RESPONSE_TAG => return Err(refusal(frame)),
            PARAMETER_STATUS_TAG | NOTICE_RESPONSE_TAG | NEGOTIATE_TAG => {}
            _ => return Ok(frame),
        }
    }
}

/// The error that an ErrorResponse tells of.
pub(super) fn refusal(frame: Frame) -> PostgresError {
    let unexpected = frame.unexpected();
    match frame.decode() {
        Ok(Message::ErrorResponse(body)) => PostgresError::Refused(ServerError::read(&body)),
        Ok(_) => unexpected,
        Err(malformed) => malformed,
    }
}
