//! Bytes to and from a PostgreSQL server.
//!
//! Rule: every message is bounded, and so is all that a server sends in one probe.

use crate::os::cause::cause_text;
use crate::probe::connection::Connection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::message::{Message, TERMINATE};
use crate::probe::stream::Stream;

/// Longest message that is read, in bytes.
const MESSAGE_MAX: usize = 64 << 10;

/// Most bytes of all messages of one probe.
const TOTAL_MAX: usize = 256 << 10;

/// A connection.
pub(super) struct Wire<S = Box<dyn Stream>> {
    stream: S,
    /// What is sent here is not read by others: TLS, or this host.
    pub private: bool,
    left: usize,
}

impl<S: Stream> Wire<S> {
    pub(super) fn new(stream: S, private: bool) -> Self {
        Self {
            stream,
            private,
            left: TOTAL_MAX,
        }
    }

    /// The connection itself. What was read is read to the byte, so nothing is lost.
    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    /// Sends bytes.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(cause_text)
    }

    /// One byte: the answer to the question for TLS.
    pub(super) async fn byte(&mut self) -> Result<u8, String> {
        let mut byte = [0];
        self.fill(&mut byte).await?;
        Ok(byte[0])
    }

    /// The next message: a letter, four bytes of length that count themselves, the rest.
    pub(super) async fn receive(&mut self) -> Result<Message, String> {
        let mut head = [0; 5];
        self.fill(&mut head).await?;
        let [tag, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if !tag.is_ascii_alphabetic() || !(4..=MESSAGE_MAX).contains(&length) {
            let start = head.map(char::from).iter().collect::<String>();
            return Err(format!(
                "the answer is not PostgreSQL's: it begins with '{}'",
                start.escape_debug()
            ));
        }
        let mut body = vec![0; length - 4];
        self.left = self
            .left
            .checked_sub(length)
            .ok_or("the server sends too much")?;
        self.fill(&mut body).await?;
        Ok(Message { tag, body })
    }

    /// Says good-bye. Whether the server hears it does not matter any more.
    pub(super) async fn close(mut self) {
        let _ = self.send(&TERMINATE).await;
        let _ = self.stream.shutdown().await;
    }

    async fn fill(&mut self, buffer: &mut [u8]) -> Result<(), String> {
        match self.stream.read_exact(buffer).await {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err("the server closed the connection".into())
            }
            Err(e) => Err(cause_text(e)),
        }
    }
}

impl Wire<Connection> {
    /// Forgets what carries the bytes.
    pub(super) fn boxed(self) -> Wire {
        Wire {
            stream: Box::new(self.stream),
            private: self.private,
            left: self.left,
        }
    }
}
