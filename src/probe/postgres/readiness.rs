//! Readiness without credentials: what `pg_isready` asks. Any answer to a startup message but 57P03 means that connections
//! are accepted, even a refusal.
//!
//! Rule: the server logs nothing of it where it asks for a password, or trusts the user: a client that leaves when it is
//! asked for a password is no failed login to it, as long as it says nothing more (PostgreSQL's `auth.c`, STATUS_EOF).

use postgres_protocol::message::backend::{
    AUTHENTICATION_TAG, ERROR_RESPONSE_TAG, Message, READY_FOR_QUERY_TAG,
};

use super::error::PostgresError;
use super::login;
use super::wire::{NEGOTIATE_TAG, Wire};
use super::{connect, failed, tls_use};
use crate::probe::{Checked, Outcome, Probe, TlsUse};

/// The user that is named. It exists on nearly every server, so that one that trusts it logs no FATAL either.
const USER: &str = "postgres";

/// SQLSTATE of a server that starts, stops, or recovers without serving reads.
const CANNOT_CONNECT_NOW: &str = "57P03";

/// What a server answers that accepts connections.
enum Readiness {
    /// It asks for a password, which it does not get.
    AsksForPassword,
    /// It takes statements.
    Ready,
    /// It refuses this user, for a reason that does not matter here.
    Refuses(String),
}

pub(super) async fn check(probe: &Probe<'_>, database: &str) -> Checked {
    // Readiness shows without TLS too.
    let wants_tls = tls_use(probe) == TlsUse::Required;
    let mut wire = connect(probe, wants_tls).await?;
    let stage = "waiting for the answer to the startup packet";
    probe.trace.stage(stage);
    let accepted = startup_answer(&mut wire, database).await;
    let accepted = accepted.map_err(|e| failed(probe, e))?;
    leave(probe, wire, accepted).await;
    Ok(Outcome::healthy("PostgreSQL is accepting connections"))
}

async fn leave(probe: &Probe<'_>, wire: Wire, accepted: Readiness) {
    match accepted {
        // Not by a message: the server waits for a password, and logs anything else as an error.
        Readiness::AsksForPassword => {
            probe.trace.note(|| "asked for a password".to_owned());
            wire.hang_up().await;
        }
        Readiness::Ready => wire.close().await,
        Readiness::Refuses(text) => {
            probe.trace.note(|| format!("refused: {text}"));
            wire.hang_up().await;
        }
    }
}

async fn startup_answer(wire: &mut Wire, database: &str) -> Result<Readiness, PostgresError> {
    login::send_startup(wire, USER, database).await?;
    loop {
        let frame = wire.receive().await?;
        match frame.tag {
            // The server knows an older minor version: the answer itself comes next.
            NEGOTIATE_TAG => {}
            AUTHENTICATION_TAG => match frame.decode()? {
                Message::AuthenticationOk => return until_ready(wire).await,
                _ => return Ok(Readiness::AsksForPassword),
            },
            ERROR_RESPONSE_TAG => return despite(frame.refusal()),
            _ => return Err(frame.unexpected()),
        }
    }
}

/// Reads on where the server trusts the user: it logs a client that leaves before it is ready.
async fn until_ready(wire: &mut Wire) -> Result<Readiness, PostgresError> {
    loop {
        match wire.next().await {
            Ok(frame) if frame.tag == READY_FOR_QUERY_TAG => return Ok(Readiness::Ready),
            Ok(_) => {}
            Err(refusal @ PostgresError::Refused(_)) => return despite(refusal),
            Err(error) => return Err(error),
        }
    }
}

/// A server that refuses a stranger accepts connections, unless it says that it does not.
fn despite(refusal: PostgresError) -> Result<Readiness, PostgresError> {
    match refusal {
        PostgresError::Refused(e) if e.code != CANNOT_CONNECT_NOW => Ok(Readiness::Refuses(e.text)),
        error => Err(error),
    }
}
