//! What the engine keeps of a roll: what it is (`P/rolls/<id>`), who rolls (`P/rolls/lock/<key>`), and how it ended on each
//! host (`P/rolls/<id>/<host>`).
//!
//! Rule: what a roll runs is bound to its id: whoever can write to the engine can spoil a record, and then it is no record
//! any more; another command it never becomes.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::SupportedCipherSuite;
use tokio_rustls::rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;

use super::order::{key_text, random_word};
use super::records::{Record, RecordError, Version};
use super::selector::Selector;
use crate::names::Key;

/// Most characters of a roll's id.
const ID_MAX: usize = 64;

/// What the id of a roll begins with.
pub(super) const ID_BEGIN: &str = "r-";

/// How many ids there are with three signs behind `r-`.
const IDS: u32 = 36 * 36 * 36;

/// Digits of an id that is made of a content; each stands for five bits.
const DIGEST_DIGITS: usize = 16;
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The id of a roll, such as `r-5k2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RollId(String);

impl RollId {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        let mut left = u32::from(random_word()) % IDS;
        let mut text = ID_BEGIN.to_owned();
        for _ in 0..3 {
            // Below 36, which has a sign of its own.
            text.extend(char::from_digit(left % 36, 36));
            left /= 36;
        }

        Self(text)
    }

    /// One that is made of a content: 80 bits of its SHA-256, too many to find another content with the same.
    #[must_use]
    pub fn of_content(content: &[u8]) -> Self {
        let digest = sha256(content);
        let mut text = ID_BEGIN.to_owned();
        for at in 0..DIGEST_DIGITS {
            text.push(char::from(DIGITS[five_bits(&digest, at * 5)]));
        }

        Self(text)
    }

    /// Reads one as it was typed; it is a part of keys of the engine.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(ID_BEGIN)?;
        // A slash would make another key of it.
        let fits = rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        match fits && !rest.is_empty() && text.len() <= ID_MAX {
            true => Some(Self(text.to_owned())),
            false => None,
        }
    }

    /// As it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Five bits from a place on, as a number.
fn five_bits(bytes: &[u8], from: usize) -> usize {
    let mut number = 0;
    for at in from..from + 5 {
        // The highest bit of a byte is its first.
        let bit = bytes[at / 8] >> (7 - at % 8) & 1;
        number = number << 1 | usize::from(bit);
    }

    number
}

/// By the library that TLS has it from.
fn sha256(bytes: &[u8]) -> Vec<u8> {
    let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else {
        unreachable!("the suite is one of TLS 1.3");
    };

    let digest = suite.common.hash_provider.hash(bytes);
    digest.as_ref().to_vec()
}

impl Default for RollId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RollId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A roll: written once, before its first host begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollRecord {
    /// The form of the record.
    pub v: Version,
    /// Made of all else: see [`RollRecord::with_id`].
    pub id: String,
    /// What is taken down on each host.
    #[serde(with = "key_text")]
    pub key: Key,
    /// The hosts among which the limit counts.
    #[serde(rename = "where", default)]
    pub selector: Selector,
    /// How many of them may be out, as it was typed.
    pub max_down: String,
    /// The limit counts for each value of this tag.
    #[serde(default)]
    pub per: Option<String>,
    /// How many hosts may fail until no other one begins.
    pub max_failed: u32,
    /// What haroll on each host is told besides, as words of its command line.
    #[serde(default)]
    pub options: Vec<String>,
    /// What runs on each host, as program and arguments.
    pub command: Vec<String>,
    /// Whose it is, as the command line says.
    pub by: String,
    /// From which host.
    pub from: String,
    /// When it began, in microseconds of unix time.
    pub at: u64,
    /// The hosts, by name.
    pub hosts: Vec<String>,
}

impl RollRecord {
    /// The same with the id that belongs to it.
    #[must_use]
    pub fn with_id(mut self) -> Self {
        self.id = self.own_id().to_string();
        self
    }

    /// Reads the record of a roll.
    ///
    /// # Errors
    /// Why it is none, or not the one that had this id when it began.
    pub fn read(id: &RollId, value: &[u8]) -> Result<Self, RecordError> {
        let record = Self::parse(value)?;
        // Whoever can write to the engine must not choose what an operator runs.
        if record.own_id() != *id {
            let changed = "it was changed since the roll began".to_owned();
            return Err(RecordError::Content(changed));
        }

        // What it says of its id is no part of it.
        Ok(record.with_id())
    }

    /// The id that belongs to all else.
    #[must_use]
    pub fn own_id(&self) -> RollId {
        let nameless = Self {
            id: String::new(),
            ..self.clone()
        };
        RollId::of_content(nameless.to_json().as_bytes())
    }
}

/// Who rolls a key now: as long as a lease lives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollLock {
    /// The form of the record.
    pub v: Version,
    /// Which roll.
    pub roll: String,
    /// Whose.
    pub by: String,
    /// From which host.
    pub from: String,
    /// Since when, in seconds of unix time.
    pub since: f64,
    /// The process there.
    #[serde(default)]
    pub pid: u32,
}

/// How a roll ended on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RollState {
    /// The host is in rotation again, and has given its slot back.
    Done,
    /// It is not, and keeps its slot; or it was refused before anything was changed.
    #[default]
    Failed,
}

/// The result of a roll on a host. `done` is written together with the slot's release.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RollResult {
    /// The form of the record.
    pub v: Version,
    /// Done or failed.
    pub state: RollState,
    /// The exit code of `haroll` there.
    pub code: u8,
    /// When, in microseconds of unix time.
    pub at: u64,
    /// Why it failed.
    pub why: String,
}

impl Record for RollResult {}
impl Record for RollRecord {}
impl Record for RollLock {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_roll_is_short_and_is_no_path() {
        for _ in 0..50 {
            let id = RollId::new();
            assert_eq!(id.as_str().len(), 5, "{id}");
            assert_eq!(RollId::parse(id.as_str()), Some(id));
        }
        for bad in ["", "r-", "5k2", "lock", "r-a/b", "r-a b", "r-é", "R-5k2"] {
            assert_eq!(RollId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_id_of_a_content_is_its_digest() {
        // FIPS 180-2, B.1: the digest of "abc" begins with ba7816bf8f01cfea4141.
        let id = RollId::of_content(b"abc");
        assert_eq!(id.as_str(), "r-xj4bnp4pahh6uqkb");
        assert_eq!(RollId::parse(id.as_str()), Some(id));
    }

    #[test]
    fn a_result_is_read_as_specified() {
        let text = br#"{"v":1,"state":"failed","code":7,"at":1795632137020409,"why":"sh failed: exit status: 7"}"#;
        let result = RollResult::parse(text).unwrap();
        assert_eq!((result.state, result.code), (RollState::Failed, 7));
        let done = RollResult {
            state: RollState::Done,
            at: 5,
            ..RollResult::default()
        };
        let text = r#"{"v":1,"state":"done","code":0,"at":5,"why":""}"#;
        assert_eq!(done.to_json(), text);
    }

    fn record() -> RollRecord {
        RollRecord {
            v: Version,
            id: String::new(),
            key: Key::parse("web").unwrap(),
            selector: Selector::parse("zone=a").unwrap(),
            max_down: "1".into(),
            per: None,
            max_failed: 0,
            options: Vec::new(),
            command: vec!["systemctl".into(), "restart".into(), "web".into()],
            by: "alice".into(),
            from: "ops1".into(),
            at: 1_795_632_137_020_409,
            hosts: vec!["web01".into(), "web02".into()],
        }
        .with_id()
    }

    #[test]
    fn a_roll_is_read_as_it_was_written() {
        let roll = record();
        assert_eq!(roll.id.len(), 18, "{}", roll.id);
        let json = roll.to_json();
        assert!(json.contains(r#""key":"web","where":{"zone":["a"]},"max_down":"1","per":null"#));
        assert_eq!(RollRecord::read(&roll.own_id(), json.as_bytes()), Ok(roll));
    }

    /// Whoever can write to the engine must not choose what an operator runs.
    #[test]
    fn a_roll_that_was_changed_is_none() {
        let roll = record();
        for (from, to) in [
            ("systemctl", "/tmp/evil"),
            ("web01", "evil1"),
            (r#""zone":["a"]"#, ""),
            (r#""max_down":"1""#, r#""max_down":"9""#),
            (r#""max_failed":0"#, r#""max_failed":1"#),
            (r#""options":[]"#, r#""options":["--force"]"#),
            ("alice", "bob"),
        ] {
            let json = roll.to_json();
            assert!(json.contains(from), "{from}");
            let read = RollRecord::read(&roll.own_id(), json.replace(from, to).as_bytes());
            let said = read.unwrap_err().to_string();
            assert_eq!(said, "it was changed since the roll began", "{from}");
        }
        let other = RollId::parse("r-5k2").unwrap();
        assert!(RollRecord::read(&other, roll.to_json().as_bytes()).is_err());
    }
}
