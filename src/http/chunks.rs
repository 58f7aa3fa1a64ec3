//! The chunks of a body (RFC 9112 section 7.1).

use super::client::ClientError;

/// Longest line of a chunk's size with its extensions, in bytes.
const LINE_MAX: usize = 4 << 10;

/// Most bytes of trailers.
const TRAILERS_MAX: usize = 64 << 10;

/// Chunks under way.
#[derive(Default)]
pub(super) struct Chunks {
    at: At,
    /// What has come of a line.
    line: Vec<u8>,
    trailers: usize,
}

/// What comes next.
#[derive(Default, PartialEq)]
enum At {
    /// The size of a chunk.
    #[default]
    Size,
    /// So many bytes of it.
    Data(u64),
    /// The end of its last line.
    End,
    /// A trailer, or the empty line that ends all.
    Trailer,
    /// Nothing.
    Done,
}

impl Chunks {
    /// Whether all of them have come.
    pub(super) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Takes what came and hands on the data in it; whether that is all that is wanted. `keep` says whether there was
    /// room.
    pub(super) fn take(
        &mut self,
        mut came: &[u8],
        mut keep: impl FnMut(&[u8]) -> bool,
    ) -> Result<bool, ClientError> {
        while !came.is_empty() && !self.is_done() {
            if let At::Data(left) = &mut self.at {
                let part = usize::try_from(*left).unwrap_or(usize::MAX).min(came.len());
                *left -= part as u64;
                let (data, rest) = came.split_at(part);
                came = rest;
                if *left == 0 {
                    self.at = At::End;
                }
                if !keep(data) {
                    return Ok(true);
                }
                continue;
            }
            let length = came.iter().position(|b| *b == b'\n').map(|at| at + 1);
            let (part, rest) = came.split_at(length.unwrap_or(came.len()));
            came = rest;
            self.line.extend_from_slice(part);
            if self.line.len() > LINE_MAX {
                return Err(ClientError::Chunks);
            }
            if length.is_some() {
                let line = std::mem::take(&mut self.line);
                self.end_line(line.strip_suffix(b"\r\n").ok_or(ClientError::Chunks)?)?;
            }
        }
        Ok(self.is_done())
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), ClientError> {
        self.at = match self.at {
            At::Size => match size(line).ok_or(ClientError::Chunks)? {
                0 => At::Trailer,
                size => At::Data(size),
            },
            At::End if line.is_empty() => At::Size,
            At::Trailer if line.is_empty() => At::Done,
            At::Trailer => {
                self.trailers += line.len();
                if self.trailers > TRAILERS_MAX {
                    return Err(ClientError::Chunks);
                }
                At::Trailer
            }
            At::End | At::Data(_) | At::Done => return Err(ClientError::Chunks),
        };
        Ok(())
    }
}

/// The size in front of a chunk; what follows it says nothing to us.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|b| *b == b';').next()?.trim_ascii_end();
    let text = std::str::from_utf8(digits)
        .ok()
        .filter(|t| t.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &str, piece: usize) -> Option<(String, bool)> {
        let (mut body, mut reader, mut done) = (Vec::new(), Chunks::default(), false);
        for came in chunks.as_bytes().chunks(piece) {
            let keep = |data: &[u8]| {
                body.extend_from_slice(data);
                true
            };
            done = reader.take(came, keep).ok()?;
        }
        Some((String::from_utf8(body).unwrap(), done))
    }

    #[test]
    fn chunks_are_read_in_pieces_of_any_size() {
        for (chunks, body) in [
            (
                "5\r\nhello\r\n6;a=b;c=\"d\"\r\n world\r\n0\r\n\r\n",
                Some(("hello world", true)),
            ),
            (
                "00A \r\n0123456789\r\n000\r\nA: b\r\nC: d\r\n\r\n",
                Some(("0123456789", true)),
            ),
            ("5\r\nhello\r\n0\r\n", Some(("hello", false))),
            ("5\r\nhel", Some(("hel", false))),
            ("5\r\nhelloworld\r\n", None),
            ("5\nhello\n0\n\n", None),
            ("-5\r\nhello\r\n", None),
            ("+5\r\nhello\r\n", None),
            ("\r\n", None),
            (";a\r\n", None),
            ("10000000000000000\r\n", None),
        ] {
            for piece in 1..=chunks.len() {
                let read = read(chunks, piece);
                assert_eq!(
                    read.as_ref().map(|(b, d)| (b.as_str(), *d)),
                    body,
                    "{chunks:?} in pieces of {piece}"
                );
            }
        }
    }

    #[test]
    fn lines_and_trailers_are_bounded() {
        assert_eq!(read(&format!("1;{}\r\n", "x".repeat(LINE_MAX)), 100), None);
        assert_eq!(
            read(
                &format!("0\r\n{}\r\n", "A: b\r\n".repeat(TRAILERS_MAX / 4 + 1)),
                1000
            ),
            None
        );
    }
}
