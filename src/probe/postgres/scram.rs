//! SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding: both sides prove that they know the password.
//!
//! Rule: a server that skips its own proof is not believed.

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{AUTHENTICATION_TAG, AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;

use super::error::PostgresError;
use super::wire::Wire;

/// Proves the password, and sees the server prove that it knows it too.
pub(super) async fn prove(
    wire: &mut Wire,
    password: &[u8],
    offer: &AuthenticationSaslBody,
) -> Result<(), PostgresError> {
    expect_mechanism(offer)?;
    let scram = ScramSha256::new(password, ChannelBinding::unsupported());
    send_first_message(wire, &scram).await?;
    let challenge = receive_challenge(wire).await?;
    let mut scram = answer_challenge(scram, challenge).await?;
    send_answer(wire, &scram).await?;
    let proof = receive_proof(wire).await?;
    let verified = scram.finish(&proof);
    verified.map_err(PostgresError::WrongServerProof)
}

async fn send_first_message(wire: &mut Wire, scram: &ScramSha256) -> Result<(), PostgresError> {
    let first = scram.message();
    wire.send(|buffer| frontend::sasl_initial_response(SCRAM_SHA_256, first, buffer))
        .await
}

async fn send_answer(wire: &mut Wire, scram: &ScramSha256) -> Result<(), PostgresError> {
    let answer = scram.message();
    wire.send(|buffer| frontend::sasl_response(answer, buffer))
        .await
}

fn expect_mechanism(offer: &AuthenticationSaslBody) -> Result<(), PostgresError> {
    let malformed = |cause| PostgresError::Malformed(AUTHENTICATION_TAG, cause);
    let offered: Vec<&str> = offer.mechanisms().collect().map_err(malformed)?;
    // SCRAM-SHA-256-PLUS stands beside it where the server has TLS.
    if offered.contains(&SCRAM_SHA_256) {
        return Ok(());
    }

    Err(PostgresError::Unsupported(offered.join(" or ")))
}

async fn receive_challenge(wire: &mut Wire) -> Result<Vec<u8>, PostgresError> {
    match wire.authentication().await? {
        Message::AuthenticationSaslContinue(body) => Ok(body.data().to_vec()),
        // Above all AuthenticationOk: an impostor would gladly skip what it cannot compute.
        _ => Err(PostgresError::NoServerProof),
    }
}

async fn receive_proof(wire: &mut Wire) -> Result<Vec<u8>, PostgresError> {
    match wire.authentication().await? {
        Message::AuthenticationSaslFinal(body) => Ok(body.data().to_vec()),
        _ => Err(PostgresError::NoServerProof),
    }
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
