//! An upstream's answer to one request, as it comes in (RFC 9112).
//!
//! Rule: everything is bounded, and in which pieces it comes makes no difference.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use httparse::{EMPTY_HEADER, ParserConfig, Status};
use hyper::StatusCode;

use super::chunks::Chunks;
use super::client::{Answer, ClientError};

/// Most bytes of an answer's head, with the interim answers before it.
const HEAD_MAX: usize = 64 << 10;

/// Headers of an answer that are read without memory of their own.
const HEADERS_USUAL: usize = 32;

/// Most headers of an answer.
const HEADERS_MAX: usize = 1000;

/// Most memory that is taken for a body before it is there.
const PROMISED_MAX: u64 = 16 << 10;

/// An answer under way.
pub(super) struct Incoming {
    /// Most bytes of the body.
    max_body: usize,
    /// The request was HEAD.
    bodiless: bool,
    /// Bytes of heads so far.
    heads: usize,
    at: At,
}

/// Where the answer is.
enum At {
    /// In its head, of which this has come.
    Head(Vec<u8>),
    /// In its body.
    Body(Body),
}

struct Body {
    status: StatusCode,
    gzip: bool,
    rest: Rest,
    so_far: Vec<u8>,
}

/// What is still to come of a body.
enum Rest {
    /// So many bytes.
    Bytes(u64),
    /// Chunks.
    Chunks(Chunks),
    /// Everything until the upstream closes.
    UntilClose,
}

impl Incoming {
    pub(super) fn new(max_body: usize, bodiless: bool) -> Self {
        Self {
            max_body,
            bodiless,
            heads: 0,
            at: At::Head(Vec::new()),
        }
    }

    /// Takes what came; whether that is all that is wanted.
    pub(super) fn take(&mut self, came: &[u8]) -> Result<bool, ClientError> {
        match &mut self.at {
            At::Body(body) => body.take(came, self.max_body),
            At::Head(before) if before.is_empty() => self.take_head(came),
            At::Head(before) => {
                let seen = before.len().saturating_sub(2);
                before.extend_from_slice(came);
                // No head ends without an empty line: what comes in drops is not parsed for each of them.
                if !has_empty_line(&before[seen..]) {
                    let fits = self.heads + before.len() <= HEAD_MAX;
                    return if fits {
                        Ok(false)
                    } else {
                        Err(ClientError::LongHead)
                    };
                }
                let head = std::mem::take(before);
                self.take_head(&head)
            }
        }
    }

    fn take_head(&mut self, mut came: &[u8]) -> Result<bool, ClientError> {
        loop {
            let Some((length, head)) = Head::parse(came)? else {
                if self.heads + came.len() > HEAD_MAX {
                    return Err(ClientError::LongHead);
                }
                self.at = At::Head(came.to_vec());
                return Ok(false);
            };
            self.heads += length;
            if self.heads > HEAD_MAX {
                return Err(ClientError::LongHead);
            }
            came = &came[length..];
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(ClientError::Switched);
            }
            // Interim answers say nothing (RFC 9110 section 15.2).
            if !head.status.is_informational() {
                let (status, gzip) = (head.status, head.gzip);
                let rest = head.rest(self.bodiless)?;
                let promised = if let Rest::Bytes(left) = rest {
                    left.min(PROMISED_MAX)
                } else {
                    0
                };
                let so_far =
                    Vec::with_capacity(usize::try_from(promised).unwrap_or(0).min(self.max_body));
                let mut body = Body {
                    status,
                    gzip,
                    rest,
                    so_far,
                };
                let done = body.take(came, self.max_body);
                self.at = At::Body(body);
                return done;
            }
        }
    }

    /// The whole answer; `closed` is whether the upstream closed the connection.
    pub(super) fn end(self, closed: bool) -> Result<Answer, ClientError> {
        let At::Body(body) = self.at else {
            return Err(ClientError::Incomplete);
        };
        let is_whole = match body.rest {
            Rest::Bytes(left) => left == 0,
            Rest::Chunks(chunks) => chunks.is_done(),
            Rest::UntilClose => true,
        };
        if closed && !is_whole {
            return Err(ClientError::Incomplete);
        }
        let packed = body.gzip && !body.so_far.is_empty();
        let bytes = if packed {
            unpacked(&body.so_far, self.max_body)?
        } else {
            body.so_far.into()
        };
        Ok(Answer {
            status: body.status,
            body: bytes,
        })
    }
}

