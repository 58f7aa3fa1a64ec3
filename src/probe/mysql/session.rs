//! One connection to a MySQL server: greeting, TLS, login, statements, good-bye (MySQL internals, "Connection Phase").
//!
//! Rule: a password leaves in clear text only over TLS.

use crate::probe::connection::Connection;
use tokio::io::AsyncWriteExt as _;

use super::auth;
use super::wire::{Reader, Wire};
use crate::probe::stream::Stream;
use crate::probe::{Outcome, Probe, tls};

/// LONG_PASSWORD, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION.
const CAPABILITIES: u32 = 0x1 | 0x200 | 0x2000 | 0x8000;
const SSL: u32 = 0x800;
const PLUGIN_AUTH: u32 = 0x8_0000;

/// Longest packet that the server may send, as it is told.
const PACKET_MAX: u32 = 1 << 20;

/// utf8_general_ci, which every server has.
const UTF8: u8 = 0x21;

/// Most columns and rows of an answer; the status of a replica has some 60 columns.
const COLUMNS_MAX: u64 = 1024;
const ROWS_MAX: usize = 256;

/// An ERR packet.
#[derive(Debug)]
pub(super) struct ServerError {
    pub code: u16,
    pub message: String,
}

/// Why there is no login, or no answer.
#[derive(Debug)]
pub(super) enum Error {
    /// The server said no.
    Refused(ServerError),
    /// It said no to a login without TLS, and offers TLS.
    RefusedWithoutTls(ServerError),
    /// It offers no TLS.
    NoTls,
    /// What came was not MySQL's, or nothing more came.
    Broken(String),
    /// What other modules say already in full.
    Failed(Outcome),
}

/// A row: names of columns and values, `None` for NULL.
pub(super) type Row = Vec<(String, Option<String>)>;

/// A logged-in connection.
pub(super) struct Session {
    wire: Wire<Box<dyn Stream>>,
    /// The message of the server's OK.
    pub message: String,
}

/// What a server says first.
pub(super) struct Greeting {
    capabilities: u32,
    pub nonce: Vec<u8>,
    pub plugin: String,
}

impl Session {
    /// Greets and logs in.
    pub(super) async fn open(
        probe: &Probe<'_>,
        tcp: Connection,
        tls: bool,
        user: &str,
        password: &str,
    ) -> Result<Self, Error> {
        probe.trace.stage("waiting for the greeting");
        let mut wire = Wire::new(tcp, 0);
        let greeting = Greeting::parse(&wire.receive().await?)?;
        let offers_tls = greeting.capabilities & SSL != 0;
        let capabilities = CAPABILITIES | greeting.capabilities & PLUGIN_AUTH;
        let wire: Wire<Box<dyn Stream>> = if tls {
            if !offers_tls {
                return Err(Error::NoTls);
            }
            wire.send(&head(capabilities | SSL)).await?;
            let number = wire.number;
            let stream = tls::wrap(probe, wire.stream).await.map_err(Error::Failed)?;
            Wire::new(Box::new(stream), number)
        } else {
            let number = wire.number;
            Wire::new(Box::new(wire.stream), number)
        };
        probe.trace.stage("logging in");
        let capabilities = if tls {
            capabilities | SSL
        } else {
            capabilities
        };
        let mut session = Self {
            wire,
            message: String::new(),
        };
        match session
            .log_in(capabilities, &greeting, tls, user, password)
            .await
        {
            Err(Error::Refused(e)) if !tls && offers_tls => Err(Error::RefusedWithoutTls(e)),
            result => result.map(|()| session),
        }
    }

    async fn log_in(
        &mut self,
        capabilities: u32,
        greeting: &Greeting,
        tls: bool,
        user: &str,
        password: &str,
    ) -> Result<(), Error> {
        let mut login = auth::Login::new(greeting, tls, password);
        let proof = login.proof();
        let mut response = head(capabilities);
        response.extend(user.bytes().filter(|b| *b != 0));
        // A proof of the two plugins that a login may begin with has 32 bytes at most.
        response.extend([0, u8::try_from(proof.len()).unwrap_or(0)]);
        response.extend(proof);
        if capabilities & PLUGIN_AUTH != 0 {
            response.extend(login.plugin_name());
            response.push(0);
        }
        self.wire.send(&response).await?;
        let ok = login.finish(&mut self.wire).await?;
        self.message = ok_message(&ok);
        Ok(())
    }

    /// The rows that a statement gives.
    pub(super) async fn rows(&mut self, statement: &str) -> Result<Vec<Row>, Error> {
        self.wire.number = 0;
        self.wire
            .send(&[b"\x03", statement.as_bytes()].concat())
            .await?;
        let head = self.wire.receive().await?;
        if head[0] == 0 {
            return Ok(Vec::new());
        }
        let columns = Reader(&head)
            .integer()
            .filter(|n| *n <= COLUMNS_MAX)
            .ok_or_else(malformed)?;
        let mut names = Vec::new();
        for _ in 0..columns {
            let definition = self.wire.receive().await?;
            names.push(column_name(&definition).ok_or_else(malformed)?);
        }
        if !is_end(&self.wire.receive().await?) {
            return Err(malformed());
        }
        let mut rows = Vec::new();
        loop {
            let packet = self.wire.receive().await?;
            if is_end(&packet) {
                return Ok(rows);
            }
            if rows.len() == ROWS_MAX {
                return Err(Error::Broken("the answer has too many rows".into()));
            }
            rows.push(row(&names, &packet).ok_or_else(malformed)?);
        }
    }

