//! The body of an answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::memory::{MemoryBudget, MemoryFull, SMALL_ANSWER};

/// Bytes to be sent.
#[derive(Debug, Default)]
pub(crate) struct ReplyBody {
    bytes: Bytes,
    place: Place,
}

/// The place of an answer in the memory budget.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It has none yet.
    #[default]
    Wanted,
    /// It has none yet, and must not be refused.
    Due,
    /// It has one, or needs none.
    Had,
}

impl ReplyBody {
    /// Bytes with such a place.
    pub(super) fn new(bytes: Bytes, place: Place) -> Self {
        Self { bytes, place }
    }

    /// The same place with other bytes; of nothing there is nothing to be changed.
    pub(super) fn map_bytes(self, change: impl FnOnce(Bytes) -> Bytes) -> Self {
        match self.bytes.is_empty() {
            true => self,
            false => Self::new(change(self.bytes), self.place),
        }
    }

    /// Gives it a place for as long as it waits to be sent. A small one needs none.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn placed(self, memory: &Arc<MemoryBudget>) -> Result<Self, MemoryFull> {
        let size = self.bytes.len();
        if size <= SMALL_ANSWER || self.place == Place::Had {
            return Ok(self);
        }
        let mut permit = memory.permit(0);
        match self.place {
            Place::Due => permit.cover(size),
            Place::Wanted | Place::Had => permit.grow_to(size)?,
        }
        let bytes = permit.hold(self.bytes.into());
        Ok(Self::new(bytes, Place::Had))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = std::mem::take(&mut self.bytes);
        let frame = match bytes.is_empty() {
            true => None,
            false => Some(Ok(Frame::data(bytes))),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
