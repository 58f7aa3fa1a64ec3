//! SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding: both sides prove that they know the password.
//!
//! A password is taken as its UTF-8 bytes; one outside ASCII that SASLprep (RFC 4013) would change does not pass.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac, pbkdf2};

/// The mechanism's name.
pub(super) const MECHANISM: &str = "SCRAM-SHA-256";

/// Most iterations that are computed for a server, about half a second. PostgreSQL's default is 4096.
const ITERATIONS_MAX: u32 = 1_000_000;

/// The client's side, its first message sent.
pub(super) struct Scram {
    nonce: String,
}

/// The client's side, its last message sent.
pub(super) struct Verifier {
    key: hmac::Key,
    exchange: String,
}

impl Scram {
    /// Begins with a nonce of its own.
    pub(super) fn begin() -> Result<Self, String> {
        let mut random = [0; 18];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| "the system gives no random numbers")?;
        Ok(Self {
            nonce: STANDARD.encode(random),
        })
    }

    /// The first message. The user's name stands in the startup packet already.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first_bare())
    }

    fn first_bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// The last message, and what the server must answer to it. This computes for a while.
    pub(super) fn last(
        &self,
        password: &str,
        server_first: &str,
    ) -> Result<(String, Verifier), String> {
        let challenge = self.challenge(server_first)?;
        let mut salted = [0; digest::SHA256_OUTPUT_LEN];
        let (salt, password) = (&challenge.salt, password.as_bytes());
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            challenge.iterations,
            salt,
            password,
            &mut salted,
        );
        let salted = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let server_key = hmac::sign(&salted, b"Server Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        // "biws" is base64 for "n,,".
        let without_proof = format!("c=biws,r={}", challenge.nonce);
        let exchange = format!("{},{server_first},{without_proof}", self.first_bare());
        let signature = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, stored_key.as_ref()),
            exchange.as_bytes(),
        );
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(a, b)| a ^ b)
            .collect();
        let key = hmac::Key::new(hmac::HMAC_SHA256, server_key.as_ref());
        Ok((
            format!("{without_proof},p={}", STANDARD.encode(proof)),
            Verifier { key, exchange },
        ))
    }

    fn challenge<'a>(&self, server_first: &'a str) -> Result<Challenge<'a>, String> {
        let mut parts = server_first.split(',');
        let mut part = |name: &str| {
            parts
                .next()
                .and_then(|p| p.strip_prefix(name))
                .ok_or("malformed SCRAM challenge")
        };
        let (nonce, salt, iterations) = (part("r=")?, part("s=")?, part("i=")?);
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err("the SCRAM challenge is not for this login".into());
        }
        let salt = STANDARD.decode(salt).map_err(|_| "malformed SCRAM salt")?;
        let iterations: NonZeroU32 = iterations
            .parse()
            .map_err(|_| "malformed SCRAM iteration count")?;
        if iterations.get() > ITERATIONS_MAX {
            return Err(format!(
                "{iterations} SCRAM iterations are too many, at most {ITERATIONS_MAX} are computed"
            ));
        }
        Ok(Challenge {
            nonce,
            salt,
            iterations,
        })
    }
}

struct Challenge<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

impl Verifier {
    /// Whether the server knows the password too.
    pub(super) fn verify(&self, server_final: &str) -> Result<(), String> {
        let signature = server_final
            .strip_prefix("v=")
            .and_then(|s| STANDARD.decode(s).ok());
        let valid = |s: Vec<u8>| hmac::verify(&self.key, self.exchange.as_bytes(), &s).is_ok();
        if signature.is_some_and(valid) {
            Ok(())
        } else {
            Err("the server does not know the password itself".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=qvT2SWdEH5Q06albL+hjSYuUhCG7VndFyzIb7CK4n9k=";
    const FINAL: &str = "v=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg=";

    fn scram() -> Scram {
        Scram {
            nonce: "rOprNGfwEbeRWgbNEkqO".into(),
        }
    }

    #[test]
    fn both_sides_prove_themselves() {
        let (last, verifier) = scram().last("pencil", FIRST).unwrap();
        // Computed with Python's hashlib from the formulas of RFC 5802, with an empty user name as PostgreSQL wants it.
        assert_eq!(last, LAST);
        verifier.verify(FINAL).unwrap();
        for wrong in ["v=AAAA", "e=other-error", "", "v="] {
            assert_eq!(
                verifier.verify(wrong).unwrap_err(),
                "the server does not know the password itself"
            );
        }
    }

    #[test]
    fn challenges_that_cannot_be_are_refused() {
        for (challenge, sentence) in [
            ("", "malformed SCRAM challenge"),
            (
                "r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096",
                "the SCRAM challenge is not for this login",
            ),
            (
                "r=other,s=W22Z,i=4096",
                "the SCRAM challenge is not for this login",
            ),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096", "malformed SCRAM salt"),
            (
                "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=0",
                "malformed SCRAM iteration count",
            ),
            (
                "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=4294967295",
                "4294967295 SCRAM iterations are too many",
            ),
        ] {
            let error = scram().last("pencil", challenge).err().unwrap();
            assert!(error.starts_with(sentence), "{challenge}: {error}");
        }
    }
}
