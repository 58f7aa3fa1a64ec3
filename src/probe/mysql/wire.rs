//! Packets to and from a MySQL server (MySQL internals, "MySQL Packets").
//!
//! Rule: every packet is bounded, and so is all that a server sends in one probe.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::session::{Error, ServerError};
use crate::os::cause::cause_text;
use crate::probe::stream::Stream;

/// Longest packet that is read, in bytes: a replica's status with long sets of GTIDs.
const PACKET_MAX: usize = 1 << 20;

/// Most bytes of all packets of one probe.
const TOTAL_MAX: usize = 4 << 20;

/// A connection.
pub(super) struct Wire<S> {
    pub stream: S,
    /// The number of the next packet.
    pub number: u8,
    left: usize,
}

impl<S: Stream> Wire<S> {
    pub(super) fn new(stream: S, number: u8) -> Self {
        Self {
            stream,
            number,
            left: TOTAL_MAX,
        }
    }

    /// The next packet's payload.
    ///
    /// # Errors
    /// Also when it is an ERR packet.
    pub(super) async fn receive(&mut self) -> Result<Vec<u8>, Error> {
        let mut head = [0; 4];
        self.fill(&mut head).await?;
        let [a, b, c, number] = head;
        let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        if number != self.number || length == 0 || length > PACKET_MAX {
            let start: String = head.map(char::from).iter().collect();
            let start = start.escape_debug();
            return Err(Error::Broken(format!(
                "the answer is not MySQL's: a packet begins with '{start}'"
            )));
        }
        self.number = number.wrapping_add(1);
        self.left = self
            .left
            .checked_sub(length)
            .ok_or_else(|| Error::Broken("the server sends too much".into()))?;
        let mut payload = vec![0; length];
        self.fill(&mut payload).await?;
        if payload[0] == 0xff {
            return Err(Error::Refused(server_error(&payload[1..])));
        }
        Ok(payload)
    }

    /// Sends a payload, which is never near the 16 MiB where packets are split.
    pub(super) async fn send(&mut self, payload: &[u8]) -> Result<(), Error> {
        let [a, b, c, ..] = payload.len().to_le_bytes();
        let packet = [&[a, b, c, self.number], payload].concat();
        self.number = self.number.wrapping_add(1);
        let sent = async {
            self.stream.write_all(&packet).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|e| Error::Broken(cause_text(e)))
    }

    async fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        match self.stream.read_exact(buffer).await {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(Error::Broken("the server closed the connection".into()))
            }
            Err(e) => Err(Error::Broken(cause_text(e))),
        }
    }
}

/// An ERR packet, without its header byte. The SQL state may be missing before the login.
fn server_error(bytes: &[u8]) -> ServerError {
    let (code, rest) = bytes.split_first_chunk::<2>().unwrap_or((&[0, 0], &[]));
    let text = match rest {
        [b'#', _, _, _, _, _, text @ ..] => text,
        text => text,
    };
    ServerError {
        code: u16::from_le_bytes(*code),
        message: String::from_utf8_lossy(text).into_owned(),
    }
}

/// Takes parts off the front of a payload; `None` when there is too little.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(part)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|b| u16::from_le_bytes([b[0], b[1]]))
    }

    /// Up to a zero byte, which is taken too; to the end when there is none.
    pub(super) fn until_zero(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|b| *b == 0);
        let part = &self.0[..end.unwrap_or(self.0.len())];
        self.0 = end.map_or(&[], |end| &self.0[end + 1..]);
        part
    }

    /// A length-encoded integer.
    pub(super) fn integer(&mut self) -> Option<u64> {
        let size = match self.byte()? {
            small @ 0..=0xfa => return Some(small.into()),
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            _ => return None,
        };
        Some(
            self.take(size)?
                .iter()
                .rev()
                .fold(0, |n, b| n << 8 | u64::from(*b)),
        )
    }

    /// A length-encoded string.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.integer()?).ok()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_do_no_harm() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for length in 0..2000 {
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            };
            let bytes: Vec<u8> = (0..length % 50).map(|_| next()).collect();
            let mut reader = Reader(&bytes);
            let _ = (
                server_error(&bytes),
                reader.string(),
                reader.u16(),
                reader.until_zero(),
                reader.integer(),
            );
        }
    }

    #[test]
    fn length_encoded_integers_are_read() {
        for (bytes, number) in [
            (&[0xfa][..], Some(250)),
            (&[0xfc, 1, 2], Some(0x201)),
            (&[0xfd, 1, 2, 3], Some(0x3_0201)),
            (
                &[0xfe, 1, 0, 0, 0, 0, 0, 0, 0x80],
                Some(0x8000_0000_0000_0001),
            ),
            (&[0xfb], None),
            (&[0xfc, 1], None),
        ] {
            assert_eq!(Reader(bytes).integer(), number, "{bytes:?}");
        }
    }
}
