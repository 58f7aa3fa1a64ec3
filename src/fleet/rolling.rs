//! A roll over the hosts of a fleet: what the engine keeps of it, and which host is next.
//!
//! Rules: pure. What a roll runs is bound to its id: whoever can write to the engine can spoil a record, and then it is no
//! record any more; another command it never becomes.

mod next;

use serde::{Deserialize, Serialize};

pub use next::{HostStanding, Next, Over, RollHost, next};

use super::order::key_text;
use super::{Record, RecordError, RollId, Selector, Version};
use crate::names::Key;

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

impl Record for RollRecord {}
impl Record for RollLock {}

#[cfg(test)]
mod tests {
    use super::*;

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
