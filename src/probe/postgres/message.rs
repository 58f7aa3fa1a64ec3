//! The messages of the protocol (PostgreSQL manual, "Message Formats").

/// Asks whether the server speaks TLS; it answers with one byte.
pub(super) const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Good-bye.
pub(super) const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// Version 3.0.
const VERSION: u32 = 3 << 16;

/// The first packet. Neither name may have a zero byte; what is behind one would be another parameter.
pub(super) fn startup(user: &str, database: &str) -> Vec<u8> {
    let mut body = VERSION.to_be_bytes().to_vec();
    for text in [
        "user",
        user,
        "database",
        database,
        "application_name",
        "hacheck",
    ] {
        body.extend(text.bytes().filter(|b| *b != 0));
        body.push(0);
    }
    body.push(0);
    with_length(&body)
}

/// A message with a letter in front.
pub(super) fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag], &with_length(body)[..]].concat()
}

/// A message whose body is a text with a zero behind: a password, a statement.
pub(super) fn tagged_text(tag: u8, text: &str) -> Vec<u8> {
    tagged(tag, &[text.as_bytes(), &[0]].concat())
}

/// The answer to an offer of SASL mechanisms.
pub(super) fn sasl_initial(mechanism: &str, response: &str) -> Vec<u8> {
    tagged(
        b'p',
        &[
            mechanism.as_bytes(),
            &[0],
            &with_number(response.len()),
            response.as_bytes(),
        ]
        .concat(),
    )
}

fn with_length(body: &[u8]) -> Vec<u8> {
    [&with_number(body.len() + 4), body].concat()
}

/// Nothing that is sent is near the limit.
fn with_number(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes()
}

/// What a server sent.
#[derive(Debug)]
pub(super) struct Message {
    /// Its kind.
    pub tag: u8,
    /// What comes behind the length.
    pub body: Vec<u8>,
}

/// An ErrorResponse.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerError {
    /// The SQLSTATE.
    pub code: String,
    /// The text for people.
    pub text: String,
}

/// What a server wants to let a client in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    Ok,
    CleartextPassword,
    Md5Password([u8; 4]),
    Sasl(Vec<String>),
    SaslContinue(String),
    SaslFinal(String),
    Other(u32),
}

impl Message {
    /// The fields of an ErrorResponse.
    pub(super) fn error(&self) -> ServerError {
        let mut error = ServerError {
            code: String::new(),
            text: "(no text)".into(),
        };
        for field in self.body.split(|b| *b == 0) {
            let Some((kind, text)) = field.split_first() else {
                continue;
            };
            let text = || String::from_utf8_lossy(text).into_owned();
            match kind {
                b'C' => error.code = text(),
                b'M' => error.text = text(),
                _ => {}
            }
        }
        error
    }

    /// An authentication request.
    pub(super) fn authentication(&self) -> Option<Authentication> {
        let (kind, rest) = self.body.split_first_chunk::<4>()?;
        let text = || String::from_utf8(rest.to_vec()).ok();
        Some(match u32::from_be_bytes(*kind) {
            0 => Authentication::Ok,
            3 => Authentication::CleartextPassword,
            5 => Authentication::Md5Password(rest.try_into().ok()?),
            10 => {
                let names = rest.split(|b| *b == 0).filter(|n| !n.is_empty());
                Authentication::Sasl(
                    names
                        .map(|n| String::from_utf8_lossy(n).into_owned())
                        .collect(),
                )
            }
            11 => Authentication::SaslContinue(text()?),
            12 => Authentication::SaslFinal(text()?),
            other => Authentication::Other(other),
        })
    }

    /// The first column of a DataRow; `None` for NULL and for what is none.
    pub(super) fn first_column(&self) -> Option<String> {
        let (count, rest) = self.body.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        let value = rest
            .get(..length)
            .filter(|_| u16::from_be_bytes(*count) > 0)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// A sentence for a message that does not belong here.
    pub(super) fn unexpected(&self) -> String {
        format!(
            "the server sent an unexpected message '{}'",
            char::from(self.tag)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for length in 0..2000 {
            let body: Vec<u8> = (0..length % 40)
                .map(|_| if next() < 128 { next() % 13 } else { next() })
                .collect();
            let message = Message { tag: next(), body };
            let _ = (
                message.error(),
                message.authentication(),
                message.first_column(),
                message.unexpected(),
            );
        }
    }

    #[test]
    fn messages_are_read() {
        let message = |body: &[u8]| Message {
            tag: b'x',
            body: body.to_vec(),
        };
        let error =
            message(b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0").error();
        assert_eq!(
            (error.code.as_str(), error.text.as_str()),
            ("57P03", "the database system is starting up")
        );
        let sasl = message(b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0").authentication();
        assert_eq!(
            sasl,
            Some(Authentication::Sasl(vec![
                "SCRAM-SHA-256-PLUS".into(),
                "SCRAM-SHA-256".into()
            ]))
        );
        assert_eq!(
            message(b"\0\0\0\x05salt").authentication(),
            Some(Authentication::Md5Password(*b"salt"))
        );
        assert_eq!(message(b"\0\0\0\x05sal").authentication(), None);
        assert_eq!(
            message(b"\0\x01\0\0\0\x01t").first_column().as_deref(),
            Some("t")
        );
        assert_eq!(message(b"\0\x01\xff\xff\xff\xff").first_column(), None);
        assert_eq!(message(b"\0\x01\0\0\0\x09t").first_column(), None);
    }

    #[test]
    fn a_name_cannot_become_another_parameter() {
        let packet = startup("a\0replication\0true", "db");
        assert_eq!(
            &packet[8..],
            b"user\0areplicationtrue\0database\0db\0application_name\0hacheck\0\0"
        );
        assert_eq!(
            packet[..8],
            [0, 0, 0, u8::try_from(packet.len()).unwrap(), 0, 3, 0, 0]
        );
    }
}
