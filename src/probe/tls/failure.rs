//! Why a handshake failed, in words, with what to do where the server is too old for us.

use std::fmt::Display;

use crate::os::cause::cause_text;

/// What rustls says where the two sides have no version or cipher suite in common. The alerts of the server mean other
/// things as well.
const NOTHING_IN_COMMON: [&str; 4] = [
    "alert: HandshakeFailure",
    "alert: InsufficientSecurity",
    "alert: ProtocolVersion",
    "peer is incompatible",
];

/// What rustls lacks, so that the server must have it.
const REMEDY: &str = "if the server has only CBC, DHE or RSA key exchange, or no TLS 1.2, enable ECDHE with AES-GCM \
    or ChaCha20 there, or check it by tcp";

/// The text of a failed handshake, for the middle of a sentence.
pub(in crate::probe) fn failure_text(error: impl Display) -> String {
    let cause = cause_text(error);
    if NOTHING_IN_COMMON.iter().any(|said| cause.contains(said)) {
        format!("{cause}; {REMEDY}")
    } else {
        cause
    }
}
