//! Frames and methods of AMQP 0-9-1, as far as a login needs them (sections 4.2.3 to 4.2.5 and 2.3.5).
//!
//! Rule: every frame is bounded, and a server sends as many as it is asked for.

use std::fmt;

use crate::probe::lines::{Incomplete, Lines};

/// What a client sends first: the protocol and its version.
const HEADER: &[u8; 8] = b"AMQP\0\0\x09\x01";

/// The type of frames that hold a method.
const METHOD: u8 = 1;

/// What every frame ends with.
const FRAME_END: u8 = 0xce;

/// Longest frame that is read, in bytes. Before a login they are short.
const FRAME_MAX: usize = 64 << 10;

/// The class of methods about the connection.
const CONNECTION: u16 = 10;

/// A connection to a server.
pub(in crate::probe) struct AmqpWire<'a> {
    lines: Lines<'a>,
}

impl<'a> AmqpWire<'a> {
    pub(in crate::probe) fn over(lines: Lines<'a>) -> Self {
        Self { lines }
    }

    /// Masks a secret in everything that is said about this connection from now on.
    pub(in crate::probe) fn hide(&mut self, secret: &'a str) {
        self.lines.hide(secret);
    }

    /// Sends the protocol header, and returns the method that answers it.
    pub(in crate::probe) async fn start(&mut self) -> Result<Method, AmqpError> {
        self.lines.send(HEADER).await?;
        // A server that speaks another version says so by a header of its own.
        if self.lines.peek().await? == HEADER[0] {
            let header = self.lines.exact(HEADER.len()).await?;
            return Err(AmqpError::OtherProtocol(self.lines.shown(&header)));
        }

        self.receive().await
    }

    /// Sends a method, and returns the one that answers it.
    pub(in crate::probe) async fn ask(&mut self, method: &[u8]) -> Result<Method, AmqpError> {
        self.send(method).await?;
        self.receive().await
    }

    /// Sends a method.
    pub(super) async fn send(&mut self, method: &[u8]) -> Result<(), AmqpError> {
        self.lines.send(&framed(method)).await?;
        Ok(())
    }

    async fn receive(&mut self) -> Result<Method, AmqpError> {
        let head = self.lines.exact(7).await?;
        let mut fields = MethodFields(&head);
        let (kind, _channel, length) = (fields.byte(), fields.short(), fields.long());
        // A heartbeat does not come before it was agreed on, so nothing else is expected here.
        if kind != Some(METHOD) {
            return Err(AmqpError::NoMethod(self.lines.shown(&head)));
        }

        let length = length.unwrap_or_default();
        // Before it is waited for: the length is the server's word.
        if length >= FRAME_MAX {
            return Err(AmqpError::TooLong(length));
        }

        // The length does not count the byte that ends the frame.
        let frame = self.lines.exact(length + 1).await?;
        match method_in(&frame) {
            Some(Method::Close(close)) => {
                let text = self.lines.shown(close.text.as_bytes());
                Err(AmqpError::Closed(Close { text, ..close }))
            }
            Some(method) => Ok(method),
            None => Err(AmqpError::Malformed),
        }
    }
}

/// A method that a server sends.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::probe) enum Method {
    /// The server is there, and takes these ways to log in, with blanks between them.
    Start { mechanisms: String },
    /// The login is taken; the limits of the connection.
    Tune(Limits),
    /// The virtual host is open.
    OpenOk,
    /// The server ends the connection.
    Close(Close),
    /// Another one, by class and number.
    Other(u16, u16),
}

/// What a server allows on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::probe) struct Limits {
    channels: u16,
    frame: u32,
}

/// Why a server ends the connection.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::probe) struct Close {
    pub code: u16,
    pub text: String,
}

