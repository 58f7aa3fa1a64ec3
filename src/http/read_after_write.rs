//! A stream that reads nothing before something was written.
//!
//! hyper takes whatever comes before its request for an error. Some upstreams answer as soon as a connection is made.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stream.
pub(super) struct ReadAfterWrite<S> {
    stream: S,
    asked: bool,
    /// The reader that waits for the first write.
    reader: Option<Waker>,
}

impl<S> ReadAfterWrite<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            asked: false,
            reader: None,
        }
    }
}

impl<S> ReadAfterWrite<S> {
    fn let_read(&mut self) {
        self.asked = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAfterWrite<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // What arrives meanwhile waits in the kernel's buffer. The first write wakes the reader.
        if !self.asked {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }

        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        Poll::Ready(allow_unclosed(read))
    }
}

/// TLS without a closing message: whether something is missing is for HTTP to say.
fn allow_unclosed(read: io::Result<()>) -> io::Result<()> {
    match read {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        read => read,
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAfterWrite<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        // Also after an error, so that the reader does not wait for ever.
        self.let_read();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The client drops the stream right after this, which ends it as well.
        Poll::Ready(Ok(()))
    }
}
