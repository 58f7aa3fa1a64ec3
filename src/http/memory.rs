//! The memory that is held for others, by one budget in bytes: bodies that are read and unpacked, results and pages that
//! wait for slow readers, forms, heads of requests.
//!
//! Rule: what does not fit is refused, never waited for. Whatever got a place gives it back when it is dropped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

/// An answer up to this size always has a place.
pub(crate) const SMALL_ANSWER: usize = 16 << 10;

/// So has a request's head, and a form, up to this size.
pub(crate) const SMALL_REQUEST: usize = 4 << 10;

/// The part of the budget that is kept for what always has a place: one of so many.
const KEPT: usize = 4;

/// The budget of this process.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: AtomicUsize,
    used: AtomicUsize,
    refusals: AtomicU64,
    /// Notified when something did not fit.
    full: Notify,
}

/// There is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryFull;

impl fmt::Display for MemoryFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hacheck holds as much for others as memory_limit allows")
    }
}

impl std::error::Error for MemoryFull {}

impl MemoryBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
            refusals: AtomicU64::new(0),
            full: Notify::new(),
        })
    }

    /// Changes the limit. What has a place keeps it.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Most bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How often there was no place.
    pub(crate) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    /// A permit for no bytes yet. Up to `always` bytes it gets whatever else is held.
    pub(crate) fn permit(self: &Arc<Self>, always: usize) -> MemoryPermit {
        MemoryPermit {
            budget: Arc::clone(self),
            always,
            is_kept_for: false,
            bytes: 0,
        }
    }

    /// Ends when something did not fit.
    pub(super) async fn is_full(&self) {
        self.full.notified().await;
    }

    fn take(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if used > self.limit() {
            self.full.notify_one();
        }
    }

    fn try_take(&self, bytes: usize, most: usize) -> Result<(), MemoryFull> {
        // Taken first and given back if it does not fit: checking first would let two threads take the last place.
        let used = self.used.fetch_add(bytes, Ordering::Relaxed);
        if used.saturating_add(bytes) <= most {
            return Ok(());
        }

        // For a moment others may have been refused that would have fitted. They may ask again.
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        Err(self.refuse())
    }

    fn refuse(&self) -> MemoryFull {
        self.refusals.fetch_add(1, Ordering::Relaxed);
        self.full.notify_one();
        MemoryFull
    }
}

/// A place for a number of bytes, which it gives back when it is dropped.
#[derive(Debug)]
pub(crate) struct MemoryPermit {
    budget: Arc<MemoryBudget>,
    always: usize,
    /// The part that is kept is for this one, too.
    is_kept_for: bool,
    bytes: usize,
}

impl MemoryPermit {
    /// The same, which an established poller may fill into the part that is kept.
    #[must_use]
    pub(crate) fn for_established(mut self, is_established: bool) -> Self {
        self.set_for_established(is_established);
        self
    }

    /// Says whether an established poller may.
    pub(super) fn set_for_established(&mut self, is_established: bool) {
        self.is_kept_for = is_established;
    }

    /// The most that may be in use with it.
    fn most(&self) -> usize {
        let limit = self.budget.limit();
        match self.is_kept_for {
            true => limit,
            false => limit - limit / KEPT,
        }
    }

    /// Makes it a place for so many bytes, if it is not one yet.
    ///
    /// # Errors
    /// When they do not fit; then it stays what it was.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), MemoryFull> {
        let more = bytes.saturating_sub(self.bytes);
        if bytes <= self.always {
            // Above the limit too: there are no more of these than connections and probes.
            self.budget.take(more);
        } else {
            self.budget.try_take(more, self.most())?;
        }

