//! Streams of bytes of one type, whatever carries them: so hyper's server and clients are compiled once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::forward::forward_writes;

/// What carries bytes: TCP, a unix socket, or TLS over one of them.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}

/// Any of them.
pub(crate) struct AnyStream(Box<dyn ByteStream>);

impl AnyStream {
    pub(crate) fn new(stream: impl ByteStream + 'static) -> Self {
        Self(Box::new(stream))
    }
}

impl AsyncRead for AnyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for AnyStream {
    forward_writes!(0);
}
