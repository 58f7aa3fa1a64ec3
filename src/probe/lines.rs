//! Text protocols: bounded reading of lines and counted bytes, and showing what a peer said.
//!
//! Rule: nothing is read without a bound, and whatever came before a failure is part of the message. A secret that was
//! sent is masked in all of it, since some servers echo what they do not understand.

use std::fmt;
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::stream::{self, Stream};
use super::{Outcome, Probe, Trace};
use crate::os::cause::cause_text;

/// Room made for each read, in bytes.
const CHUNK: usize = 16 << 10;

/// Most bytes of an answer that a message quotes.
const QUOTED: usize = 100;

/// Most bytes of an answer's line that a contract wants in a body as it is.
const SHOWN: usize = 400;

/// A connection that is read by lines or counted bytes.
pub(super) struct Lines<'a> {
    stream: Box<dyn Stream + 'a>,
    buffer: BytesMut,
    trace: &'a Trace,
    secret: Option<&'a [u8]>,
}

/// Why no whole answer came, and what came of it.
#[derive(Debug)]
pub(super) struct Broken {
    why: Why,
    /// What came, quoted; empty when nothing did.
    got: String,
}

#[derive(Debug)]
enum Why {
    Closed,
    TooLong(usize),
    Io(io::Error),
}

impl Broken {
    /// Whether the peer ended the connection, in whatever manner.
    pub(super) fn is_closed(&self) -> bool {
        use io::ErrorKind as K;
        match &self.why {
            Why::Closed => true,
            Why::TooLong(_) => false,
            Why::Io(e) => {
                matches!(
                    e.kind(),
                    K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof
                )
            }
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Closed if self.got.is_empty() => {
                return f.write_str("the peer closed the connection unasked");
            }
            Why::Closed => {
                f.write_str("the peer closed the connection in the middle of its answer")?;
            }
            Why::TooLong(max) => write!(f, "the answer does not end within {max} bytes")?,
            Why::Io(e) => f.write_str(&cause_text(e))?,
        }
        if self.got.is_empty() {
            Ok(())
        } else {
            write!(f, ", got {}", self.got)
        }
    }
}

impl<'a> Lines<'a> {
    /// Connects to the target.
    pub(super) async fn connect(probe: &Probe<'a>) -> Result<Self, Outcome> {
        Ok(Self::over(stream::connect(probe).await?, probe.trace))
    }

    /// Reads from a connection that is there already.
    pub(super) fn over(stream: impl Stream + 'a, trace: &'a Trace) -> Self {
        Self {
            stream: Box::new(stream),
            buffer: BytesMut::new(),
            trace,
            secret: None,
        }
    }

    /// Masks a secret in everything that is said about this connection from now on.
    pub(super) fn hide(&mut self, secret: &'a str) {
        self.secret = Some(secret.as_bytes()).filter(|s| !s.is_empty());
    }

    /// Sends all of a text. That the peer is gone is left for the next read to tell: it may have said why first.
    pub(super) async fn send(&mut self, text: &[u8]) -> Result<(), Broken> {
        let sent = async {
            self.stream.write_all(text).await?;
            self.stream.flush().await
        };
        match sent.await {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(self.broken(Why::Io(e))),
            _ => Ok(()),
        }
    }

    /// The next line, without its end, which is LF or CRLF; at most `max` bytes with it.
    pub(super) async fn line(&mut self, max: usize) -> Result<Bytes, Broken> {
        loop {
            let end = self.buffer.iter().take(max).position(|b| *b == b'\n');
            if let Some(end) = end {
                let line = self.buffer.split_to(end + 1).freeze();
                let bare = line.strip_suffix(b"\n").unwrap_or(&line);
                let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
                return Ok(line.slice_ref(bare));
            }
            if self.buffer.len() >= max {
                return Err(self.broken(Why::TooLong(max)));
            }
            self.fill().await?;
        }
    }