impl Method {
    /// Reads what a frame holds.
    pub(in crate::probe) fn decode(payload: &[u8]) -> Option<Self> {
        let mut fields = MethodFields(payload);
        match (fields.short()?, fields.short()?) {
            (CONNECTION, 10) => Self::start(&mut fields),
            (CONNECTION, 30) => Some(Self::Tune(Limits {
                channels: fields.short()?,
                frame: u32::try_from(fields.long()?).ok()?,
            })),
            (CONNECTION, 41) => Some(Self::OpenOk),
            (CONNECTION, 50) => Some(Self::Close(Close {
                code: fields.short()?,
                text: fields.short_text()?,
            })),
            (class, number) => Some(Self::Other(class, number)),
        }
    }

    fn start(fields: &mut MethodFields<'_>) -> Option<Self> {
        let _version = fields.short()?;
        // What the server tells of itself has the frame of a long text.
        let _properties = fields.long_bytes()?;
        let mechanisms = fields.long_bytes()?;
        Some(Self::Start {
            mechanisms: String::from_utf8_lossy(mechanisms).into_owned(),
        })
    }

    /// The error for a method that does not belong here.
    pub(super) fn unexpected(&self) -> AmqpError {
        let (class, number) = match self {
            Self::Start { .. } => (CONNECTION, 10),
            Self::Tune(_) => (CONNECTION, 30),
            Self::OpenOk => (CONNECTION, 41),
            Self::Close(_) => (CONNECTION, 50),
            Self::Other(class, number) => (*class, *number),
        };
        AmqpError::Unexpected(class, number)
    }
}

/// What is left of a method's fields.
struct MethodFields<'a>(&'a [u8]);

impl<'a> MethodFields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn short(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    fn long(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    }

    fn short_text(&mut self) -> Option<String> {
        let length = self.byte()?;
        let text = self.take(length.into())?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn long_bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.long()?;
        self.take(length)
    }
}

/// `connection.start-ok`: a login by PLAIN (RFC 4616).
pub(super) fn start_ok(user: &str, password: &str) -> Vec<u8> {
    let mut method = head(11);
    put_long_bytes(&mut method, &properties());
    put_short_text(&mut method, "PLAIN");
    // The first of three parts, for whom one acts, is empty: for oneself.
    let response = format!("\0{user}\0{password}");
    put_long_bytes(&mut method, response.as_bytes());
    put_short_text(&mut method, "en_US");
    method
}

/// The method of a frame, where its last byte shows that it is whole.
fn method_in(frame: &[u8]) -> Option<Method> {
    match frame.split_last() {
        Some((&FRAME_END, payload)) => Method::decode(payload),
        _ => None,
    }
}

/// What the server is told of us: the name for its log, and that a refused login is to be answered.
fn properties() -> Vec<u8> {
    let mut capabilities = Vec::new();
    // Without it a server that refuses a login closes the connection, and says nothing.
    put_short_text(&mut capabilities, "authentication_failure_close");
    capabilities.extend(b"t\x01");
    let mut properties = Vec::new();
    put_short_text(&mut properties, "product");
    properties.push(b'S');
    put_long_bytes(&mut properties, b"hacheck");
    put_short_text(&mut properties, "capabilities");
    properties.push(b'F');
    put_long_bytes(&mut properties, &capabilities);
    properties
}

/// `connection.tune-ok`: the server's limits, and no heartbeats.
pub(super) fn tune_ok(limits: Limits) -> Vec<u8> {
    let mut method = head(31);
    method.extend(limits.channels.to_be_bytes());
    method.extend(limits.frame.to_be_bytes());
    // A probe is over long before a heartbeat would be due.
    method.extend([0, 0]);
    method
}

/// `connection.open`.
pub(super) fn open(vhost: &str) -> Vec<u8> {
    let mut method = head(40);
    put_short_text(&mut method, vhost);
    method.extend([0, 0]);
    method
}

/// `connection.close`, in good order.
pub(super) fn close() -> Vec<u8> {
    let mut method = head(50);
    method.extend(200_u16.to_be_bytes());
    method.extend([0; 5]);
    method
}

