//! Connections of pollers that do not read what they asked for.
//!
//! Rule: an answer that finds no way out for the whole time limit ends the connection, so that its memory comes back.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::connections::Registered;

/// Longest answer that is sent in one piece, in bytes.
const JOINED: usize = 512;

/// A stream whose writes fail when none of their bytes could be sent within a limit. While they wait, the connection
/// counts as busy: what is still being sent is not idle.
pub(super) struct Stalling<S> {
    stream: S,
    registered: Arc<Registered>,
    limit: Duration,
    /// Runs while a write waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Stalling<S> {
    pub(super) fn new(stream: S, limit: Duration, registered: Arc<Registered>) -> Self {
        Self {
            stream,
            registered,
            limit,
            timer: None,
        }
    }

    fn bounded<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.timer.take().is_some() {
                self.registered.idle();
            }
            return written;
        }
        let (limit, registered) = (self.limit, &self.registered);
        let timer = self.timer.get_or_insert_with(|| {
            registered.busy(Instant::now());
            Box::pin(tokio::time::sleep(limit))
        });
        timer
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// All of the parts, one behind the other, if they fit.
fn join<'j>(parts: &[io::IoSlice<'_>], joined: &'j mut [u8; JOINED]) -> Option<&'j [u8]> {
    let mut length = 0;
    for part in parts {
        let end = length + part.len();
        joined.get_mut(length..end)?.copy_from_slice(part);
        length = end;
    }
    Some(&joined[..length])
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.bounded(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Head and body of a short answer in one piece: copied faster than gathered.
        let mut joined = [0; JOINED];
        let written = match join(bufs, &mut joined) {
            Some(all) => Pin::new(&mut self.stream).poll_write(cx, all),
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
        };
        self.bounded(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
