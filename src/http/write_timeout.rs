//! Ends connections whose peers do not read what they asked for, so that the memory of their answers is freed. How a
//! connection begins is noted on the way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::connections::OpenConnection;

/// A stream whose writes fail when none of their bytes could be sent within a limit. From a write that waits until
/// everything is sent, the connection counts as one with an unread answer.
pub(super) struct WriteTimeout<S> {
    stream: S,
    open: Arc<OpenConnection>,
    limit: Duration,
    /// Runs while a write waits.
    timer: Option<Pin<Box<Sleep>>>,
    /// A write has waited, and not everything was sent since.
    is_unread: bool,
}

impl<S> WriteTimeout<S> {
    pub(super) fn new(stream: S, limit: Duration, open: Arc<OpenConnection>) -> Self {
        Self {
            stream,
            open,
            limit,
            timer: None,
            is_unread: false,
        }
    }

    /// Starts the timer for a write that waits, and stops it for one that is done.
    fn check(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        // Progress resets the timer: the limit is for peers that read nothing, not for slow ones.
        if written.is_ready() {
            self.timer = None;
            return written;
        }

        self.note_unread();
        ready!(self.poll_timer(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn note_unread(&mut self) {
        if !self.is_unread {
            self.is_unread = true;
            self.open.waits_for_reader();
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Created only when a write waits, which short answers hardly ever do.
        let limit = self.limit;
        let timer = &mut self.timer;
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        timer.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.open.begins_with(&buf.filled()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.check(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.check(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes when it has written all that it had.
        if self.is_unread {
            self.is_unread = false;
            self.open.was_read();
        }

        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