fn head(number: u16) -> Vec<u8> {
    let mut method = CONNECTION.to_be_bytes().to_vec();
    method.extend(number.to_be_bytes());
    method
}

/// A method as a frame of channel 0, which is the connection itself.
fn framed(method: &[u8]) -> Vec<u8> {
    let mut frame = vec![METHOD, 0, 0];
    put_long_bytes(&mut frame, method);
    frame.push(FRAME_END);
    frame
}

/// Texts that are longer than their length can say are cut.
fn put_short_text(to: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    to.push(length);
    to.extend(&text.as_bytes()[..length.into()]);
}

fn put_long_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    to.extend(length.to_be_bytes());
    to.extend(bytes);
}

/// Why there is no login, or no answer.
#[derive(Debug)]
pub(in crate::probe) enum AmqpError {
    /// No whole frame came.
    Incomplete(Incomplete),
    /// The server speaks another version, by the header that it sent.
    OtherProtocol(String),
    /// It is no frame with a method; how it begins.
    NoMethod(String),
    /// A frame of so many bytes.
    TooLong(usize),
    /// A frame that does not hold what it should.
    Malformed,
    /// A method does not belong here: its class and number.
    Unexpected(u16, u16),
    /// The server ended the connection, and said why.
    Closed(Close),
}

impl From<Incomplete> for AmqpError {
    fn from(incomplete: Incomplete) -> Self {
        Self::Incomplete(incomplete)
    }
}

impl fmt::Display for AmqpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(incomplete) => incomplete.fmt(f),
            Self::OtherProtocol(header) => {
                write!(f, "the server speaks no AMQP 0-9-1, but '{header}'")
            }
            Self::NoMethod(start) => {
                write!(f, "the answer is not AMQP's: it begins with '{start}'")
            }
            Self::TooLong(length) => write!(f, "the server sent a frame of {length} bytes"),
            Self::Malformed => f.write_str("the server sent a malformed frame"),
            Self::Unexpected(class, number) => {
                write!(f, "the server sent an unexpected method {class}.{number}")
            }
            Self::Closed(close) => write!(f, "the server says: {} ({})", close.text, close.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_read() {
        let start = b"\0\x0a\0\x0a\0\x09\0\0\0\x02xx\0\0\0\x0eAMQPLAIN PLAIN\0\0\0\x05en_US";
        let tune = b"\0\x0a\0\x1e\x07\xff\0\x02\0\0\0\x3c";
        let close = b"\0\x0a\0\x32\x01\x93\x02no\0\0\0\0";
        for (payload, method) in [
            (
                &start[..],
                Some(Method::Start {
                    mechanisms: "AMQPLAIN PLAIN".into(),
                }),
            ),
            (
                tune,
                Some(Method::Tune(Limits {
                    channels: 2047,
                    frame: 131_072,
                })),
            ),
            (
                close,
                Some(Method::Close(Close {
                    code: 403,
                    text: "no".into(),
                })),
            ),
            (b"\0\x0a\0\x29\0", Some(Method::OpenOk)),
            (b"\0\x0a\0\x14", Some(Method::Other(10, 20))),
            (&start[..20], None),
            (&tune[..7], None),
            (&close[..7], None),
            (b"\0\x0a\0", None),
        ] {
            assert_eq!(Method::decode(payload), method, "{payload:?}");
        }
    }

    #[test]
    fn a_login_has_user_and_password_behind_zero_bytes() {
        let method = start_ok("guest", "sesame");
        assert!(method.starts_with(b"\0\x0a\0\x0b"), "{method:?}");
        let end = b"\x05PLAIN\0\0\0\x0d\0guest\0sesame\x05en_US";
        assert!(method.ends_with(end), "{method:?}");
        assert_eq!(framed(b"ab"), b"\x01\0\0\0\0\0\x02ab\xce");
    }
}
