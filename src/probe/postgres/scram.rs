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
    wire.send(|buffer| frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), buffer))
        .await?;
    let challenge = receive_challenge(wire).await?;
    let mut scram = answer_challenge(scram, challenge).await?;
    wire.send(|buffer| frontend::sasl_response(scram.message(), buffer))
        .await?;
    let proof = receive_proof(wire).await?;
    scram
        .finish(&proof)
        .map_err(PostgresError::WrongServerProof)
}

fn expect_mechanism(offer: &AuthenticationSaslBody) -> Result<(), PostgresError> {
    let offered: Vec<&str> = offer
        .mechanisms()
        .collect()
        .map_err(|cause| PostgresError::Malformed(AUTHENTICATION_TAG, cause))?;
    if offered.contains(&SCRAM_SHA_256) {
        return Ok(());
    }
    Err(PostgresError::Unsupported(offered.join(" or ")))
}

async fn receive_challenge(wire: &mut Wire) -> Result<Vec<u8>, PostgresError> {
    match wire.authentication().await? {
        Message::AuthenticationSaslContinue(body) => Ok(body.data().to_vec()),
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
