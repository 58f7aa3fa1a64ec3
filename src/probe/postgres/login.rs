//! Logging in, and one statement.

use md5::{Digest as _, Md5};

use super::message::{self, Authentication, Message, ServerError};
use super::scram::{self, Scram, Verifier};
use super::wire::Wire;
use crate::config::Secret;

/// Who logs in.
pub(super) struct Credentials<'a> {
    pub user: &'a str,
    pub password: Option<&'a Secret>,
}

/// Why there is no login, or no answer.
pub(super) enum Error {
    /// The server said no.
    Refused(ServerError),
    /// What came was not to be expected, or nothing more came.
    Failed(String),
}

impl From<String> for Error {
    fn from(cause: String) -> Self {
        Self::Failed(cause)
    }
}

/// Where a SCRAM exchange is.
enum Exchange {
    None,
    Begun(Scram),
    Proven(Verifier),
}

/// Logs in, up to where the server takes statements.
pub(super) async fn log_in(
    wire: &mut Wire,
    credentials: &Credentials<'_>,
    database: &str,
) -> Result<(), Error> {
    wire.send(&message::startup(credentials.user, database))
        .await?;
    let mut exchange = Exchange::None;
    loop {
        let message = next(wire).await?;
        if message.tag != b'R' {
            return Err(message.unexpected().into());
        }
        let wanted = message
            .authentication()
            .ok_or_else(|| "malformed authentication request".to_owned())?;
        if wanted == Authentication::Ok {
            break;
        }
        exchange = answer(wire, credentials, wanted, exchange).await?;
    }
    if matches!(exchange, Exchange::Begun(_) | Exchange::Proven(_)) {
        return Err("the server ended the SCRAM exchange without its proof"
            .to_owned()
            .into());
    }
    loop {
        match next(wire).await? {
            Message { tag: b'Z', .. } => return Ok(()),
            Message { tag: b'K', .. } => {}
            other => return Err(other.unexpected().into()),
        }
    }
}

async fn answer(
    wire: &mut Wire,
    credentials: &Credentials<'_>,
    wanted: Authentication,
    exchange: Exchange,
) -> Result<Exchange, Error> {
    let Some(password) = credentials.password.map(Secret::reveal) else {
        return Err("the server wants a password; set postgres_password"
            .to_owned()
            .into());
    };
    match (wanted, exchange) {
        (Authentication::CleartextPassword, Exchange::None) if wire.private => {
            wire.send(&message::tagged_text(b'p', password)).await?;
        }
        (Authentication::CleartextPassword, Exchange::None) => {
            return Err(
                "the server wants the password in clear text, which takes TLS"
                    .to_owned()
                    .into(),
            );
        }
        (Authentication::Md5Password(salt), Exchange::None) => {
            wire.send(&message::tagged_text(
                b'p',
                &md5_proof(credentials.user, password, salt),
            ))
            .await?;
        }
        (Authentication::Sasl(mechanisms), Exchange::None) => {
            if !mechanisms.iter().any(|m| m == scram::MECHANISM) {
                return Err(format!(
                    "the server wants {}, not {}",
                    mechanisms.join(" or "),
                    scram::MECHANISM
                )
                .into());
            }
            let scram = Scram::begin()?;
            wire.send(&message::sasl_initial(scram::MECHANISM, &scram.first()))
                .await?;
            return Ok(Exchange::Begun(scram));
        }
        (Authentication::SaslContinue(challenge), Exchange::Begun(scram)) => {
            let password = password.to_owned();
            // The server says how much there is to compute: not on a thread that others wait for.
            let proof = tokio::task::spawn_blocking(move || scram.last(&password, &challenge));
            let (last, verifier) = proof.await.map_err(|e| e.to_string())??;
            wire.send(&message::tagged(b'p', last.as_bytes())).await?;
            return Ok(Exchange::Proven(verifier));
        }
        (Authentication::SaslFinal(proof), Exchange::Proven(verifier)) => {
            verifier.verify(&proof)?;
        }
        (Authentication::Other(kind), _) => {
            return Err(format!(
                "the server wants authentication of kind {kind}, which is not supported"
            )
            .into());
        }
        _ => {
            return Err("the server's authentication requests do not fit together"
                .to_owned()
                .into());
        }
    }
    Ok(Exchange::None)
}

/// `md5` + md5(md5(password + user) + salt), in hexadecimal digits.
fn md5_proof(user: &str, password: &str, salt: [u8; 4]) -> String {
    let inner = hex(&Md5::new()
        .chain_update(password)
        .chain_update(user)
        .finalize());
    format!(
        "md5{}",
        hex(&Md5::new().chain_update(inner).chain_update(salt).finalize())
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Sends a statement, and gives the first column of its first row.
pub(super) async fn query(wire: &mut Wire, statement: &str) -> Result<String, Error> {
    wire.send(&message::tagged_text(b'Q', statement)).await?;
    let mut answer = None;
    loop {
        match next(wire).await? {
            Message { tag: b'Z', .. } => {
                return answer.ok_or_else(|| "no row came".to_owned().into());
            }
            row @ Message { tag: b'D', .. } => answer = answer.or_else(|| row.first_column()),
            Message {
                tag: b'T' | b'C', ..
            } => {}
            other => return Err(other.unexpected().into()),
        }
    }
}

/// The next message that is not just for information.
async fn next(wire: &mut Wire) -> Result<Message, Error> {
    loop {
        let message = wire.receive().await?;
        match message.tag {
            b'E' => return Err(Error::Refused(message.error())),
            // ParameterStatus, NoticeResponse, NegotiateProtocolVersion.
            b'S' | b'N' | b'v' => {}
            _ => return Ok(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_md5_proof_is_that_of_the_manual() {
        assert_eq!(
            md5_proof("checker", "s3cret", *b"salt"),
            "md5074f445ac88a0b1ec229aa56481af2bf"
        );
    }
}