    /// Says good-bye. Whether the server hears it does not matter any more.
    pub(super) async fn quit(mut self) {
        self.wire.number = 0;
        let _ = self.wire.send(b"\x01").await;
        let _ = self.wire.stream.shutdown().await;
    }
}

impl Greeting {
    /// Reads version 10 of the greeting, that of every server since 1998.
    fn parse(payload: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader(payload);
        if reader.byte() != Some(10) {
            let start: String = payload.iter().take(20).copied().map(char::from).collect();
            let start = start.escape_debug();
            return Err(Error::Broken(format!(
                "the answer is not MySQL's: it greets with '{start}'"
            )));
        }
        let greeting = Self::parse_10(&mut reader);
        let greeting = greeting
            .ok_or_else(|| Error::Broken("the answer is not MySQL's: a short greeting".into()))?;
        if greeting.capabilities & 0x8200 == 0x8200 {
            Ok(greeting)
        } else {
            Err(Error::Broken("the server is older than MySQL 4.1".into()))
        }
    }

    fn parse_10(reader: &mut Reader<'_>) -> Option<Self> {
        reader.until_zero();
        reader.take(4)?;
        let mut nonce = reader.take(8)?.to_vec();
        reader.take(1)?;
        let low = reader.u16()?;
        reader.take(3)?;
        let high = reader.u16()?;
        let length = usize::from(reader.byte()?);
        reader.take(10)?;
        let rest = reader.take(length.saturating_sub(8).max(13))?;
        nonce.extend_from_slice(rest.strip_suffix(&[0]).unwrap_or(rest));
        let plugin = String::from_utf8_lossy(reader.until_zero()).into_owned();
        Some(Self {
            capabilities: u32::from(low) | u32::from(high) << 16,
            nonce,
            plugin,
        })
    }
}

/// The fixed part of the login, which alone is the request for TLS.
fn head(capabilities: u32) -> Vec<u8> {
    [
        &capabilities.to_le_bytes()[..],
        &PACKET_MAX.to_le_bytes(),
        &[UTF8],
        &[0; 23],
    ]
    .concat()
}

/// The message of an OK packet. Servers send it with its length in front, the manual says without.
fn ok_message(packet: &[u8]) -> String {
    let mut reader = Reader(packet.get(1..).unwrap_or_default());
    let _ = (reader.integer(), reader.integer(), reader.take(4));
    let rest = reader.0;
    let text = Reader(rest)
        .string()
        .filter(|text| text.len() + 1 == rest.len())
        .unwrap_or(rest);
    String::from_utf8_lossy(text).into_owned()
}

fn column_name(definition: &[u8]) -> Option<String> {
    let mut reader = Reader(definition);
    for _ in ["catalog", "schema", "table", "original table"] {
        reader.string()?;
    }
    Some(String::from_utf8_lossy(reader.string()?).into_owned())
}

fn row(names: &[String], packet: &[u8]) -> Option<Row> {
    let mut reader = Reader(packet);
    let mut value = || match reader.0 {
        [0xfb, rest @ ..] => {
            reader.0 = rest;
            Some(None)
        }
        _ => Some(Some(String::from_utf8_lossy(reader.string()?).into_owned())),
    };
    names
        .iter()
        .map(|name| Some((name.clone(), value()?)))
        .collect()
}

fn is_end(packet: &[u8]) -> bool {
    packet[0] == 0xfe && packet.len() < 9
}

fn malformed() -> Error {
    Error::Broken("the server's answer to a statement is malformed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_do_no_harm() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for length in 1..3000 {
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3] & 0x3f
            };
            let mut bytes: Vec<u8> = (0..1 + length % 90).map(|_| next()).collect();
            let _ = (
                ok_message(&bytes),
                column_name(&bytes),
                is_end(&bytes),
                row(&["a".into(), "b".into()], &bytes),
            );
            bytes[0] = 10;
            let _ = Greeting::parse(&bytes);
        }
    }

    #[test]
    fn the_message_of_an_ok_is_read_with_and_without_its_length() {
        for (packet, message) in [
            (&b"\0\0\0\x02\0\0\0"[..], ""),
            (b"\0\0\0\x02\0\0\0hello", "hello"),
            (b"\0\0\0\x02\0\0\0\x05hello", "hello"),
            (b"\0\xfc\x34\x12\x05\x02\0\x01\0hello", "hello"),
            (b"\0", ""),
        ] {
            assert_eq!(ok_message(packet), message, "{packet:?}");
        }
    }
}