    /// The next byte, which stays to be read.
    pub(super) async fn peek(&mut self) -> Result<u8, Broken> {
        loop {
            if let Some(first) = self.buffer.first() {
                return Ok(*first);
            }
            self.fill().await?;
        }
    }

    /// Exactly `count` bytes.
    pub(super) async fn exact(&mut self, count: usize) -> Result<Bytes, Broken> {
        while self.buffer.len() < count {
            self.fill().await?;
        }
        Ok(self.buffer.split_to(count).freeze())
    }

    /// Everything until the peer closes the connection or `mark` has come; at most `max` bytes. What came along with
    /// the mark is part of it.
    pub(super) async fn rest(&mut self, max: usize, mark: Option<&[u8]>) -> Result<Bytes, Broken> {
        let mut searched = 0;
        loop {
            let found = |mark: &[u8]| {
                self.buffer[searched..]
                    .windows(mark.len())
                    .any(|w| w == mark)
            };
            if mark.is_some_and(found) {
                break;
            }
            searched = self
                .buffer
                .len()
                .saturating_sub(mark.map_or(0, <[u8]>::len));
            if self.buffer.len() > max {
                return Err(self.broken(Why::TooLong(max)));
            }
            match self.fill().await {
                Ok(()) => {}
                Err(e) if e.is_closed() && !self.buffer.is_empty() => break,
                Err(e) => return Err(e),
            }
        }
        Ok(self.buffer.split().freeze())
    }

    /// A line of the peer's as it stands, for a body that shows it; the secret is masked.
    pub(super) fn shown(&self, line: &[u8]) -> String {
        show(&mask(line, self.secret, true), SHOWN)
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        self.buffer.reserve(CHUNK);
        let why = match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Why::Closed,
            Ok(_) => {
                self.trace.received(self.got());
                return Ok(());
            }
            Err(e) => Why::Io(e),
        };
        Err(self.broken(why))
    }

    fn broken(&self, why: Why) -> Broken {
        Broken {
            why,
            got: self.got(),
        }
    }

    /// What came and was not taken yet, quoted; empty for nothing. More than what is shown is looked at, since a
    /// secret that straddles the cut must be masked too.
    fn got(&self) -> String {
        if self.buffer.is_empty() {
            return String::new();
        }
        let head = &self.buffer[..self
            .buffer
            .len()
            .min(QUOTED + self.secret.map_or(0, <[u8]>::len) + 1)];
        quote(&mask(head, self.secret, false))
    }
}

/// An answer in quotes, on one line, cut to a readable length.
pub(super) fn quote(answer: &[u8]) -> String {
    format!("\"{}\"", show(answer, QUOTED))
}

/// A text of the poller's or the peer's on one line, for a body that shows it as it stands.
pub(super) fn on_one_line(text: &str) -> String {
    show(text.as_bytes(), SHOWN)
}

/// Puts an answer on one line and cuts it.
fn show(answer: &[u8], max: usize) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(&answer[..answer.len().min(max)]).chars() {
        match c {
            '"' | '\'' | '\\' => text.push(c),
            c => text.extend(c.escape_debug()),
        }
    }
    if answer.len() > max {
        text.push('…');
    }
    text
}

/// Replaces a secret by asterisks; where more may follow (`!whole`) also a beginning of it at the end.
fn mask(answer: &[u8], secret: Option<&[u8]>, whole: bool) -> Vec<u8> {
    let Some(secret) = secret else {
        return answer.to_vec();
    };
    let (mut masked, mut rest) = (Vec::with_capacity(answer.len()), answer);
    while let Some((first, tail)) = rest.split_first() {
        let cut = !whole && secret.starts_with(rest);
        if cut || rest.starts_with(secret) {
            masked.extend_from_slice(b"***");
            rest = if cut { &[] } else { &rest[secret.len()..] };
        } else {
            masked.push(*first);
            rest = tail;
        }
    }
    masked
}

#[cfg(test)]
mod tests;
