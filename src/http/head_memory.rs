//! A place in memory for request heads: thousands that never end must not fill it.
//!
//! Rule: a head up to 4 KiB needs no place, and of an established poller's connection the part that is kept is there for
//! longer ones. Who sends more than there is a place for gets 503 while nothing else is being
//! sent, and the connection ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connections::OpenConnection;
use super::forward::forward_writes;
use super::memory::{MemoryPermit, SMALL_REQUEST};

/// What is told in place of reading the rest of a head.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\
    connection: close\r\n\r\n";

/// A stream whose reads are counted.
pub(super) struct HeadMemory<S> {
    stream: S,
    open: Arc<OpenConnection>,
    /// For the longest head so far: hyper keeps the memory for the next one.
    permit: MemoryPermit,
    /// What was read since this many requests had come.
    read: usize,
    requests: u64,
}

impl<S> HeadMemory<S> {
    pub(super) fn new(stream: S, open: Arc<OpenConnection>) -> Self {
        Self {
            stream,
            permit: open.memory().permit(0),
            open,
            read: 0,
            requests: 0,
        }
    }

    /// Counts bytes that were read; whether there is a place for them.
    fn count(&mut self, bytes: usize) -> bool {
        if self.open.is_busy() {
            // What comes behind a head counts elsewhere, but for one read that hyper holds.
            self.cover(bytes);
            return true;
        }

        // A read of 0 bytes is the end of the stream, not the beginning of a request.
        if bytes > 0 {
            self.open.begins_request();
        }

        self.begin_head();
        self.read += bytes;
        self.read <= SMALL_REQUEST || self.grow()
    }

    /// Counts anew when a request has come since the last read.
    fn begin_head(&mut self) {
        let requests = self.open.requests();
        if requests != self.requests {
            self.requests = requests;
            self.read = 0;
        }
    }

    fn grow(&mut self) -> bool {
        // Looked up each time: the poller may have become established since.
        self.permit.set_for_established(self.open.is_established());
        self.permit.grow_to(self.read).is_ok()
    }

    fn cover(&mut self, bytes: usize) {
        if bytes > SMALL_REQUEST {
            self.permit.cover(bytes);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HeadMemory<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        // Counted after the read, as its size is not known before; hyper bounds each read.
        let bytes = buf.filled().len() - before;
        match self.count(bytes) {
            true => Poll::Ready(Ok(())),
            false => Poll::Ready(Err(self.refuse(cx))),
        }
    }
}

impl<S: AsyncWrite + Unpin> HeadMemory<S> {
    fn refuse(&mut self, cx: &mut Context<'_>) -> io::Error {
        // It is short, and nothing else is being sent: the kernel takes it, or the peer is not worth waiting for.
        let _ = Pin::new(&mut self.stream).poll_write(cx, REFUSAL);
        io::ErrorKind::OutOfMemory.into()
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadMemory<S> {
    forward_writes!(stream);
}
