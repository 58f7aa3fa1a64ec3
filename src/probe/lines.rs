//! Text protocols: bounded reading of lines and counted bytes.
//!
//! Rule: nothing is read without a bound, and whatever came before a failure is part of the message.

use std::fmt;
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::connection::{ByteStream, Connection};
use super::shown::Mask;
use super::{Outcome, Probe, Trace, tls};
use crate::os::cause::cause_text;

/// Room made for each read, in bytes.
const CHUNK: usize = 16 << 10;

/// A connection that is read by lines or counted bytes.
pub(super) struct Lines<'a> {
    stream: Box<dyn ByteStream + 'a>,
    /// What came and is not taken yet.
    buffer: BytesMut,
    trace: &'a Trace,
    mask: Mask<'a>,
}

impl<'a> Lines<'a> {
    /// Connects to the target, without TLS.
    pub(super) async fn connect(probe: &Probe<'a>) -> Result<Self, Outcome> {
        let connection = Connection::open(probe).await?;
        Ok(Self::over(connection, probe.trace))
    }

    /// Connects to the target, over TLS or without.
    pub(super) async fn connect_as(probe: &Probe<'a>, over_tls: bool) -> Result<Self, Outcome> {
        if !over_tls {
            return Self::connect(probe).await;
        }

        let connection = Connection::open(probe).await?;
        let encrypted = tls::wrap(probe, connection).await?;
        Ok(Self::over(encrypted, probe.trace))
    }

    /// Reads from a connection that is there already.
    pub(super) fn over(stream: impl ByteStream + 'a, trace: &'a Trace) -> Self {
        Self {
            stream: Box::new(stream),
            buffer: BytesMut::new(),
            trace,
            mask: Mask::default(),
        }
    }

    /// Masks a secret, besides earlier ones, in everything that is said about this connection from now on.
    pub(super) fn hide(&mut self, secret: &'a str) {
        self.mask.add(secret);
    }

    /// Sends a command, and reads the line that answers it.
    pub(super) async fn ask(&mut self, command: &[u8], max: usize) -> Result<Bytes, Incomplete> {
        self.send(command).await?;
        self.line(max).await
    }

    /// Sends all of a text.
    pub(super) async fn send(&mut self, text: &[u8]) -> Result<(), Incomplete> {
        match self.write(text).await {
            // The peer is gone. It may have said why before, so the next read tells.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(e) => Err(self.incomplete(Reason::Broken(e))),
            Ok(()) => Ok(()),
        }
    }

    async fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.stream.write_all(text).await?;
        // Over TLS a write may stay in a buffer of ours, and the peer would wait for it.
        self.stream.flush().await
    }

    /// The next line, without its end, which is LF or CRLF; at most `max` bytes with it.
    pub(super) async fn line(&mut self, max: usize) -> Result<Bytes, Incomplete> {
        loop {
            if let Some(line) = self.take_line(max) {
                return Ok(line);
            }
            if self.buffer.len() >= max {
                return Err(self.incomplete(Reason::TooLong(max)));
            }
            self.fill().await?;
        }
    }

    fn take_line(&mut self, max: usize) -> Option<Bytes> {
        let mut bytes = self.buffer.iter().take(max);
        let end = bytes.position(|byte| *byte == b'\n')?;
        // What follows stays: a server may send several lines at once.
        let mut line = self.buffer.split_to(end + 1).freeze();
        line.truncate(end);
        if line.ends_with(b"\r") {
            line.truncate(end - 1);
        }

        Some(line)
    }

    /// Whether something came that is not taken yet.
    pub(super) fn has_more(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next byte, which stays to be read.
    pub(super) async fn peek(&mut self) -> Result<u8, Incomplete> {
        loop {
            if let Some(first) = self.buffer.first() {
                return Ok(*first);
            }
            self.fill().await?;
        }
    }

    /// Exactly `count` bytes.
    pub(super) async fn exact(&mut self, count: usize) -> Result<Bytes, Incomplete> {
        while self.buffer.len() < count {
            self.fill().await?;
        }

        Ok(self.buffer.split_to(count).freeze())
    }

    /// Everything until `mark` has come or the peer closes the connection; at most `max` bytes. What came along with
    /// the mark is part of it. An empty mark never comes.
    pub(super) async fn until(&mut self, mark: &[u8], max: usize) -> Result<Bytes, Incomplete> {
        let mut searched = 0;
        while !contains(&self.buffer[searched..], mark) {
            // A mark may straddle two reads.
            searched = self.buffer.len().saturating_sub(mark.len());
            if self.buffer.len() > max {
                return Err(self.incomplete(Reason::TooLong(max)));
            }
            if self.is_at_end().await? {
                break;
            }
        }

        Ok(self.buffer.split().freeze())
    }

    /// Reads on; whether the peer closed the connection instead, after it had said something.
    async fn is_at_end(&mut self) -> Result<bool, Incomplete> {
        match self.fill().await {
            Ok(()) => Ok(false),
            Err(e) if e.is_closed() && !self.buffer.is_empty() => Ok(true),
            Err(e) => Err(e),
        }
    }

    /// A line of the peer's, for a body that shows it as it stands.
    pub(super) fn shown(&self, line: &[u8]) -> String {
        self.mask.show(line)
    }

    async fn fill(&mut self) -> Result<(), Incomplete> {
        self.buffer.reserve(CHUNK);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) if self.buffer.is_empty() => Err(self.incomplete(Reason::NoAnswer)),
            Ok(0) => Err(self.incomplete(Reason::CutShort)),
            Ok(_) => {
                // The deadline may come within an answer, and then its message tells what came of it.
                self.trace.received(self.mask.quote(&self.buffer));
                Ok(())
            }
            Err(e) => Err(self.incomplete(Reason::Broken(e))),
        }
    }

    fn incomplete(&self, reason: Reason) -> Incomplete {
        Incomplete {
            reason,
            got: self.mask.quote(&self.buffer),
        }
    }
}

/// Whether `mark` stands anywhere in a text; an empty one does not.
pub(super) fn contains(text: &[u8], mark: &[u8]) -> bool {
    !mark.is_empty() && text.windows(mark.len()).any(|part| part == mark)
}

/// Why no whole answer came, and what came of it.
#[derive(Debug)]
pub(super) struct Incomplete {
    reason: Reason,
    /// What came, quoted; empty when nothing did.
    got: String,
}

#[derive(Debug)]
enum Reason {
    /// The peer closed the connection before it said anything.
    NoAnswer,
    /// The peer closed the connection within its answer.
    CutShort,
    /// The answer is longer than this many bytes.
    TooLong(usize),
    /// The connection failed.
    Broken(io::Error),
}

impl Incomplete {
    /// Whether the peer ended the connection, in whatever manner.
    pub(super) fn is_closed(&self) -> bool {
        match &self.reason {
            Reason::NoAnswer | Reason::CutShort => true,
            Reason::TooLong(_) => false,
            Reason::Broken(e) => is_end(e.kind()),
        }
    }
}

fn is_end(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        if !self.got.is_empty() {
            write!(f, ", got {}", self.got)?;
        }

        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("the peer closed the connection unasked"),
            Self::CutShort => {
                f.write_str("the peer closed the connection in the middle of its answer")
            }
            Self::TooLong(max) => write!(f, "the answer does not end within {max} bytes"),
            Self::Broken(e) => f.write_str(&cause_text(e)),
        }
    }
}

#[cfg(test)]
mod tests;
