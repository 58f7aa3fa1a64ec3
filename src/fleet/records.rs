//! What else the engine holds, as JSON: what hosts say of themselves, slots, and the lines of the log.
//!
//! Rule: unknown fields are ignored, missing ones are empty; a value of another version, or that is no such record, is an
//! error.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most bytes of a value.
pub const VALUE_MAX: usize = 64 << 10;

/// The form of the records that are known: 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let version = serde_json::Value::deserialize(deserializer)?;
        match version.as_u64() {
            Some(1) => Ok(Self),
            Some(other) => Err(D::Error::custom(format_args!(
                "version {other} is not known"
            ))),
            None => Err(D::Error::custom("expected version 1")),
        }
    }
}

/// Why a value is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    /// It has so many bytes.
    TooLong(usize),
    /// It is no JSON, no JSON of this kind, or of an unknown version.
    Content(String),
    /// It is a record of another place, which it names.
    Elsewhere(String),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(n) => write!(f, "it has {n} bytes, at most {VALUE_MAX} are read"),
            Self::Content(what) => f.write_str(what),
            Self::Elsewhere(place) => write!(f, "it is for {}", place.escape_debug()),
        }
    }
}

impl std::error::Error for RecordError {}

/// A value of the engine.
pub trait Record: Serialize + DeserializeOwned {
    /// Reads a value.
    ///
    /// # Errors
    /// Why it is no such record.
    fn parse(value: &[u8]) -> Result<Self, RecordError> {
        // Before it is parsed: who can write to the engine must not take this host's memory.
        if value.len() > VALUE_MAX {
            return Err(RecordError::TooLong(value.len()));
        }

        serde_json::from_slice(value).map_err(|e| RecordError::Content(e.to_string()))
    }

    /// The JSON.
    fn to_json(&self) -> String {
        // Texts, numbers that are finite and maps with texts as keys: these always have a JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a host says of itself, when it changes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HostRecord {
    /// The form of the record.
    pub v: Version,
    /// Its name.
    pub host: String,
    /// Where its daemon answers.
    pub address: String,
    /// Where its daemon answers.
    pub port: u16,
    /// What selects it.
    pub tags: BTreeMap<String, String>,
    /// What it serves.
    pub services: Vec<String>,
    /// Of hacheck.
    pub version: String,
    /// The last revision of the engine that it knows.
    pub rev: i64,
    /// The orders that it holds down by: register (`web/*`) and stamp.
    pub held: BTreeMap<String, u64>,
    /// The orders that it does not obey, by register.
    pub waived: BTreeMap<String, WaivedOrder>,
    /// When its daemon began, in seconds of unix time.
    pub since: f64,
    /// When this was written, in seconds of unix time: of a host that is lost, the last that is known.
    pub seen: f64,
    /// What an operator should know: orders that it cannot read, files that it cannot write.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// An order that a host does not obey.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WaivedOrder {
    /// Its id: a new order of its register is obeyed again.
    pub order: String,
    /// Who waived it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, in seconds of unix time.
    pub since: f64,
}

/// Whose life a lease holds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Alive {
    /// The machine's id: two hosts of one name differ in it.
    pub machine: String,
    /// Another one after each boot.
    pub boot: String,
    /// The daemon's process.
    pub pid: u32,
}

/// A downtime of a host, of whatever origin.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The form of the record.
    pub v: Version,
    /// When it began, in seconds of unix time.
    pub since: Option<f64>,
    /// When it ends, in seconds of unix time; never where there is none.
    pub until: Option<f64>,
    /// Why.
    pub reason: String,
    /// Who, where that is known.
    pub by: String,
    /// `local`, or `fleet:` and the selector of the order.
    pub origin: String,
    /// The order's id; empty for a local downtime.
    pub order: String,
    /// How many pollers are known.
    pub pollers: u64,
    /// How many of them have taken the host out of rotation.
    pub acted: u64,
    /// How many sessions they say are left.
    pub sessions: Option<u64>,
}

/// A host's place among those that may be down.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Slot {
    /// The form of the record.
    pub v: Version,
    /// For which roll.
    pub roll: String,
    /// Whose.
    pub by: String,
    /// From which host.
    pub from: String,
    /// Since when, in seconds of unix time.
    pub since: f64,
    /// What is done now: `waiting`, `down`, `command`, `healthy`, `up`, `failed`.
    pub phase: String,
    /// Since when that is done, in seconds of unix time; 0 in a slot of another program.
    pub phase_since: f64,
}

