//! Unpacks gzip bodies, in steps within the memory budget.
//!
//! Rule: a serving thread unpacks little. Of what is longer, two at a time are unpacked on threads that serve nobody.

use std::io::{self, Read as _};

use flate2::bufread::GzDecoder;
use tokio::sync::{Semaphore, oneshot};

use super::memory::{BodyBuffer, MemoryFull};

/// Most that a serving thread unpacks, in bytes.
const SHORT: usize = 64 << 10;

/// How much is unpacked at once, in bytes.
const STEP: usize = 16 << 10;

/// Those that may unpack on other threads.
static UNPACKERS: Semaphore = Semaphore::const_new(2);

/// Why a body cannot be unpacked.
pub(super) enum UnpackError {
    Gzip(io::Error),
    Full(MemoryFull),
}

impl From<MemoryFull> for UnpackError {
    fn from(e: MemoryFull) -> Self {
        Self::Full(e)
    }
}

/// Unpacks a body, as far as a body like it may be long.
///
/// # Errors
/// When it is not gzip, or there is no memory for it.
pub(super) async fn gzip(packed: BodyBuffer) -> Result<BodyBuffer, UnpackError> {
    // Most bodies are short, and a thread would cost more than unpacking them.
    let beginning = unpack(packed.bytes(), packed.another(), &is_long)?;
    if !is_long(&beginning) {
        return Ok(beginning);
    }

    // Its place is needed for the whole.
    drop(beginning);
    unpack_elsewhere(packed).await
}

fn is_long(body: &BodyBuffer) -> bool {
    body.bytes().len() > SHORT
}

/// Unpacks on a thread that serves nobody, for as long as somebody waits for it.
async fn unpack_elsewhere(packed: BodyBuffer) -> Result<BodyBuffer, UnpackError> {
    // A few KiB can unpack to gigabytes. Two at a time leave the other blocking threads to look-ups and files.
    let turn = UNPACKERS.acquire().await;
    let (sender, receiver) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        // Held by the thread, which goes on for one more step after its probe is over.
        let _turn = turn;
        unpack_for(sender, &packed);
    });
    match receiver.await {
        Ok(body) => body,
        // The thread panicked, or the process ends.
        Err(_) => Err(UnpackError::Gzip(io::ErrorKind::Interrupted.into())),
    }
}

/// What comes of unpacking.
type Unpacked = Result<BodyBuffer, UnpackError>;

fn unpack_for(receiver: oneshot::Sender<Unpacked>, packed: &BodyBuffer) {
    let body = unpack(packed.bytes(), packed.another(), &|_| receiver.is_closed());
    // Nobody may wait any more.
    let _ = receiver.send(body);
}

/// Unpacks until the body ends, is as long as it may be, or is enough.
fn unpack(
    packed: &[u8],
    mut body: BodyBuffer,
    is_enough: &dyn Fn(&BodyBuffer) -> bool,
) -> Result<BodyBuffer, UnpackError> {
    let mut decoder = GzDecoder::new(packed);
    let mut step = [0; STEP];
    while !body.is_complete() && !is_enough(&body) {
        match decoder.read(&mut step).map_err(UnpackError::Gzip)? {
            // The end of the first member; further ones (RFC 1952 section 2.2) are not read.
            0 => break,
            n => body.push(&step[..n])?,
        }
    }

    Ok(body)
}