impl Body {
    /// Takes what came of it; whether that is all that is wanted.
    fn take(&mut self, came: &[u8], max: usize) -> Result<bool, ClientError> {
        let so_far = &mut self.so_far;
        // Whether it had room.
        let mut keep = |data: &[u8]| {
            let room = max - so_far.len();
            so_far.extend_from_slice(&data[..data.len().min(room)]);
            data.len() <= room
        };
        Ok(match &mut self.rest {
            Rest::UntilClose => !keep(came),
            Rest::Bytes(left) => {
                let part = usize::try_from(*left).unwrap_or(usize::MAX).min(came.len());
                *left -= part as u64;
                !keep(&came[..part]) || *left == 0
            }
            Rest::Chunks(chunks) => chunks.take(came, &mut keep)?,
        })
    }
}

/// What matters of a head.
struct Head {
    status: StatusCode,
    gzip: bool,
    /// `Content-Length`, or that it is none.
    length: Option<Result<u64, ClientError>>,
    coded: bool,
    chunked: bool,
    /// HTTP/1.0, which has no codings.
    old: bool,
}

impl Head {
    /// The head in front, and its length; `None` while it is not all there.
    fn parse(bytes: &[u8]) -> Result<Option<(usize, Self)>, ClientError> {
        match Self::parse_into(bytes, &mut [EMPTY_HEADER; HEADERS_USUAL]) {
            Err(ClientError::Head(httparse::Error::TooManyHeaders)) => {
                Self::parse_into(bytes, &mut vec![EMPTY_HEADER; HEADERS_MAX])
            }
            parsed => parsed,
        }
    }

    fn parse_into<'b>(
        bytes: &'b [u8],
        headers: &mut [httparse::Header<'b>],
    ) -> Result<Option<(usize, Self)>, ClientError> {
        let mut parser = ParserConfig::default();
        // What older services send, and the originals took.
        parser.allow_obsolete_multiline_headers_in_responses(true);
        parser.allow_spaces_after_header_name_in_responses(true);
        let mut response = httparse::Response::new(headers);
        let parsed = parser
            .parse_response(&mut response, bytes)
            .map_err(ClientError::Head)?;
        let (Status::Complete(length), Some(code)) = (parsed, response.code) else {
            return Ok(None);
        };
        let status =
            StatusCode::from_u16(code).map_err(|_| ClientError::Head(httparse::Error::Status))?;
        let mut head = Self {
            status,
            gzip: false,
            length: None,
            coded: false,
            chunked: false,
            old: false,
        };
        for header in response.headers.iter() {
            head.note(header.name, header.value);
        }
        head.old = response.version == Some(0);
        Ok(Some((length, head)))
    }

    fn note(&mut self, name: &str, value: &[u8]) {
        if name.eq_ignore_ascii_case("content-length") {
            for number in value
                .split(|b| *b == b',')
                .map(|number| decimal(number.trim_ascii()))
            {
                // The same one twice is one (RFC 9112 section 6.3).
                let one = number.filter(|n| {
                    self.length
                        .as_ref()
                        .is_none_or(|known| known.as_ref().ok() == Some(n))
                });
                self.length = Some(one.ok_or(ClientError::Length));
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            self.coded = true;
            let last = value
                .rsplit(|b| *b == b',')
                .map(<[u8]>::trim_ascii)
                .find(|coding| !coding.is_empty());
            self.chunked = last.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        } else if name.eq_ignore_ascii_case("content-encoding") {
            self.gzip = value.eq_ignore_ascii_case(b"gzip");
        }
    }

    /// How the body's end is known (RFC 9112 section 6.3).
    fn rest(self, bodiless: bool) -> Result<Rest, ClientError> {
        if bodiless
            || matches!(
                self.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            )
        {
            return Ok(Rest::Bytes(0));
        }
        match self.length {
            Some(_) if self.coded => Err(ClientError::TwoLengths),
            None if self.coded && self.old => Err(ClientError::OldCoding),
            None if self.chunked => Ok(Rest::Chunks(Chunks::default())),
            None => Ok(Rest::UntilClose),
            Some(length) => length.map(Rest::Bytes),
        }
    }
}

fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|w| w == b"\n\n") || bytes.windows(3).any(|w| w == b"\n\r\n")
}

/// A number of digits alone.
fn decimal(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// A body that came as gzip although it was not asked for; cut at `max` bytes.
fn unpacked(packed: &[u8], max: usize) -> Result<Bytes, ClientError> {
    let mut body = Vec::new();
    GzDecoder::new(packed)
        .take(max as u64)
        .read_to_end(&mut body)
        .map_err(ClientError::Gzip)?;
    Ok(body.into())
}

#[cfg(test)]
mod tests;