impl Slot {
    /// Since when what is done now is done, in seconds of unix time.
    #[must_use]
    pub fn changed(&self) -> f64 {
        // Other programs tell only when they got it.
        self.phase_since.max(self.since)
    }
}

/// What every grant of a slot writes: two at once cannot both be right.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GateRecord {
    /// The host of the last grant.
    pub host: String,
    /// When, in microseconds of unix time.
    pub at: u64,
}

/// A line of the log, written in the transaction of the change that it is of.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditLine {
    /// The form of the record.
    pub v: Version,
    /// When, in microseconds of unix time.
    pub at: u64,
    /// Who, as the command line says.
    pub by: String,
    /// From which host.
    pub from: String,
    /// What was done: `down`, `up`, `forget`, `release` …
    pub what: String,
    /// To which key of the spool.
    pub key: String,
    /// On which hosts: a selector's text, or a host's name.
    #[serde(rename = "where")]
    pub selector: String,
    /// Why.
    pub reason: String,
    /// The order's id.
    pub order: String,
}

impl AuditLine {
    /// How long a line of the log lives, and with it the record of a roll, and how that ended: 90 days.
    pub(crate) const LIFE: Duration = Duration::from_secs(90 * 86_400);
}

impl Record for HostRecord {}
impl Record for Alive {}
impl Record for Report {}
impl Record for Slot {}
impl Record for GateRecord {}
impl Record for AuditLine {}

/// Whether a text is a host's name as commands may use it: it is shown, and given to `ssh`.
#[must_use]
pub fn is_host_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins_well && text.len() <= 253 && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_specified() {
        let host = br#"{"v":1,"host":"web01","address":"10.0.0.11","port":3333,"tags":{"zone":"a"},"services":["api","web"],"version":"1.0.0",
            "rev":4711,"held":{"web/*":1795632137020409},"waived":{},"since":1795600000}"#;
        let host = HostRecord::parse(host).unwrap();
        assert_eq!(
            (host.rev, host.port, host.since),
            (4711, 3333, 1_795_600_000.0)
        );
        assert_eq!(host.held["web/*"], 1_795_632_137_020_409);
        let report = br#"{"v":1,"since":1795632137.0,"until":1795639337.0,"reason":"new disk","by":"alice","origin":"fleet:*","order":"1795632137020409-3fa9",
            "pollers":3,"acted":2,"sessions":17}"#;
        let report = Report::parse(report).unwrap();
        assert_eq!((report.acted, report.sessions), (2, Some(17)));
        let slot = br#"{"v":1,"roll":"r-5k2","by":"alice","from":"ops1","since":1795632137,"phase":"command"}"#;
        assert_eq!(Slot::parse(slot).unwrap().roll, "r-5k2");
        let alive = Alive::parse(br#"{"machine":"m","boot":"b","pid":7}"#).unwrap();
        assert_eq!(Alive::parse(alive.to_json().as_bytes()), Ok(alive));
    }

    #[test]
    fn records_of_another_version_or_of_another_kind_are_errors() {
        for value in [
            &br#"{"v":2}"#[..],
            br#"{"v":1,"held":[]}"#,
            b"7",
            b"",
            b"{",
            b"\xff",
        ] {
            assert!(HostRecord::parse(value).is_err(), "{value:?}");
        }
        let long = vec![b' '; VALUE_MAX + 1];
        assert_eq!(Slot::parse(&long), Err(RecordError::TooLong(VALUE_MAX + 1)));
        assert_eq!(
            HostRecord::parse(br#"{"new":1}"#),
            Ok(HostRecord::default())
        );
    }

    #[test]
    fn a_name_of_a_host_is_no_option_and_no_path() {
        for (name, fits) in [
            ("web01", true),
            ("10.0.0.1", true),
            ("Web-1.example.com", true),
            ("-web", false),
            (".web", false),
            ("a/b", false),
            ("a b", false),
            ("a_b", false),
            ("", false),
        ] {
            assert_eq!(is_host_name(name), fits, "{name}");
        }
    }
}
