//! Messages to and from a PostgreSQL server: the crate postgres-protocol encodes and decodes them, the framing is ours.
//!
//! Rule: every message is bounded, and so is all that a server sends in one probe.

use std::io::{self, ErrorKind};

use bytes::BytesMut;
use postgres_protocol::message::backend::{
    AUTHENTICATION_TAG, ERROR_RESPONSE_TAG, Header, Message, NOTICE_RESPONSE_TAG,
    PARAMETER_STATUS_TAG,
};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::error::{PostgresError, ServerError};
use crate::probe::connection::{ByteStream, Connection};

/// Longest message that is read, in bytes.
const MESSAGE_MAX: usize = 64 << 10;

/// Most bytes of all messages of one probe.
const TOTAL_MAX: usize = 256 << 10;

/// NegotiateProtocolVersion, which postgres-protocol does not know.
pub(super) const NEGOTIATE_TAG: u8 = b'v';

/// Bytes of a message's tag and length.
const HEAD: usize = 5;

/// A connection to a server.
pub(super) struct Wire<S = Box<dyn ByteStream>> {
    stream: S,
    /// Nobody on the network can read what is sent: TLS, or a connection within this host.
    pub private: bool,
    /// How many bytes the server may still send.
    left: usize,
}

/// A message of the server, not decoded yet.
pub(super) struct Frame {
    /// The kind of message.
    pub tag: u8,
    /// The whole message, tag and length included.
    bytes: BytesMut,
}

impl Frame {
    /// The message, of those kinds that postgres-protocol knows.
    pub(super) fn decode(mut self) -> Result<Message, PostgresError> {
        let tag = self.tag;
        match Message::parse(&mut self.bytes) {
            Ok(Some(message)) => Ok(message),
            // The frame is whole, so a message that wants more than it is not.
            Ok(None) => Err(PostgresError::Malformed(
                tag,
                ErrorKind::UnexpectedEof.into(),
            )),
            Err(cause) => Err(PostgresError::Malformed(tag, cause)),
        }
    }

    /// The error that an ErrorResponse tells of.
    pub(super) fn refusal(self) -> PostgresError {
        // Now, as decoding consumes the frame.
        let unexpected = self.unexpected();
        match self.decode() {
            Ok(Message::ErrorResponse(body)) => PostgresError::Refused(ServerError::read(&body)),
            Ok(_) => unexpected,
            Err(malformed) => malformed,
        }
    }

    /// The error for a message that does not belong here.
    pub(super) fn unexpected(&self) -> PostgresError {
        PostgresError::Unexpected(self.tag)
    }
}

impl<S: ByteStream> Wire<S> {
    pub(super) fn new(stream: S, private: bool) -> Self {
        Self {
            stream,
            private,
            left: TOTAL_MAX,
        }
    }

    /// The connection itself. Every read ends where its message ends, so nothing is lost.
    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    /// Sends the message that `encode` writes.
    pub(super) async fn send(
        &mut self,
        encode: impl FnOnce(&mut BytesMut) -> io::Result<()>,
    ) -> Result<(), PostgresError> {
        let mut message = BytesMut::new();
        // What is sent here is short, so a zero byte inside a text is all that can be wrong.
        encode(&mut message).map_err(|_| PostgresError::ZeroByte)?;
        self.write(&message).await.map_err(PostgresError::Broken)
    }

    /// Asks whether the server speaks TLS. It answers with one byte, which is no message.
    pub(super) async fn ask_for_tls(&mut self) -> Result<u8, PostgresError> {
        let mut question = BytesMut::new();
        frontend::ssl_request(&mut question);
        self.write(&question).await.map_err(PostgresError::Broken)?;
        let mut answer = [0];
        self.read(&mut answer).await?;
        Ok(answer[0])
    }

    /// The next message, but for those that only inform. An ErrorResponse is an error.
    pub(super) async fn next(&mut self) -> Result<Frame, PostgresError> {
        loop {
            let frame = self.receive().await?;
            match frame.tag {
                ERROR_RESPONSE_TAG => return Err(frame.refusal()),
                PARAMETER_STATUS_TAG | NOTICE_RESPONSE_TAG | NEGOTIATE_TAG => {}
                _ => return Ok(frame),
            }
        }
    }

    /// The next message, which must be about the login.
    pub(super) async fn authentication(&mut self) -> Result<Message, PostgresError> {
        let frame = self.next().await?;
        if frame.tag != AUTHENTICATION_TAG {
            return Err(frame.unexpected());
        }

        frame.decode()
    }

