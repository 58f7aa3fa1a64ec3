//! The body of an answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::memory::{MemoryBudget, MemoryFull, SMALL_ANSWER};
use super::page_text::PageText;

/// Bytes to be sent.
#[derive(Debug, Default)]
pub(crate) struct ReplyBody {
    bytes: Bytes,
    place: Place,
    /// A page, and which of its pieces is sent next.
    page: Option<(Arc<PageText>, usize)>,
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
        Self {
            bytes,
            place,
            page: None,
        }
    }

    /// A page, piece by piece.
    pub(super) fn page(text: Arc<PageText>) -> Self {
        Self {
            bytes: Bytes::new(),
            place: Place::Had,
            page: Some((text, 0)),
        }
    }

    /// The next piece of a page.
    fn piece(&mut self) -> Option<Bytes> {
        let (text, next) = self.page.as_mut()?;
        let piece = text.pieces.get(*next)?.clone();
        *next += 1;
        Some(piece)
    }

    /// How many bytes of a page are still to be sent.
    fn rest_of_page(&self) -> usize {
        match &self.page {
            Some((text, next)) => text.pieces.iter().skip(*next).map(Bytes::len).sum(),
            None => 0,
        }
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
        let data = match bytes.is_empty() {
            true => self.piece(),
            false => Some(bytes),
        };
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.rest_of_page() == 0
    }

    fn size_hint(&self) -> SizeHint {
        let size = self.bytes.len() + self.rest_of_page();
        SizeHint::with_exact(size as u64)
    }
}
