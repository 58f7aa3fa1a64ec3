//! The body of an answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

use super::memory::{MemoryBudget, MemoryFull, MemoryPermit, SMALL_ANSWER};
use super::page_text::PageText;

/// Bytes to be sent.
#[derive(Debug, Default, Clone)]
pub(crate) struct ReplyBody {
    bytes: Bytes,
    place: BudgetPlace,
    /// It is for an established poller.
    is_for_established: bool,
    /// A page, and which of its pieces is sent next.
    page: Option<(Arc<PageText>, usize)>,
    /// What comes behind the bytes, over HTTP/2.
    trailers: Option<Box<HeaderMap>>,
    /// Dropped when all is sent.
    unsent: Option<Unsent>,
}

/// Somebody waits until the last of its copies is dropped.
pub(super) type Unsent = Arc<oneshot::Sender<()>>;

/// Bytes that are not sent yet.
struct UnsentBytes {
    bytes: Bytes,
    _unsent: Unsent,
}

impl UnsentBytes {
    /// The same bytes, of which it is known when the last ones are dropped. hyper drops them when they are written.
    fn of(bytes: Bytes, unsent: &Unsent) -> Bytes {
        Bytes::from_owner(Self {
            bytes,
            _unsent: Arc::clone(unsent),
        })
    }
}

impl AsRef<[u8]> for UnsentBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The place of an answer in the memory budget.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum BudgetPlace {
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
    pub(super) fn new(bytes: Bytes, place: BudgetPlace) -> Self {
        Self {
            bytes,
            place,
            ..Self::default()
        }
    }

    /// A few bytes and trailers.
    pub(super) fn with_trailers(bytes: Bytes, trailers: HeaderMap) -> Self {
        Self {
            trailers: Some(Box::new(trailers)),
            ..Self::new(bytes, BudgetPlace::Had)
        }
    }

    /// The same, with somebody who waits until it is sent.
    pub(super) fn waited_for(self, unsent: Unsent) -> Self {
        Self {
            unsent: Some(unsent),
            ..self
        }
    }

    /// A page, piece by piece.
    pub(super) fn page(text: Arc<PageText>) -> Self {
        Self {
            place: BudgetPlace::Had,
            page: Some((text, 0)),
            ..Self::default()
        }
    }

    /// Whether it is for an established poller.
    pub(super) fn is_for_established(&self) -> bool {
        self.is_for_established
    }

    /// Makes it one for an established poller, or for another one.
    pub(super) fn set_for_established(&mut self, is_established: bool) {
        self.is_for_established = is_established;
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

    /// The next bytes to be sent.
    fn next_bytes(&mut self) -> Option<Bytes> {
        let bytes = match self.bytes.is_empty() {
            true => self.piece()?,
            false => std::mem::take(&mut self.bytes),
        };

        match &self.unsent {
            Some(unsent) => Some(UnsentBytes::of(bytes, unsent)),
            None => Some(bytes),
        }
    }

    /// Gives it a place for as long as it waits to be sent. A small one needs none.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn placed(self, memory: &Arc<MemoryBudget>) -> Result<Self, MemoryFull> {
        let size = self.bytes.len();
        if size <= SMALL_ANSWER || self.place == BudgetPlace::Had {
            return Ok(self);
        }

        let permit = self.permit(memory, size)?;
        Ok(Self {
            // The place is freed with the bytes: when the poller has read them or hung up.
            bytes: permit.hold(self.bytes.into()),
            place: BudgetPlace::Had,
            ..self
        })
    }

    fn permit(&self, memory: &Arc<MemoryBudget>, size: usize) -> Result<MemoryPermit, MemoryFull> {
        let permit = memory.permit(0);
        let mut permit = permit.for_established(self.is_for_established);
        match self.place {
            BudgetPlace::Due => permit.cover(size),
            BudgetPlace::Wanted | BudgetPlace::Had => permit.grow_to(size)?,
        }

        Ok(permit)
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // Never pending, since all of it is in memory.
        let frame = match self.next_bytes() {
            Some(bytes) => Some(Frame::data(bytes)),
            None => self.trailers.take().map(|t| Frame::trailers(*t)),
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.rest_of_page() == 0 && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        // Exact, so that hyper sends a Content-Length and no chunks.
        let size = self.bytes.len() + self.rest_of_page();
        SizeHint::with_exact(size as u64)
    }
}