        self.bytes += more;
        Ok(())
    }

    /// The same for what is there already, whether it fits or not.
    pub(crate) fn cover(&mut self, bytes: usize) {
        let more = bytes.saturating_sub(self.bytes);
        self.budget.take(more);
        self.bytes += more;
    }

    /// Gives back what is above so many bytes.
    fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.budget.used.fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
    }

    /// Bytes that keep the place for as long as anybody has them.
    pub(crate) fn hold(mut self, bytes: Vec<u8>) -> Bytes {
        // An empty body needs no place.
        if bytes.is_empty() {
            return Bytes::new();
        }

        // Exactly as large as they are: they may stay in the cache.
        let bytes = bytes.into_boxed_slice();
        self.shrink_to(bytes.len());
        Bytes::from_owner(HeldBytes {
            bytes,
            _permit: self,
        })
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

struct HeldBytes {
    bytes: Box<[u8]>,
    _permit: MemoryPermit,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes that are collected within the budget, up to a limit of their own.
#[derive(Debug)]
pub(crate) struct BodyBuffer {
    bytes: Vec<u8>,
    max: usize,
    permit: MemoryPermit,
}

impl BodyBuffer {
    /// An empty one that takes at most so many bytes.
    pub(crate) fn new(permit: MemoryPermit, max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            max,
            permit,
        }
    }

    /// Another empty one, with the same limits.
    pub(super) fn another(&self) -> Self {
        let like = &self.permit;
        let permit = like.budget.permit(like.always);
        Self::new(permit.for_established(like.is_kept_for), self.max)
    }

    /// Adds bytes; what is above the limit is left out.
    ///
    /// # Errors
    /// When they do not fit into the budget.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), MemoryFull> {
        let bytes = &bytes[..bytes.len().min(self.room())];
        self.reserve(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Makes room for so many more, which are at most what it still takes.
    fn reserve(&mut self, more: usize) -> Result<(), MemoryFull> {
        let length = self.bytes.len();
        let needed = length + more;
        if needed > self.bytes.capacity() {
            // Twice as much each time, so that bytes are not copied for every piece.
            let capacity = needed.max(2 * length).min(self.max);
            // The place is taken before the memory is allocated.
            self.permit.grow_to(capacity)?;
            self.bytes.reserve_exact(capacity - length);
        }

        Ok(())
    }

    /// Whether it takes no more.
    pub(crate) fn is_complete(&self) -> bool {
        self.room() == 0
    }

    /// Most bytes that it takes.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// How many bytes it still takes.
    pub(crate) fn room(&self) -> usize {
        self.max - self.bytes.len()
    }

    /// What it holds.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its place, without the bytes.
    pub(crate) fn into_permit(self) -> MemoryPermit {
        self.permit
    }

    /// The bytes, which keep their place for as long as anybody has them.
    pub(crate) fn finish(self) -> Bytes {
        self.permit.hold(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_is_given_back_by_the_last_who_has_it() {
        let budget = MemoryBudget::new(1000);
        let mut buffer = BodyBuffer::new(budget.permit(0), 300);
        buffer.push(&[b'a'; 200]).unwrap();
        buffer.push(&[b'b'; 200]).unwrap();
        assert!(buffer.is_complete());
        let bytes = buffer.finish();
        let other = bytes.clone();
        drop(bytes);
        assert_eq!((budget.used(), other.len()), (300, 300));
        drop(other);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_quarter_is_kept_for_what_always_has_a_place() {
        let budget = MemoryBudget::new(1000);
        let mut large = budget.permit(0);
        large.grow_to(750).unwrap();
        assert_eq!(large.grow_to(751), Err(MemoryFull));
        let mut other = budget.permit(100);
        assert_eq!(other.grow_to(101), Err(MemoryFull));
        other.grow_to(100).unwrap();
        assert_eq!((budget.used(), budget.refusals()), (850, 2));
        drop(large);
        other.grow_to(700).unwrap();
        drop(other);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn established_pollers_fill_the_quarter_that_is_kept() {
        let budget = MemoryBudget::new(1000);
        let mut strangers = budget.permit(0);
        strangers.grow_to(750).unwrap();
        assert_eq!(strangers.grow_to(751), Err(MemoryFull));
        let permit = budget.permit(0).for_established(true);
        let mut body = BodyBuffer::new(permit, 1000);
        body.push(&[b'a'; 200]).unwrap();
        let mut unpacked = body.another();
        unpacked.push(&[b'a'; 50]).unwrap();
        assert_eq!(unpacked.push(b"a"), Err(MemoryFull));
    }

    #[test]
    fn a_refused_piece_changes_nothing() {
        let budget = MemoryBudget::new(100);
        let mut buffer = BodyBuffer::new(budget.permit(0), 1000);
        buffer.push(&[0; 60]).unwrap();
        assert_eq!(buffer.push(&[0; 60]), Err(MemoryFull));
        assert_eq!((buffer.bytes().len(), budget.used()), (60, 60));
    }
}