    /// The next message, whatever it is.
    pub(super) async fn receive(&mut self) -> Result<Frame, PostgresError> {
        let mut head = [0; HEAD];
        self.read(&mut head).await?;
        let Some(length) = message_length(&head) else {
            return Err(not_postgres(head));
        };

        // By its head, before any of it is read or takes memory.
        self.count(length)?;
        self.receive_rest(head, length).await
    }

    async fn receive_rest(
        &mut self,
        head: [u8; HEAD],
        length: usize,
    ) -> Result<Frame, PostgresError> {
        // At most MESSAGE_MAX, whatever the peer says.
        let mut bytes = BytesMut::zeroed(length);
        let (start, body) = bytes.split_at_mut(HEAD);
        start.copy_from_slice(&head);
        self.read(body).await?;
        let tag = head[0];
        Ok(Frame { tag, bytes })
    }

    fn count(&mut self, length: usize) -> Result<(), PostgresError> {
        let left = self.left.checked_sub(length);
        self.left = left.ok_or(PostgresError::TooMuch)?;
        Ok(())
    }

    /// Ends the session. Whether the server hears of it does not matter any more.
    pub(super) async fn close(mut self) {
        let mut message = BytesMut::new();
        frontend::terminate(&mut message);
        let _ = self.write(&message).await;
        let _ = self.stream.shutdown().await;
    }

    /// Ends the connection without a word, in good order.
    pub(super) async fn hang_up(mut self) {
        let _ = self.stream.shutdown().await;
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<(), PostgresError> {
        match self.stream.read_exact(buffer).await {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Err(PostgresError::Closed),
            Err(e) => Err(PostgresError::Broken(e)),
        }
    }
}

fn not_postgres(head: [u8; HEAD]) -> PostgresError {
    let start = head.map(char::from).iter().collect();
    PostgresError::NotPostgres(start)
}

/// How long a whole message is that begins like this; `None` when it cannot be one of PostgreSQL's.
fn message_length(head: &[u8; HEAD]) -> Option<usize> {
    // Malformed, or cut short, which five bytes never are.
    let header = Header::parse(head).ok()??;
    // The length counts itself, but not the tag.
    let length = usize::try_from(header.len()).ok()? + 1;
    let plausible = header.tag().is_ascii_alphabetic() && length <= MESSAGE_MAX;
    plausible.then_some(length)
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

#[cfg(test)]
mod tests {
    use super::super::login::first_column;
    use super::*;

    /// A frame as `receive` makes it.
    fn frame(tag: u8, body: &[u8]) -> Frame {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        let bytes = [&[tag], &length[..], body].concat();
        Frame {
            tag,
            bytes: bytes.as_slice().into(),
        }
    }

    /// Numbers that look random and are the same every time (xorshift).
    fn noise() -> impl FnMut() -> u8 {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        }
    }

    #[test]
    fn random_bytes_do_no_harm() {
        let mut next = noise();
        for length in 0..4000 {
            let mut body = Vec::new();
            for _ in 0..length % 40 {
                let byte = next();
                body.push(if next() < 128 { byte % 13 } else { byte });
            }
            match frame(b"REDTZKCNS"[length % 9], &body).decode() {
                Ok(Message::ErrorResponse(body)) => drop(ServerError::read(&body)),
                Ok(Message::DataRow(body)) => drop(first_column(&body)),
                _ => {}
            }
        }
    }

    #[test]
    fn an_error_says_its_code_and_text() {
        let text = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
        let cut = &text[..text.len() - 1];
        for body in [&text[..], cut] {
            let Ok(Message::ErrorResponse(body)) = frame(b'E', body).decode() else {
                panic!("no ErrorResponse");
            };
            let error = ServerError::read(&body);
            assert_eq!(
                (error.code.as_str(), error.text.as_str()),
                ("57P03", "the database system is starting up")
            );
        }
    }

    #[test]
    fn a_row_gives_its_first_column() {
        for (body, expected) in [
            (&b"\0\x01\0\0\0\x01t"[..], Some("t")),
            (b"\0\x02\0\0\0\x01t\0\0\0\x01f", Some("t")),
            (b"\0\x01\xff\xff\xff\xff", None),
            (b"\0\x01\0\0\0\x09t", None),
            (b"\0\0", None),
        ] {
            let Ok(Message::DataRow(body)) = frame(b'D', body).decode() else {
                panic!("no DataRow");
            };
            assert_eq!(first_column(&body).as_deref(), expected);
        }
    }
}
